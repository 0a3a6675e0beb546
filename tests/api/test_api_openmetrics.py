"""The OpenMetrics text, read back by a strict reader of its own."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strict_openmetrics import read

from watchfloor.api.openmetrics import Family, Sample, Type, render


@given(st.dictionaries(st.text(), st.floats(), max_size=8))
def test_whatever_labels_and_values_hold_comes_back(values: dict[str, float]) -> None:
    samples = [Sample({"service": label}, value) for label, value in values.items()]
    found = read(render([Family("x_seconds", Type.GAUGE, 'a "help"\\\nof two lines', samples, "seconds")]))
    assert len(found) == len(values)
    for label, value in values.items():
        got = found["x_seconds", frozenset({("service", label)})]
        assert got == value or (math.isnan(got) and math.isnan(value))


def test_counters_and_infos_have_their_endings_and_nothing_at_all_is_a_text_too() -> None:
    text = render(
        [Family("a", Type.COUNTER, "", [Sample({}, 2)]), Family("b", Type.INFO, "", [Sample({"v": "1"}, 1)])]
    )
    assert read(text) == {("a_total", frozenset()): 2, ("b_info", frozenset({("v", "1")})): 1}
    assert render([]) == "# EOF\n"


@pytest.mark.parametrize(
    "family",
    [
        Family("1x", Type.GAUGE, ""),
        Family("x_total", Type.COUNTER, ""),
        Family("x", Type.GAUGE, "", unit="seconds"),
        Family("x", Type.GAUGE, "", [Sample({"a-b": ""}, 1)]),
        Family("x", Type.GAUGE, "", [Sample({"a": "1"}, 1), Sample({"a": "1"}, 2)]),
        Family("x", Type.COUNTER, "", [Sample({}, -1)]),
    ],
)
def test_what_is_not_allowed_is_never_written(family: Family) -> None:
    with pytest.raises(ValueError):
        render([family])


def test_a_family_stands_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        render([Family("x", Type.GAUGE, ""), Family("x", Type.GAUGE, "")])
