"""Conditions on answers: what they mean, what they say when they fail, how mistakes in them are told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.config.kinds import probe_kinds
from watchfloor.config.loader import load
from watchfloor.domain.automaton import Work
from watchfloor.domain.outcome import Status
from watchfloor.probes.checking import Fault
from watchfloor.probes.condition_parser import parse
from watchfloor.probes.conditions import Evidence
from watchfloor.probes.pattern import CHECK_WORK

HEADERS = {"x-cache": "HIT from edge", "x-queue": "12", "x-empty": ""}
ANSWER = Evidence(
    status=200,
    latency=0.25,
    size=2048,
    redirects=1,
    certificate_days=20.5,
    phases={"dns": 0.001, "connect": 0.002},
    header=lambda name: HEADERS.get(name.lower()),
    body="all is ok here\n",
    document={
        "items": [{"id": 7, "name": "a.b"}, {"id": 8}],
        "empty": [],
        "ready": True,
        "nothing": None,
        "load": 0.5,
        "name": "größe",
        "length": 3,
        "a b": {"c-d": "x"},
        "huge": 10**400,
    },
)


def test_a_pattern_that_takes_too_much_work_leaves_it_to_the_others() -> None:
    hard = "body matches a[ab]{900}c"
    page = "".join(format(number, "014b") for number in range(4096)).replace("0", "a").replace("1", "b")

    def asked(source: str) -> str | None:
        return objection(source, replace(ANSWER, body=page, work=Work(CHECK_WORK)))

    assert asked(f"status == 200 or {hard}") is None
    with pytest.raises(Fault) as fault:
        asked(f"status == 404 or {hard}")
    assert fault.value.status is Status.UNKNOWN
    assert "the pattern 'a[ab]{900}c' takes too much work" in fault.value.summary


def objection(source: str, answer: Evidence = ANSWER) -> str | None:
    return asyncio.run(parse(source).objection(answer))


@pytest.mark.parametrize(
    "source",
    [
        "status == 200",
        "status in [200, 204]",
        "status not in [500, 503]",
        "latency < 300ms",
        "latency<=0.25s",
        "phase.connect < 1s",
        "size >= 2KiB",
        "size < 3kB",
        "redirects == 1",
        "certificate.days > 14",
        "certificate.days exists",
        "header.x-cache matches ^HIT",
        'header.x-cache matches "^HIT"',
        "header.X-Cache not matches MISS|BYPASS",
        "header.x-queue < 20",
        "header.x-queue == 12",
        "header.x-queue == '12'",
        "header.x-none not exists",
        "header.x-empty exists",
        'body contains "ok"',
        "body not contains 'error'",
        r"body matches \bis ok\b",
        "json.items.length > 0",
        "json.items.length == 2",
        "json.items[0].id == 7",
        "json.items[-1].id == 8",
        "json.items[5] not exists",
        "json.empty.length == 0",
        "json.length == 3",
        "json.ready == true",
        "json.ready != 1",
        "json.nothing == null",
        "json.nothing exists",
        "json.load < 1",
        'json.name == "größe"',
        "json.name.length == 5",
        'json["a b"].c-d == "x"',
        "json exists",
        "status == 500 or latency < 1s",
        "  status   ==   200  ",
    ],
)
def test_these_hold(source: str) -> None:
    assert objection(source) is None


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("status == 404", "status == 404 failed: status is 200"),
        ("latency < 100ms", "latency < 100ms failed: latency is 250 ms"),
        ("phase.tls < 1s", "phase.tls < 1s failed: phase.tls is missing"),
        (
            "header.x-cache matches ^MISS",
            'header.x-cache matches ^MISS failed: header.x-cache is "HIT from edge"',
        ),
        ("header.x-none != 'a'", "header.x-none != 'a' failed: header.x-none is missing"),
        ("header.x-cache < 3", 'header.x-cache < 3 failed: header.x-cache is "HIT from edge"'),
        ("body contains 'no'", "body contains 'no' failed: the body begins \"all is ok here\\n\""),
        ("json.empty.length > 0", "json.empty.length > 0 failed: json.empty.length is 0"),
        ("json.items == 1", "json.items == 1 failed: json.items is a list of 2"),
        ("json.ready == 1", "json.ready == 1 failed: json.ready is true"),
        ("json.huge < 5", "json.huge < 5 failed: json.huge is 1000"),
        ("json.nothing > 5", "json.nothing > 5 failed: json.nothing is null"),
        (
            "status==500  or latency<1ms",
            "status==500 or latency<1ms failed: status is 200, latency is 250 ms",
        ),
        ("status == 401 or status == 402", "status == 401 or status == 402 failed: status is 200"),
    ],
)
def test_what_failed_and_what_was_found_is_told(source: str, words: str) -> None:
    assert (objection(source) or "").startswith(words)


def test_a_plain_answer_has_no_certificate() -> None:
    answer = replace(ANSWER, certificate_days=None)
    assert (
        objection("certificate.days > 14", answer)
        == "certificate.days > 14 failed: certificate.days is missing"
    )


@pytest.mark.parametrize(
    ("source", "column", "words"),
    [
        ("", 1, "expected one of status, latency"),
        ("statsu == 200", 1, 'found "statsu"'),
        ("status = 200", 8, "expected one of < <= > >= == != in exists"),
        ("status == ", 11, "expected a number, found the end"),
        ("status == 200 and", 15, 'expected "or" or the end, found "and"'),
        ("status == 200 or", 17, "found the end"),
        ("status == 20x", 11, 'expected a number, found "20x"'),
        ("status contains 2", 8, "expected one of"),
        ("latency < 300", 11, "expected a duration with a unit, such as 300ms or 2s"),
        ("latency < 3parsecs", 11, "expected a duration"),
        ("latency == 300ms", 9, "expected one of < <= > >="),
        ("size < 3GiB", 8, "expected a size such as 512 or 10KiB"),
        ("body contains ok", 15, "expected text in quotes"),
        ("body contains 'ok", 15, "expected text in quotes"),
        ("body not == 'ok'", 10, "expected one of contains in matches exists"),
        ("header == 'x'", 8, "expected a name after header"),
        ("certificate.weeks > 1", 13, "expected one of days"),
        ("phase.lunch < 1s", 7, "expected one of dns, connect"),
        ("header.x matches (a", 18, ""),
        ("header.x matches a(?=b)", 18, "look-around"),
        ("header.x matches", 17, "expected a pattern"),
        ("json. == 1", 7, "expected a key"),
        ("json.items[1 == 1", 14, "expected ]"),
        ("json.items[x] == 1", 12, "expected a key"),
        ("json.a > 'b'", 10, "expected a number"),
        ('json.a == "\\q"', 11, "the text holds a backslash that means nothing"),
        ("status in 200", 11, "expected a list"),
        ("status in [200", 15, "expected , or ]"),
        ("status == 200 § 3", 15, 'found "§"'),
    ],
)
def test_mistakes_are_told_with_their_column(source: str, column: int, words: str) -> None:
    with pytest.raises(ValueError, match=rf"^column {column} of the condition: ") as told:
        parse(source)
    assert words in str(told.value)


@pytest.mark.parametrize("source", ["x" * 1001, "status == 200\nstatus == 204"])
def test_a_condition_is_one_line_of_bounded_length(source: str) -> None:
    with pytest.raises(ValueError, match="a condition"):
        parse(source)


def test_a_mistake_in_the_file_is_told_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "services:\n  - name: a\n    kind: http\n    url: http://a.example.com/\n"
        "    conditions:\n      - status == 200\n      - latency < 300\n"
    )
    (problem,) = load(path, probe_kinds().models, {}, {}).problems
    assert (problem.line, problem.column, problem.path) == (7, 9, "services[0].conditions[1]")
    assert problem.message.startswith("column 11 of the condition: expected a duration with a unit")


NUMBERS = st.integers(-1000, 1000) | st.floats(-1000, 1000).map(lambda value: round(value, 3))
LEAVES = NUMBERS | st.booleans() | st.none() | st.text(st.characters(codec="utf-8"), max_size=5)
KEYS = st.sampled_from(["a", "b-c", "d e", "length", "or", "not", "1"])
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
STEPS = st.lists(KEYS | st.integers(-3, 3), max_size=3)
OPERATORS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def naively(document: Any, steps: list[Any], sign: str, wanted: Any) -> bool:
    """What a comparison means, written a second time."""
    value = document
    for at, step in enumerate(steps):
        try:
            if isinstance(value, str):
                raise TypeError
            value = value[step]
        except (LookupError, TypeError):
            if step == "length" and at == len(steps) - 1 and hasattr(value, "__len__"):
                value = len(value)
            else:
                return False
    if sign in ("==", "!="):
        return bool((value == wanted and (type(value) is bool) == (type(wanted) is bool)) == (sign == "=="))
    if isinstance(value, str):
        try:
            value = float(value) if value.strip().lstrip("-").replace(".", "", 1).isdecimal() else None
        except ValueError:
            value = None
    if type(value) not in (int, float):
        return False
    return bool(
        {"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[sign]
    )


@given(DOCUMENTS, STEPS, OPERATORS, LEAVES, st.sampled_from(["", " ", "  "]))
@settings(max_examples=500, deadline=None)
def test_a_comparison_means_the_same_as_in_a_second_model(
    document: Any, steps: list[Any], sign: str, wanted: Any, space: str
) -> None:
    if sign not in ("==", "!=") and type(wanted) not in (int, float):
        wanted = 5
    path = "".join(f"[{json.dumps(step)}]" for step in steps)
    literal = format(wanted, "f") if isinstance(wanted, float) else json.dumps(wanted)
    source = f"json{path}{space}{sign}{space}{literal}"
    assert (objection(source, replace(ANSWER, document=document)) is None) == naively(
        document, steps, sign, wanted
    )


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "status",
                "latency",
                "json",
                "header",
                "body",
                ".",
                "[",
                "]",
                "0",
                "3ms",
                "'a'",
                '"b"',
                "==",
                "<",
                "in",
                "not",
                "matches",
                "contains",
                "exists",
                "or",
                ",",
                "a-b",
            ]
        ),
        max_size=10,
    ).map(" ".join)
)
@settings(max_examples=1000, deadline=None)
def test_any_text_is_a_condition_or_a_mistake(source: str) -> None:
    try:
        condition = parse(source)
    except ValueError as mistake:
        assert str(mistake).startswith(("column ", "a condition is a single line"))  # noqa: PT017
        return
    asyncio.run(condition.objection(ANSWER))
    assert parse(condition.source).comparisons


@pytest.mark.parametrize(
    ("source", "by"),
    [
        ("latency < 100ms", 0.15),
        ("latency <= 100ms", 0.15),
        ("phase.connect < 1ms", 0.001),
        ("status == 500 or latency < 100ms", 0.15),
        ("latency < 50ms or latency < 200ms", 0.05),
        ("latency > 1s", None),
        ("status < 200", None),
        ("size < 1KiB", None),
        ("phase.tls < 1s", None),
    ],
)
def test_it_is_known_by_how_much_an_answer_came_too_late(source: str, by: float | None) -> None:
    condition = parse(source)
    assert asyncio.run(condition.objection(ANSWER))
    assert condition.slow_by(ANSWER) == (None if by is None else pytest.approx(by))
