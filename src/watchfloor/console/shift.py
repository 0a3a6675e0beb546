"""Finds out that lines of the screen only moved up or down, so that the terminal can move them by itself.

A list that scrolls by a line changes every cell of itself; told to scroll, a terminal does that for a few bytes
(ECMA-48 has no margins; DEC's DECSTBM, IND and RI are what every emulator knows since the VT100). Pure: compares two
pictures, writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import is_not, ne
from typing import NamedTuple, Protocol

LEAST_LINES = 5
"""Fewer changed lines are not worth a look."""
SAMPLE = slice(2, 40)
"""The cells by which a line is known again: without the gutter, in which the cursor moves."""
WORTH = 60
"""So many cells must be saved, or moving costs more than it brings."""


class Cells(Protocol):
    """A line of the screen."""

    @property
    def texts(self) -> Sequence[str]:
        """What each cell holds."""

    @property
    def pens(self) -> Sequence[object]:
        """How each cell is drawn; equal pens are one object."""


class Shift(NamedTuple):
    """The lines from `first` to before `end` move by `by` lines: up where it is negative."""

    first: int
    end: int
    by: int


def shift_of(wanted: Sequence[Cells], shown: Sequence[Cells], lines: Iterable[int]) -> Shift | None:
    """The move that saves most on the way from `shown` to `wanted`, which differ in `lines`; None: none is worth it."""
    changed = sorted(y for y in lines if wanted[y].texts != shown[y].texts)
    if len(changed) < LEAST_LINES:
        return None
    known = _known(shown)
    moved = [(y, before) for y in changed if (before := known.get(_sample(wanted[y]), -1)) not in (-1, y)]
    if not moved:
        return None
    by, _ = Counter(y - before for y, before in moved).most_common(1)[0]
    places = [place for y, before in moved if y - before == by for place in (y, before)]
    if len(places) < 2 * (LEAST_LINES - 1):
        return None
    found = Shift(min(places), max(places) + 1, by)
    return found if _saved(wanted, shown, found) >= WORTH else None


def _sample(row: Cells) -> str:
    return "".join(row.texts[SAMPLE])


def _known(shown: Sequence[Cells]) -> dict[str, int]:
    """Where each line is that is unlike all others; -1 for those that are alike."""
    known: dict[str, int] = {}
    for y, row in enumerate(shown):
        sample = _sample(row)
        known[sample] = -1 if sample in known or sample.isspace() else y
    return known


def _saved(wanted: Sequence[Cells], shown: Sequence[Cells], shift: Shift) -> int:
    """How many cells fewer must be drawn after the move than without it."""
    saved = 0
    for y in range(shift.first, shift.end):
        now = _differing(wanted[y], shown[y])
        before = y - shift.by
        inside = shift.first <= before < shift.end
        after = _differing(wanted[y], shown[before]) if inside else len(wanted[y].texts)
        saved += now - after
    return saved


def _differing(one: Cells, other: Cells) -> int:
    texts = map(ne, one.texts, other.texts)
    return sum(text or pen for text, pen in zip(texts, map(is_not, one.pens, other.pens), strict=True))
