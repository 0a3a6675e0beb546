"""Trend, forecast and anomaly: against slow and plain ways to the same number, and on series whose truth is known."""

from __future__ import annotations

from math import inf, isclose
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.anomaly import UNUSUAL, WEEK_S, Baseline, baseline, change_point, seasonal
from watchfloor.domain.forecast import time_to_threshold
from watchfloor.domain.trend import LARGEST_P, MOST, in_buckets, mann_kendall, theil_sen, trend

WHOLE = st.lists(st.integers(-50, 50), max_size=40)
MINUTE = 60.0


def middle(values: list[float]) -> float:
    """The median, by sorting."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


@given(WHOLE)
def test_the_slope_is_the_median_of_all_slopes(values: list[int]) -> None:
    points = [(float(n), float(v)) for n, v in enumerate(values)]
    slopes = [
        (values[j] - values[i]) / (j - i) for i in range(len(values)) for j in range(i + 1, len(values))
    ]
    line = theil_sen(points)
    assert (line is None) == (not slopes)
    assert line is None or isclose(line.slope, middle(slopes), abs_tol=1e-12)


@given(WHOLE, st.integers(1, 9), st.integers(-9, 9))
def test_certainty_asks_for_the_order_only(values: list[int], scale: int, shift: int) -> None:
    p = mann_kendall(values)
    assert 0 <= p <= 1
    assert mann_kendall([scale * v + shift for v in values]) == p
    assert mann_kendall([-v for v in values]) == p
    assert mann_kendall(values[::-1]) == p


def test_certainty_of_a_worked_example() -> None:
    """Ten rising values: S = 45, variance = 10 * 9 * 25 / 18 = 125, z = 44 / sqrt(125) = 3.9355."""
    assert mann_kendall(range(10)) == pytest.approx(8.303e-05, rel=1e-3)


def test_noise_has_a_credible_trend_about_once_in_a_hundred() -> None:
    random = Random(1)
    found = [mann_kendall([random.random() for _ in range(20)]) < LARGEST_P for _ in range(1000)]
    assert 2 <= sum(found) <= 20


def test_a_fifth_of_spikes_leaves_the_slope() -> None:
    points = [(n * MINUTE, 2.0 * n + (1000 if n % 5 == 0 else 0)) for n in range(60)]
    found = trend(points)
    assert found is not None
    assert found.per_day == pytest.approx(2 * 1440, rel=0.02)


@given(st.integers(MOST + 1, 3000), st.integers(1, MOST))
def test_buckets_keep_the_order_and_the_range(count: int, most: int) -> None:
    told = in_buckets([(float(n), float(n)) for n in range(count)], most)
    assert len(told) <= most
    assert told == sorted(told)
    assert 0 <= told[0][0] <= told[-1][0] <= count - 1


def _rising(seed: int, noise: float) -> list[tuple[float, float]]:
    """An hour of one reading a minute: a disk at 50 % that gains half a percent a minute."""
    random = Random(seed)
    return [(n * MINUTE, 50 + n / 2 + random.gauss(0, noise)) for n in range(60)]


def test_the_interval_holds_about_four_times_in_five() -> None:
    truth = 90 * MINUTE  # 50 + 90 / 2 = 95
    told = [time_to_threshold(_rising(seed, 2.0), 95.0, seed) for seed in range(40)]
    held = [c.earliest <= truth <= c.latest for c in told if c is not None]
    assert len(held) == 40
    assert 0.65 <= sum(held) / len(held) <= 0.95


def test_a_clean_line_is_told_to_the_second() -> None:
    told = time_to_threshold(_rising(0, 0.0), 95.0)
    assert told is not None
    assert told.earliest == pytest.approx(told.latest) == pytest.approx(90 * MINUTE)


@pytest.mark.parametrize(
    ("points", "threshold"),
    [
        ([], 95.0),
        (_rising(0, 0.5)[:5], 95.0),
        (_rising(0, 0.5), 10.0),  # it goes the other way
        (_rising(0, 0.5), 79.0),  # it is there already
        (_rising(0, 0.5), 5000.0),  # further than an hour of readings can see
        ([(n * MINUTE, 50.0) for n in range(60)], 95.0),
        ([(n * MINUTE, Random(n).gauss(50, 5)) for n in range(60)], 95.0),
    ],
)
def test_it_abstains(points: list[tuple[float, float]], threshold: float) -> None:
    assert time_to_threshold(points, threshold) is None


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40), st.integers(-99, 99))
def test_robust_z_against_sorting(values: list[int], value: int) -> None:
    usual = baseline([float(v) for v in values])
    assert usual is not None
    centre = middle([float(v) for v in values])
    spread = middle([abs(v - centre) for v in values])
    assert usual == Baseline(centre, spread)
    if spread:
        assert usual.z(value) == pytest.approx(0.6745 * (value - centre) / spread)
    else:
        assert usual.z(value) in (0.0, inf, -inf)


def test_a_single_unit_beside_a_still_counter_is_nothing() -> None:
    still, floored = baseline([7.0] * 20), baseline([7.0] * 20, step=1.0)
    assert still is not None
    assert floored is not None
    assert still.z(8.0) == inf
    assert floored.z(8.0) < UNUSUAL < floored.z(15.0)


def test_monday_morning_is_usual_on_monday_and_not_on_sunday() -> None:
    hour, monday = 3600.0, 4 * 86_400.0  # 1970-01-05 was a Monday
    busy = [
        (monday + week * WEEK_S + n * hour, 100.0 if n == 9 else 1.0) for week in range(4) for n in range(168)
    ]
    now = monday + 4 * WEEK_S + 9 * hour
    same, other = seasonal(busy, now, step=1.0), seasonal(busy, now + 6 * 86_400, step=1.0)
    assert same is not None
    assert other is not None
    assert abs(same.z(100.0)) < UNUSUAL < other.z(100.0)
    assert seasonal(busy[:2], now) is None
    assert seasonal([], now) is None


@pytest.mark.parametrize("days", [3, 13, 14, 17, 20, 21, 40])
def test_no_week_is_without_a_usual_level(days: int) -> None:
    """From the third to the fourth week the same hour of the week was read twice only."""
    hourly = [(n * 3600.0, float(n % 24)) for n in range(days * 24 + 9)]
    usual = seasonal(hourly, (days * 24 + 9) * 3600.0)
    assert usual is not None
    assert usual.centre == 9.0


@given(st.integers(0, 500), st.integers(20, 80), st.sampled_from([-6.0, 6.0]))
def test_a_new_level_is_found_where_it_began(seed: int, begins: int, step: float) -> None:
    random = Random(seed)
    values = [random.uniform(-1, 1) + (step if n >= begins else 0) for n in range(100)]
    usual = baseline([random.uniform(-1, 1) for _ in range(99)], step=0.5)
    assert usual is not None
    found = change_point(values, usual)
    assert found is not None
    assert abs(found - begins) <= 20


def test_a_spike_is_no_new_level() -> None:
    assert change_point([0.0] * 50 + [1000.0] + [0.0] * 50, Baseline(0.0, 1.0)) is None
