"""The hours of the week as a map: the darker, the more."""

from __future__ import annotations

from collections.abc import Sequence

from watchfloor.console.line import Line, says
from watchfloor.domain.words import count

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SHADES = ("·", "░", "▒", "▓", "█")
ROLES = ("muted", "accent", "accent", "accent", "accent")
WIDEST = 3
"""Cells of an hour, where there is room."""


def heat(week: Sequence[Sequence[int]], cells: int, zone: str) -> list[Line]:
    """A line a day, Monday first, a mark an hour; under it what the shades stand for and when it was worst, by
    the clocks of ``zone``.
    """
    most = max(map(max, week))
    size = max(1, min(WIDEST, (cells - 4) // 24))
    lines: list[Line] = [
        (("    " + "".join(f"{hour:<{size * 6}}" for hour in (0, 6, 12, 18)).rstrip(), "muted"),)
    ]
    for day, hours in zip(DAYS, week, strict=True):
        marks = [_level(number, most) for number in hours]
        lines.append(((f"{day} ", "muted"), *((SHADES[level] * size, ROLES[level]) for level in marks)))
    return [*lines, _legend(week, most, zone)]


def _level(number: int, most: int) -> int:
    """Which shade a number gets: nothing, or which quarter of the most it is in."""
    return 0 if not number else 1 + min(3, (number - 1) * 4 // most)


def _legend(week: Sequence[Sequence[int]], most: int, zone: str) -> Line:
    if not most:
        return says("No alert in this time.", "muted")
    day, hour = next(
        (d, h) for d, hours in enumerate(week) for h, number in enumerate(hours) if number == most
    )
    hours = f"{hour:02}:00 to {(hour + 1) % 24:02}:00 {zone}"
    worst = f"the most in {DAYS[day]} {hours}: {count(most, 'alert')}"
    return (("█", "accent"), (f" {worst}", "muted"))
