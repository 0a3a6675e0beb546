"""Budgets and burn rates: against counting second by second, and refusing what cannot be told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.objectives import (
    BURN_WINDOWS,
    DAY_S,
    POLICIES,
    Burn,
    Objective,
    budget,
    burn,
    burning,
    burning_policies,
    unreachable,
)
from watchfloor.domain.rules import Subject
from watchfloor.domain.spans import SpanState

MONTH_S = 30 * DAY_S
PROMISE = Objective(1, "shop", 0.99, MONTH_S)
SECONDS = st.lists(st.sampled_from(list(SpanState)), max_size=300)


@given(seconds=SECONDS, planned=st.booleans(), unreach=st.booleans(), target=st.floats(0.9, 0.9999))
def test_a_budget_is_what_counting_seconds_makes(
    seconds: list[SpanState], planned: bool, unreach: bool, target: float
) -> None:
    objective = replace(PROMISE, target=target, planned_counts=planned, unreachable_counts=unreach)
    bad = good = 0
    for state in seconds:
        if state in (SpanState.UP, SpanState.DEGRADED):
            good += 1
        elif (
            state is SpanState.DOWN
            or (state is SpanState.PLANNED and planned)
            or (state is SpanState.UNREACHABLE and unreach)
        ):
            bad += 1
    spent = {state: float(seconds.count(state)) for state in SpanState}
    found = budget(objective, spent)
    if good + bad == 0:
        assert (found.ratio, found.left, burn(objective, spent).rate) == (None, None, None)
        return
    assert (found.bad_s, found.observed_s) == (bad, good + bad)
    assert found.ratio == pytest.approx(good / (good + bad))
    assert found.left == pytest.approx(1 - bad / ((1 - target) * (good + bad)))
    assert burn(objective, spent).rate == pytest.approx(bad / (good + bad) / (1 - target))


@given(target=st.floats(0.01, 0.999999), days=st.integers(1, 365))
def test_a_target_is_refused_exactly_where_a_service_that_is_down_all_the_time_would_raise_nothing(
    target: float, days: int
) -> None:
    window = days * DAY_S
    down = burn(replace(PROMISE, target=target), {SpanState.DOWN: 60.0}, samples=60, failures=60)
    told = all(burning(policy, window, down, down) for policy in POLICIES)
    assert told == (unreachable(target, window) == "")


def test_the_windows_of_a_month_are_those_of_the_workbook() -> None:
    assert [(p.name, p.long_s / 3600, p.short_s / 60, round(p.factor(MONTH_S), 2)) for p in POLICIES] == [
        ("1h", 1, 5, 14.4),
        ("6h", 6, 30, 6),
        ("1d", 24, 120, 3),
        ("3d", 72, 360, 1),
    ]


@pytest.mark.parametrize(
    ("long", "short", "told"),
    [
        (Burn(15.0, 60, 10), Burn(15.0, 5, 2), True),
        (Burn(14.4, 60, 10), Burn(15.0, 5, 2), False),
        (Burn(15.0, 60, 10), Burn(14.4, 5, 2), False),
        (Burn(15.0, 60, 10), Burn(15.0, 4, 2), False),
        (Burn(15.0, 60, 10), Burn(15.0, 5, 1), False),
        (Burn(None), Burn(None), False),
    ],
)
def test_both_windows_must_burn_and_enough_results_say_so(long: Burn, short: Burn, told: bool) -> None:
    assert burning(POLICIES[0], MONTH_S, long, short) is told
    burns = dict.fromkeys(BURN_WINDOWS, Burn(0.0, 100, 0)) | {
        POLICIES[0].long_s: long,
        POLICIES[0].short_s: short,
    }
    assert burning_policies(PROMISE, burns) == (POLICIES[:1] if told else ())


def test_an_objective_covers_what_all_its_selectors_match() -> None:
    subject = Subject("web-1", "http", "shop", frozenset({"eu", "prod"}))
    assert PROMISE.covers(subject)
    for fits in (
        {"services": ("w*",)},
        {"groups": ("shop",)},
        {"kinds": frozenset({"http"})},
        {"tags": frozenset({"eu"})},
    ):
        assert replace(PROMISE, **fits).covers(subject)  # type: ignore[arg-type]
    for misses in (
        {"services": ("x*",)},
        {"groups": ("sho",)},
        {"kinds": frozenset({"tcp"})},
        {"tags": frozenset({"us"})},
    ):
        assert not replace(PROMISE, **misses).covers(subject)  # type: ignore[arg-type]
