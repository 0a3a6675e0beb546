"""Days that are left out: against walking through a calendar day by day; what is no day is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.calendars import LONGEST, calendar_of, parse_day
from watchfloor.domain.schedules import Schedule, fires

DAYS = st.dates(date(2020, 1, 1), date(2031, 12, 31))


@given(DAYS, st.integers(0, LONGEST - 1), DAYS)
def test_a_range_holds_both_ends_and_what_is_between(first: date, length: int, asked: date) -> None:
    last = first + timedelta(days=length)
    calendar = calendar_of(frozenset({f"{first}..{last}"}))
    assert calendar.holds(asked) == (first <= asked <= last)


@given(DAYS, DAYS, DAYS)
def test_a_range_of_every_year_may_go_over_its_end(first: date, last: date, asked: date) -> None:
    low, high, day = ((each.month, each.day) for each in (first, last, asked))
    calendar = calendar_of(frozenset({f"{first:%m-%d}..{last:%m-%d}"}))
    within = low <= day <= high if low <= high else day >= low or day <= high
    assert calendar.holds(asked) == within


@pytest.mark.parametrize(
    "text",
    ["", "..", "2026-02-30", "02-30", "2026-01-02..2026-01-01", "05-01..2026-05-02", "2020-01-01..2029-01-01",
     "2026-01-01...2026-01-02", "20260101", "2026-W01-1", "1-1", "٠١-٠١"],
)  # fmt: skip
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_day(text)


def test_several_calendars_leave_out_the_days_of_each() -> None:
    excluded = frozenset({"12-24..01-01", "2027-01-04"})
    schedule = Schedule("cron", "0 6 * * *", "Europe/Berlin", excluded=excluded)
    found = islice(fires(schedule, datetime(2026, 12, 23, tzinfo=UTC)), 4)
    assert [f"{at:%m-%d}" for at in found] == ["12-23", "01-02", "01-03", "01-05"]


def test_a_schedule_of_every_second_jumps_over_left_out_days() -> None:
    schedule = Schedule(
        "interval", "1", "UTC", datetime(2026, 1, 1, tzinfo=UTC), excluded=frozenset({"02-01..11-30"})
    )
    (found,) = islice(fires(schedule, datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)), 1)
    assert found == datetime(2026, 12, 1, tzinfo=UTC)
