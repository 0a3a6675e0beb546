"""A terminal that takes nothing, little, or everything: the console never waits, and then shows the present."""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
from math import inf
from pathlib import Path
from time import monotonic

import pytest
from console_far import HEIGHT, WIDTH, Emulator, SlowLine, cursor_row
from console_pty import started, terminal
from test_console_wire import SETUP

from watchfloor.console.flow import Flow
from watchfloor.console.outlet import Outlet
from watchfloor.console.painter import Painter

NOTICES_STAY = "WatchfloorApp._end_notice = lambda self: None\n"
# A loop that notes how late it wakes, and data that change all the time.
BUSY = """
import asyncio, random, sys, time
from dataclasses import replace
world, options = World(), {"pace": 0.0}
class Storm(FakeReader):
    async def pulses(self):
        worst, told = 0.0, time.monotonic()
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            rows = self.world.services
            self.world.services = [replace(r, recent=bytes(random.randrange(256) for _ in range(48))) for r in rows]
            with open(LATE, "a") as late:
                late.write(f"{time.monotonic() - before - 0.01}\\n")
            yield frozenset({"alerts", "health"})
FakeReader = Storm
"""


KEYS = [
    b"j",
    b"k",
    b"G",
    b"g",
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"\r",
    b"\x1b",
    b"?",
    b"/",
    b"s",
    b"\t",
    b"\x04",
    b"\x15",
]


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (120, 40)])
def test_after_any_keys_and_changes_the_screen_is_what_a_repaint_makes_it(size: tuple[int, int]) -> None:
    chance = random.Random(f"painter {size}")
    with terminal(setup=SETUP + NOTICES_STAY, size=size) as far:
        emulator = Emulator(far, size)
        far.until(started)
        for _ in range(12):
            for _ in range(chance.randrange(1, 5)):
                far.type(chance.choice(KEYS))
                if chance.random() < 0.3:
                    os.kill(far.process.pid, chance.choice([signal.SIGUSR1, signal.SIGUSR2]))
            painted, lines = emulator.still(), list(emulator.screen.display)
            far.type(b"\x0c")
            repainted = emulator.still()
            assert list(emulator.screen.display) == lines
            assert repainted == painted


