"""Whatever a check hands over, what comes of it can be stored and shown."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.harmless import FACTS, ITEMS, NAME, SUMMARY, harmless
from watchfloor.domain.outcome import PHASES, Outcome, Status

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner)
    ),
    max_leaves=10,
)


def storable(value: Any) -> bool:
    """Whether PostgreSQL's jsonb would take it."""
    written = json.dumps(value, allow_nan=False)
    return "\\u0000" not in written and not any(
        0xD800 <= ord(c) <= 0xDFFF for c in json.loads(f'"{_chars(value)}"')
    )


def _chars(value: Any) -> str:
    return "".join(c for c in str(value) if 0xD800 <= ord(c) <= 0xDFFF).encode("unicode_escape").decode()


def test_what_is_harmless_stays_as_it_is() -> None:
    outcome = Outcome(
        Status.DEGRADED, "200 OK, 2.1 s", 2.1, {"dns": 0.1, "connect": 0.2}, {"cpu": 1.5},
        {"status": 200, "headers": {"server": "nginx"}, "deep": [{"a": [1, None, True]}]},
        Status.OK, ((Status.DEGRADED, 0.1),),
    )  # fmt: skip
    assert harmless(outcome, "http") == outcome


@pytest.mark.parametrize(
    "facts", [{"n": 1 << 20_000}, {"n": -(1 << 20_000)}, {"a\x1b[2J": 1}, {"a": "\x1b[2J"}]
)
def test_short_facts_are_looked_at_too(facts: dict[str, Any]) -> None:
    made = harmless(Outcome(Status.OK, "fine", facts=facts), "odd").facts
    assert made.keys() == {"n"} or made.keys() == {"a"}
    assert next(iter(made.values())) in (None, 1, "")


@pytest.mark.parametrize("found", [None, "ok", 0, Status.OK, Outcome("ok", "x"), Outcome(0, "x"), object()])  # type: ignore[arg-type]
def test_what_is_no_outcome_is_an_unknown_one_that_says_so(found: object) -> None:
    made = harmless(found, "odd")
    assert made.status is Status.UNKNOWN
    assert made.summary.startswith("the odd probe answered with ")


@pytest.mark.parametrize(
    ("latency", "wanted"),
    [
        (0, 0.0), (1.5, 1.5), (-1, None), (math.nan, None), (math.inf, None), (10**400, None), ("1", None),
        (True, None), (None, None), (1e12, None),
    ],
)  # fmt: skip
def test_a_latency_is_a_time_or_nothing(latency: Any, wanted: float | None) -> None:
    assert harmless(Outcome(Status.OK, "x", latency), "odd").latency == wanted


def test_phases_have_known_names_and_fit_where_they_are_stored() -> None:
    phases: dict[Any, Any] = {
        "dns": 0.1,
        "connect": -1,
        "tls": 1e9,
        "first_byte": math.nan,
        "odd": 1.0,
        5: 1.0,
    }
    assert harmless(Outcome(Status.OK, "x", phases=phases), "odd").phases == {"dns": 0.1}


def test_metrics_are_numbers_with_short_names_and_not_too_many() -> None:
    metrics: dict[Any, Any] = {
        "good": 1,
        "nan": math.nan,
        "text": "5",
        "flag": True,
        "x" * 5000: 2.5,
        "a\x00\x1b[1mb": 3,
    }
    made = harmless(Outcome(Status.OK, "x", metrics=metrics), "odd").metrics
    assert made == {"good": 1.0, "x" * (NAME - 1) + "…": 2.5, "ab": 3.0}
    many = {f"m{n}": float(n) for n in range(ITEMS * 2)}
    assert len(harmless(Outcome(Status.OK, "x", metrics=many), "odd").metrics) == ITEMS


def test_a_summary_is_one_safe_line() -> None:
    summary = "\x1b]0;owned\x07two\r\nlines\x00 \ud800" + "x" * 10_000
    made = harmless(Outcome(Status.OK, summary), "odd").summary
    assert len(made) == SUMMARY
    assert made.isprintable()
    assert made.startswith("two lines �xxx")


@pytest.mark.parametrize(
    "facts",
    [
        {"text": "a\x00b", "half": "\ud800", "escape": "\x1b[31mred"},
        {"number": math.nan, "big": 10**5000, "bytes": b"\x00", "object": object()},
        {("tuple", "key"): 1, 5: {None: 2}},
        {"set": {1}, "tuple": (1, 2)},
    ],
)
def test_facts_are_plain_and_clean(facts: Any) -> None:
    made = harmless(Outcome(Status.OK, "x", facts=facts), "odd").facts
    assert storable(made)
    assert len(made) == len(facts)


def test_facts_without_end_end() -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    assert storable(harmless(Outcome(Status.OK, "x", facts=endless), "odd").facts)
    deep: dict[str, Any] = {}
    inner = deep
    for _ in range(5000):
        inner["d"] = inner = {}
    assert storable(harmless(Outcome(Status.OK, "x", facts=deep), "odd").facts)


@pytest.mark.parametrize(
    "facts",
    [{f"k{n}": "v" * 100 for n in range(10_000)}, {"k": "v" * (FACTS * 3)}, {"k": ["é" * 3000] * 5000}],
    ids=["many", "long", "both"],
)
def test_facts_that_are_too_long_are_cut_and_stay_facts(facts: Any) -> None:
    made = harmless(Outcome(Status.OK, "x", facts=facts), "odd").facts
    assert len(json.dumps(made)) <= FACTS


mapping = st.dictionaries(st.text(max_size=20), anything, max_size=5)


@settings(max_examples=60)
@given(mapping, mapping, mapping, anything, anything)
def test_nothing_at_all_gets_through_unsafe(
    facts: Any, metrics: Any, phases: Any, latency: Any, summary: Any
) -> None:
    made = harmless(Outcome(Status.FAILING, summary, latency, phases, metrics, facts), "odd")
    assert made.status is Status.FAILING
    assert storable(made.facts)
    assert storable(dict(made.metrics))
    assert all(math.isfinite(value) for value in made.metrics.values())
    assert set(made.phases) <= set(PHASES)
    assert not {"\x00", "\n", "\x1b"} & set(made.summary)
    assert made.summary.encode().decode() == made.summary


@pytest.mark.parametrize(
    ("told", "slow", "wanted"),
    [
        (Status.FAILING, ((Status.FAILING, 1),), (Status.FAILING, ((Status.FAILING, 1.0),))),
        ("failing", None, (Status.OK, ())),
        (2, 5, (Status.OK, ())),
        (None, (None, (1, 1.0), (Status.OK,), (Status.FAILING, math.nan)), (Status.OK, ())),
    ],
)
def test_what_the_guards_go_by_is_what_they_expect(told: Any, slow: Any, wanted: object) -> None:
    found = harmless(Outcome(Status.FAILING, "x", told=told, slow=slow), "odd")
    assert (found.told, found.slow) == wanted
