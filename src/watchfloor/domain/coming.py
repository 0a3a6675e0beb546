"""The next fires of schedules, as clocks in the zone of each show them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from watchfloor.domain.calendar import clocks_on
from watchfloor.domain.schedules import Schedule, preview
from watchfloor.domain.zones import zone


@dataclass(frozen=True, slots=True)
class Coming:
    """A fire to come of one job."""

    at: datetime
    local: str  # as clocks in the zone of its schedule show it
    clocks: str = ""  # how clocks change on its day, or have since the fire before

    def __str__(self) -> str:
        """
        >>> str(Coming(datetime(2026, 10, 25, 1, 30), "2026-10-25 02:30:00+01:00", "clocks go back 1h"))
        '2026-10-25 02:30:00+01:00  clocks go back 1h'
        """
        return f"{self.local}  {self.clocks}".rstrip()


def coming(schedules: Iterable[Schedule], now: datetime, count: int) -> list[Coming]:
    """The next ``count`` fires of these schedules after ``now``, soonest first."""
    found = [each for schedule in schedules for each in _of(schedule, now, count)]
    return sorted(found, key=lambda each: (each.at, each.local))[:count]


def _of(schedule: Schedule, now: datetime, count: int) -> Iterator[Coming]:
    for each in preview(schedule, now, count):
        local = each.at.astimezone(zone(schedule.tz))
        clocks = clocks_on(schedule.tz, local.year, local.month, local.day)
        yield Coming(each.at, each.local, clocks or ("clocks have changed" if each.changes else ""))
