"""Charts, sparklines, bars: right in size, honest about failures and gaps, readable without colour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.console.draw.chart import Sample, ceiling, chart
from watchfloor.console.draw.spark import spark
from watchfloor.console.draw.uptime import proportions, uptime_bar
from watchfloor.console.draw.waterfall import waterfall
from watchfloor.console.format import latency
from watchfloor.console.line import plain, width
from watchfloor.domain.boards import IncidentRow
from watchfloor.domain.outcome import Status
from watchfloor.domain.spark import encode

NOW = datetime(2026, 8, 20, 14, 0, tzinfo=UTC)


def clock(at: datetime) -> str:
    return f"{at:%H:%M}"


samples = st.lists(
    st.builds(
        Sample,
        st.integers(0, 100_000).map(lambda s: NOW - timedelta(seconds=s)),
        st.none() | st.floats(0, 1e6, allow_nan=False),
        st.sampled_from(Status),
    ),
    max_size=40,
)


@given(samples, st.integers(10, 120), st.integers(1, 12))
def test_a_chart_never_leaves_its_room(points: list[Sample], cells: int, rows: int) -> None:
    lines = chart(points, cells, rows, latency, clock)
    assert len(lines) <= rows + 1
    assert all(width(line) <= cells for line in lines)


def test_a_chart_has_figures_on_both_axes_and_marks_failures_without_colour() -> None:
    points = [Sample(NOW + timedelta(minutes=n), 0.1 + n / 100) for n in range(20)]
    points.append(Sample(NOW + timedelta(minutes=20), None, Status.FAILING))
    lines = [plain(line) for line in chart(points, 60, 6, latency, clock)]
    assert lines[0].startswith("300 ms ┤")
    assert lines[3].startswith("150 ms ┤")
    assert "✘" in lines[5]
    assert lines[6].split() == ["└14:00", "14:10", "14:20"]


def test_a_rising_line_rises() -> None:
    points = [Sample(NOW + timedelta(minutes=n), float(n)) for n in range(1, 41)]
    body = [plain(line).split("│")[-1].split("┤")[-1] for line in chart(points, 50, 8, latency, clock)[:-1]]
    filled = [sum(row[column] != " " for row in body) for column in range(len(body[0]))]
    assert filled == sorted(filled)
    assert filled[-1] == 8


def test_a_long_gap_stays_empty() -> None:
    early = [Sample(NOW + timedelta(minutes=n), 1.0) for n in range(10)]
    late = [Sample(NOW + timedelta(minutes=90 + n), 1.0) for n in range(10)]
    foot = plain(chart([*early, *late], 80, 4, latency, clock)[3])
    assert " " * 40 in foot


@pytest.mark.parametrize(
    ("value", "top"), [(0.0, 1.0), (0.95, 1.0), (1.01, 1.5), (2.2, 2.5), (7.0, 8.0), (99.0, 100.0)]
)
def test_axes_end_at_round_numbers(value: float, top: float) -> None:
    assert ceiling(value) == pytest.approx(top)


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
