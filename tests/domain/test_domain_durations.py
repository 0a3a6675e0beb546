"""Durations: what is written is read back, and what is not a duration is refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.durations import compact_duration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("2w", 1_209_600),
        ("1d1h1m1s1ms", 90_061.001),
        (" 10s ", 10),
        ("0s", 0),
    ],
)
def test_reads(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("30", "'30' has no unit"),
        ("1h30", "'30' has no unit"),
        ("5 m", "'5 m' is not understood"),
        ("-5m", "'-5m' is not understood"),
        ("5min", "there is no unit 'min'"),
        ("5M", "'5M' is not understood"),
        ("30m1h", "units go from great to small"),
        ("1m1m", "each at most once"),
        ("1..5s", "'1..5s' is not understood"),
        ("٣s", "'٣s' is not understood"),
        ("1e3s", "there is no unit 'e'"),
        ("999999w", "it is longer than 100 years"),
        ("9" * 10_000 + "s", "it is too long"),
        ("soon", "'soon' is not understood"),
    ],
)
def test_refuses_with_the_reason_and_an_example(text, reason):
    with pytest.raises(ValueError) as error:
        parse_duration(text)
    assert reason in str(error.value)
    assert "write for example 30s, 5m, 1h30m or 250ms" in str(error.value)
    assert len(str(error.value)) < 250


@given(st.integers(0, 100 * 365 * 86_400 * 1_000_000).map(lambda micros: micros / 1e6))
def test_what_is_written_is_read_back(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text(max_size=50))
def test_any_text_is_read_or_refused(text):
    try:
        assert parse_duration(text) >= 0
    except ValueError as error:
        assert "is not a duration" in str(error)  # noqa: PT017 - most examples raise nothing


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_what_is_no_duration_is_not_written(seconds):
    with pytest.raises(ValueError, match="between nothing and 100 years"):
        format_duration(seconds)


@given(st.floats(-1000, 900 * 31_557_600))
def test_a_compact_age_fits_its_column(seconds):
    assert len(compact_duration(seconds)) <= 4


def test_a_compact_age_is_rounded_down():
    assert [compact_duration(seconds) for seconds in (-5, 59.9, 60, 3599, 86_399, 86_400)] == [
        "0s",
        "59s",
        "1m",
        "59m",
        "23h",
        "1d",
    ]
