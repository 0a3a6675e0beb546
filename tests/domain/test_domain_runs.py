"""Overlap and retries: what becomes of runs, against models that say the same in another way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.overlap import QUEUE_LIMIT, Overlap, Waiting, promote
from watchfloor.domain.retry import LOST, SHUTDOWN, Ending, Retry, Verdict, judge, matches, pause

NOW = datetime(2026, 1, 1, tzinfo=UTC)

WAITING = st.lists(st.booleans(), max_size=8).map(
    lambda firm: [Waiting(at + 1, each) for at, each in enumerate(firm)]
)


@given(st.sampled_from(Overlap), st.integers(1, 4), st.data(), WAITING)
def test_slots_are_never_given_twice_and_firm_runs_are_never_skipped(
    overlap: Overlap, slots: int, data: st.DataObject, waiting: list[Waiting]
) -> None:
    taken = data.draw(st.lists(st.integers(1, slots), unique=True))
    found = promote(overlap, slots, taken, waiting)
    given_out = [slot for _, slot in found.start]
    assert len(set(given_out)) == len(given_out)
    assert not set(given_out) & set(taken)
    started, skipped = {run for run, _ in found.start}, set(found.skip)
    assert not started & skipped
    assert not skipped & {run.id for run in waiting if run.firm}
    assert len(started) == min(slots - len(taken), len(waiting) - len(skipped))
    left = len(waiting) - len(started) - len(skipped)
    loose_left = left - sum(run.firm and run.id not in started for run in waiting)
    most = {Overlap.SKIP: 0, Overlap.QUEUE_ONE: 1, Overlap.CANCEL_PREVIOUS: slots}
    assert loose_left <= most.get(overlap, QUEUE_LIMIT)


def test_skip_leaves_out_what_comes_too_early() -> None:
    assert promote(Overlap.SKIP, 1, [1], [Waiting(7, False)]).skip == (7,)


def test_the_first_one_buffered_wins() -> None:
    found = promote(Overlap.QUEUE_ONE, 1, [1], [Waiting(7, False), Waiting(8, False)])
    assert (found.start, found.skip) == ((), (8,))


def test_the_newest_one_replaces_what_runs() -> None:
    found = promote(Overlap.CANCEL_PREVIOUS, 1, [1], [Waiting(7, False), Waiting(8, False)])
    assert found.skip == (7,)
    assert found.cancel_running
    assert promote(Overlap.CANCEL_PREVIOUS, 1, [], [Waiting(8, False)]).start == ((8, 1),)


def verdict(policy: Retry, ending: Ending, **values: Any) -> Verdict:
    facts: dict[str, Any] = {
        "used": 0, "at_most_once": False, "deadline": None, "now": NOW, "random": lambda: 0.0, **values,
    }  # fmt: skip
    return judge(policy, ending, **facts)


def test_success_and_cancellation_are_final() -> None:
    assert verdict(Retry(5), Ending()).state == "succeeded"
    assert verdict(Retry(5), Ending("script.signal", cancelled=True)).state == "cancelled"


@given(st.integers(1, 9), st.integers(0, 12))
def test_a_run_has_as_many_attempts_as_it_may(attempts: int, used: int) -> None:
    found = verdict(Retry(attempts), Ending("script.exit.1"), used=used)
    assert found.state == ("waiting" if used + 1 < attempts else "dead")


def test_a_shutdown_uses_no_attempt_and_a_lost_worker_is_no_fault_of_the_run() -> None:
    assert verdict(Retry(1), Ending(SHUTDOWN)) == Verdict("waiting", counts=False)
    assert verdict(Retry(1), Ending(LOST)) == Verdict("waiting")
    assert verdict(Retry(1), Ending(LOST), used=2).state == "dead"


@pytest.mark.parametrize("error_class", [LOST, SHUTDOWN, "script.exit.1"])
def test_at_most_once_is_never_started_again(error_class: str) -> None:
    assert verdict(Retry(9), Ending(error_class), at_most_once=True).state == "dead"


def test_only_named_classes_are_tried_again() -> None:
    policy = Retry(3, only_on=("http.status.5*", "http.timeout"), not_on=("http.status.501",))
    assert verdict(policy, Ending("http.status.503")).state == "waiting"
    assert verdict(policy, Ending("http.status.501")).reason == "no other attempt after http.status.501"
    assert verdict(policy, Ending("http.status.404")).state == "dead"
    assert matches("script.exit.3", ("script.*",))


def test_the_other_side_may_ask_for_patience_and_the_deadline_ends_it() -> None:
    assert verdict(Retry(3, first_s=1), Ending("http.status.429", wait_s=30)).delay_s == 30
    late = verdict(Retry(3), Ending("io"), deadline=NOW + timedelta(seconds=4))
    assert late.reason == "no time is left before its deadline"


@given(st.integers(1, 200), st.floats(0, 1), st.floats(1, 10), st.floats(0, 100))
def test_pauses_stay_within_half_and_all_of_what_they_grew_to(
    attempt: int, chance: float, factor: float, first: float
) -> None:
    grown = min(3600.0, first * factor ** min(attempt - 1, 64))
    assert grown / 2 <= pause(Retry(9, first, factor, 3600.0), attempt, lambda: chance) <= grown
