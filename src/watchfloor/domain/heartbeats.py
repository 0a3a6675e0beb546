"""Heartbeats: services that report themselves, and are down when they fall silent. A dead man's switch.

The semantics are those of Healthchecks (``hc/api/models.py``: ``Check.ping``, ``get_grace_start``,
``going_down_after``). A heartbeat is *due* one period after its last ping, or at the next time of its cron schedule;
it is down when the grace after that has passed without one. A run that said it began has the grace to end, whatever
the schedule says. A fail, or an exit status other than 0, takes it down at once; a success brings it up. Output that
is only logged changes nothing. One that never reported is *new* and waits without end.

What happens while nobody looks is worked out afterwards, in the order in which it happened: down time begins when
the grace ended, not when somebody noticed.

Silence proves nothing of a time in which no ping could be taken: the database was away, no node listened, the clock
jumped over it. A ping may have come and been lost until the very end of such a time, so the next is due as after a ping
at that moment. But not without end: one missed ping is excused, and the time nobody listened is added to the grace; so
a job that fell silent is raised even where the monitor itself is restarted every few minutes.

This module must never look at a clock or at storage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from watchfloor.domain.durations import compact_duration
from watchfloor.domain.schedules import Schedule, next_fire

KIND = "heartbeat"
"""The kind of service that is not probed but reports itself."""

KEPT = 100
"""Pings that are kept of a heartbeat."""

WAITING = 2_000
"""Pings that wait for an engine; of more the oldest are taken in without a word about each."""

LONGEST_RUN = timedelta(hours=72)
"""A start this long before the end of a run is not taken for its beginning."""

_US = timedelta(microseconds=1)


class Signal(StrEnum):
    """What a ping says."""

    SUCCESS = "success"
    START = "start"
    FAIL = "fail"
    LOG = "log"


def of_exit(status: int) -> Signal:
    """What an exit status says."""
    return Signal.SUCCESS if status == 0 else Signal.FAIL


class BeatStatus(StrEnum):
    """How a heartbeat is; ``late``, while the grace runs, is a word for people and not a state (`word`)."""

    NEW = "new"
    UP = "up"
    DOWN = "down"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Plan:
    """When a heartbeat is due: a ``period`` or a cron ``schedule``, and the grace after it."""

    grace: timedelta
    period: timedelta | None = None
    schedule: Schedule | None = None
    manual_resume: bool = False

    def due(self, last: datetime) -> datetime | None:
        """When the next ping is due after one at ``last``; None where the schedule names no further time."""
        if self.schedule is not None:
            return next_fire(self.schedule, last)
        return None if self.period is None else last + self.period


@dataclass(frozen=True, slots=True)
class Ping:
    """One ping as it came in; ``took`` is how long the run lasted that it ends, where that is known."""

    signal: Signal
    at: datetime
    run_id: str | None = None
    exit_status: int | None = None
    took: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Beat:
    """What is known of a heartbeat. ``looked`` is the latest moment up to which it was followed.

    ``unheard_until`` is the end of the latest time in which no ping of it could be taken; if that is after the last
    ping, ``unheard`` is how long such times lasted together since.
    """

    status: BeatStatus = BeatStatus.NEW
    last_ping: datetime | None = None
    last_start: datetime | None = None
    last_run_id: str | None = None
    looked: datetime | None = None
    unheard_until: datetime | None = None
    unheard: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a moment said about a heartbeat: well or down, why, and how long the run took that it ended."""

    at: datetime
    well: bool
    reason: str
    took: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """A heartbeat after what happened to it; ``woken``: it was paused and a ping ended that."""

    beat: Beat
    verdicts: tuple[Verdict, ...]
    woken: bool


def due_at(beat: Beat, plan: Plan) -> datetime | None:
    """When the next ping is due; None unless the heartbeat is up."""
    if beat.status is not BeatStatus.UP or beat.last_ping is None:
        return None
    due = plan.due(beat.last_ping)
    if due is None or beat.unheard_until is None or beat.unheard_until <= beat.last_ping:
        return due
    later, next_but_one = plan.due(beat.unheard_until), plan.due(due)
    if later is None or next_but_one is None:
        return due + beat.unheard
    return max(due, min(later, next_but_one + beat.unheard))


def _begun(beat: Beat, plan: Plan) -> datetime | None:
    """From when on a run has the grace to end: its end may have been lost until the end of a time unheard."""
    start, unheard_until = beat.last_start, beat.unheard_until
    if start is None or unheard_until is None or unheard_until <= start:
        return start
    return min(unheard_until, start + plan.grace + beat.unheard)


def down_at(beat: Beat, plan: Plan) -> datetime | None:
    """When it goes down if nothing comes; None where it is down already, or nothing is expected."""
    if beat.status is BeatStatus.DOWN:
        return None
    moments = [each for each in (due_at(beat, plan), _begun(beat, plan)) if each is not None]
    return min(moments) + plan.grace if moments else None


def word(beat: Beat, plan: Plan, now: datetime) -> str:
    """The word for people: new, up, late, down or paused; ``started`` while a run goes on.

    >>> from datetime import UTC
    >>> noon, hour = datetime(2026, 1, 1, 12, tzinfo=UTC), timedelta(hours=1)
    >>> word(Beat(BeatStatus.UP, noon), Plan(hour, hour), noon + 1.5 * hour)
    'late'
    """
    if beat.status is not BeatStatus.DOWN and beat.last_start is not None:
        return "started"
    due = due_at(beat, plan)
    return "late" if due is not None and now >= due else beat.status.value


