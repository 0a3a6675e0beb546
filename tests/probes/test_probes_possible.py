"""Conditions that could never hold are refused where they are written; nothing is that could."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from test_probes_conditions import ANSWER

from watchfloor.probes.assertions import JsonAssertion
from watchfloor.probes.condition_parser import parse
from watchfloor.probes.http import Settings


@pytest.mark.parametrize(
    ("source", "column", "words"),
    [
        ("status == 99", 11, "from 100 to 999"),
        ("status == 2000", 11, "from 100 to 999"),
        ("status == 200.5", 11, "whole number"),
        ("status < 100", 10, "from 100 to 999"),
        ("status in [99, 2000]", 11, "from 100 to 999"),
        ("latency < 0ms", 11, "such as 300ms"),
        ("latency <= 0ms", 12, "more than 0"),
        ("latency > 2h", 11, "at most an hour"),
        ("phase.tls < 0s", 13, "a phase takes"),
        ("size < 0", 8, "all that is read"),
        ("size > 8MiB", 8, "all that is read"),
        ("redirects > 20", 13, "from 0 to 20"),
        ("certificate.days > 100000", 20, "days left"),
        ("latency < 1s or status == 99", 27, "from 100 to 999"),
        ("status not exists", 12, "size == 0"),
        ("body not exists", 10, "size == 0"),
        ("body not contains ''", 19, "write what must not be there"),
        ("header.x not matches a*", 14, "matches every text"),
        # A number held against text, and the other way round.
        ("status == 'ok'", 11, "expected a number"),
        ("json.count < 'ten'", 14, "expected a number"),
        ("body contains 5", 15, "expected text in quotes"),
        ("latency < 'fast'", 11, "expected a duration"),
    ],
)
def test_what_never_holds_is_refused_with_its_place(source: str, column: int, words: str) -> None:
    with pytest.raises(ValueError, match=f"^column {column} of the condition: ") as refused:
        parse(source)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        "status == 100", "status == 999", "status != 99", "status not in [1, 2]", "status in [200, 2000]",
        "status < 100.5", "latency < 0.001ms", "latency < 1h", "latency >= 0ms", "phase.dns <= 0ms", "size == 0",
        "size < 1", "size == 1.5kB", "size >= 8MiB", "redirects == 20", "certificate.days < 0",
        "certificate.days >= 100000", "certificate.days not exists", "header.x not exists", "body not matches a+",
        "body not matches ^$", "body == ''", "body < 5", "json.length < 0", "json.a == 'x'", "json.a contains 5",
    ],
)  # fmt: skip
def test_what_could_hold_is_not_refused(source: str) -> None:
    parse(source)


SUBJECTS = {"status": (100, 999), "size": (0, 3000), "redirects": (0, 20)}


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(SUBJECTS)),
    st.lists(
        st.tuples(
            st.sampled_from(("<", "<=", ">", ">=", "==", "!=")),
            st.one_of(st.integers(0, 21), st.integers(95, 3005)),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_together_they_are_refused_exactly_when_trying_every_number_finds_none(
    subject: str, written: list[tuple[str, int]]
) -> None:
    sources = [f"{subject} {sign} {operand}" for sign, operand in written]
    least, most = SUBJECTS[subject]
    compare = {
        "<": int.__lt__,
        "<=": int.__le__,
        ">": int.__gt__,
        ">=": int.__ge__,
        "==": int.__eq__,
        "!=": int.__ne__,
    }
    possible = any(
        all(compare[sign](value, operand) for sign, operand in written)
        for value in range(least, most + 1)
        # These are followed, and never seen as the answer.
        if subject != "status" or value not in (301, 302, 303, 307, 308)
    )
    try:
        Settings(url="http://x.example", conditions=sources, max_body=3000, max_redirects=20)
    except ValidationError:
        assert not possible, sources
    else:
        assert possible, sources


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"conditions": ["status == 200", "status == 404"]}, "write alternatives with or"),
        (
            {"conditions": ["latency > 1s", "status == 200", "latency < 500ms"]},
            "latency > 1s and latency < 500ms",
        ),
        ({"conditions": ["status == 301"]}, "unless expect_status lists it or max_redirects is 0"),
        ({"conditions": ["status == 404"], "expect_status": 200}, "expect_status does not accept it"),
        ({"conditions": ["size > 2MiB"]}, "max_body is 1048576; raise it"),
        ({"conditions": ["size > 0"], "method": "HEAD"}, "HEAD has no body"),
        ({"conditions": ["redirects == 6"]}, "max_redirects is 5; raise it"),
        ({"body_contains": ["all ok"], "body_not_contains": ["ok"]}, "leave out one"),
    ],
)
def test_what_these_settings_never_let_hold_is_refused_with_a_remedy(
    given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings(url="http://x.example", **given)


@pytest.mark.parametrize(
    "given",
    [
        {"conditions": ["status == 301"], "max_redirects": 0},
        {"conditions": ["status == 301"], "expect_status": [200, 301]},
        {"conditions": ["status == 301 or status == 200"]},
        {"conditions": ["status == 200 or latency < 1s", "status == 404"]},
        {"conditions": ["size > 2MiB"], "max_body": 4 * 1024 * 1024},
        {"conditions": ["json.a == 1", "json.a == 2 or json.b == 1"]},
        {"conditions": ["phase.dns > 1s", "phase.tls < 1s"]},
        {"conditions": ["status != 404", "status != 500"]},
    ],
)
def test_what_these_settings_may_let_hold_is_not_refused(given: dict[str, Any]) -> None:
    Settings(url="http://x.example", **given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"above": 5, "below": 5}, "no number is above 5 and below 5"),
        ({"equals": 3, "above": 4}, "equals contradicts the rest"),
        ({"equals": "x", "below": 4}, "equals contradicts the rest"),
        ({"equals": 1, "not_equals": 1}, "equals contradicts the rest"),
        ({"contains": "x", "above": 4}, "leave out one"),
    ],
)
def test_a_demand_on_a_value_that_none_can_meet_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        JsonAssertion(path="a", **given)


def test_what_is_missing_and_what_is_there_are_told_apart_as_before() -> None:
    assert JsonAssertion(path="a", exists=False, equals=3, above=4).objection({}) is None
    assert JsonAssertion(path="a", equals=5, above=4, exists=True).objection({"a": 5}) is None
    assert asyncio.run(parse("status == 200").objection(replace(ANSWER, status=999))) is not None
