"""Fires that were missed: which are made up for, how many are counted, checked against walking through all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.catchup import COUNTED, CatchUp, Policy, due
from watchfloor.domain.schedules import Schedule, fires

START = datetime(2026, 3, 1, tzinfo=UTC)


def every(seconds: float) -> Schedule:
    return Schedule("interval", str(seconds), "UTC", START)


def naive(schedule: Schedule, planned: datetime, now: datetime, policy: Policy) -> tuple[list[datetime], int]:
    """The same, by walking through the whole gap."""
    moments = list(takewhile(lambda at: at <= now, fires(schedule, planned - timedelta(microseconds=1))))
    late = [at for at in moments if at < now - policy.grace]
    punctual = [at for at in moments if at >= now - policy.grace]
    young = [at for at in late if at >= now - policy.window]
    chosen = {
        CatchUp.SKIP: [],
        CatchUp.FIRST: young[:1],
        CatchUp.LAST: [] if punctual else young[-1:],
        CatchUp.ALL: young[-policy.most :],
    }[policy.catch_up]
    return [*chosen, *punctual], len(late) - len(chosen)


@given(
    st.integers(1, 400),
    st.integers(0, 40_000),
    st.sampled_from(CatchUp),
    st.integers(0, 600),
    st.integers(1, 20),
    st.booleans(),
)
def test_it_is_what_walking_through_the_gap_gives(
    seconds: int, gap: int, catch_up: CatchUp, grace: int, most: int, by_cron: bool
) -> None:
    schedule = Schedule("cron", "*/7 * * * *", "UTC") if by_cron else every(seconds * 10)
    planned = next(fires(schedule, START - timedelta(microseconds=1)))
    now = planned + timedelta(seconds=gap)
    policy = Policy(catch_up, timedelta(seconds=grace), timedelta(hours=3), most)
    found = due(schedule, planned, now, policy)
    runs, missed = naive(schedule, planned, now, policy)
    assert list(found.runs) == runs
    assert found.missed == min(missed, COUNTED) if by_cron else found.missed == missed
    assert (found.first_missed is None) == (missed == 0)
    assert found.following is not None
    assert found.following > now


def test_by_default_the_last_of_many_missed_fires_runs_and_the_others_are_counted() -> None:
    found = due(every(3600), START, START + timedelta(hours=30, minutes=30), Policy())
    assert found.runs == (START + timedelta(hours=30),)
    assert (found.missed, found.first_missed) == (30, START)


def test_a_gap_of_years_at_one_fire_a_second_takes_no_time() -> None:
    found = due(every(1), START, START + timedelta(days=3650), Policy(CatchUp.ALL))
    assert len(found.runs) == 100 + 61
    assert found.missed == 3650 * 86_400 + 1 - len(found.runs)


def test_a_one_off_runs_late_within_the_window_and_is_missed_after_it() -> None:
    once = Schedule("once", "", "UTC", START)
    assert due(once, START, START + timedelta(hours=5), Policy()).runs == (START,)
    found = due(once, START, START + timedelta(hours=25), Policy())
    assert (found.runs, found.missed, found.first_missed, found.following) == ((), 1, START, None)