def follow(beat: Beat, plan: Plan, pings: Iterable[Ping], paused: bool, now: datetime) -> Followed:
    """Take in the pings that came since the last look, oldest first, and the time that passed up to ``now``."""
    beat, woken = _paused(beat, paused), False
    verdicts: list[Verdict] = []
    for ping in pings:
        beat, woken = _lapse(beat, plan, ping.at, woken, verdicts)
        beat, woken = _take(beat, plan, ping, woken, verdicts)
    beat, woken = _lapse(beat, plan, now + _US, woken, verdicts)
    return Followed(replace(beat, looked=now), tuple(verdicts), woken)


def taken(beat: Beat, pings: Iterable[Ping], paused: bool, manual_resume: bool) -> tuple[Beat, bool]:
    """A heartbeat after pings of which nobody is told, oldest first, and whether one of them ended its pause.

    Whoever follows it from there with the pings after these comes to the same end as with all of them; only what
    happened between these is not told.
    """
    beat, woken = _paused(beat, paused), False
    plan = Plan(timedelta(), manual_resume=manual_resume)
    for ping in pings:
        beat, woken = _take(beat, plan, ping, woken, [])
    return beat, woken


def standing(beat: Beat, plan: Plan, now: datetime) -> Verdict | None:
    """How a heartbeat stands that nothing happened to; None where nothing is known of it, or nobody asks."""
    if beat.status is BeatStatus.DOWN:
        if beat.last_ping is None:
            return Verdict(now, False, "down, and there was never a success")
        return Verdict(now, False, f"down; the last ping came {_ago(beat.last_ping, now)} ago")
    if beat.status is BeatStatus.UP and beat.last_ping is not None:
        return Verdict(
            now, True, f"{word(beat, plan, now)}; the last ping came {_ago(beat.last_ping, now)} ago"
        )
    return None


def _paused(beat: Beat, paused: bool) -> Beat:
    """Follow an operator: a pause forgets a run that goes on, its end forgets everything."""
    if paused and beat.status is not BeatStatus.PAUSED:
        return replace(beat, status=BeatStatus.PAUSED, last_start=None, last_run_id=None)
    if not paused and beat.status is BeatStatus.PAUSED:
        return Beat(looked=beat.looked)
    return beat


def _lapse(
    beat: Beat, plan: Plan, until: datetime, woken: bool, verdicts: list[Verdict]
) -> tuple[Beat, bool]:
    """Let time pass up to before ``until``."""
    at = down_at(beat, plan)
    if at is None or at >= until:
        return beat, woken
    if beat.looked is not None and at <= beat.looked:  # the plan changed: what was said of the past stays
        at = beat.looked + _US
    verdicts.append(Verdict(at, False, _silence(beat, plan)))
    woken = woken or beat.status is BeatStatus.PAUSED
    return replace(beat, status=BeatStatus.DOWN, looked=at), woken


def _silence(beat: Beat, plan: Plan) -> str:
    due, begun = due_at(beat, plan), _begun(beat, plan)
    grace = compact_duration(plan.grace.total_seconds())
    if beat.last_start is not None and begun is not None and (due is None or begun < due):
        words = f"a run that began at {beat.last_start:%Y-%m-%d %H:%M:%S} UTC did not end within {grace}"
        return words + _deaf(beat, beat.last_start)
    if beat.last_ping is None or due is None:
        raise ValueError("a heartbeat that expects nothing cannot be late")
    words = (
        f"no ping since {beat.last_ping:%Y-%m-%d %H:%M:%S} UTC; "
        f"one was due at {due:%Y-%m-%d %H:%M:%S} UTC, and {grace} more have passed"
    )
    return words + _deaf(beat, beat.last_ping)


def _deaf(beat: Beat, since: datetime) -> str:
    if beat.unheard_until is None or beat.unheard_until <= since:
        return ""
    lasted = compact_duration(beat.unheard.total_seconds())
    return f"; none could be taken for {lasted} up to {beat.unheard_until:%H:%M:%S}, which was allowed for"


def _take(beat: Beat, plan: Plan, ping: Ping, woken: bool, verdicts: list[Verdict]) -> tuple[Beat, bool]:
    asleep = beat.status is BeatStatus.PAUSED
    if ping.signal is Signal.LOG or (asleep and plan.manual_resume):
        return replace(beat, looked=ping.at), woken
    if ping.signal is Signal.START:
        return replace(beat, last_start=ping.at, last_run_id=ping.run_id, looked=ping.at), woken
    failed = ping.signal is Signal.FAIL
    start, run_id = beat.last_start, beat.last_run_id
    if run_id == ping.run_id or failed or ping.run_id is None:
        start = run_id = None
    verdicts.append(Verdict(ping.at, not failed, _said(ping), ping.took))
    status = BeatStatus.DOWN if failed else BeatStatus.UP
    heard = replace(
        beat, status=status, last_ping=ping.at, last_start=start, last_run_id=run_id, looked=ping.at
    )
    return heard, woken or asleep


def _said(ping: Ping) -> str:
    took = "" if ping.took is None else f" after {compact_duration(ping.took.total_seconds())}"
    if ping.exit_status is not None:
        return f"exit status {ping.exit_status}{took}"
    return ("reported a failure" if ping.signal is Signal.FAIL else "success") + took


def _ago(moment: datetime, now: datetime) -> str:
    return compact_duration(max(0.0, (now - moment).total_seconds()))
