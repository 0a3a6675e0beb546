"""Waits that went on while nobody looked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watchfloor.domain.restore import Unseen, put_off, restored

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@pytest.mark.parametrize(
    ("wait", "waited", "down", "left"),
    [
        (30, 35, 10, -5),  # it would have fired: with the next look that finds it true
        (30, 25, 10, 10),  # nearly: the grace
        (5, 4, 2, 5),  # a short wait has a short grace
        (60, 20, 10, 50),  # what nobody saw does not count
        (60, 20, 61, 60),  # longer than an hour ago: from the beginning
    ],
)
def test_what_is_left_of_a_wait(wait: float, waited: float, down: float, left: float) -> None:
    active = NOW - minutes(waited)
    assert restored(active, active + minutes(wait), NOW - minutes(down), NOW) == NOW + minutes(left)


@pytest.mark.parametrize(
    ("found", "down", "left"),
    [
        (True, 10, 50),  # as above
        (False, 10, 50),
        (False, 90, 130),  # however long nothing was found out, what was waited before counts
        (False, -60, 40),  # a clock went back
    ],
)
def test_what_was_not_seen_does_not_count(found: bool, down: float, left: float) -> None:
    active = NOW - minutes(20)
    unseen = Unseen(1, NOW - minutes(down), NOW, found)
    assert put_off(active, active + minutes(60), unseen) == NOW + minutes(left)