def test_a_client_that_stopped_reading_delays_nothing_and_sees_the_present_when_it_goes_on(
    tmp_path: Path,
) -> None:
    late = tmp_path / "late"
    with terminal(setup=f"LATE = {str(late)!r}\n{BUSY}", size=(200, 60)) as far:
        far.until(lambda output: b"shop checkout" in output and len(output) > 100_000)
        while_read = lateness(late)
        far.freeze()
        while select.select([], [far.slave], [], 0)[1]:
            select.select([], [], [], 0.02)
        while_frozen = lateness(late)
        assert len(while_frozen) > len(while_read) / 3, "the loop stood still"
        assert sorted(while_frozen)[len(while_frozen) // 2] < 0.5
        backlog = len(far.output)
        far.type(b"5")
        far.thaw()
        far.until(lambda output: b"5 Settings" in output[backlog:] and b"theme" in output[backlog:].lower())
        assert len(far.output) - backlog < 300_000


def lateness(told: Path, seconds: float = 2.0) -> list[float]:
    """How late the loop woke each time, for a while."""
    before = len(told.read_text().splitlines())
    select.select([], [], [], seconds)
    return [float(line) for line in told.read_text().splitlines()[before:]]


def test_memory_does_not_grow_while_nobody_reads(tmp_path: Path) -> None:
    with terminal(setup=f"LATE = {str(tmp_path / 'late')!r}\n{BUSY}", size=(200, 60)) as far:
        far.until(lambda output: len(output) > 200_000)
        far.freeze()
        while select.select([], [far.slave], [], 0)[1]:
            select.select([], [], [], 0.02)
        before = resident(far.process.pid)
        select.select([], [], [], 3.0)
        assert resident(far.process.pid) - before < 4 << 20


def resident(pid: int) -> int:
    """The memory of a process that is in use (bytes)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_size_is_that_of_the_terminal_whatever_was_exported_once() -> None:
    with terminal(setup=SETUP, size=(120, 40), environ={"COLUMNS": "80", "LINES": "24"}) as far:
        emulator = Emulator(far, (120, 40))
        far.until(started)
        emulator.still()
        assert "help" in emulator.screen.display[39]


def test_an_escape_and_the_key_after_it_are_two_keys_although_they_arrive_together() -> None:
    with terminal(setup=SETUP) as far:
        emulator = Emulator(far)
        far.until(started)
        far.type(b"?")
        emulator.still()
        assert any("Keys of this screen" in line for line in emulator.screen.display)
        far.type(b"\x1b5\x1b[B")
        emulator.still()
        assert not any("Keys of this screen" in line for line in emulator.screen.display)
        assert "▌" in emulator.screen.display[5]
        assert "thresholds." in "".join(emulator.screen.display)


# Every cell of the trend of every service changes once a second.
LIVE = """
import asyncio, random
from dataclasses import replace
world, options = World(), {}
class Live(FakeReader):
    async def pulses(self):
        while True:
            await asyncio.sleep(1)
            rows = self.world.services
            self.world.services = [
                replace(r, recent=r.recent[1:] + bytes([random.randrange(256)]), latency=random.random()) for r in rows
            ]
            yield frozenset({"health"})
FakeReader = Live
"""


def test_on_a_line_of_9600_baud_a_key_is_answered_while_everything_changes() -> None:
    with terminal(setup=LIVE) as far:
        emulator = Emulator(far)
        line = SlowLine(far, 960)
        try:
            far.until(started, 30)
            far.until(lambda output: len(output) > 12_000, 60)
            row, waits = cursor_row(emulator), []
            for key in b"jjjkkjjkjkjj":
                row += 1 if key == ord("j") else -1
                at = monotonic()
                far.type(bytes([key]))
                far.until(lambda output, row=row: cursor_row(emulator) == row)
                waits.append(monotonic() - at)
                select.select([], [], [], 0.5)
            print("waits for the answer to a key:", [f"{wait:.2f}" for wait in sorted(waits)])
            assert sorted(waits)[len(waits) // 2] < 1.0, (
                "the median; without a sense for the line it is many seconds"
            )
        finally:
            line.end()


@pytest.mark.parametrize("rate", [960.0, inf])
async def test_on_a_thin_line_news_wait_for_the_answer_to_a_key(
    rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchfloor.console.outlet.ANSWER_S", 0.02)
    master, slave = os.openpty()
    flow = Flow(0.1)
    flow._rate = rate
    outlet = Outlet(slave, Painter(), flow, clock=lambda: 100.0)
    try:
        outlet.key_at = 100.0
        waiting = asyncio.create_task(outlet.answer_first())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert waiting.done() is (rate == inf)
        await waiting
        outlet.key_at = 99.0
        waiting = asyncio.create_task(outlet.answer_first())
        await asyncio.sleep(0)
        assert waiting.done()
    finally:
        outlet.close()
        os.close(master)
        os.close(slave)


async def test_whoever_leaves_waits_for_a_terminal_only_until_a_moment_and_knows_how_long_it_is_stuck() -> (
    None
):
    master, slave = os.openpty()
    now = [100.0]
    outlet = Outlet(slave, Painter(), Flow(0.1), clock=lambda: now[0])
    try:
        assert outlet.drain(now[0])
        assert outlet.stuck_s == 0
        outlet.write("x" * 50_000)
        now[0] = 107.0
        assert outlet.stuck_s == 7
        assert not outlet.drain(now[0])
        outlet.write("last")
        taken = asyncio.create_task(asyncio.to_thread(read_until, master, b"last"))
        async with asyncio.timeout(30):
            while not outlet.drain(now[0]):
                await asyncio.sleep(0.001)
        assert (await taken).count(b"x") == 50_000
        assert outlet.stuck_s == 0
    finally:
        outlet.close()
        os.close(master)
        os.close(slave)


def read_until(fd: int, end: bytes) -> bytes:
    """What comes out of a terminal, up to `end`."""
    found = b""
    while not found.endswith(end):
        found += os.read(fd, 4096)
    return found


def test_on_a_line_on_which_each_byte_counts_the_cursor_moves_for_300_bytes() -> None:
    with terminal(setup=SETUP) as far:
        line = SlowLine(far, 960)
        try:
            far.until(started, 30)
            far.still(1.0, 30)
            costs = []
            for _ in range(5):  # with some of them the mark of a slow link comes or goes
                before = far.still(0.7, 30)
                far.type(b"j")
                far.until(lambda output, before=before: len(output) > before)
                costs.append(far.still(0.7, 30) - before)
            assert sorted(costs)[2] <= 300, costs
        finally:
            line.end()
