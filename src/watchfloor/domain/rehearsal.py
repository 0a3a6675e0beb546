"""What a rule would have done over stored history: when it would have fired, and for what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchfloor.domain.judging import NEVER, OUTAGE, Threshold, interrupted, judge
from watchfloor.domain.questions.question import Instance
from watchfloor.domain.severity import Severity


@dataclass(frozen=True, slots=True)
class WouldFire:
    """One alert that a rule would have raised.

    ``since`` is when its condition became true, ``fired_at`` when the alert would have fired, ``ended_at`` when it
    would have been resolved (None: it would fire to this day). ``summary`` says what it was like when it fired.
    """

    instance: Instance
    severity: Severity
    since: datetime
    fired_at: datetime
    ended_at: datetime | None
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rule would have done from ``since`` to ``until``, looked at every ``step``; oldest first.

    ``instances`` is how many it looked at, ``left_out`` how many it would have but for the limit of a rehearsal.
    ``notes`` say in sentences what makes it differ from what would really have been.
    """

    since: datetime
    until: datetime
    step: timedelta
    fired: tuple[WouldFire, ...]
    instances: int
    left_out: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Episode:
    """One time that a condition fired: since when it was true, when it fired, and when that ended (None: it has not).

    ``value`` is what it was when it fired, ``critical`` whether a value while it fired was critical.
    """

    since: datetime
    fired_at: datetime
    ended_at: datetime | None
    value: float | None
    critical: bool


def replay(
    threshold: Threshold, values: Iterable[tuple[datetime, float | None, datetime | None]], step: timedelta
) -> list[Episode]:
    """Judge the values that a rule finds, in order of time, each with when it began, where that is known.

    A rule that is looked at every ``step`` knows no shorter outage.
    """
    standing, outage = NEVER, max(OUTAGE, 3 * step)
    found: list[Episode] = []
    for moment, value, began in values:
        before = standing if began is None else interrupted(threshold, standing, began)
        after = judge(threshold, before, value, moment, outage, began)
        if after.firing and not standing.firing:
            found.append(Episode(after.since or moment, moment, None, value, False))
        if after.firing and threshold.is_critical(value):
            found[-1] = replace(found[-1], critical=True)
        if standing.firing and not after.firing:
            found[-1] = replace(found[-1], ended_at=moment)
        standing = after
    return found
