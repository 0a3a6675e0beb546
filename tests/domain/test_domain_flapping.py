"""Flapping, held to a second model that keeps its results in a list and adds fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.flapping import STEADY, Flapping, observe, pack, unpack
from watchfloor.domain.outcome import Status

OK, DEGRADED, FAILING, UNKNOWN = Status.OK, Status.DEGRADED, Status.FAILING, Status.UNKNOWN


class Naive:
    """The same rule, written as the description has it."""

    def __init__(self, start: float, stop: float, unknown_counts: bool) -> None:
        self.start, self.stop, self.unknown_counts = start, stop, unknown_counts
        self.changed = [False] * 20
        self.seen: list[Status] = []
        self.active = False

    @property
    def value(self) -> Fraction:
        total = Fraction(0)
        for place, changed in enumerate(self.changed[-20:]):
            if changed:
                total += Fraction(8, 10) + Fraction(2, 100) * place
        return 100 * total / 20

    def take(self, status: Status) -> None:
        if status is UNKNOWN and not self.unknown_counts:
            return
        self.changed.append(bool(self.seen) and self.seen[-1] is not status)
        self.seen.append(status)
        if self.active and self.value <= self.stop:
            self.active = False
        elif not self.active and self.value > self.start:
            self.active = True


@given(
    st.lists(st.sampled_from(Status), max_size=80),
    st.integers(1, 100).flatmap(lambda start: st.tuples(st.just(start), st.integers(0, start))),
    st.booleans(),
)
def test_the_ring_is_what_a_list_of_all_results_says(
    statuses: list[Status], thresholds: tuple[int, int], unknown_counts: bool
) -> None:
    start, stop = thresholds
    naive, ours = Naive(start, stop, unknown_counts), STEADY
    for status in statuses:
        naive.take(status)
        ours = observe(ours, status, start=start, stop=stop, unknown_counts=unknown_counts)
        assert ours.active is naive.active
        assert ours.percent == pytest.approx(float(naive.value))
        assert unpack(pack(ours), ours.active) == ours


def run(statuses: list[Status], flapping: Flapping = STEADY) -> Flapping:
    for status in statuses:
        flapping = observe(flapping, status)
    return flapping


def test_six_changes_in_a_row_start_it() -> None:
    five = run([OK] * 20 + [FAILING, OK, FAILING, OK, FAILING])
    assert not five.active
    assert observe(five, OK).active


def test_after_full_oscillation_fifteen_stable_results_end_it() -> None:
    wild = run([OK, FAILING] * 20)
    assert wild.percent == pytest.approx(99)
    assert run([FAILING] * 14, wild).active
    assert not run([FAILING] * 15, wild).active


def test_what_found_nothing_out_is_no_result() -> None:
    assert run([OK, UNKNOWN] * 30) == run([OK] * 30)


def test_a_change_of_severity_is_a_change() -> None:
    assert run([DEGRADED, FAILING] * 10).active


def test_a_first_result_is_no_change() -> None:
    assert run([FAILING]).changes == 0
