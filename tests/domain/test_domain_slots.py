"""Slots: a stable grid, evenly used, that never runs backwards and counts what it missed."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.slots import GRID_NS, missed, next_slot, phase, retry_interval, slot_at

SECOND = 1_000_000_000
intervals = st.integers(1, 10**6 * SECOND)
moments = st.integers(0, 2**63 - 1)


def test_the_phase_of_a_check_is_the_same_in_every_process():
    assert phase("00000000-0000-4000-8000-000000000001", 30 * SECOND) == 19_340_000_000


def test_phases_spread_evenly_over_the_interval():
    tenths = [0] * 10
    for number in range(10_000):
        tenths[phase(str(UUID(int=number)), 30 * SECOND) * 10 // (30 * SECOND)] += 1
    assert all(900 < used < 1_100 for used in tenths)


@given(st.text(), intervals)
def test_a_phase_lies_within_its_interval(uuid, interval):
    found = phase(uuid, interval)
    assert 0 <= found < interval
    assert found % GRID_NS == 0


@given(moments, intervals, st.data())
def test_the_slots_around_a_moment_are_on_the_grid_and_one_interval_apart(now, interval, data):
    offset = data.draw(st.integers(0, interval - 1))
    current, following = slot_at(now, interval, offset), next_slot(now, interval, offset)
    assert current <= now < following
    assert following - current == interval
    assert current % interval == offset


@given(moments, intervals, st.integers(0, 1000))
def test_missed_counts_the_slots_strictly_between_the_last_used_and_the_one_due(last, interval, passed):
    between = max(0, passed - 1)
    assert missed(last, last + passed * interval, interval) == between
    assert missed(last, last + (passed + 1) * interval - 1, interval) == between


def test_a_clock_that_stepped_back_missed_nothing():
    assert missed(1_000 * SECOND, 10 * SECOND, SECOND) == 0


def test_a_soft_problem_is_checked_at_least_every_minute():
    assert [retry_interval(seconds) for seconds in (0.5, 60, 61, 3600)] == [0.5, 60, 60, 60]


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(ValueError, match="longer than nothing, not 0 ns"):
        phase("a", 0)
