"""What the console says about a group of services: its score, with the formula and the numbers of this group."""

from __future__ import annotations

from collections import Counter

from watchfloor.console.format import Moment
from watchfloor.console.glyphs import PAUSED, PENDING, STATUS, health
from watchfloor.console.line import Line, clean, clip, says, width, wrap
from watchfloor.console.views.sections import heading
from watchfloor.domain.grouping import Group
from watchfloor.domain.outcome import Status
from watchfloor.domain.score import COSTS, LEFT_OUT
from watchfloor.domain.words import count

SHOWN = 200
_BAD = (STATUS[Status.FAILING], STATUS[Status.DEGRADED], STATUS[Status.UNKNOWN])
MARKS = (*_BAD, PENDING, STATUS[Status.OK], PAUSED)
FORMULA = "score = 100 × (1 - costs / services that count), rounded down."  # noqa: RUF001


def score_role(group: Group) -> str:
    """The colour of a score."""
    value = group.score.value
    if value is None:
        return "muted"
    return "ok" if value == 100 else "failing" if value < 50 else "degraded"


def score_words(group: Group) -> str:
    """The score in the fewest words."""
    return "no score" if group.score.value is None else f"{group.score.value} of 100"


def tallies(group: Group, cells: int) -> Line:
    """How many of it are in which state, the most urgent first; what has no room is left out, no number is cut."""
    numbers = Counter(health(row) for row in group.rows)
    line: Line = tuple((f"{mark.glyph}{numbers[mark]} ", mark.role) for mark in MARKS if numbers[mark])
    if width(line) - 1 <= cells:
        return line
    while line and width(line) + 1 > cells:
        line = line[:-1]
    return (*line, ("…", "muted"))


def group_lines(group: Group, moment: Moment, cells: int) -> list[Line]:
    """The score, how it comes about, and the services with the most urgent first."""
    found = group.score
    lines: list[Line] = [
        (
            (clip(clean(group.title), max(8, cells - 20)), "title"),
            (f"  {count(len(group.rows), 'service')}", "muted"),
        ),
        (
            ("health score " if found.value is not None else "", "muted"),
            (score_words(group), score_role(group)),
        ),
        *heading("HOW IT COMES ABOUT", cells),
        *wrap(found.formula, cells),
    ]
    if found.left_out:
        lines += wrap(f"not counted: {found.left_out}", cells, "muted")
    costs = ", ".join(f"{word} {cost:g}" for word, cost in COSTS.items())
    lines += wrap(f"{FORMULA} A service costs: {costs}. Not counted: {', '.join(LEFT_OUT)}.", cells, "muted")
    lines += heading("SERVICES", cells)
    for row in group.rows[:SHOWN]:
        mark = health(row)
        lost = row.root and row.hard is Status.FAILING
        over = (("out of reach", lost), ("planned", row.planned), ("flapping", row.flapping))
        notes = [word for word, holds in over if holds]
        words = f"{clean(row.name)}{'  ' + ', '.join(notes) if notes else ''}"
        lines.append(((f"{mark.glyph} {mark.word:<9}", mark.role), (clip(words, max(4, cells - 11)), "text")))
    if len(group.rows) > SHOWN:
        lines.append(says(f"and {len(group.rows) - SHOWN} more", "muted"))
    return lines
