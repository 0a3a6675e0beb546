"""Heartbeats of which nothing could be heard for a while: silence then proves nothing, and is not excused for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.heartbeats import Beat, BeatStatus, Ping, Plan, Signal, down_at, follow, taken, word
from watchfloor.domain.schedules import Schedule

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOURLY = Plan(grace=timedelta(minutes=5), period=timedelta(hours=1))
NIGHTLY = Plan(grace=timedelta(minutes=45), schedule=Schedule("cron", "30 2 * * *", "UTC"))


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def deaf(beat: Beat, began: float, ended: float) -> Beat:
    """A beat after a time in which no ping could be taken, booked as `store.hearing` does."""
    known = beat.last_ping or beat.last_start
    before = beat.unheard if beat.unheard_until and known and beat.unheard_until > known else timedelta()
    lasted = at(ended) - max(at(began), beat.last_ping or at(began))
    return replace(beat, unheard_until=at(ended), unheard=before + lasted)


def up(minutes: float = 0) -> Beat:
    return Beat(BeatStatus.UP, at(minutes), looked=at(minutes))


def test_a_ping_that_may_have_been_lost_is_waited_for_once_more() -> None:
    beat = deaf(up(), 58, 63)
    assert down_at(beat, HOURLY) == at(63 + 60 + 5)
    assert word(beat, HOURLY, at(66)) == "up"


def test_a_time_that_was_over_before_the_last_ping_changes_nothing() -> None:
    beat = follow(deaf(up(), 58, 63), HOURLY, [Ping(Signal.SUCCESS, at(64))], False, at(65)).beat
    assert down_at(beat, HOURLY) == at(64 + 65)


def test_after_a_long_time_it_has_its_period_and_grace_and_not_more() -> None:
    assert down_at(deaf(up(), 10, 10_000), HOURLY) == at(10_000 + 65)


def test_a_monitor_that_is_deaf_again_and_again_still_raises_who_fell_silent() -> None:
    beat, minute = up(), 0.0
    while (limit := down_at(beat, HOURLY)) is not None and limit > at(minute):
        beat = deaf(beat, minute + 9, minute + 10)
        minute += 10
    assert at(125) <= limit <= at(125 + 15)  # one missed ping, and a minute for every ten


def test_a_cron_heartbeat_that_was_not_due_meanwhile_is_due_as_ever() -> None:
    assert down_at(deaf(up(), 30, 90), NIGHTLY) == datetime(2026, 3, 3, 3, 15, tzinfo=UTC)


def test_a_cron_heartbeat_whose_ping_may_have_been_lost_is_due_the_next_time() -> None:
    beat = deaf(up(), 60 * 14.6, 60 * 14.7)  # 02:36 to 02:42
    assert down_at(beat, NIGHTLY) == datetime(2026, 3, 4, 3, 15, tzinfo=UTC)


def test_a_run_whose_end_may_have_been_lost_has_its_grace_again_but_once() -> None:
    begun = Beat(last_start=at(0))
    assert down_at(deaf(begun, 3, 4), HOURLY) == at(9)
    again = deaf(deaf(deaf(begun, 3, 4), 8, 8.5), 12, 12.5)
    assert down_at(again, HOURLY) == at(5 + 2 + 5)


def test_what_was_not_allowed_for_is_said_and_what_was_too() -> None:
    (verdict,) = follow(deaf(up(), 58, 63), HOURLY, [], False, at(200)).verdicts
    assert verdict.at == at(128)
    assert "none could be taken for 5m up to 13:03:00" in verdict.reason


@pytest.mark.parametrize("paused", [True, False])
def test_pings_taken_in_without_a_word_keep_what_is_allowed_for(paused: bool) -> None:
    beat = deaf(up(), 58, 63)
    found, _ = taken(beat, [Ping(Signal.START, at(50))], paused, False)
    assert (found.unheard_until, found.unheard) == (beat.unheard_until, beat.unheard)


MINUTES = st.integers(0, 400)


@given(
    every=st.integers(1, 60),
    late=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    began=MINUTES,
    lasted=st.integers(0, 300),
    looks=st.lists(MINUTES, max_size=6),
)
def test_a_job_that_keeps_its_times_is_never_down_whenever_nobody_listened(
    every: int, late: list[int], began: int, lasted: int, looks: list[int]
) -> None:
    """The job pings ``every`` minutes, each time a little ``late``; what falls into the time unheard is lost."""
    ended, end = began + lasted, 1_000
    pings = [minute + late[minute // every % len(late)] * 0.99 for minute in range(0, end, every)]
    heard = [each for each in pings if not began <= each < ended]
    beat, before = Beat(), -1.0
    for moment in sorted({*(each for each in looks if not began < each < ended), began, ended, end}):
        if moment == ended and lasted:
            beat = deaf(beat, began, ended) if beat.last_ping else beat
        came = [Ping(Signal.SUCCESS, at(each)) for each in heard if before < each <= moment]
        followed = follow(beat, HOURLY, came, False, at(moment))
        assert all(verdict.well for verdict in followed.verdicts)
        beat, before = followed.beat, moment


@given(
    period=st.integers(1, 90),
    grace=st.integers(1, 90),
    times=st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=8),
)
def test_one_that_fell_silent_is_raised_in_bounded_time_however_often_nobody_listened(
    period: int, grace: int, times: list[tuple[int, int]]
) -> None:
    plan = Plan(timedelta(minutes=grace), timedelta(minutes=period))
    beat, minute, unheard = up(), 0, 0
    for pause, lasted in times:
        minute += pause
        limit = down_at(beat, plan)
        assert limit is not None
        if limit <= at(minute):
            break
        beat = deaf(beat, minute, minute + lasted)
        minute, unheard = minute + lasted, unheard + lasted
    limit = down_at(beat, plan)
    assert limit is not None
    assert at(period + grace) <= limit <= at(2 * period + grace + unheard)
