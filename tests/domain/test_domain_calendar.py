"""The calendar of fires to come, against fires that are listed one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.calendar import MOST, OFTEN, CalendarFire, Plan, calendar, clocks_on
from watchfloor.domain.schedules import Schedule, fires

NOW = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def plan(job: str, cron: str, took: float | None = None, zone: str = "UTC", **more: object) -> Plan:
    return Plan(job, cron, Schedule("cron", cron, zone), took, **more)  # type: ignore[arg-type]


def named(found: list[CalendarFire]) -> list[tuple[str, str]]:
    return [(fire.job, fire.at.strftime("%d %H:%M")) for fire in found]


@given(st.lists(st.tuples(st.integers(0, 59), st.integers(0, 23)), min_size=1, max_size=8), st.integers(1, 7))
def test_it_holds_every_fire_once_and_in_order(times: list[tuple[int, int]], days: int) -> None:
    plans = [plan(f"job {n}", f"{minute} {hour} * * *") for n, (minute, hour) in enumerate(times)]
    found = calendar(plans, NOW, days * DAY)
    end = NOW + days * DAY
    naive = [
        (at, each.job) for each in plans for at in takewhile(lambda at: at <= end, fires(each.schedule, NOW))
    ]
    assert [(fire.at, fire.job) for fire in found] == sorted(naive)


def test_what_fires_often_stands_there_once_with_how_often() -> None:
    (found,) = calendar([plan("often", "*/5 * * * *")], NOW, DAY)
    assert (found.at, found.times) == (NOW + timedelta(minutes=5), 288)
    assert len(calendar([plan("seldom", f"0 0-{OFTEN * 2 - 2}/2 * * *")], NOW, DAY)) == OFTEN


def test_it_never_lists_more_than_anybody_can_read() -> None:
    plans = [plan(f"job {n}", "0 * * * *") for n in range(10)]
    assert len(calendar(plans, NOW, timedelta(days=365))) == 10
    many = [plan(f"job {n}", "0 3 * * *") for n in range(MOST)]
    assert len(calendar(many, NOW, 2 * DAY)) == MOST


def test_runs_that_are_likely_to_meet_are_named() -> None:
    found = calendar([plan("backup", "0 3 * * *", 3600.0), plan("report", "30 3 * * *", 60.0)], NOW, DAY)
    assert [fire.beside for fire in found] == [(), ("backup",)]
    apart = calendar([plan("backup", "0 3 * * *", 600.0), plan("report", "30 3 * * *", 60.0)], NOW, DAY)
    assert [fire.beside for fire in apart] == [(), ()]


def test_a_job_that_takes_longer_than_its_interval_meets_itself() -> None:
    hourly = [plan("slow", "0 */3 * * *", 4 * 3600.0)]
    assert [fire.meets_itself for fire in calendar(hourly, NOW, DAY)] == [False, *[True] * 7]
    (often,) = calendar([plan("slow", "*/5 * * * *", 400.0)], NOW, DAY)
    assert often.meets_itself


def test_days_on_which_clocks_change_are_marked_in_the_zone_of_the_schedule() -> None:
    found = calendar(
        [plan("there", "0 12 * * *", zone="Europe/Berlin"), plan("here", "30 11 * * *")], NOW, 2 * DAY
    )
    marks = {(fire.job, fire.at.day): fire.clocks for fire in found}
    assert marks["there", 25] == "clocks go back 1h"
    assert marks["there", 26] == marks["here", 25] == ""
    assert clocks_on("Australia/Lord_Howe", 2026, 10, 4) == "clocks go forward 30 min"


def test_what_rests_or_has_no_zone_here_is_left_out() -> None:
    assert (
        calendar(
            [plan("rests", "0 * * * *", paused=True), plan("odd", "0 3 * * *", zone="Moon/Base")], NOW, DAY
        )
        == []
    )


def test_moments_stand_as_clocks_there_show_them() -> None:
    (found,) = calendar([plan("there", "30 3 * * *", zone="Asia/Tokyo")], NOW, DAY)
    assert found.local == "2026-10-25 03:30:00+09:00"
    assert named([found]) == [("there", "24 18:30")]
