"""The kinds of checks and their settings as a page of Markdown; docs/probes.md is this text."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from watchfloor.config.describe import as_table, describe
from watchfloor.config.kinds import probe_kinds
from watchfloor.config.schema import ServiceKeys
from watchfloor.probes import condition_parser

HEAD = """# Probes

Made from the settings models in `src/watchfloor/probes/`: do not edit, run
`python -m watchfloor.probes.describe > docs/probes.md`.

A probe is a kind of check; a service of the config file names one as its `kind` and has its settings beside the keys
that every service has. Every check keeps its time limit, opens connections of its own and leaves nothing behind. A kind
costs nothing until a service uses it. Those that need a library of their own say so and how to install it.

*Secret* settings are never written in the file where they give something away: write `${NAME}` or `${file:/path}`.

## Every service"""


def page() -> str:
    """The page."""
    lines = [HEAD, "", *as_table(describe(ServiceKeys))]
    kinds = probe_kinds()
    mappings: dict[str, type[BaseModel]] = {}
    for name in sorted(kinds):
        settings = kinds[name].settings
        module = importlib.import_module(kinds[name].run.__module__)
        about = (module.__doc__ or "").partition("\n\n")[0].replace("``", "`")
        rows = sorted(describe(settings), key=lambda row: not row.required)
        lines += ["", f"## {name}", "", about, "", *as_table(rows)]
        if name == "http":
            lines += ["", "### Conditions", "", *_conditions()]
        for field in settings.model_fields.values():
            mappings |= {model.__name__: model for model in _models_in(field.annotation)}
    for name, model in sorted(mappings.items()):
        lines += ["", f"## Mapping: {name}", "", model.__doc__ or "", "", *as_table(describe(model))]
    return "\n".join(lines) + "\n"


def _conditions() -> Iterator[str]:
    """What may be written as a condition: the grammar that stands over its reader."""
    grammar, _, notes = (condition_parser.__doc__ or "").partition("::\n\n")[2].partition("\n\n")
    yield from ("```", *(line.removeprefix("    ") for line in grammar.splitlines()), "```", "")
    # The last sentence is for whoever changes the reader.
    yield notes.partition("\nThis module")[0].replace("``", "`")


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


if __name__ == "__main__":
    print(page(), end="")
