"""What to do about fires whose time has come, and about those that were missed while nobody looked.

It must never walk through a long gap: it jumps, and counts only so far as people care.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice, takewhile

from watchfloor.domain.schedules import Schedule, fires, next_fire

COUNTED = 1000
"""More missed fires than this are not counted one by one."""


class CatchUp(StrEnum):
    """Which of the fires that were missed are made up for."""

    SKIP = "skip"
    LAST = "last"
    FIRST = "first"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Policy:
    """A fire later than ``grace`` is missed; older than ``window`` it is never made up for; ``most`` bounds ``all``."""

    catch_up: CatchUp = CatchUp.LAST
    grace: timedelta = timedelta(seconds=60)
    window: timedelta = timedelta(hours=24)
    most: int = 100


@dataclass(frozen=True, slots=True)
class Due:
    """``runs`` are to be made now, oldest first. ``missed`` fires get none, the first of them at ``first_missed``
    (``missed`` stops at `COUNTED`). ``following`` is the next fire, None where there is none."""

    runs: tuple[datetime, ...]
    missed: int
    first_missed: datetime | None
    following: datetime | None


def due(schedule: Schedule, planned: datetime, now: datetime, policy: Policy) -> Due:
    """Everything from the fire ``planned`` to ``now``. Raises as `watchfloor.domain.schedules.next_fire`."""
    late_until = now - policy.grace  # a fire before this is missed
    moment = timedelta(microseconds=1)
    punctual = tuple(takewhile(lambda at: at <= now, _from(schedule, max(planned, late_until))))
    following = next_fire(schedule, now)
    if planned >= late_until:
        return Due(punctual, 0, None, following)
    made_up = _made_up(
        schedule, max(planned, now - policy.window), late_until - moment, policy, bool(punctual)
    )
    late = _count(schedule, planned, late_until - moment)
    left = late - len(made_up)
    first = planned if left > 0 and planned not in made_up else None
    if left > 0 and first is None:
        first = next(at for at in fires(schedule, planned) if at not in made_up)
    return Due((*made_up, *punctual), max(0, left), first, following)


def _from(schedule: Schedule, at: datetime) -> islice[datetime]:
    """Fires from ``at`` on, itself included."""
    return islice(fires(schedule, at - timedelta(microseconds=1)), None)


def _made_up(
    schedule: Schedule, low: datetime, high: datetime, policy: Policy, punctual: bool
) -> tuple[datetime, ...]:
    match policy.catch_up:
        case CatchUp.SKIP:
            return ()
        case CatchUp.FIRST:
            return tuple(takewhile(lambda at: at <= high, islice(_from(schedule, low), 1)))
        case CatchUp.LAST:
            return () if punctual else _last(schedule, low, high, 1)
        case CatchUp.ALL:
            return _last(schedule, low, high, policy.most)


def _last(schedule: Schedule, low: datetime, high: datetime, most: int) -> tuple[datetime, ...]:
    """The last ``most`` fires from ``low`` to ``high``: looks back further and further until there are enough."""
    back = timedelta(minutes=1)
    while True:
        start = max(low, high - back)
        found = tuple(takewhile(lambda at: at <= high, _from(schedule, start)))
        if len(found) >= most or start == low:
            return found[-most:]
        back *= 2


def _count(schedule: Schedule, low: datetime, high: datetime) -> int:
    if schedule.kind == "interval" and not schedule.excluded:
        last = high if schedule.end is None else min(high, schedule.end)
        return (last - low) // timedelta(seconds=float(schedule.expr)) + 1
    return sum(1 for _ in islice(takewhile(lambda at: at <= high, _from(schedule, low)), COUNTED))
