"""Maintenance windows, held to a model that looks at every minute of the clocks on the wall."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.make import at
from watchfloor.domain.rules import Subject
from watchfloor.domain.windows import (
    Inside,
    Run,
    Selector,
    Spec,
    Window,
    due,
    in_utc,
    inside,
    moved,
    opening_at,
    openings,
    selector_from,
    spec_from,
    triggered,
    upcoming,
    waiting,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


class TestOpenings:
    def test_starts_are_inside_and_ends_are_outside(self):
        spec = Spec("weekly", "Europe/Berlin", 2 * HOUR, "0 2 * * sun")
        start = berlin("2026-11-29T02:00")
        end = start + timedelta(hours=2)
        assert opening_at(spec, start - timedelta(microseconds=1)) is None
        assert opening_at(spec, start) == (start, end)
        assert opening_at(spec, end - timedelta(microseconds=1)) == (start, end)
        assert opening_at(spec, end) is None

    def test_a_start_that_clocks_skip_comes_right_after(self):
        spec = Spec("weekly", "Europe/Berlin", 2 * HOUR, "30 2 * * sun")
        start, end = next(openings(spec, utc("2026-03-28T12:00")))
        assert (start, end) == (utc("2026-03-29T01:00"), utc("2026-03-29T03:00"))

    def test_a_start_that_comes_twice_comes_once_and_lasts_its_length(self):
        spec = Spec("cron", "Europe/Berlin", 4 * HOUR, "30 2 * * *")
        found = list(islice(openings(spec, utc("2026-10-24T12:00")), 2))
        assert found[0] == (utc("2026-10-25T00:30"), utc("2026-10-25T04:30"))
        assert found[1][0] == utc("2026-10-26T01:30")

    def test_days_of_a_month_count_from_its_end_too(self):
        spec = Spec("monthly", "UTC", HOUR, "0 3 * * *", month_days=(1, -1))
        starts = [f"{start:%m-%d}" for start, _ in islice(openings(spec, utc("2028-01-15T00:00")), 5)]
        assert starts == ["01-31", "02-01", "02-29", "03-01", "03-31"]

    def test_a_month_day_that_does_not_come_ends_the_search(self):
        assert list(openings(Spec("monthly", "UTC", HOUR, "0 3 * * *"), utc("2026-01-01"))) == []

    def test_once_is_once(self):
        spec = Spec("once", start=at(0), end=at(60))
        assert [opening_at(spec, at(second)) for second in (-1, 0, 59, 60)] == [
            None,
            (at(0), at(60)),
            (at(0), at(60)),
            None,
        ]
        assert upcoming(spec, at(-5)) == [(at(0), at(60))]
        assert upcoming(spec, at(0)) == []

    @settings(max_examples=60, deadline=None)
    @given(
        hour=st.integers(0, 23),
        minute=st.integers(0, 59),
        length=st.integers(1, 30 * 60),
        offset=st.integers(0, 5 * 24 * 60),
    )
    def test_it_is_open_when_a_start_on_the_wall_is_no_longer_ago_than_its_length(
        self, hour: int, minute: int, length: int, offset: int
    ):
        spec = Spec("cron", "Europe/Berlin", length * 60.0, f"{minute} {hour} * * *")
        now = utc("2026-03-27T00:00") + timedelta(minutes=offset)
        wanted = False
        for back in range(length):
            moment = now - timedelta(minutes=back)
            wall, before = moment.astimezone(BERLIN), (moment - timedelta(minutes=1)).astimezone(BERLIN)
            at_last = (before.hour * 60 + before.minute + 1, wall.hour * 60 + wall.minute)
            skipped = at_last[0] <= hour * 60 + minute < at_last[1] and wall.date() == before.date()
            if (wall.hour, wall.minute) == (hour, minute) or skipped:
                wanted = True
                break
        assert (opening_at(spec, now) is not None) is wanted


ANY = Selector(services=("*",))
FIXED = Window(1, "fixed", ANY, Spec("once", start=at(0), end=at(100)))
FLEXIBLE = Window(2, "flexible", ANY, Spec("once", start=at(0), end=at(100), flexible_s=300.0))
AFTER = Window(3, "after", ANY, Spec("triggered", duration_s=50.0), triggered_by=1)


class TestRuns:
    def test_what_opens_is_stored_once(self):
        run = Run(1, at(0), at(100))
        assert due([FIXED], [], at(-1)) == []
        assert due([FIXED], [], at(5)) == [run]
        assert due([FIXED], [run], at(5)) == []

    def test_what_was_ended_early_does_not_open_again(self):
        assert due([FIXED], [Run(1, at(0), at(3), "ada")], at(5)) == []

    def test_an_end_that_was_moved_moves_the_run(self):
        assert due([FIXED], [Run(1, at(0), at(50))], at(5)) == [Run(1, at(0), at(100))]

    def test_what_is_open_by_an_opening_that_is_no_more_has_moved(self):
        later = replace(FIXED, spec=Spec("once", start=at(3), end=at(100)))
        over = replace(FIXED, spec=Spec("once", start=at(0), end=at(4)))
        run = Run(1, at(0), at(100))
        assert moved([FIXED], [run], at(5)) == []
        assert moved([later], [run], at(5)) == [1]
        assert moved([over], [run], at(5)) == [1]
        assert moved([later], [Run(1, at(0), at(4))], at(5)) == []
        assert moved([FLEXIBLE, AFTER], [Run(2, at(7), at(307)), Run(3, at(0), at(50))], at(8)) == []

    def test_of_openings_that_overlap_none_has_moved(self):
        often = Window(5, "often", ANY, Spec("cron", "UTC", 5400.0, "0 * * * *"))
        runs: list[Run] = []
        for minute in range(0, 600, 7):
            now = utc("2026-03-01T00:00") + timedelta(minutes=minute)
            assert moved([often], runs, now) == []
            runs += due([often], runs, now)
        assert [run.began.hour for run in runs] == [23, *range(10)]

    def test_a_window_opens_with_the_one_that_triggers_it(self):
        assert due([FIXED, AFTER], [], at(5)) == [Run(1, at(0), at(100)), Run(3, at(0), at(50))]
        assert due([AFTER, FLEXIBLE], [Run(1, at(0), at(100))], at(60)) == []

    def test_with_an_early_end_a_triggered_window_does_not_open_again(self):
        ended = [Run(1, at(0), at(3), "ada"), Run(3, at(0), at(3), "ada")]
        assert due([FIXED, AFTER], ended, at(5)) == []

    def test_a_flexible_window_waits_for_a_failure_and_may_outlive_its_end(self):
        assert due([FLEXIBLE], [], at(5)) == []
        opening = waiting(FLEXIBLE, [], at(99))
        assert opening == (at(0), at(100))
        run = triggered(FLEXIBLE, opening, at(98), at(99))
        assert run == Run(2, at(98), at(398))
        assert waiting(FLEXIBLE, [run], at(99.5)) is None
        assert waiting(FLEXIBLE, [], at(100)) is None
        assert waiting(FIXED, [], at(5)) is None

    def test_a_failure_from_before_opens_it_from_its_start(self):
        assert triggered(FLEXIBLE, (at(0), at(100)), at(-50), at(1)).began == at(0)


class TestInside:
    SUBJECTS = {
        1: Subject("shop", "http", "web", frozenset({"prod"})),
        2: Subject("db", "tcp", "data", frozenset()),
    }

    def test_overlapping_windows_are_counted(self):
        data = Window(4, "data", Selector(groups=("dat*",)), Spec("once", start=at(10), end=at(20)))
        runs = [Run(1, at(0), at(100)), Run(4, at(10), at(20))]
        assert inside([FIXED, data], runs, self.SUBJECTS, at(15)) == {
            1: Inside((1,), at(0), at(100)),
            2: Inside((1, 4), at(0), at(100)),
        }
        assert inside([FIXED, data], runs, self.SUBJECTS, at(100)) == {}

    def test_a_window_that_was_taken_away_covers_nobody(self):
        assert inside([], [Run(1, at(0), at(100))], self.SUBJECTS, at(5)) == {}

    @pytest.mark.parametrize(
        ("selector", "wanted"),
        [
            (Selector(tags=frozenset({"prod"})), True),
            (Selector(kinds=frozenset({"tcp"})), False),
            (Selector(services=("sh*",), groups=("other",)), False),
            (Selector(services=("a", "shop")), True),
        ],
    )
    def test_every_part_of_a_selector_must_agree(self, selector: Selector, wanted: bool):
        assert selector.matches(self.SUBJECTS[1]) is wanted

    def test_a_name_with_signs_of_a_pattern_names_itself(self):
        assert Selector(services=("db [1]",)).matches(Subject("db [1]", "tcp", "", frozenset()))


def test_a_spec_survives_the_way_through_the_database():
    spec = Spec("monthly", "Europe/Berlin", HOUR, "0 3 * * *", (1, -1), at(0), at(1), 60.0)
    assert spec_from(spec.stored()) == spec
    assert selector_from({"services": ["a"], "tags": ["b"]}) == Selector(("a",), tags=frozenset({"b"}))


def test_a_moment_without_an_offset_is_one_of_the_zone():
    assert in_utc(datetime(2026, 7, 1, 12), "Europe/Berlin") == utc("2026-07-01T10:00")
    assert in_utc(utc("2026-07-01T12:00"), "Europe/Berlin") == utc("2026-07-01T12:00")
