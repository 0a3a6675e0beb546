"""The state of a service as its checks come in: soft until confirmed, then hard.

The machine is Icinga's. A service that is not ok is *soft* first and *hard* only after ``max_attempts``
results in a row that are not ok, whatever their severity; that holds for its very first results too. A hard
problem ends after ``recover_attempts`` ok results in a row, a soft one with the first. Once hard, a result of
another severity changes the hard status at once.

Every moment booked is the *start of a run*: a problem begins with the start of the first failing run of its
streak, not with the run that confirmed it, and ends with the start of the first ok run. So outages neither
shrink by the attempts nor grow by the time-out. ``since`` moves exactly when ``hard`` does, and back when a
clock turns out to have been ahead.

``unknown`` is the absence of a finding: the monitor stalled, lost its link, or could not tell. Unless the
policy counts it as a problem it changes nothing but ``status``: attempts and streaks neither grow nor break,
no outage opens and none ends. The screen shows ``unknown``, the hard status stands.

This module must never look at a clock, at alerts or at storage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from watchfloor.domain.outcome import Status


@dataclass(frozen=True, slots=True)
class CheckState:
    """What is known of a service.

    ``status`` is what the latest run found, ``hard`` what is confirmed; both are None before there was any.
    ``soft`` says that a streak of results that are not ok awaits confirmation, ``attempt`` counts it (1 when
    hard, 0 when ok). ``ok_streak`` counts the ok results towards the end of a hard problem, ``first_ok`` is
    the start of the first of them. ``since`` is when ``hard`` began, ``first_bad`` the start of the first
    run of the present problem, soft or hard. ``last_started`` is the start of the latest run. ``unknown_since`` is
    the start of the first of the runs up to the latest that found nothing out, None while the latest found something.
    """

    status: Status | None = None
    hard: Status | None = None
    soft: bool = False
    attempt: int = 0
    ok_streak: int = 0
    since: datetime | None = None
    first_bad: datetime | None = None
    last_started: datetime | None = None
    first_ok: datetime | None = None
    unknown_since: datetime | None = None

    @property
    def pending(self) -> bool:
        """Nothing is confirmed yet."""
        return self.hard is None

    @property
    def recovering(self) -> bool:
        """A hard problem is seeing ok results, but not enough of them."""
        return self.ok_streak > 0


NEW = CheckState()
"""A service that was never checked."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How many results in a row confirm a problem and its end; raises `ValueError` below 1."""

    max_attempts: int = 3
    recover_attempts: int = 1
    unknown_counts: bool = False

    def __post_init__(self) -> None:
        for name in ("max_attempts", "recover_attempts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


DEFAULT = Policy()


class ChangeKind(StrEnum):
    """What a step changed."""

    SOFT_PROBLEM = "soft_problem"
    SOFT_RECOVERY = "soft_recovery"
    HARD_PROBLEM = "hard_problem"
    HARD_CHANGE = "hard_change"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class Change:
    """A change worth telling: ``at`` is the moment the new status is booked from.

    ``from_status`` is the hard status before, or for the two soft kinds the status shown before; None where
    there was none. The soft kinds change no hard status.
    """

    kind: ChangeKind
    from_status: Status | None
    to_status: Status
    at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """The state after a result. ``discarded``: the result came too late and changed nothing."""

    state: CheckState
    change: Change | None = None
    discarded: bool = False


def advance(
    state: CheckState,
    outcome_status: Status,
    started: datetime,
    ended: datetime,
    policy: Policy = DEFAULT,
    now: datetime | None = None,
) -> Step:
    """Take in one result, whose run lasted from ``started`` to ``ended``.

    A result that did not start after the stored one is discarded, unless the stored one lies in the future of
    ``now``: then a clock was wrong, and the new result wins. Without ``now`` a result is judged at the moment
    it ended; where results can arrive late (several nodes, a spool), pass the time of judging.
    """
    last = state.last_started
    if last is not None and started <= last:
        if last <= (ended if now is None else now):
            return Step(state, discarded=True)
        state = _drawn_back(state, started)
    step = _taken_in(state, outcome_status, started, policy)
    if outcome_status is not Status.UNKNOWN:
        return step
    return replace(step, state=replace(step.state, unknown_since=state.unknown_since or started))


def begun_anew(state: CheckState) -> CheckState:
    """The state after a time in which nobody could see: what it was about to confirm counts from when somebody can.

    How often something was found in a row stays; when it began is not known, and must not be told.
    """
    return replace(state, first_bad=None if state.soft else state.first_bad, first_ok=None)


def _taken_in(state: CheckState, outcome_status: Status, started: datetime, policy: Policy) -> Step:
    if outcome_status is Status.OK:
        if state.hard is None or state.hard is Status.OK:
            return _ok(state, started)
        return _ok_while_hard(state, started, policy)
    if outcome_status is Status.UNKNOWN and not policy.unknown_counts:
        return Step(_no_finding(state, started))
    if state.hard is None or state.hard is Status.OK:
        return _bad(state, outcome_status, started, policy)
    return _bad_while_hard(state, outcome_status, started)


def _ok(state: CheckState, started: datetime) -> Step:
    since = started if state.hard is None else state.since
    after = CheckState(Status.OK, Status.OK, False, 0, 0, since, None, started)
    if not state.soft:
        return Step(after)
    return Step(after, Change(ChangeKind.SOFT_RECOVERY, state.status, Status.OK, started))


def _bad(state: CheckState, status: Status, started: datetime, policy: Policy) -> Step:
    attempt = state.attempt + 1
    first_bad = state.first_bad or started
    if attempt >= policy.max_attempts:
        after = CheckState(status, status, False, 1, 0, first_bad, first_bad, started)
        return Step(after, Change(ChangeKind.HARD_PROBLEM, state.hard, status, first_bad))
    after = CheckState(status, state.hard, True, attempt, 0, state.since, first_bad, started)
    if state.soft:
        return Step(after)
    return Step(after, Change(ChangeKind.SOFT_PROBLEM, state.status, status, started))


def _ok_while_hard(state: CheckState, started: datetime, policy: Policy) -> Step:
    streak = state.ok_streak + 1
    first_ok = state.first_ok or started
    if streak >= policy.recover_attempts:
        after = CheckState(Status.OK, Status.OK, False, 0, 0, first_ok, None, started)
        return Step(after, Change(ChangeKind.RECOVERY, state.hard, Status.OK, first_ok))
    return Step(
        CheckState(Status.OK, state.hard, False, 1, streak, state.since, state.first_bad, started, first_ok)
    )


def _bad_while_hard(state: CheckState, status: Status, started: datetime) -> Step:
    if status is state.hard:
        return Step(CheckState(status, status, False, 1, 0, state.since, state.first_bad, started))
    after = CheckState(status, status, False, 1, 0, started, state.first_bad, started)
    return Step(after, Change(ChangeKind.HARD_CHANGE, state.hard, status, started))


def _no_finding(state: CheckState, started: datetime) -> CheckState:
    return CheckState(
        Status.UNKNOWN,
        state.hard,
        state.soft,
        state.attempt,
        state.ok_streak,
        state.since,
        state.first_bad,
        started,
        state.first_ok,
    )


def _drawn_back(state: CheckState, started: datetime) -> CheckState:
    """The state with no moment after ``started``: what a clock in the future booked must not stay there."""
    return CheckState(
        state.status,
        state.hard,
        state.soft,
        state.attempt,
        state.ok_streak,
        _not_after(state.since, started),
        _not_after(state.first_bad, started),
        None,
        _not_after(state.first_ok, started),
        _not_after(state.unknown_since, started),
    )


def _not_after(moment: datetime | None, limit: datetime) -> datetime | None:
    return None if moment is None else min(moment, limit)
