"""The far side of a terminal: an emulator that shows what a person would see, and a line that carries only so much."""

from __future__ import annotations

import os
import re
import select
import threading
from time import monotonic

import pyte
from console_pty import Terminal

WIDTH, HEIGHT = 80, 24
QUESTION = re.compile(rb"\x1b\[;(\d+)H\x1b\[6n")


def seen(screen: pyte.Screen) -> list[list[object]]:
    """Every cell as a person sees it: of a blank only what shows on it."""
    return [
        [
            (c.data, c.fg, c.bg, c.bold, c.underscore, c.reverse, c.strikethrough)
            if c.data.strip() or c.underscore or c.reverse or c.strikethrough
            else (" ", c.bg)
            for c in (screen.buffer[y][x] for x in range(screen.columns))
        ]
        for y in range(screen.lines)
    ]


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
            credit, last = credit + (now - last) * self._rate, now
            if not select.select([self._far.master], [], [], 0)[0]:
                credit = min(credit, 1.0)  # what a line does not carry while it is idle it cannot carry later
            elif credit >= 1:
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


def cursor_row(emulator: Emulator) -> int:
    """The lowest line that has the mark of the cursor; while it moves down, the new one."""
    emulator.catch_up()
    return max((y for y in range(HEIGHT) if emulator.screen.buffer[y][0].data == "▌"), default=-1)
