"""When a reason for which nobody was told may be taken away."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from support.make import at
from watchfloor.domain.release import ANSWER_GRACE_S, Standing, awaited, may_release
from watchfloor.domain.slots import stored_within

SECONDS = st.integers(-200, 200)


@given(
    soft=st.booleans(),
    last=st.none() | SECONDS,
    following=st.none() | SECONDS,
    every=st.integers(1, 3600),
    recovered=st.none() | SECONDS,
)
def test_a_reason_goes_when_the_state_is_hard_no_check_is_near_and_the_result_is_young(
    soft: bool, last: int | None, following: int | None, every: int, recovered: int | None
) -> None:
    def moment(seconds: int | None) -> datetime | None:
        return None if seconds is None else at(seconds)

    threshold = 60 if every >= 70 else every - 10 if every >= 10 else 0
    wanted = not soft
    if following is not None and following <= threshold:
        wanted = False
    if recovered is not None and (last is None or last <= recovered):
        wanted = False
    standing = Standing(soft, moment(last), moment(following), float(every), moment(recovered))
    assert may_release(standing, at(0)) is wanted


def test_a_service_checked_every_few_seconds_is_not_waited_for_for_ever() -> None:
    assert may_release(Standing(False, at(-1), at(4), 5.0), at(0))


@given(every=st.integers(1, 3600), took=st.floats(0, 600), lag=st.floats(0, 9))
def test_there_is_always_a_moment_after_a_result(every: int, took: float, lag: float) -> None:
    """Otherwise a service whose every check runs into its time-out would be kept quiet for ever."""
    took = min(took, every * 0.8)
    result_in = at(lag + took)
    standing = Standing(False, at(lag), at(every), float(every), took_s=took)
    assert may_release(standing, result_in) or every <= lag + took


@given(every=st.integers(1, 3600), share=st.floats(0, 0.8))
def test_so_there_is_when_results_are_stored_with_others(every: int, share: float) -> None:
    """A result that is stored after the next slot would have that slot's awaited, for ever."""
    stored = at(every * share + stored_within(every))
    following = awaited(at(0), at(0), at(every), every * 0.8, stored)
    standing = Standing(False, at(0), following, float(every), took_s=every * share)
    assert stored < at(every)
    assert may_release(standing, stored)


def test_a_check_that_is_running_is_awaited() -> None:
    slot, following = at(0), at(30)
    assert awaited(at(-30), slot, following, 10.0, at(2)) == slot
    assert awaited(None, slot, following, 10.0, at(2)) == slot
    assert awaited(at(0.001), slot, following, 10.0, at(2)) == following


def test_a_check_that_never_answered_is_not_awaited_for_ever() -> None:
    overdue = at(0) + timedelta(seconds=10 + stored_within(30) + ANSWER_GRACE_S)
    assert awaited(at(-30), at(0), at(30), 10.0, overdue - timedelta(milliseconds=1)) == at(0)
    assert awaited(at(-30), at(0), at(30), 10.0, overdue) == at(30)
