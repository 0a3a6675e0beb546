"""Schedules: cron against a cron that lives through every minute, intervals, one-offs, days that are left out."""

from __future__ import annotations

import contextlib
import os
import random
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cron_oracle import debian, skip_and_repeat
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.cron import CronError, parse_cron
from watchfloor.domain.schedules import Dst, Schedule, fires, next_fire, preview
from watchfloor.domain.zones import UnknownZone

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Africa/Casablanca",
         "Antarctica/Troll", "Atlantic/Azores", "Asia/Kathmandu", "Pacific/Apia", "America/Asuncion")  # fmt: skip
EXPRESSIONS = ("30 2 * * *", "0 0 * * *", "*/20 * * * *", "0 */2 * * *", "15 1,2,3 * * *", "59 23 * * *",
               "0 3 * * sun", "30 0 13 * 5", "5 2 1-7 * mon", "0 2 */2 3,4,9-11 *", "45 0-3 * * *")  # fmt: skip


def cron(expr: str, tz: str = "UTC", **more: object) -> Schedule:
    return Schedule("cron", expr, tz, **more)  # type: ignore[arg-type]


def between(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    return list(takewhile(lambda at: at < end, fires(schedule, start - timedelta(microseconds=1))))


def change_days(zone: str, year: int) -> list[datetime]:
    """The days of a year on which the clocks of a zone change, and one on which they do not."""
    tz = ZoneInfo(zone)
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(365)]
    changed = [
        day
        for day in days
        if day.astimezone(tz).utcoffset() != (day + timedelta(days=1)).astimezone(tz).utcoffset()
    ]
    return [*changed, days[200]]


@pytest.mark.parametrize("zone", ZONES)
def test_cron_is_what_a_daemon_that_lives_through_every_minute_does(zone: str) -> None:
    for year in (1997, 2025):
        for day in change_days(zone, year):
            start, end = day - timedelta(hours=12), day + timedelta(hours=36)
            for expr in EXPRESSIONS:
                assert between(cron(expr, zone), start, end) == debian(expr, zone, start, end), (expr, day)


def test_any_zone_and_any_expression_agree_with_the_oracle() -> None:
    chance = random.Random(7)
    zones = sorted(available_timezones() - {"Factory", "localtime"})
    for _ in range(int(os.environ.get("WATCHFLOOR_EXAMPLES", "60"))):
        zone, year = chance.choice(zones), chance.randint(1971, 2037)
        day = chance.choice(change_days(zone, year))
        start, end = day - timedelta(hours=6), day + timedelta(hours=30)
        expr = f"{chance.choice(('0', '30', '*/15', '7-50/9', '*'))} {chance.choice(('*', '*/3', '0-3', '2', '23,0'))} "
        expr += chance.choice(("* * *", "*/2 * *", "1-15 * sat,sun", "* * 1-5", "28 * 0", "* jan-jun 7"))
        assert between(cron(expr, zone), start, end) == debian(expr, zone, start, end), (expr, zone, day)
        other = cron(expr, zone, dst=Dst.SKIP_AND_REPEAT)
        assert between(other, start, end) == skip_and_repeat(expr, zone, start, end), (expr, zone, day)


def test_a_fixed_time_in_the_gap_of_spring_runs_once_right_after_it() -> None:
    spring = datetime(2026, 3, 29, tzinfo=UTC)
    found = between(cron("30 2 * * *", "Europe/Berlin"), spring, spring + timedelta(days=1))
    assert found == [datetime(2026, 3, 29, 1, 0, tzinfo=UTC)]
    repeats = cron("30 2 * * *", "Europe/Berlin", dst=Dst.SKIP_AND_REPEAT)
    assert between(repeats, spring, spring + timedelta(days=1)) == []


def test_a_fixed_time_in_the_repeated_hour_runs_in_the_first_pass_only() -> None:
    autumn = datetime(2026, 10, 25, tzinfo=UTC)
    found = between(cron("30 2 * * *", "Europe/Berlin"), autumn, autumn + timedelta(days=1))
    assert found == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]
    repeats = cron("30 2 * * *", "Europe/Berlin", dst=Dst.SKIP_AND_REPEAT)
    assert len(between(repeats, autumn, autumn + timedelta(days=1))) == 2


def test_a_wildcard_follows_real_time_through_both_passes() -> None:
    autumn = datetime(2026, 10, 25, tzinfo=UTC)
    assert len(between(cron("0 * * * *", "Europe/Berlin"), autumn, autumn + timedelta(hours=24))) == 24


def test_read_in_utc_a_schedule_knows_no_daylight_saving() -> None:
    found = next_fire(cron("30 2 * * *", "Europe/Berlin", dst=Dst.UTC), datetime(2026, 3, 29, tzinfo=UTC))
    assert found == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


