"""The facts a probe learned: a certificate in words, everything else as names and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from watchfloor.console.format import Moment, age, clock, until, value
from watchfloor.console.line import Line, clean
from watchfloor.console.views.sections import heading, paragraphs

DEPTH = 4
MOST = 60
MOMENTS = frozenset({"since", "until"})
ORDER = (
    *("status_code", "http_version", "content_type", "size", "server", "final_url", "redirects"),
    *(
        "subject",
        "issuer",
        "names",
        "not_after",
        "not_before",
        "key",
        "protocol",
        "cipher",
        "chain",
        "serial",
    ),
)
"""The order in which people want known facts; all others come after them as they are."""


def fact_lines(facts: Mapping[str, object], moment: Moment, cells: int) -> list[Line]:
    """A section for each group of facts: nested mappings and lists become sections of their own."""
    plain = [(name, fact) for name, fact in facts.items() if not isinstance(fact, (dict, list))]
    lines: list[Line] = []
    if plain:
        lines += [*heading("FACTS", cells), *_items(plain, moment, cells)]
    for name, fact in facts.items():
        if isinstance(fact, dict):
            lines += [*heading(_title(name), cells), *_items(_flat(fact), moment, cells)]
        elif isinstance(fact, list):
            lines += [*heading(_title(name), cells), *_list(fact, moment, cells)]
    return lines


def _title(name: str) -> str:
    return clean(str(name)).replace("_", " ").upper()[:40]


def _items(items: Sequence[tuple[str, object]], moment: Moment, cells: int) -> list[Line]:
    ordered = sorted(items, key=lambda item: ORDER.index(item[0]) if item[0] in ORDER else len(ORDER))
    words = [(clean(name).replace("_", " "), in_words(name, fact, moment)) for name, fact in ordered[:MOST]]
    return paragraphs(words, cells)


def in_words(name: str, fact: object, moment: Moment) -> str:
    """A fact in words; a moment as the reader's local time and its distance, links of a chain by their names."""
    if isinstance(fact, str) and (name in MOMENTS or name.endswith(("_at", "_after", "_before"))):
        try:
            at = datetime.fromisoformat(fact)
        except ValueError:
            return clean(fact)
        if at.tzinfo is not None:
            distance = until(at, moment.now) if at > moment.now else f"{age(at, moment.now)} ago"
            return f"{clock(at, moment.now, moment.zone)} ({distance})"
    if isinstance(fact, list) and fact and all(isinstance(link, dict) and "subject" in link for link in fact):
        return " ← ".join(clean(str(link["subject"])) for link in fact)
    return clean(value(fact))


def _flat(facts: Mapping[str, object], lead: str = "", depth: int = 0) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, fact in facts.items():
        if isinstance(fact, dict) and depth < DEPTH:
            found += _flat(fact, f"{lead}{name} ", depth + 1)
        else:
            found.append((f"{lead}{name}", fact))
    return found


def _list(facts: Sequence[object], moment: Moment, cells: int) -> list[Line]:
    lines: list[Line] = []
    for index, fact in enumerate(facts[:MOST], 1):
        if isinstance(fact, dict):
            lines += _items(_flat(fact), moment, cells)
        else:
            lines += paragraphs([(str(index), clean(value(fact)))], cells)
    return lines
