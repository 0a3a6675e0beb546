"""What a check found, made fit to store and to show, whoever wrote its kind.

Kinds of checks may come from other packages. Whatever they hand over, one outcome must never be able to spoil
what is stored beside it: text is freed of control characters, numbers that are none go, sizes end somewhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from watchfloor.domain.outcome import PHASES, Outcome, Status
from watchfloor.domain.text import clean, one_line

SUMMARY = 500
LONGEST_S = 2_000.0
"""No phase of a check lasts longer; microseconds of more would not fit where phases are stored."""

NAME = 200
TEXT = 4_000
FACTS = 100_000
"""Most characters of facts, as JSON."""

ITEMS = 2_000
FEW = 100
"""Facts of no more items are looked through one by one before they are written as JSON to see whether they can be."""

WORD_BITS = 64
"""Numbers that take more are looked at closely: Python refuses to write some of them."""

DEPTH = 8

Item = TypeVar("Item")


def harmless(found: object, kind: str) -> Outcome:
    """The outcome of a check of ``kind``; what is no outcome at all is an unknown one that says so."""
    if not isinstance(found, Outcome) or not isinstance(found.status, Status):
        return Outcome(Status.UNKNOWN, f"the {kind} probe answered with {type(found).__name__}, no outcome")
    return Outcome(
        status=found.status,
        summary=one_line(str(found.summary), SUMMARY),
        latency=_seconds(found.latency, 1e9),
        phases=_phases(found.phases),
        metrics=_metrics(found.metrics),
        facts=_facts(found.facts),
        told=found.told if isinstance(found.told, Status) else Status.OK,
        slow=_slow(found.slow),
    )


def _seconds(value: object, most: float) -> float | None:
    number = _number(value)
    return number if number is not None and 0 <= number <= most else None


def _number(value: object) -> float | None:
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _slow(passed: object) -> tuple[tuple[Status, float], ...]:
    if not passed or not isinstance(passed, tuple):
        return ()
    pairs = (each for each in passed[:ITEMS] if isinstance(each, tuple) and len(each) == 2)
    held = ((status, _seconds(by, 1e9)) for status, by in pairs if isinstance(status, Status))
    return tuple((status, by) for status, by in held if by is not None)


def _phases(phases: Mapping[str, float]) -> dict[str, float]:
    return {
        name: seconds
        for name in PHASES
        if name in phases and (seconds := _seconds(phases[name], LONGEST_S)) is not None
    }


def _metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    kept: dict[str, float] = {}
    for name, value in metrics.items():
        number = _number(value)
        if number is not None and len(kept) < ITEMS:
            kept[one_line(str(name), NAME)] = number
    return kept


def _facts(facts: Mapping[str, object]) -> Mapping[str, object]:
    if _are_plain(facts):
        return facts
    try:
        written = json.dumps(facts, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        written = "\\u"
    if "\\u" not in written and len(written) <= FACTS:  # what needs an escape needs a closer look
        return facts
    plain = _Plain().mapping(facts, DEPTH)
    return plain if len(json.dumps(plain)) <= FACTS else {"left out": "these facts are too long to keep"}


def _are_plain(facts: Mapping[str, object]) -> bool:
    """Whether facts need no closer look, as most: a few short words and whole numbers."""
    return (
        type(facts) is dict
        and len(facts) <= FEW
        and all(_is_word(key) and (_is_word(value) or _is_whole(value)) for key, value in facts.items())
    )


def _is_word(value: object) -> bool:
    return type(value) is str and len(value) <= NAME and value.isascii() and value.isprintable()


def _is_whole(value: object) -> bool:
    return value is None or type(value) is bool or (type(value) is int and value.bit_length() <= WORD_BITS)


class _Plain:
    """Copies facts into plain, clean values; stops where there are too many."""

    def __init__(self) -> None:
        self._left = ITEMS

    def mapping(self, value: Mapping[str, object], depth: int) -> dict[str, object]:
        return {
            one_line(str(key), NAME): self.value(inner, depth - 1) for key, inner in self._some(value.items())
        }

    def value(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            number = _number(value)
            return value if number is not None else None
        if depth > 0 and isinstance(value, Mapping):
            return self.mapping(value, depth)
        if depth > 0 and isinstance(value, list | tuple | set | frozenset):
            return [self.value(inner, depth - 1) for inner in self._some(value)]
        return clean(value if isinstance(value, str) else type(value).__name__, TEXT)

    def _some(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            if self._left <= 0:
                return
            self._left -= 1
            yield item
