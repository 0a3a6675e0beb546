"""A terminal that takes nothing, little, or everything: the console never waits, and then shows the present."""

from __future__ import annotations

import os
import random
import re
import select
import signal
import threading
from pathlib import Path
from time import monotonic

import pyte
import pytest
from console_pty import Terminal, started, terminal
from test_console_painter import seen
from test_console_wire import SETUP

WIDTH, HEIGHT = 80, 24
QUESTION = re.compile(rb"\x1b\[;(\d+)H\x1b\[6n")
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


class Emulator:
    """A terminal emulator behind a pseudo-terminal; it answers no question."""

    def __init__(self, far: Terminal, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        self._far, self._fed = far, 0
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)

    def catch_up(self) -> list[list[object]]:
        """Take in what has come; every cell of the screen then."""
        data = bytes(self._far.output[self._fed :])
        self._fed += len(data)
        self._stream.feed(data)
        return seen(self.screen)

    def still(self) -> list[list[object]]:
        """The screen as soon as nothing more comes."""
        while True:
            before = len(self._far.output)
            self.catch_up()
            self._far.still(0.15)
            if len(self._far.output) == before:
                return self.catch_up()


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
    tmp_path: object,
) -> None:
    late = tmp_path / "late"
    with terminal(setup=f"LATE = {str(late)!r}\n{BUSY}", size=(200, 60)) as far:
        far.until(lambda output: b"shop checkout" in output and len(output) > 100_000)
        far.freeze()
        while select.select([], [far.slave], [], 0)[1]:
            select.select([], [], [], 0.02)
        before = len(late.read_text().splitlines())
        select.select([], [], [], 2.0)
        while_frozen = [float(line) for line in late.read_text().splitlines()[before:]]
        assert len(while_frozen) > 20, "the loop stood still"
        assert sorted(while_frozen)[len(while_frozen) // 2] < 0.5
        backlog = len(far.output)
        far.type(b"5")
        far.thaw()
        far.until(lambda output: b"5 Settings" in output[backlog:] and b"theme" in output[backlog:].lower())
        assert len(far.output) - backlog < 300_000


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


class SlowLine:
    """Reads so many bytes a second and answers what it is asked in its turn, as a terminal on a serial line."""

    def __init__(self, far: Terminal, rate: float) -> None:
        far.freeze()
        self._far, self._rate, self._tail = far, rate, b""
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        credit, last = 0.0, monotonic()
        while not self._ends.wait(0.01):
            now = monotonic()
            credit, last = min(credit + (now - last) * self._rate, self._rate / 10), now
            if credit >= 1 and select.select([self._far.master], [], [], 0)[0]:
                data = os.read(self._far.master, int(credit))
                credit -= len(data)
                self._far.output += data
                self._tail += data
                for question in QUESTION.finditer(self._tail):
                    self._far.type(b"\x1b[1;%sR" % question[1])
                self._tail = QUESTION.sub(b"", self._tail)[-16:]

    def end(self) -> None:
        self._ends.set()
        self._thread.join()


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


def cursor_row(emulator: Emulator) -> int:
    """The lowest line that has the mark of the cursor; while it moves down, the new one."""
    emulator.catch_up()
    return max((y for y in range(HEIGHT) if emulator.screen.buffer[y][0].data == "▌"), default=-1)
