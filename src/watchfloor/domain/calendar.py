"""The calendar of what is to come: the fires of all schedules in a stretch of time, overlaps and clock changes marked.

A schedule that fires very often stands there once, with how often: a list of a thousand equal lines tells nothing.
Pure; it never looks at a clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile

from watchfloor.domain.schedules import Schedule, fires
from watchfloor.domain.zones import zone

OFTEN = 12
"""A schedule with more fires than this within a day stands in the calendar once."""
MOST = 5_000
NAMED = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """One schedule of a job: when it fires, and how long a run of it usually takes."""

    job: str
    words: str
    schedule: Schedule
    took_s: float | None
    queue: str = "default"
    paused: bool = False


@dataclass(frozen=True, slots=True)
class CalendarFire:
    """One fire to come; its key is ``(job, words, at)``. ``times``: it stands for so many from here on.

    ``beside`` are jobs whose runs are likely to go on at that moment; its own name where it meets itself.
    """

    at: datetime
    local: str  # as clocks in the zone of its schedule show it
    job: str
    words: str
    queue: str
    took_s: float | None
    times: int = 1
    clocks: str = ""  # how clocks change on that day
    beside: tuple[str, ...] = ()

    @property
    def meets_itself(self) -> bool:
        """Whether the run before is likely to go on still."""
        return self.job in self.beside


def calendar(plans: Iterable[Plan], now: datetime, length: timedelta) -> list[CalendarFire]:
    """What fires within ``length`` from ``now``, soonest first; at most `MOST` lines."""
    found: list[CalendarFire] = []
    for plan in plans:
        if not plan.paused:
            found += _of_plan(plan, now, length)
    found.sort(key=lambda fire: (fire.at, fire.job))
    return _beside(found[:MOST])


def _of_plan(plan: Plan, now: datetime, length: timedelta) -> list[CalendarFire]:
    end = now + length
    days = max(1, round(length / timedelta(days=1)))
    try:
        coming = list(islice(takewhile(lambda at: at <= end, fires(plan.schedule, now)), OFTEN * days + 1))
    except ValueError:  # its zone is unknown: the list of jobs says so
        return []
    if len(coming) <= OFTEN * days:
        return [_fire(plan, at) for at in coming]
    gap = coming[1] - coming[0]
    times = round(length / gap) if gap else len(coming)
    meets = plan.took_s is not None and gap < timedelta(seconds=plan.took_s)
    return [replace(_fire(plan, coming[0]), times=times, beside=(plan.job,) if meets else ())]


def _fire(plan: Plan, at: datetime) -> CalendarFire:
    local = at.astimezone(zone(plan.schedule.tz))
    return CalendarFire(
        at,
        local.isoformat(sep=" "),
        plan.job,
        plan.words,
        plan.queue,
        plan.took_s,
        clocks=clocks_on(plan.schedule.tz, local.year, local.month, local.day),
    )


@lru_cache(maxsize=4096)
def clocks_on(tz: str, year: int, month: int, day: int) -> str:
    """How clocks of a zone change on a day; empty where they do not.

    >>> clocks_on("Europe/Berlin", 2026, 3, 29), clocks_on("Europe/Berlin", 2026, 10, 25)
    ('clocks go forward 1h', 'clocks go back 1h')
    """
    start = datetime(year, month, day, tzinfo=zone(tz))
    after = start + timedelta(days=1)  # the same wall clock a day later
    shift = (after.utcoffset() or timedelta()) - (start.utcoffset() or timedelta())
    if not shift:
        return ""
    minutes = abs(int(shift.total_seconds())) // 60
    words = f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes} min"
    return f"clocks go {'forward' if shift > timedelta() else 'back'} {words}"


def _beside(found: Sequence[CalendarFire]) -> list[CalendarFire]:
    """Mark what is likely to go on at each fire, by how long runs usually take."""
    going_on: list[tuple[datetime, str]] = []
    marked = []
    for fire in found:
        while going_on and going_on[0][0] <= fire.at:
            heapq.heappop(going_on)
        names = tuple(dict.fromkeys(job for _, job in sorted(going_on)))[:NAMED]
        marked.append(replace(fire, beside=fire.beside or names) if fire.times == 1 else fire)
        if fire.took_s and fire.times == 1:
            heapq.heappush(going_on, (fire.at + timedelta(seconds=fire.took_s), fire.job))
    return marked
