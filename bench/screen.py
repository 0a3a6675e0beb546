"""A terminal for the console: a pty whose other side stamps every byte that arrives, and a screen made of them.

It answers what the console asks a terminal: whether it can show a frame at once, and where its cursor is. It never
slows the console down: a thread of its own reads as fast as it can. It may be far away: then what either side says
arrives so much later at the other, as over SSH.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

import pyte

from support import TooSlow

FRAME_BEGINS, FRAME_ENDS = b"\x1b[?2026h", b"\x1b[?2026l"
QUESTION = re.compile(rb"\x1b\[\?2026\$p|\x1b\[;(\d+)H\x1b\[6n")
CAN_SHOW_A_FRAME_AT_ONCE = b"\x1b[?2026;2$y"
CURSOR = "▌"
ROOMS = ("Health", "Jobs", "Alerts", "Logs", "Settings")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that arrived together, and when they did at the terminal (monotonic)."""

    at: float
    data: bytes


class Pty:
    """A process on a terminal of its own, as big as asked for; a context manager that ends it.

    ``away_s`` is how long bytes travel in each direction between the process and whoever looks and types.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        size: tuple[int, int] = (80, 24),
        away_s: float = 0.0,
    ) -> None:
        self._size, self._away_s = size, away_s
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.chunks: list[Chunk] = []
        self._closed = threading.Event()
        self._reads = threading.Event()
        self._reads.set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        clean = {
            key: value
            for key, value in environ.items()
            if not key.startswith(("SSH_", "NO_COLOR", "TEXTUAL"))
        }
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={
                **clean,
                **({"SSH_CONNECTION": "far"} if away_s else {}),
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
            },
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self._reader.start()

    def _read(self) -> None:
        unread = b""
        while not self._closed.is_set():
            self._reads.wait()
            ready, _, _ = select.select([self._master], [], [], 0.2)
            if not ready or not self._reads.is_set():
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return  # the other side is closed
            self.chunks.append(Chunk(time.monotonic() + self._away_s, data))
            unread += data
            for question in QUESTION.finditer(unread):
                column = question[1]
                answer = b"\x1b[1;%sR" % column if column else CAN_SHOW_A_FRAME_AT_ONCE
                self._say(answer, 2 * self._away_s)
            unread = QUESTION.sub(b"", unread)[-16:]

    def freeze(self) -> None:
        """Read nothing any more, as a client that lost its network."""
        self._reads.clear()

    def thaw(self) -> None:
        """Read again."""
        self._reads.set()

    def press(self, keys: str) -> float:
        """Send keys; returns when (monotonic)."""
        at = time.monotonic()
        self._say(keys.encode(), self._away_s)
        return at

    def _say(self, data: bytes, after_s: float) -> None:
        """Have bytes arrive at the process, so much later."""
        if not after_s:
            os.write(self._master, data)
            return
        timer = threading.Timer(after_s, self._arrive, (data,))
        timer.daemon = True
        timer.start()

    def _arrive(self, data: bytes) -> None:
        if not self._closed.is_set():
            with contextlib.suppress(OSError):  # it left meanwhile
                os.write(self._master, data)

    @property
    def received(self) -> int:
        """Bytes that arrived so far."""
        return sum(len(chunk.data) for chunk in self.chunks)

    def when(self, visible: Callable[[Screen], object], seconds: float, what: str) -> float:
        """Wait until something is on the screen; returns the moment of the bytes that made it so (monotonic)."""
        screen, fed, deadline = Screen(self._size), 0, time.monotonic() + seconds
        while True:
            while fed < len(self.chunks) and self.chunks[fed].at <= time.monotonic():
                screen.feed(self.chunks[fed])
                fed += 1
                if visible(screen):
                    return self.chunks[fed - 1].at
            if time.monotonic() > deadline:
                raise TooSlow(f"{what}: not within {seconds:.0f} s; the screen:\n{screen}")
            if self.process.poll() is not None:
                raise TooSlow(f"{what}: the console ended with status {self.process.returncode}:\n{screen}")
            time.sleep(0.002)

    def still(self, for_s: float, seconds: float) -> bool:
        """Wait until nothing has arrived for a while; False when that does not come about."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.chunks and time.monotonic() - self.chunks[-1].at > for_s:
                return True
            time.sleep(0.02)
        return False

    def __enter__(self) -> Pty:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.thaw()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._closed.set()
        self._reader.join(5)
        os.close(self._master)


class Screen:
    """What a person would see after some chunks."""

    def __init__(self, size: tuple[int, int] = (80, 24)) -> None:
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._inside = False
        self.frame_began = 0.0
        """When the first byte of the latest frame arrived (monotonic); a small frame has no marks around it."""

    def feed(self, chunk: Chunk) -> None:
        """Take in one more chunk."""
        if not self._inside or FRAME_BEGINS in chunk.data:
            self.frame_began = chunk.at
        begins, ends = chunk.data.rfind(FRAME_BEGINS), chunk.data.rfind(FRAME_ENDS)
        self._inside = begins > ends or (self._inside and ends < 0)
        self._stream.feed(chunk.data)

    @property
    def lines(self) -> list[str]:
        """The lines of text."""
        return list(self._screen.display)

    def cursor_line(self) -> str:
        """The line of the list that the cursor is on; empty where there is none."""
        return next((line for line in self.lines if line.startswith(CURSOR)), "")

    def room(self) -> str | None:
        """The room whose tab stands out from the other tabs by its background."""
        top = self.lines[0]
        looks = {}
        for room in ROOMS:
            at = top.find(room)
            if at >= 0:
                cell = self._screen.buffer[0][at]
                looks[room] = (cell.bg, cell.reverse)
        if len(looks) == 1:
            return next(iter(looks))
        different = [room for room, look in looks.items() if list(looks.values()).count(look) == 1]
        return different[0] if len(different) == 1 and len(looks) > 2 else None

    def __str__(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)