@given(
    st.sampled_from(EXPRESSIONS),
    st.sampled_from(ZONES),
    st.datetimes(datetime(1970, 1, 2), datetime(2037, 1, 1)),
)
def test_the_next_fire_is_always_later(expr: str, zone: str, moment: datetime) -> None:
    after = moment.replace(tzinfo=UTC)
    found = next_fire(cron(expr, zone), after)
    assert found is not None
    assert after < found < after + timedelta(days=370)


def test_the_29th_of_february_is_found_across_a_century_without_one() -> None:
    found = next_fire(cron("0 0 29 2 *"), datetime(2096, 3, 1, tzinfo=UTC))
    assert found == datetime(2104, 2, 29, tzinfo=UTC)


def test_seconds_come_first_where_there_are_six_fields() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = list(islice(fires(cron("*/20 0 12 * * *"), start), 4))
    assert [at.isoformat()[11:19] for at in found] == ["12:00:00", "12:00:20", "12:00:40", "12:00:00"]


def test_sunday_is_0_and_7_and_a_name() -> None:
    assert parse_cron("0 9 * * 0") == parse_cron("0 9 * * 7") == parse_cron("0 9 * * SUN")
    assert next_fire(cron("0 9 * * 0"), datetime(2026, 11, 25, tzinfo=UTC)) == datetime(
        2026, 11, 29, 9, tzinfo=UTC
    )


def test_either_day_is_enough_where_both_are_restricted() -> None:
    days = [at.day for at in islice(fires(cron("0 0 13 * fri"), datetime(2026, 11, 1, tzinfo=UTC)), 5)]
    assert days == [6, 13, 20, 27, 4]


@pytest.mark.parametrize(
    ("expr", "says"),
    [
        ("* * * *", "4 fields"),
        ("0 0 31 2 *", "never fires"),
        ("0 0 31 apr,jun *", "never fires"),
        ("60 * * * *", "minute: out of its limits"),
        ("0 0 L * *", "not supported"),
        ("0 0 * * 5#2", "not supported"),
        ("5/15 * * * *", "a step needs a range"),
        ("*/0 * * * *", "a step of 0"),
        ("30-10 * * * *", "backwards"),
        ("@reboot", "not a known shortcut"),
        ("0 0 * foo *", "month: out of its limits"),
        ("* " * 200, "longer than"),
        ("1,,2 * * * *", "not understood"),
        ("١ * * * *", "not understood"),
    ],
)
def test_what_is_no_good_is_told_with_a_remedy(expr: str, says: str) -> None:
    with pytest.raises(CronError, match=says) as caught:
        parse_cron(expr)
    assert caught.value.remedy.endswith(".")


@given(st.text("0123456789*/,-#?@ lwsunfrijan", max_size=30) | st.text(max_size=60))
def test_whatever_is_written_it_is_read_or_refused(expr: str) -> None:
    with contextlib.suppress(CronError):
        assert parse_cron(expr).minutes


@pytest.mark.parametrize("name", ["Europe/Berln", "../etc/passwd", "/etc/localtime", "", "Europe", "a\0b"])
def test_a_zone_that_does_not_exist_is_never_guessed(name: str) -> None:
    with pytest.raises(UnknownZone):
        next_fire(cron("0 0 * * *", name), datetime(2026, 1, 1, tzinfo=UTC))


def test_intervals_count_from_their_anchor_whatever_happened_in_between() -> None:
    anchor = datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC)
    every = Schedule("interval", "90", "UTC", anchor)
    assert next_fire(every, anchor - timedelta(days=1)) == anchor
    assert next_fire(every, anchor) == anchor + timedelta(seconds=90)
    assert next_fire(every, anchor + timedelta(days=10_000, seconds=1)) == anchor + timedelta(
        days=10_000, seconds=90
    )


def test_a_one_off_happens_once() -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    assert list(fires(Schedule("once", "", "UTC", at), at - timedelta(days=1))) == [at]


def test_nothing_happens_before_the_start_or_after_the_end() -> None:
    start, end = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 3, tzinfo=UTC)
    found = list(fires(cron("0 0 * * *", start=start, end=end), datetime(2020, 1, 1, tzinfo=UTC)))
    assert [at.day for at in found] == [1, 2, 3]


def test_excluded_days_are_those_of_the_zone() -> None:
    excluded = frozenset({"12-25", "2026-12-27"})
    schedule = cron("30 0 * * *", "Asia/Tokyo", excluded=excluded)
    found = islice(fires(schedule, datetime(2026, 12, 23, 16, tzinfo=UTC)), 3)
    assert [f"{at.astimezone(ZoneInfo('Asia/Tokyo')):%d}" for at in found] == ["26", "28", "29"]


def test_a_preview_shows_offsets_and_marks_where_they_change() -> None:
    shown = preview(cron("0 12 * * *", "Europe/Berlin"), datetime(2026, 10, 23, 12, tzinfo=UTC), 3)
    assert [each.local[-6:] for each in shown] == ["+02:00", "+01:00", "+01:00"]
    assert [each.changes for each in shown] == [False, True, False]
