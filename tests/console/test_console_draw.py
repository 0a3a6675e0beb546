"""Charts, sparklines, bars: right in size, honest about failures and gaps, readable without colour."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from watchfloor.console.draw.chart import chart, scale
from watchfloor.console.draw.spark import spark, trend
from watchfloor.console.draw.uptime import proportions, uptime_bar
from watchfloor.console.draw.waterfall import waterfall
from watchfloor.console.format import latency
from watchfloor.console.line import plain, width
from watchfloor.domain.boards import IncidentRow
from watchfloor.domain.history import Sample
from watchfloor.domain.outcome import Status
from watchfloor.domain.spark import encode

NOW = datetime(2026, 8, 20, 14, 0, tzinfo=UTC)


samples = st.lists(
    st.builds(
        Sample,
        st.integers(0, 100_000).map(lambda s: NOW - timedelta(seconds=s)),
        st.none() | st.floats(0, 1e6, allow_nan=False),
        st.sampled_from(Status),
    ),
    max_size=40,
)


def drawn(points: list[Sample], cells: int, rows: int, begin: datetime | None = None) -> list[str]:
    begin = begin or min(point.at for point in points)
    end = max(point.at for point in points)
    return [plain(line) for line in chart(points, begin, end, cells, rows, latency, UTC)]


@given(
    samples, st.timedeltas(timedelta(seconds=1), timedelta(days=40)), st.integers(10, 120), st.integers(1, 16)
)
def test_a_chart_never_leaves_its_room(
    points: list[Sample], length: timedelta, cells: int, rows: int
) -> None:
    lines = chart(points, NOW - length, NOW, cells, rows, latency, UTC)
    assert len(lines) in (0, rows)
    assert all(width(line) <= cells for line in lines)


def test_a_chart_has_round_figures_on_both_axes_and_marks_failures_without_colour() -> None:
    points = [Sample(NOW + timedelta(minutes=n), 0.1 + n / 100) for n in range(20)]
    points.append(Sample(NOW + timedelta(minutes=20), None, Status.FAILING))
    lines = drawn(points, 60, 8)
    assert lines[0].startswith("300 ms ┤")
    assert lines[2].startswith("200 ms ┤")
    assert lines[4].startswith("100 ms ┤")
    assert lines[5].endswith("✘")
    assert lines[6].split("└")[1].count("┴") == 5
    assert lines[7].split() == ["14:00", "14:05", "14:10", "14:15", "14:20"]


@given(st.timedeltas(timedelta(minutes=2), timedelta(days=35)), st.integers(30, 200))
def test_times_stand_under_their_marks_and_never_touch(length: timedelta, cells: int) -> None:
    points = [Sample(NOW - length, 1.0), Sample(NOW, 1.0)]
    rule, times = drawn(points, cells, 8)[-2:]
    marks = [place for place, character in enumerate(rule) if character == "┴"]
    for found in re.finditer(r"[0-9:]+(?: [A-Z][a-z]+)?", times):
        assert any(found.start() <= mark <= found.end() for mark in marks), (rule, times)


def test_a_rising_line_rises() -> None:
    points = [Sample(NOW + timedelta(minutes=n), float(n)) for n in range(1, 41)]
    body = [re.split("[│┤]", line)[-1] for line in drawn(points, 50, 10)[:-2]]
    body = [row.ljust(max(map(len, body))) for row in body]
    filled = [sum(row[column] != " " for row in body) for column in range(len(body[0]))]
    assert filled == sorted(filled)
    assert filled[-1] == 8


def test_a_long_gap_stays_empty_and_so_does_what_was_before_the_first_measurement() -> None:
    early = [Sample(NOW + timedelta(minutes=n), 1.0) for n in range(10)]
    late = [Sample(NOW + timedelta(minutes=90 + n), 1.0) for n in range(10)]
    foot = drawn([*early, *late], 80, 6)[3]
    assert " " * 40 in foot
    foot = re.split("[│┤]", drawn(late, 80, 6, begin=NOW)[3])[1]
    assert foot[:40].isspace()


@given(st.floats(1e-9, 1e15), st.integers(1, 9))
def test_an_axis_ends_at_a_round_figure_and_holds_its_value(value: float, ticks: int) -> None:
    axis = scale(value, ticks)
    assert axis.top >= value * (1 - 1e-6)
    assert 1 <= len(axis.ticks) - 1 <= ticks
    assert f"{axis.step:e}".rstrip("0123456789")[0] in "125"


def test_shares_of_a_whole_stand_on_an_axis_up_to_all_of_it() -> None:
    assert scale(3.0, 4, limit=100.0).top == 100.0
    assert scale(180.0, 4, limit=100.0).top >= 180.0


@given(samples, st.integers(1, 60))
def test_a_trend_has_exactly_its_size(points: list[Sample], cells: int) -> None:
    assert width(trend(points, NOW - timedelta(days=1), NOW, cells)) == cells


def test_a_trend_leaves_blank_what_was_not_measured() -> None:
    points = [Sample(NOW - timedelta(hours=n), float(n)) for n in (4, 3, 1)]
    assert plain(trend(points, NOW - timedelta(hours=4), NOW + timedelta(hours=1), 5)) == "▇▆ ▂ "


@given(st.binary(max_size=60), st.integers(1, 60))
def test_a_sparkline_has_exactly_its_size(recent: bytes, cells: int) -> None:
    assert width(spark(recent, cells)) == cells


def test_a_sparkline_shows_failures_and_unknowns_by_shape() -> None:
    recent = bytes(
        encode(status, seconds)
        for status, seconds in (
            (Status.OK, 0.1),
            (Status.FAILING, None),
            (Status.UNKNOWN, None),
            (Status.DEGRADED, 0.9),
        )
    )
    line = spark(recent, 6)
    assert plain(line)[:2] == "  "
    assert plain(line)[3:5] == "╳?"
    assert line[-1][1] == "degraded"


def test_a_sparkline_keeps_the_newest_results() -> None:
    recent = bytes([encode(Status.OK, 0.1)] * 20 + [encode(Status.FAILING, None)])
    assert plain(spark(recent, 5)).endswith("╳")


def incident(hours_ago: float, hours: float | None, worst: Status) -> IncidentRow:
    opened = NOW - timedelta(hours=hours_ago)
    closed = None if hours is None else opened + timedelta(hours=hours)
    return IncidentRow(1, 1, "x", opened, closed, worst, "")


def test_the_uptime_bar_shows_unobserved_failing_and_open() -> None:
    incidents = [incident(12, 1, Status.DEGRADED), incident(1, None, Status.FAILING)]
    bar = plain(uptime_bar(incidents, NOW - timedelta(hours=20), NOW, timedelta(hours=24), 24))
    assert bar == "····▮▮▮▮▮▮▮▮▲▮▮▮▮▮▮▮▮▮▮✘"


def test_short_incidents_are_never_too_short_to_be_seen() -> None:
    bar = plain(
        uptime_bar(
            [incident(3, 0.001, Status.FAILING)], NOW - timedelta(days=9), NOW, timedelta(hours=24), 12
        )
    )
    assert bar.count("✘") == 1


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.sampled_from(["ok", "failing", "unknown"])), max_size=6),
    st.integers(1, 200),
)
def test_proportions_fill_the_line(parts: list[tuple[int, str]], cells: int) -> None:
    line = proportions(parts, cells)
    assert width(line) == cells
    present = [role for number, role in parts if number]
    if present and cells >= len(present):
        assert [role for _, role in line] == present


@given(st.lists(st.floats(0, 100, allow_nan=False), min_size=1, max_size=5), st.integers(12, 120))
def test_a_waterfall_fits_and_every_phase_is_visible(times: list[float], cells: int) -> None:
    lines = waterfall([(f"phase {n}", time) for n, time in enumerate(times)], cells)
    assert len(lines) == len(times)
    if cells >= 28:
        assert all(width(line) <= cells for line in lines)
    if sum(times) > 0 and cells >= 40:
        assert [bool(line[1][0].strip()) for line in lines] == [time > 0 for time in times]
