"""The check state machine: the table row by row, then against a second model that keeps the whole history."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.check_state import DEFAULT, NEW, Change, ChangeKind, CheckState, Policy, Step, advance
from watchfloor.domain.outcome import Status

OK, DEGRADED, FAILING, UNKNOWN = Status
EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
DURATION = timedelta(seconds=2)


def at(minute: float) -> datetime:
    return EPOCH + timedelta(minutes=minute)


def run(
    statuses: list[Status], policy: Policy = DEFAULT, state: CheckState = NEW, first: int = 0
) -> list[Step]:
    """One result a minute, each lasting two seconds."""
    steps = []
    for minute, status in enumerate(statuses, first):
        steps.append(advance(state, status, at(minute), at(minute) + DURATION, policy))
        state = steps[-1].state
    return steps


def kinds(steps: list[Step]) -> list[ChangeKind | None]:
    return [step.change and step.change.kind for step in steps]


class TestTable:
    def test_a_first_ok_result_is_hard_ok_and_worth_no_word(self):
        [step] = run([OK])
        assert step == Step(CheckState(OK, OK, since=at(0), last_started=at(0)))
        assert NEW.pending
        assert not step.state.pending

    def test_hard_ok_then_not_ok_is_soft_attempt_1(self):
        step = run([OK, FAILING])[-1]
        assert (step.state.hard, step.state.status) == (OK, FAILING)
        assert (step.state.soft, step.state.attempt) == (True, 1)
        assert step.change == Change(ChangeKind.SOFT_PROBLEM, OK, FAILING, at(1))

    def test_one_attempt_allowed_goes_hard_at_once(self):
        step = run([OK, FAILING], Policy(max_attempts=1))[-1]
        assert (step.state.hard, step.state.soft, step.state.attempt) == (FAILING, False, 1)
        assert step.change == Change(ChangeKind.HARD_PROBLEM, OK, FAILING, at(1))

    def test_a_first_ever_result_that_is_not_ok_goes_through_soft(self):
        steps = run([FAILING, FAILING, FAILING])
        assert [step.state.hard for step in steps] == [None, None, FAILING]
        assert [step.state.soft for step in steps] == [True, True, False]
        assert steps[-1].change == Change(ChangeKind.HARD_PROBLEM, None, FAILING, at(0))

    def test_any_severity_counts_as_an_attempt_and_the_last_one_is_confirmed(self):
        steps = run([OK, DEGRADED, FAILING, DEGRADED])
        assert [step.state.attempt for step in steps] == [0, 1, 2, 1]
        assert kinds(steps) == [None, ChangeKind.SOFT_PROBLEM, None, ChangeKind.HARD_PROBLEM]
        assert steps[-1].state.hard is DEGRADED

    def test_an_outage_begins_with_its_first_failing_run(self):
        step = run([OK, FAILING, FAILING, FAILING])[-1]
        assert step.change is not None
        assert step.state.since == step.state.first_bad == step.change.at == at(1)

    def test_soft_then_ok_is_a_soft_recovery_after_which_attempts_start_anew(self):
        steps = run([OK, FAILING, FAILING, OK, FAILING, FAILING])
        assert steps[3].change == Change(ChangeKind.SOFT_RECOVERY, FAILING, OK, at(3))
        assert steps[3].state == CheckState(OK, OK, since=at(0), last_started=at(3))
        assert (steps[5].state.soft, steps[5].state.attempt, steps[5].state.first_bad) == (True, 2, at(4))

    def test_the_same_problem_goes_on_without_a_word(self):
        steps = run([FAILING] * 6)
        assert kinds(steps)[3:] == [None, None, None]
        assert steps[-1].state.attempt == 1

    def test_another_severity_changes_a_hard_problem_at_once(self):
        step = run([FAILING] * 3 + [DEGRADED])[-1]
        assert step.change == Change(ChangeKind.HARD_CHANGE, FAILING, DEGRADED, at(3))
        assert (step.state.since, step.state.first_bad) == (at(3), at(0))

    def test_one_ok_ends_a_hard_problem(self):
        step = run([FAILING] * 3 + [OK])[-1]
        assert step.change == Change(ChangeKind.RECOVERY, FAILING, OK, at(3))
        assert step.state == CheckState(OK, OK, since=at(3), last_started=at(3))

    def test_a_recovery_of_several_ok_results_is_booked_from_the_first(self):
        policy = Policy(max_attempts=1, recover_attempts=3)
        steps = run([FAILING, OK, OK, OK], policy)
        assert [step.state.hard for step in steps] == [FAILING, FAILING, FAILING, OK]
        assert steps[2].state.recovering
        assert steps[3].change == Change(ChangeKind.RECOVERY, FAILING, OK, at(1))
        assert steps[3].state.since == at(1)

    def test_a_recovery_that_breaks_off_starts_over(self):
        policy = Policy(max_attempts=1, recover_attempts=2)
        steps = run([FAILING, OK, FAILING, OK, OK], policy)
        assert kinds(steps)[1:] == [None, None, None, ChangeKind.RECOVERY]
        assert steps[-1].state.since == at(3)

    def test_a_recovery_stored_without_its_first_ok_is_booked_from_the_last(self):
        stored = CheckState(OK, FAILING, False, 1, 1, at(0), at(0), at(5))
        step = advance(stored, OK, at(6), at(6), Policy(recover_attempts=2))
        assert step.change == Change(ChangeKind.RECOVERY, FAILING, OK, at(6))

    def test_a_policy_made_stricter_meanwhile_counts_from_the_next_result(self):
        state = run([FAILING] * 4, Policy(max_attempts=9))[-1].state
        assert advance(state, FAILING, at(5), at(5), Policy(max_attempts=2)).state.hard is FAILING


class TestUnknown:
    def test_it_is_shown_but_changes_nothing_confirmed(self):
        step = run([OK, UNKNOWN])[-1]
        assert step == Step(CheckState(UNKNOWN, OK, since=at(0), last_started=at(1), unknown_since=at(1)))

    def test_any_number_of_it_opens_no_outage(self):
        assert {step.change for step in run([OK] + [UNKNOWN] * 50)} == {None}

    def test_it_neither_advances_nor_breaks_the_attempts(self):
        steps = run([OK, FAILING, UNKNOWN, FAILING, UNKNOWN, FAILING])
        assert [step.state.attempt for step in steps] == [0, 1, 1, 2, 2, 1]
        assert steps[-1].change == Change(ChangeKind.HARD_PROBLEM, OK, FAILING, at(1))

    def test_it_neither_advances_nor_breaks_a_recovery(self):
        policy = Policy(max_attempts=1, recover_attempts=2)
        steps = run([FAILING, UNKNOWN, OK, UNKNOWN, OK], policy)
        assert [step.state.hard for step in steps] == [FAILING] * 4 + [OK]
        assert steps[-1].state.since == at(2)

    def test_it_leaves_a_service_never_seen_pending(self):
        step = run([UNKNOWN] * 5)[-1]
        assert step.state == CheckState(UNKNOWN, last_started=at(4), unknown_since=at(0))

    def test_any_finding_ends_the_time_in_which_there_was_none(self):
        steps = run([UNKNOWN, UNKNOWN, OK, UNKNOWN, FAILING, UNKNOWN, UNKNOWN])
        begins = [step.state.unknown_since for step in steps]
        assert begins == [at(0), at(0), None, at(3), None, at(5), at(5)]

    def test_it_counts_as_a_problem_where_the_policy_says_so(self):
        policy = Policy(max_attempts=2, unknown_counts=True)
        steps = run([OK, UNKNOWN, UNKNOWN, FAILING, UNKNOWN, OK], policy)
        assert kinds(steps)[1:] == [
            ChangeKind.SOFT_PROBLEM,
            ChangeKind.HARD_PROBLEM,
            ChangeKind.HARD_CHANGE,
            ChangeKind.HARD_CHANGE,
            ChangeKind.RECOVERY,
        ]


class TestOrder:
    def test_a_result_older_than_the_stored_one_is_discarded(self):
        state = run([OK, OK, FAILING])[-1].state
        assert advance(state, OK, at(1), at(1), now=at(3)) == Step(state, discarded=True)

    def test_a_result_taken_in_twice_counts_once(self):
        state = run([OK, FAILING])[-1].state
        assert advance(state, FAILING, at(1), at(1) + DURATION) == Step(state, discarded=True)

    def test_a_stored_result_of_this_very_moment_is_not_from_the_future(self):
        state = run([OK, OK])[-1].state
        assert advance(state, FAILING, at(0.5), at(0.5), now=at(1)).discarded

    def test_a_stored_result_from_the_future_gives_way(self):
        state = run([OK, FAILING], first=600)[-1].state
        step = advance(state, FAILING, at(5), at(5), now=at(5))
        assert not step.discarded
        assert (step.state.attempt, step.state.last_started) == (2, at(5))

    def test_no_moment_of_a_clock_that_was_ahead_survives(self):
        state = run([OK, FAILING, FAILING], first=600)[-1].state
        step = advance(state, FAILING, at(5), at(5), now=at(5))
        assert step.change == Change(ChangeKind.HARD_PROBLEM, OK, FAILING, at(5))
        assert step.state.since == step.state.first_bad == at(5)

    def test_without_now_a_late_result_is_judged_at_its_own_end(self):
        state = run([OK], first=10)[-1].state
        assert advance(state, FAILING, at(9), at(11)).discarded
        assert not advance(state, FAILING, at(5), at(6)).discarded


def test_a_policy_needs_at_least_one_attempt():
    with pytest.raises(ValueError, match="max_attempts must be at least 1, not 0"):
        Policy(max_attempts=0)
    with pytest.raises(ValueError, match="recover_attempts must be at least 1, not -1"):
        Policy(recover_attempts=-1)


@dataclass
class Result:
    status: Status
    started: datetime


@dataclass
class Whole:
    """The naive model: remembers every result and works everything out again from the first one."""

    policy: Policy
    taken: list[Result] = field(default_factory=list)

    def take(self, status: Status, started: datetime, now: datetime) -> Step:
        if self.taken and started <= self.taken[-1].started:
            if self.taken[-1].started <= now:
                return Step(self.state()[0], None, True)
            for result in self.taken:
                result.started = min(result.started, started)
        self.taken.append(Result(status, started))
        return Step(*self.state())

    def state(self) -> tuple[CheckState, Change | None]:
        hard = since = problem = change = None
        seen: list[Result] = []
        for place, result in enumerate(self.taken):
            change = None
            if result.status is UNKNOWN and not self.policy.unknown_counts:
                continue
            shown = self.taken[place - 1].status if place else None
            before = tail(seen, bad=True)
            seen.append(result)
            fine, broken = tail(seen, bad=False), tail(seen, bad=True)
            healthy = hard in (None, OK)
            if healthy and fine:
                if hard is None:
                    since = result.started
                if before:
                    change = Change(ChangeKind.SOFT_RECOVERY, shown, OK, result.started)
                hard = OK
            elif healthy and len(broken) >= self.policy.max_attempts:
                since = problem = broken[0].started
                change = Change(ChangeKind.HARD_PROBLEM, hard, result.status, since)
                hard = result.status
            elif healthy:
                if len(broken) == 1:
                    change = Change(ChangeKind.SOFT_PROBLEM, shown, result.status, result.started)
            elif len(fine) == self.policy.recover_attempts:
                since = fine[0].started
                change = Change(ChangeKind.RECOVERY, hard, OK, since)
                hard, problem = OK, None
            elif broken and result.status is not hard:
                since = result.started
                change = Change(ChangeKind.HARD_CHANGE, hard, result.status, since)
                hard = result.status
        healthy = hard in (None, OK)
        soft = tail(seen, bad=True) if healthy else []
        ok = [] if healthy else tail(seen, bad=False)
        state = CheckState(
            status=self.taken[-1].status,
            hard=hard,
            soft=bool(soft),
            attempt=len(soft) if healthy else 1,
            ok_streak=len(ok),
            since=since,
            first_bad=soft[0].started if soft else problem,
            last_started=self.taken[-1].started,
            first_ok=ok[0].started if ok else None,
            unknown_since=self.blind_since(),
        )
        last_counts = bool(seen) and seen[-1] is self.taken[-1]
        return state, change if last_counts else None

    def blind_since(self) -> datetime | None:
        since = None
        for result in self.taken:
            since = (since or result.started) if result.status is UNKNOWN else None
        return since


def tail(results: list[Result], bad: bool) -> list[Result]:
    """The results at the end of the list that are all not ok, or all ok."""
    found: list[Result] = []
    for result in reversed(results):
        if (result.status is not OK) is not bad:
            break
        found.insert(0, result)
    return found


policies = st.builds(
    Policy,
    max_attempts=st.integers(1, 4),
    recover_attempts=st.integers(1, 3),
    unknown_counts=st.booleans(),
)
# Mostly a minute on; sometimes the same run again, a late result, or a clock that jumps either way.
strides = st.one_of(st.just(60), st.integers(1, 90), st.integers(-200, 200))
results = st.lists(
    st.tuples(st.sampled_from(Status), strides, st.integers(0, 120)),
    min_size=1,
    max_size=30,
)


@settings(settings.get_profile("thorough"))
@given(policies, results)
def test_any_history_leads_where_the_naive_model_says(policy, history):
    naive, state, clock = Whole(policy), NEW, EPOCH
    for status, stride, late in history:
        clock += timedelta(seconds=stride)
        now = clock + timedelta(seconds=late)
        step = advance(state, status, clock, clock, policy, now)
        assert step == naive.take(status, clock, now)
        state = step.state


@settings(settings.get_profile("thorough"))
@given(policies, results)
def test_whatever_comes_the_state_makes_sense(policy, history):
    state, clock = NEW, EPOCH
    for status, stride, late in history:
        clock += timedelta(seconds=stride)
        step = advance(state, status, clock, clock, policy, clock + timedelta(seconds=late))
        if step.discarded:
            assert step.state is state
            continue
        state = step.state
        healthy = state.hard in (None, OK)
        assert state.last_started == clock
        assert state.soft == (healthy and state.first_bad is not None)
        assert state.attempt == (0 if healthy and not state.soft else max(1, state.attempt))
        assert state.attempt < max(2, policy.max_attempts)
        assert 0 <= state.ok_streak < policy.recover_attempts
        assert (state.ok_streak > 0) == (state.first_ok is not None)
        assert (state.since is None) == state.pending
        for moment in (state.since, state.first_bad, state.first_ok):
            assert moment is None or moment <= clock
        if policy.unknown_counts is False:
            assert state.hard is not UNKNOWN
