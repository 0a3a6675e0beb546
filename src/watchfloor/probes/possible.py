"""What conditions can be true of an answer at all: those that never are, or not together, are refused when written.

Nothing that could be true may be refused: a subject is held against the widest bounds that the protocol and the
settings leave it. This module knows nothing of how conditions are read, and does no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from watchfloor.probes.conditions import Comparison, Condition, Sort
from watchfloor.probes.pattern import Pattern

BODY_LIMIT = 8 * 1024 * 1024
"""So much of a body is read at most, in bytes, whatever the settings say."""
REDIRECT_LIMIT = 20
LONGEST_S = 3600.0
"""No check takes longer."""


class Bounds(NamedTuple):
    """Which numbers a subject can be, in its own unit, and the words for them."""

    least: float
    most: float
    whole: bool
    words: str
    allows: Callable[[float], bool] = lambda value: True


BOUNDS: Mapping[str, Bounds] = {
    "status": Bounds(100, 999, True, "a status is a whole number from 100 to 999, such as 200"),
    "latency": Bounds(math.ulp(0.0), LONGEST_S, False, "a latency is more than 0 and at most an hour, such as 300ms"),
    "phase": Bounds(0, LONGEST_S, False, "a phase takes from 0 up to an hour, such as 300ms"),
    "size": Bounds(0, BODY_LIMIT, True, "a size is a whole number of bytes from 0 to 8MiB, which is all that is read"),
    "redirects": Bounds(
        0, REDIRECT_LIMIT, True, f"redirects are a whole number from 0 to {REDIRECT_LIMIT}, such as 2"
    ),
    "certificate": Bounds(-100_000, 100_000, False, "a certificate has from -100000 to 100000 days left, such as 14"),
}  # fmt: skip


def never(comparison: Comparison) -> str | None:
    """Return why a comparison cannot hold for any answer; None when it can."""
    subject, negated, operand = comparison.subject, comparison.negated, comparison.operand
    if comparison.operator == "exists" and negated and subject.name in ("status", "redirects", "body"):
        return f"{subject.name} is there in every answer; what is empty has size == 0"
    if comparison.operator == "contains" and negated and operand == "" and subject.sort is Sort.TEXT:
        return "every text contains the empty one; write what must not be there"
    if isinstance(operand, Pattern) and negated and operand.matches_everything:
        return "the pattern matches every text, since it matches the empty one; write what must not be there"
    bounds = BOUNDS.get(subject.name)
    if bounds is None or comparison.operator == "exists" or _can_hold([(comparison,)], bounds):
        return None
    return bounds.words


def contradiction(conditions: Iterable[Condition], bounds: Mapping[str, Bounds]) -> str | None:
    """Return which conditions cannot hold together within ``bounds`` (of those named there), and why."""
    groups: dict[tuple[str, tuple[str | int, ...]], list[Condition]] = {}
    for condition in conditions:
        about = {(each.subject.name, each.subject.path) for each in condition.comparisons}
        if len(about) == 1:
            groups.setdefault(about.pop(), []).append(condition)
    for (name, _), group in groups.items():
        narrow = bounds.get(name, BOUNDS.get(name))
        asked = [[each for each in one.comparisons if each.operator != "exists"] for one in group]
        if narrow is None or not all(asked):
            continue
        for one, comparisons in zip(group, asked, strict=True):
            if not _can_hold([comparisons], narrow):
                return f"{one.source} never holds here: {narrow.words}"
        if not _can_hold(asked, narrow):
            return f"{' and '.join(one.source for one in group)} cannot all hold; write alternatives with or"
    return None


def _can_hold(asked: Sequence[Sequence[Comparison]], bounds: Bounds) -> bool:
    """Whether one number meets one of each; it is enough to try those at which anything changes."""
    turns = {bounds.least, bounds.most}
    for comparison in (each for some in asked for each in some):
        operand = comparison.operand
        turns |= {
            each
            for each in (operand if isinstance(operand, tuple) else (operand,))
            if isinstance(each, float)
        }
    tried: set[float] = set()
    for turn in turns:
        if bounds.whole:
            tried |= {
                math.floor(turn) - 1.0,
                float(math.floor(turn)),
                float(math.ceil(turn)),
                math.ceil(turn) + 1.0,
            }
        else:
            tried |= {math.nextafter(turn, -math.inf), turn, math.nextafter(turn, math.inf)}
    if bounds.whole and bounds.most - bounds.least < 1000:
        tried |= {float(value) for value in range(int(bounds.least), int(bounds.most) + 1)}
    return any(
        all(any(each.agrees(value) for each in some) for some in asked)
        for value in tried
        if bounds.least <= value <= bounds.most and bounds.allows(value)
    )
