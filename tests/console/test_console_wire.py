"""What crosses the line: nothing while nothing changes, little when little does."""

from __future__ import annotations

import os
import select
import signal

import pytest
from console_pty import Terminal, started, terminal

# The clock stands still, so that only a change of data is a change; SIGUSR1 changes one latency,
# SIGUSR2 the latency of every service.
SETUP = """
import signal
from dataclasses import replace
from console_world import NOW
world, options = World(), {"pace": 0.0, "tick": 0.1, "clock": lambda: NOW}
def change(number, frame):
    rows = world.services
    last = 7 if number == signal.SIGUSR1 else len(rows)
    first = 6 if number == signal.SIGUSR1 else 0
    world.services = [
        replace(row, latency=row.latency and row.latency * 1.5) if first <= place < last else row
        for place, row in enumerate(rows)
    ]
    world.changed("health")
signal.signal(signal.SIGUSR1, change)
signal.signal(signal.SIGUSR2, change)
"""


def cost(seen: Terminal, number: signal.Signals) -> int:
    before = seen.still()
    os.kill(seen.process.pid, number)
    seen.until(lambda output: len(output) > before)
    return seen.still() - before


@pytest.mark.parametrize("room", [b"1", b"2", b"3", b"4", b"5"])
def test_a_screen_on_which_nothing_changes_sends_nothing(room: bytes) -> None:
    with terminal(setup=SETUP) as seen:
        seen.until(started)
        seen.type(room)
        before = seen.still()
        select.select([], [], [], 1.0)  # ten looks at the data
        assert len(seen.output) == before


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
def test_one_changed_cell_is_cheap_at_any_size(size: tuple[int, int]) -> None:
    with terminal(setup=SETUP, size=size) as seen:
        seen.until(started)
        assert cost(seen, signal.SIGUSR1) <= 64


@pytest.mark.parametrize("size", [(80, 24), (160, 53)])
def test_a_whole_column_costs_less_than_17_bytes_a_line(size: tuple[int, int]) -> None:
    with terminal(setup=SETUP, size=size) as seen:
        seen.until(started)
        assert cost(seen, signal.SIGUSR2) <= 17 * size[1]


def test_without_the_painter_the_console_works_as_textual_draws_it() -> None:
    with terminal(setup=SETUP, environ={"WATCHFLOOR_PAINTER": "off"}) as seen:
        seen.until(started)
        assert cost(seen, signal.SIGUSR1) > 64
        seen.type(b"5")
        seen.until(lambda output: b"thresholds." in output)


def cost_of(seen: Terminal, key: bytes) -> int:
    before = seen.still()
    seen.type(key)
    seen.until(lambda output: len(output) > before)
    return seen.still() - before


@pytest.mark.parametrize("room", [b"1", b"2", b"3", b"4", b"5"])
def test_moving_the_cursor_costs_300_bytes_at_most_in_every_room(room: bytes) -> None:
    with terminal(setup=SETUP) as seen:
        seen.until(started)
        if room != b"1":
            cost_of(seen, room)
        assert max(cost_of(seen, key) for key in (b"j", b"j", b"k")) <= 300


def test_ctrl_l_draws_the_whole_screen_again() -> None:
    with terminal(setup=SETUP) as seen:
        seen.until(started)
        before = seen.still()
        seen.type(b"\x0c")
        seen.until(lambda output: started(output[before:]))
        assert b"1 Health" in seen.output[before:]
