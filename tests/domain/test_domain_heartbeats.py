"""Heartbeats: examples of what Healthchecks does, and a second, naive model that walks through time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.heartbeats import (
    Beat,
    BeatStatus,
    Followed,
    Ping,
    Plan,
    Signal,
    down_at,
    follow,
    standing,
    taken,
    word,
)
from watchfloor.domain.schedules import Schedule

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NEW = Beat()
HOURLY = Plan(grace=timedelta(minutes=5), period=timedelta(hours=1))


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def ping(minutes: float, signal: Signal = Signal.SUCCESS, run_id: str | None = None) -> Ping:
    return Ping(signal, at(minutes), run_id)


def after(*pings: Ping, now: float, plan: Plan = HOURLY, beat: Beat = NEW, paused: bool = False) -> Followed:
    return follow(beat, plan, pings, paused, at(now))


def downs(followed: Followed) -> list[datetime]:
    return [verdict.at for verdict in followed.verdicts if not verdict.well]


def test_one_that_never_reported_is_new_and_waits_without_end() -> None:
    followed = after(now=10**6)
    assert followed.beat.status is BeatStatus.NEW
    assert followed.verdicts == ()
    assert standing(followed.beat, HOURLY, at(10**6)) is None


def test_it_is_late_while_the_grace_runs_and_down_from_its_end_whoever_looks_when() -> None:
    beat = after(ping(0), now=61).beat
    assert beat.status is BeatStatus.UP
    assert word(beat, HOURLY, at(61)) == "late"
    assert downs(after(now=500, beat=beat)) == [at(65)]


def test_a_ping_at_the_last_moment_is_in_time() -> None:
    assert downs(after(ping(0), ping(65), now=66)) == []
    assert downs(after(ping(0), ping(65.001), now=66)) == [at(65)]


def test_a_failure_is_down_at_once_and_a_success_clears_it() -> None:
    followed = after(ping(0), ping(1, Signal.FAIL), ping(2), now=3)
    assert [(verdict.at, verdict.well) for verdict in followed.verdicts] == [
        (at(0), True),
        (at(1), False),
        (at(2), True),
    ]


def test_a_run_has_the_grace_to_end_whatever_the_period_says() -> None:
    followed = after(ping(0), ping(10, Signal.START), now=20)
    assert downs(followed) == [at(15)]
    assert "did not end" in followed.verdicts[-1].reason


def test_the_first_run_of_all_must_end_in_time_too() -> None:
    assert downs(after(ping(0, Signal.START), now=10)) == [at(5)]


def test_the_end_of_another_run_does_not_end_this_one_but_an_end_without_an_id_does() -> None:
    began = after(ping(0), ping(1, Signal.START, "b"), ping(2, run_id="a"), now=3).beat
    assert began.last_start == at(1)
    assert after(ping(4), now=5, beat=began).beat.last_start is None
    assert after(ping(4, run_id="b"), now=5, beat=began).beat.last_start is None
    assert after(ping(4, Signal.FAIL, "a"), now=5, beat=began).beat.last_start is None


def test_output_that_is_only_logged_changes_nothing() -> None:
    assert downs(after(ping(0), ping(64, Signal.LOG), now=70)) == [at(65)]


def test_a_start_does_not_count_as_a_ping() -> None:
    beat = after(ping(0), ping(2, Signal.START), now=3).beat
    assert beat.last_ping == at(0)


def test_a_ping_ends_a_pause_unless_only_an_operator_may() -> None:
    asleep = after(ping(0), now=1, paused=True).beat
    assert after(now=1000, beat=asleep, paused=True).verdicts == ()
    woken = after(ping(1001), now=1002, beat=asleep, paused=True)
    assert (woken.woken, woken.beat.status) == (True, BeatStatus.UP)
    strict = Plan(HOURLY.grace, HOURLY.period, manual_resume=True)
    left = after(ping(1001), now=1002, beat=asleep, paused=True, plan=strict)
    assert (left.woken, left.beat.status, left.verdicts) == (False, BeatStatus.PAUSED, ())


def test_after_a_pause_it_is_new() -> None:
    asleep = after(ping(0), ping(1, Signal.START), now=2, paused=True)
    beat = after(now=10**6, beat=after(now=3, beat=asleep.beat, paused=True).beat).beat
    assert beat.status is BeatStatus.NEW
    assert beat.last_ping is None


@pytest.mark.parametrize(
    ("last", "down"),
    [
        (
            "2026-03-28T01:30+00:00",
            "2026-03-29T01:10+00:00",
        ),  # 02:30 is skipped that night: due at 03:00 summer time
        ("2026-03-30T00:30+00:00", "2026-03-31T00:40+00:00"),
    ],
)
def test_cron_follows_the_clocks_of_its_zone(last: str, down: str) -> None:
    plan = Plan(timedelta(minutes=10), schedule=Schedule("cron", "30 2 * * *", "Europe/Berlin"))
    beat = Beat(BeatStatus.UP, datetime.fromisoformat(last))
    assert down_at(beat, plan) == datetime.fromisoformat(down)


def test_a_shorter_period_does_not_rewrite_what_was_said_of_the_past() -> None:
    beat = after(ping(0), now=50).beat
    shorter = Plan(timedelta(minutes=1), period=timedelta(minutes=5))
    (verdict,) = after(now=51, beat=beat, plan=shorter).verdicts
    assert verdict.at == at(50) + timedelta(microseconds=1)


@dataclass
class Naive:
    """Healthchecks as one would tell it: every second, look at the clock and at what came."""

    period: int
    grace: int
    status: str = "new"
    last_ping: int | None = None
    last_start: int | None = None
    run_id: str | None = None

    def tick(self, second: int) -> bool:
        """Whether it goes down just after this second."""
        limits = []
        if self.status == "up" and self.last_ping is not None:
            limits.append(self.last_ping + self.period + self.grace)
        if self.status != "down" and self.last_start is not None:
            limits.append(self.last_start + self.grace)
        if any(second >= limit for limit in limits):
            self.status = "down"
            return True
        return False

    def take(self, second: int, signal: Signal, run_id: str | None) -> bool | None:
        if signal is Signal.LOG:
            return None
        if signal is Signal.START:
            self.last_start, self.run_id = second, run_id
            return None
        if self.last_start is not None and (self.run_id == run_id or signal is Signal.FAIL or run_id is None):
            self.last_start = self.run_id = None
        self.last_ping = second
        self.status = "down" if signal is Signal.FAIL else "up"
        return self.status == "up"


PINGS = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from(Signal), st.sampled_from([None, "a", "b"])), max_size=14
)


@settings(deadline=None, max_examples=300)
@given(
    PINGS,
    st.integers(1, 12),
    st.integers(1, 6),
    st.lists(st.integers(1, 150), max_size=6),
    st.integers(0, 30),
)
def test_it_says_what_a_clock_that_looks_every_second_says_however_seldom_we_look(
    gaps: list[tuple[int, Signal, str | None]], period: int, grace: int, looks: list[int], rest: int
) -> None:
    second, timed = 0, []
    for gap, signal, run_id in gaps:
        second += gap
        timed.append((second, signal, run_id))
    end = second + rest
    naive, expected = Naive(period, grace), []
    for now in range(end + 1):
        for when, signal, run_id in timed:
            if when == now and (said := naive.take(now, signal, run_id)) is not None:
                expected.append((now, said))
        if naive.tick(now):
            expected.append((now, False))
    plan = Plan(timedelta(seconds=grace), timedelta(seconds=period))
    beat, found, before = Beat(), [], 0
    for moment in sorted({*(each for each in looks if each < end), end}):
        pings = [
            Ping(signal, NOON + timedelta(seconds=when), run_id)
            for when, signal, run_id in timed
            if before < when <= moment
        ]
        followed = follow(beat, plan, pings, False, NOON + timedelta(seconds=moment))
        beat, before = followed.beat, moment
        found += [(round((each.at - NOON).total_seconds()), each.well) for each in followed.verdicts]
    assert found == expected
    assert beat.status.value == naive.status


signals = st.tuples(st.integers(1, 90), st.sampled_from(list(Signal)), st.sampled_from([None, "a", "b"]))


@given(
    st.lists(signals, max_size=12),
    st.lists(signals, max_size=4),
    st.booleans(),
    st.booleans(),
    st.sampled_from(list(BeatStatus)),
)
def test_pings_that_are_taken_in_without_a_word_lead_to_the_same_end(
    first: list[tuple[int, Signal, str | None]],
    rest: list[tuple[int, Signal, str | None]],
    paused: bool,
    manual_resume: bool,
    status: BeatStatus,
) -> None:
    plan = Plan(grace=timedelta(minutes=5), period=timedelta(hours=1), manual_resume=manual_resume)
    minute, pings = 0, []
    for later, signal, run_id in [*first, *rest]:
        minute += later
        pings.append(ping(minute, signal, run_id))
    last = None if status is BeatStatus.NEW else at(-10)
    beat, now = Beat(status, last, looked=at(-1)), at(minute + 7)
    whole = follow(beat, plan, pings, paused, now)
    part, woken = taken(beat, pings[: len(first)], paused, manual_resume)
    thinned = follow(part, plan, pings[len(first) :], paused and not woken, now)
    assert (thinned.beat, woken or thinned.woken) == (whole.beat, whole.woken)
