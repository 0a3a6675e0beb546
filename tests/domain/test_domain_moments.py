"""Moments as people write them: what is read back is what was meant, and nothing is guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.durations import format_duration
from watchfloor.domain.moments import parse_moment

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 14, 0, 30, tzinfo=UTC)  # a Wednesday; 15:00:30 in Berlin
ZONES = st.sampled_from(
    [UTC, BERLIN, ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Apia"), ZoneInfo("Australia/Lord_Howe")]
)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("text", "zone", "meant"),
    [
        ("14:00", UTC, "2026-11-25 14:00:00"),
        ("14:05", UTC, "2026-11-24 14:05:00"),  # not yet today, so yesterday
        ("14:05", BERLIN, "2026-11-25 13:05:00"),
        ("  Yesterday   3:00 ", BERLIN, "2026-11-24 02:00:00"),
        ("today 0:00", UTC, "2026-11-25 00:00:00"),
        ("yesterday", UTC, "2026-11-24 00:00:00"),
        ("2026-11-24 03:00", BERLIN, "2026-11-24 02:00:00"),
        ("2026-11-24T03:00:07Z", BERLIN, "2026-11-24 03:00:07"),
        ("2026-11-24 03:00 utc", BERLIN, "2026-11-24 03:00:00"),
        ("2026-11-24 03:00 +05:30", BERLIN, "2026-11-23 21:30:00"),
        ("3:00 -0800", UTC, "2026-11-25 11:00:00"),
        ("2026-11-24", UTC, "2026-11-24 00:00:00"),
        ("mon 9:30", UTC, "2026-11-23 09:30:00"),
        ("wednesday 9:30", UTC, "2026-11-25 09:30:00"),
        ("-2h", UTC, "2026-11-25 12:00:30"),
        ("-1h 30m", UTC, "2026-11-25 12:30:30"),
        ("2026-10-25 02:30", BERLIN, "2026-10-25 01:30:00"),  # came twice: the later one
        ("2026-10-25 02:30 +02:00", BERLIN, "2026-10-25 00:30:00"),  # the earlier one has to be named
    ],
)
def test_what_is_meant(text: str, zone: tzinfo, meant: str) -> None:
    assert f"{parse_moment(text, NOW, zone):%Y-%m-%d %H:%M:%S}" == meant


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "write a moment"),
        ("now", "no day called now"),
        ("25:00", "no moment"),
        ("3", "not understood"),
        ("2026-13-01", "no moment"),
        ("2026-02-30 1:00", "no moment"),
        ("2027-01-01", "still to come"),
        ("today 23:00", "still to come"),
        ("-2", "not understood"),
        ("-5 bananas", "not understood"),
        ("2026-03-29 02:30", "clocks skipped"),
        ("14:05; drop table", "not understood"),
        ("-99999999999d", "not understood"),
        ("0001-01-01 +14:00", "no moment"),
        ("1" * 500, "write a moment"),
    ],
)
def test_what_is_refused_is_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_moment(text, NOW, BERLIN)


@settings(settings.get_profile("thorough"))
@given(MOMENTS, ZONES, st.sampled_from(["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f"]))
def test_a_moment_written_with_its_offset_is_read_back_exactly(
    moment: datetime, zone: tzinfo, form: str
) -> None:
    offset = moment.astimezone(zone).utcoffset() or timedelta(0)
    whole = timezone(timedelta(minutes=offset // timedelta(minutes=1)))
    text = moment.astimezone(whole).strftime(form + "%z")[: len("2026-11-24 03:00:00.000000+0000")]
    assert parse_moment(text, moment + timedelta(hours=1), zone) == moment


@settings(settings.get_profile("thorough"))
@given(MOMENTS, ZONES, st.integers(0, 23), st.integers(0, 59))
def test_a_time_of_day_is_the_last_one_there_was(now: datetime, zone: tzinfo, hour: int, minute: int) -> None:
    try:
        found = parse_moment(f"{hour}:{minute:02d}", now, zone)
    except ValueError:
        with pytest.raises(ValueError, match="clocks skipped"):
            parse_moment(f"{hour}:{minute:02d}", now, zone)
        return
    local = found.astimezone(zone)
    assert (local.hour, local.minute, local.second) == (hour, minute, 0)
    assert timedelta(0) <= now - found <= timedelta(hours=49)


@given(MOMENTS, st.integers(1, 10**9))
def test_an_age_is_counted_back_from_now(now: datetime, milliseconds: int) -> None:
    text = "-" + format_duration(milliseconds / 1000)
    assert parse_moment(text, now, UTC) == now - timedelta(milliseconds=milliseconds)


@settings(settings.get_profile("thorough"))
@given(st.text(max_size=70), ZONES)
def test_any_text_is_a_moment_of_the_past_or_refused(text: str, zone: tzinfo) -> None:
    try:
        found = parse_moment(text, NOW, zone)
    except ValueError:
        return
    assert found <= NOW
    assert found.utcoffset() == timedelta(0)
