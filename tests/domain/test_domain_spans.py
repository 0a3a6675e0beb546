"""Uptime against a clock that ticks every second, and what a step of a check books."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.check_state import NEW, CheckState, Policy, advance
from watchfloor.domain.outcome import Status
from watchfloor.domain.spans import Span, SpanState, Uptime, booking, gap_after, span_state, uptime

OK, DEGRADED, FAILING, UNKNOWN = Status
UP, SLOW, DOWN, UNSEEN, PLANNED, UNREACHABLE = SpanState
EPOCH = datetime(2026, 3, 29, tzinfo=UTC)


def at(second: float) -> datetime:
    return EPOCH + timedelta(seconds=second)


class TestUptime:
    def test_time_is_weighed_not_results(self):
        spans = [Span(UP, at(0), at(90)), Span(DOWN, at(90), at(100))]
        assert uptime(spans, at(0), at(100)) == Uptime(90, 10, 0, 0, 0.9)

    def test_degraded_counts_as_up(self):
        assert uptime([Span(SLOW, at(0))], at(0), at(10)).ratio == 1.0

    def test_planned_and_unknown_time_is_reported_and_not_added(self):
        spans = [Span(UP, at(0), at(10)), Span(PLANNED, at(10), at(50)), Span(UNSEEN, at(50), at(60))]
        assert uptime(spans, at(0), at(100)) == Uptime(10, 0, 50, 40, 1.0)

    def test_unreachable_time_counts_only_where_asked(self):
        spans = [Span(UP, at(0), at(30)), Span(UNREACHABLE, at(30), at(40))]
        assert uptime(spans, at(0), at(40)) == Uptime(30, 0, 0, 0, 1.0, 10)
        assert uptime(spans, at(0), at(40), unreachable_is_down=True).ratio == 0.75

    def test_nothing_observed_has_no_ratio(self):
        assert uptime([], at(0), at(60)) == Uptime(0, 0, 60, 0, None)

    def test_an_empty_window_has_no_ratio(self):
        assert uptime([Span(UP, at(0))], at(5), at(5)) == Uptime(0, 0, 0, 0, None)

    def test_spans_reach_beyond_the_window(self):
        spans = [Span(DOWN, at(-100), at(1)), Span(UP, at(1), at(500))]
        assert uptime(spans, at(0), at(10)) == Uptime(9, 1, 0, 0, 0.9)

    def test_it_is_exact_to_the_microsecond(self):
        spans = [Span(UP, at(0), at(86_400)), Span(DOWN, at(86_400), at(86_400) + timedelta(microseconds=1))]
        measured = uptime(spans, at(0), at(86_401))
        assert (measured.up_s, measured.down_s) == (86_400.0, 1e-6)

    def test_a_day_with_a_clock_change_has_24_hours(self):
        assert uptime([Span(UP, EPOCH)], EPOCH, EPOCH + timedelta(days=1)).up_s == 86_400


def each_second(spans: list[Span], start: int, end: int) -> dict[SpanState, int]:
    """The oracle: look at every second on its own; the span that began last speaks, if it still lasts."""
    counted = dict.fromkeys(SpanState, 0)
    for second in range(start, end):
        begun = [span for span in spans if span.start <= at(second)]
        newest = max(begun, key=lambda span: span.start) if begun else None
        lasts = newest is not None and (newest.end is None or at(second) < newest.end)
        counted[newest.state if newest is not None and lasts else UNSEEN] += 1
    return counted


spans_in_any_order = st.lists(
    st.builds(
        lambda state, start, length: Span(state, at(start), None if length is None else at(start + length)),
        st.sampled_from(SpanState),
        st.integers(-20, 120),
        st.none() | st.integers(0, 60),
    ),
    max_size=8,
    unique_by=lambda span: span.start,
)


@settings(settings.get_profile("thorough"))
@given(spans_in_any_order, st.integers(-10, 60), st.integers(0, 80), st.booleans())
def test_uptime_agrees_with_every_single_second(spans, start, length, strict):
    measured = uptime(spans, at(start), at(start + length), unreachable_is_down=strict)
    counted = each_second(spans, start, start + length)
    up, down = counted[UP] + counted[SLOW], counted[DOWN]
    against = up + down + (counted[UNREACHABLE] if strict else 0)
    assert measured == Uptime(
        up_s=up,
        down_s=down,
        unknown_s=counted[UNSEEN],
        planned_s=counted[PLANNED],
        ratio=up / against if against else None,
        unreachable_s=counted[UNREACHABLE],
    )


class TestBooking:
    def steps(self, statuses: list[Status], policy: Policy) -> list[tuple[CheckState, CheckState]]:
        states = [NEW]
        for minute, status in enumerate(statuses):
            moment = at(60 * minute)
            states.append(advance(states[-1], status, moment, moment, policy).state)
        return list(pairwise(states))

    def booked(self, statuses: list[Status], policy: Policy) -> list[tuple[int, SpanState] | None]:
        found = [booking(before, after) for before, after in self.steps(statuses, policy)]
        return [entry and (int((entry[0] - EPOCH).total_seconds()) // 60, entry[1]) for entry in found]

    def test_the_first_ok_opens_the_first_span(self):
        assert self.booked([OK, OK], Policy()) == [(0, UP), None]

    def test_an_outage_is_booked_back_to_its_first_failing_run(self):
        assert self.booked([OK, FAILING, FAILING, OK], Policy(max_attempts=2)) == [
            (0, UP),
            None,
            (1, DOWN),
            (3, UP),
        ]

    def test_a_soft_problem_books_nothing(self):
        assert self.booked([OK, FAILING, OK], Policy()) == [(0, UP), None, None]

    def test_unknown_time_is_booked_while_it_lasts(self):
        assert self.booked([OK, UNKNOWN, UNKNOWN, OK], Policy()) == [(0, UP), (1, UNSEEN), None, (3, UP)]

    def test_a_problem_not_yet_confirmed_after_unknown_time_counts_as_before(self):
        assert self.booked([OK, UNKNOWN, FAILING], Policy())[-1] == (2, UP)

    def test_a_service_never_seen_books_nothing(self):
        assert self.booked([UNKNOWN, FAILING], Policy()) == [None, None]

    def test_an_outage_that_ended_and_came_back_between_two_looks_is_booked_anew(self):
        states = self.steps([FAILING, OK, FAILING], Policy(max_attempts=1))
        assert booking(states[0][1], states[2][1]) == (at(120), DOWN)

    def test_the_present_is_unknown_while_the_latest_run_is(self):
        assert span_state(CheckState(UNKNOWN, OK)) is UNSEEN
        assert span_state(CheckState(FAILING, OK, soft=True)) is UP
        assert span_state(NEW) is UNSEEN


@settings(settings.get_profile("thorough"))
@given(
    st.lists(st.sampled_from([OK, DEGRADED, FAILING]), min_size=1, max_size=30),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_what_is_booked_adds_up_to_the_confirmed_history(statuses, attempts, recoveries):
    """Book as the store does (replace all from the moment on) and compare with the confirmed runs."""
    policy, state = Policy(attempts, recoveries), NEW
    booked: list[tuple[datetime, SpanState]] = []
    confirmed: list[SpanState] = []
    for minute, status in enumerate(statuses):
        after = advance(state, status, at(60 * minute), at(60 * minute), policy).state
        entry = booking(state, after)
        if entry is not None:
            booked = [*(known for known in booked if known[0] < entry[0]), entry]
        confirmed.append(span_state(after))
        if after.since is not None and after.hard is not state.hard:
            first = int((after.since - EPOCH).total_seconds()) // 60
            confirmed[first:] = [span_state(after)] * (minute + 1 - first)
        state = after
    ends = [*(start for start, _ in booked[1:]), None]
    spans = [Span(kind, start, end) for (start, kind), end in zip(booked, ends, strict=False)]
    measured = uptime(spans, at(0), at(60 * len(statuses)))
    assert measured.up_s == 60 * sum(kind in (UP, SLOW) for kind in confirmed)
    assert measured.down_s == 60 * confirmed.count(DOWN)


def test_silence_counts_once_even_a_timed_out_run_should_have_answered():
    assert gap_after(at(0), interval=30, timeout=10) == at(41)


@settings(max_examples=20)
@given(
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    month=st.sampled_from([3, 4, 10, 11]),
    seconds=st.lists(st.integers(-90_000, 4 * 86_400), min_size=1, max_size=12, unique=True),
    states=st.lists(st.sampled_from(SpanState), min_size=12, max_size=12),
)
def test_a_local_day_of_any_length_agrees_with_every_second_that_clocks_show_in_it(
    zone, month, seconds, states
):
    """The days on which clocks are changed have 23, 25 or 23.5 hours; each second is asked which day it is there."""
    there = ZoneInfo(zone)
    first = datetime(2026, month, 28 if month == 3 else 1 if month in (4, 11) else 24, tzinfo=there)
    moments = sorted(first.astimezone(UTC) + timedelta(seconds=second) for second in seconds)
    spans = [
        Span(state, start, end)
        for state, (start, end) in zip(states, pairwise([*moments, None]), strict=False)
    ]
    midnights = [(first + timedelta(days=n)).astimezone(UTC) for n in range(4)]
    counted = [dict.fromkeys(SpanState, 0) for _ in range(3)]
    at, newest = midnights[0], -1
    while at < midnights[-1]:
        while newest + 1 < len(spans) and spans[newest + 1].start <= at:
            newest += 1
        day = (at.astimezone(there).date() - first.date()).days
        counted[day][spans[newest].state if newest >= 0 else UNSEEN] += 1
        at += timedelta(seconds=1)
    for (start, end), spent in zip(pairwise(midnights), counted, strict=True):
        found = uptime(spans, start, end)
        up, down = spent[UP] + spent[SLOW], spent[DOWN]
        assert (found.up_s, found.down_s, found.planned_s) == (up, down, spent[PLANNED])
        assert (found.unknown_s, found.unreachable_s) == (spent[UNSEEN], spent[UNREACHABLE])
        assert found.ratio == (up / (up + down) if up + down else None)
