"""The kinds of channels and their settings as a page of Markdown; docs/channels.md is this text."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from watchfloor.channels.words import Speaking, Templates, Words, spoken
from watchfloor.config.describe import as_table, cell, describe
from watchfloor.config.kinds import channel_kinds
from watchfloor.config.schema import ChannelKeys
from watchfloor.config.template import FILTERS, MAX_OUTPUT, MAX_STEPS
from watchfloor.domain.notice import VARIABLES, samples

HEAD = """# Channels

Made from the settings models in `src/watchfloor/channels/`: do not edit, run
`python -m watchfloor.channels.describe > docs/channels.md`.

Channels stand under `channels:` in the config file; rules name those they tell. Every message is delivered at least
once, in order per alert and channel, with an id and bytes that are the same at every attempt. A channel that fails five
times in a row is spared: one message at a time is tried, the others wait, and the other channels tell of it.

| command | what it does |
|---|---|
| `watchfloor channels` | how every channel does, with figures of the last seven days |
| `watchfloor channels test NAME` | sends a test message through the engine and says what became of it |
| `watchfloor channels dead` | lists messages that were given up |
| `watchfloor channels replay ID...`, `--channel NAME` | sends them again, but for those that come too late |
| `watchfloor channels discard ID...` | takes them off the list |
| `watchfloor channels off NAME`, `on NAME` | switches a channel off, and on again |

A channel that an operator switched off, here or with `P` in the console under Settings, stays off through restarts and
through reloads of the file, until the file itself says something else about `enabled`. While it is off

- **what waits is kept**, and goes out once it is on again; of what is over by then people are told nothing;
- **what is new is left out**, and the alert says so: *the channel is switched off*. Chains go on at once to whoever can
  be told otherwise. Only the end of a problem that the channel was told of waits for it, so that none stays open there;
- **once it is on again it is told what still fires** and nobody took charge of. Groups are told as they are by then.

`i` in the console shows how messages of every kind read on a channel, of a sample or of any open alert, and what is
wrong with its templates, by line.

Words tell times in the zone of the setting `alerts.time_zone`, UTC at first, or in that of the key `time_zone` of their
channel; the fields that programs read are in UTC.

*Secret* settings are never written in the file where they give something away: write `${NAME}` or `${file:/path}`.

## Every channel"""


def page() -> str:
    """The page."""
    lines = [HEAD, "", *as_table(describe(ChannelKeys)), "", *_templates()]
    kinds = channel_kinds()
    for name in sorted(kinds):
        kind = kinds[name]
        module = importlib.import_module(kind.run.__module__)
        lines += [
            "",
            f"## {name}",
            "",
            (module.__doc__ or "").strip().replace("``", "`"),
            "",
            *as_table(describe(kind.settings)),
        ]
    return "\n".join(lines) + "\n"


def _templates() -> list[str]:
    return [
        "## Templates",
        "",
        "`templates` changes the words of a channel: for every type of message (`every`) or for one of them",
        f"({', '.join(f'`{name}`' for name in Templates.model_fields if name != 'every')}), each with",
        f"{' and '.join(f'`{name}`' for name in Words.model_fields)}. They are a closed part of Jinja2 that prints,",
        "chooses (`if`) and loops (`for`); mistakes are found by `watchfloor config check`.",
        f"A template makes at most {MAX_OUTPUT:,} characters in at most {MAX_STEPS:,} turns of loops. Filters:",
        f"{', '.join(f'`{name}`' for name in FILTERS)}.",
        "",
        "| variable | what it is |",
        "|---|---|",
        *(f"| `{name}` | {cell(meaning)} |" for name, meaning in VARIABLES.items()),
        "",
        "Without templates a message reads:",
        "",
        "```",
        *_examples(),
        "```",
    ]


def _examples() -> Iterable[str]:
    for notice in samples():
        said = spoken(Speaking(), notice)
        yield from (said.title, *(f"    {line}" for line in said.body.splitlines()))


if __name__ == "__main__":
    print(page(), end="")
