"""The script is the same for the same seed, moves with the seed, and tells the story it promises."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.demo.script import STORIES, Behaviour, fault, troubled

SEEDS = st.integers(min_value=0, max_value=2**63)
SERVERS = st.sampled_from(sorted(STORIES))
WEEK = 7 * 24 * 3600.0


def stretches(seed: int, server: str, until: float, step: float = 0.1) -> list[tuple[float, float]]:
    """The stretches in which a server shows its symptom, as (begin, end) on a grid of ``step`` seconds."""
    found: list[tuple[float, float]] = []
    begin: float | None = None
    for n in range(int(until / step)):
        t = n * step
        ill = troubled(seed, server, t)
        if ill and begin is None:
            begin = t
        elif not ill and begin is not None:
            found.append((begin, t))
            begin = None
    if begin is not None:
        found.append((begin, until))
    return found


@given(SEEDS, SERVERS, st.floats(min_value=0, max_value=WEEK))
def test_the_same_moment_of_the_same_world_is_always_the_same(seed: int, server: str, t: float) -> None:
    assert fault(seed, server, t) == fault(seed, server, t)


def test_another_process_sees_the_same_world() -> None:
    program = (
        "from watchfloor.demo.script import STORIES, fault\n"
        "print([fault(42, name, t * 1.7) for name in STORIES for t in range(200)])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == str([fault(42, name, t * 1.7) for name in STORIES for t in range(200)])


def test_another_seed_is_another_world() -> None:
    worlds = {tuple(fault(seed, "search", float(t)).delay for t in range(10)) for seed in range(50)}
    assert len(worlds) == 50


@given(SEEDS, SERVERS, st.floats(min_value=0, max_value=WEEK))
def test_every_behaviour_is_one_a_server_can_have(seed: int, server: str, t: float) -> None:
    now = fault(seed, server, t)
    assert 0 < now.delay < 15
    assert now.status in (None, 500, 502, 503)


@given(SEEDS, SERVERS)
def test_before_the_start_nothing_is_wrong(seed: int, server: str) -> None:
    now = fault(seed, server, -1.0)
    assert now == Behaviour(delay=now.delay)


@given(SEEDS, SERVERS, st.floats(min_value=0, max_value=WEEK))
def test_a_server_in_trouble_shows_its_symptom_and_no_other_does(seed: int, server: str, t: float) -> None:
    symptom, now = STORIES[server].symptom, fault(seed, server, t)
    expected = symptom if troubled(seed, server, t) else Behaviour()
    assert now == replace(expected, delay=now.delay)
    assert now.delay > expected.delay


def test_a_server_that_is_not_in_the_script_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        fault(1, "nobody", 0.0)


@pytest.mark.parametrize("seed", range(8))
def test_checkout_falls_after_5_to_8_seconds_heals_after_about_two_minutes_and_falls_again(seed: int) -> None:
    first, second = stretches(seed, "checkout-api", until=600, step=0.5)[:2]
    assert 5 <= first[0] <= 8.5
    assert 109 <= first[1] - first[0] <= 131
    assert second[0] > first[1] + 60


@given(SEEDS, st.floats(min_value=0, max_value=2))
def test_three_failed_attempts_are_seen_well_within_20_seconds(seed: int, phase: float) -> None:
    """Checked every 2 s and 1 s after a failure, from any phase, as an engine would."""
    t, failures = phase, 0
    while failures < 3:
        failures = failures + 1 if fault(seed, "checkout-api", t).status == 503 else 0
        t += 1 if failures else 2
    assert t < 15


@pytest.mark.parametrize("seed", range(8))
def test_the_session_port_goes_away_after_about_10_seconds_and_returns_within_a_minute(seed: int) -> None:
    (begin, end), *_ = stretches(seed, "sessions", until=180)
    assert 9 <= begin <= 11.1
    assert 34 <= end - begin <= 51


@pytest.mark.parametrize("seed", range(8))
def test_invoices_never_fail_long_enough_for_a_third_attempt(seed: int) -> None:
    found = stretches(seed, "invoices", until=300)
    assert len(found) >= 14
    assert all(end - begin < 2 for begin, end in found)


@pytest.mark.parametrize("seed", range(8))
def test_the_profile_api_flaps_for_a_while_and_then_rests(seed: int) -> None:
    found = stretches(seed, "profile-api", until=260)
    assert len(found) >= 5
    assert found[0][0] > 20
    assert found[-1][1] < 110


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("server", ["image-cdn", "status-api", "reports"])
def test_other_troubles_come_and_go(seed: int, server: str) -> None:
    found = stretches(seed, server, until=600, step=0.5)
    assert len(found) >= 2
    assert found[0][0] > 30


def test_search_wanders_without_jumps_and_gets_slow_now_and_then() -> None:
    for seed in range(8):
        delays = [fault(seed, "search", n / 10).delay for n in range(18_000)]
        assert all(abs(math.log(b / a)) < 0.5 for a, b in pairwise(delays))
        assert min(delays) < 0.1 < 0.3 < max(delays)


@pytest.mark.parametrize("server", sorted(STORIES))
def test_troubles_fit_into_their_periods(server: str) -> None:
    for trouble in STORIES[server].troubles:
        assert 0 <= trouble.first[0] <= trouble.first[1]
        assert trouble.first[1] + trouble.lasting[1] <= trouble.period


def test_a_year_old_world_costs_no_more_than_a_new_one() -> None:
    def cost(t: float) -> float:
        begin = time.process_time()
        for _ in range(300):
            fault(1, "profile-api", t)
        return time.process_time() - begin

    assert min(cost(365 * 86_400.0) for _ in range(5)) < 5 * min(cost(1.0) for _ in range(5))
