"""Heartbeats by cron where clocks change: neither down too early nor missed, against a model that walks day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.heartbeats import Beat, BeatStatus, Ping, Plan, Signal, down_at, follow
from watchfloor.domain.schedules import Schedule

CHANGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),  # by half an hour
    "UTC": (date(2026, 3, 29), date(2026, 10, 25)),
}
ZONES = st.sampled_from(sorted(CHANGES))
GRACE = timedelta(minutes=45)


def moment_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When the clock shows this on a day: the first time, or when it jumps over it the moment of the jump."""
    wanted = datetime.combine(day, at)
    minute = datetime.combine(day, time(), zone).astimezone(UTC)
    while minute.astimezone(zone).replace(tzinfo=None) < wanted:
        minute += timedelta(minutes=1)
    return minute


@settings(deadline=None, max_examples=150)
@given(
    ZONES, st.integers(0, 1), st.times(min_value=time(0, 0), max_value=time(3, 59)), st.integers(-4320, 4320)
)
def test_a_cron_heartbeat_is_due_once_on_each_day_also_when_clocks_change(
    name: str, change: int, at: time, offset: int
) -> None:
    zone, at = ZoneInfo(name), at.replace(second=0, microsecond=0)
    day = CHANGES[name][change]
    plan = Plan(GRACE, schedule=Schedule("cron", f"{at.minute} {at.hour} * * *", name))
    last = datetime.combine(day, time(12), UTC) + timedelta(minutes=offset)
    days = [day + timedelta(days=number) for number in range(-5, 7)]
    wanted = min(due for each in days if (due := moment_of(each, at, zone)) > last)
    assert down_at(Beat(BeatStatus.UP, last), plan) == wanted + GRACE


@settings(deadline=None, max_examples=50)
@given(ZONES, st.integers(0, 1), st.times(min_value=time(0, 0), max_value=time(3, 59)), st.integers(0, 44))
def test_a_job_that_runs_by_the_clock_is_never_down_and_one_that_stops_is(
    name: str, change: int, at: time, takes: int
) -> None:
    zone, at = ZoneInfo(name), at.replace(second=0, microsecond=0)
    plan = Plan(GRACE, schedule=Schedule("cron", f"{at.minute} {at.hour} * * *", name))
    days = [CHANGES[name][change] + timedelta(days=number) for number in range(-3, 4)]
    runs = [moment_of(each, at, zone) + timedelta(minutes=takes) for each in days]
    *before, missed = runs
    followed = follow(
        Beat(), plan, [Ping(Signal.SUCCESS, each) for each in before], False, missed + timedelta(hours=1)
    )
    bad = [verdict.at for verdict in followed.verdicts if not verdict.well]
    assert bad == [missed - timedelta(minutes=takes) + GRACE]
