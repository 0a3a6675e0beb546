"""The outlet: brings the painter's frames to the terminal and never waits for it.

One frame at a time goes out, through a descriptor that does not block. While the terminal takes nothing, or more is on
the way than the `flow` allows, nothing is made: the next frame is the difference to what is wanted then. So a client
that stopped costs neither time nor memory. Runs on the console's loop only.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
from collections.abc import Callable
from math import inf
from time import monotonic

from textual._compositor import CompositorUpdate

from watchfloor.console.flow import NAMES, Flow
from watchfloor.console.painter import Painter

QUESTION_SIZE = 9
"""The most bytes that `question` returns."""
FRAME_BEGINS, FRAME_ENDS = b"\x1b[?2026h", b"\x1b[?2026l"
AT_ONCE = 256
"""A frame of so few bytes is drawn at once anyway, without marks around it."""
ANSWER_S = 0.1
"""What changes so soon after a key is taken for its effect."""
MOST_KEPT = 1 << 18
"""So many bytes that belong to no frame (modes, a copy to the clipboard) are kept for a terminal that is stuck."""


def question(name: int) -> bytes:
    """Asks where the cursor is, after putting it into column `name` of the first line (ECMA-48: CUP, DSR 6)."""
    return b"\x1b[;%dH\x1b[6n" % name


class Terminal:
    """A descriptor of the terminal that does not block, apart from that of everybody else on it.

    Where the system does not allow the terminal to be opened once more, the common one is used and given back.
    """

    def __init__(self, fd: int) -> None:
        self._given = fd
        try:
            self.fd = os.open(os.ttyname(fd), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            self.fd = fd
            os.set_blocking(fd, False)

    def close(self) -> None:
        """Give the terminal back."""
        if self.fd == self._given:
            os.set_blocking(self.fd, True)
        else:
            os.close(self.fd)


class Outlet:
    """Output of one console: frames of the painter, and what belongs to no frame."""

    def __init__(
        self,
        fd: int,
        painter: Painter,
        flow: Flow,
        *,
        told: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`told` is called when the link turned slow or thin, or is no longer."""
        self._terminal = Terminal(fd)
        self._painter, self._flow, self._told, self._clock = painter, flow, told, clock
        self._loop = asyncio.get_running_loop()
        self._pending = b""
        self._apart: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing = False
        self._stuck_at = inf
        self._lost = False
        self._link = (False, False)
        self.key_at = -inf
        """When the last key came; what changes then is the answer to it. The one thing another thread may set."""
        self.marks = False
        """Whether the terminal draws what stands between the marks of a frame at once."""

    @property
    def is_slow(self) -> bool:
        """Whether what the person sees is, or was a moment ago, older than a second."""
        return self._flow.slow(self._clock())

    @property
    def is_thin(self) -> bool:
        """Whether each byte counts on this line."""
        return self._flow.thin

    async def answer_first(self) -> None:
        """On a thin line, wait while what changes counts as the answer to a key: news would go before it."""
        rest = self.key_at + ANSWER_S - self._clock()
        if self.is_thin and rest > 0:
            await asyncio.sleep(rest)

    def write(self, data: str) -> None:
        """Send what belongs to no frame, in order and before the next frame."""
        self._apart.append(data.encode("utf-8", "replace"))
        while sum(map(len, self._apart)) > MOST_KEPT:
            self._apart.pop(0)
        self.poke()

    def ask(self) -> None:
        """Ask where the cursor is, to learn the delay of the line before anything big is on it."""
        self.write(question(self._flow.asked(self._clock(), QUESTION_SIZE)).decode())

    def answered(self, at: float, column: int) -> None:
        """The terminal said at `at` that its cursor is in `column`."""
        self._flow.answered(at, column)
        self.poke()

    @property
    def open_questions(self) -> int:
        """How many answers the terminal owes."""
        return self._flow.open_questions

    def show(self, update: CompositorUpdate) -> None:
        """Take over what Textual wants on the screen and send it as soon as may be."""
        self._painter.take(update, hot=self._clock() - self.key_at < ANSWER_S)
        self.poke()

    def draw_again(self) -> None:
        """Send every cell: nobody knows what the terminal shows."""
        self._painter.forget()
        self.poke()

    def poke(self) -> None:
        """Send what there is, as far as the terminal takes it; whatever must wait is looked at again by itself."""
        if self._lost or self._pending:
            return
        now = self._clock()
        self._notice(now)
        self._pending, self._apart = b"".join(self._apart), []
        if self._painter.has_changes:
            room = self._flow.room(now, self._painter.is_hurried)
            if room == 0:
                self._look_again(now)
            else:
                self._pending += self._frame(now, room)
        self._push()

    def _frame(self, now: float, room: int | None) -> bytes:
        frame = self._painter.frame(room).encode("utf-8", "replace")
        if self._painter.has_changes:
            self._look_again(now)
        if not frame:
            return b""
        if self.marks and len(frame) > AT_ONCE:
            frame = FRAME_BEGINS + frame + FRAME_ENDS
        if self._painter.width < NAMES or not self._flow.asks(now, len(frame)):
            self._flow.sent(now, len(frame))
            return frame
        first = question(self._flow.asked(now, QUESTION_SIZE)) if self._flow.leads_in(now) else b""
        self._flow.sent(now, len(frame))
        return first + frame + question(self._flow.asked(now, QUESTION_SIZE, frame=len(frame)))

    def _look_again(self, now: float) -> None:
        at = self._loop.time() + self._flow.wait(now, self._painter.is_hurried)
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._again)

    def _again(self) -> None:
        self._timer = None
        now = self._clock()
        if self._flow.asks_again(now):
            self.ask()
        self.poke()

    def _notice(self, now: float) -> None:
        link = self._flow.slow(now), self._flow.thin
        if link != self._link:
            self._link = link
            self._loop.call_soon(self._told)

    def _push(self) -> None:
        """Write until the terminal takes no more; then wait until it does, beside everything else."""
        while self._pending and not self._lost:
            try:
                self._pending = self._pending[os.write(self._terminal.fd, self._pending) :]
                self._stuck_at = self._clock()
            except BlockingIOError:
                self._wait_for_room()
                return
            except OSError as error:
                self._lost = error.errno != errno.EINTR
        if self._writing:
            self._loop.remove_writer(self._terminal.fd)
            self._writing = False

    def _wait_for_room(self) -> None:
        if not self._writing:
            self._loop.add_writer(self._terminal.fd, self._has_room)
            self._writing, self._stuck_at = True, self._clock()

    def _has_room(self) -> None:
        self._push()
        if not self._pending:
            self.poke()

    @property
    def stuck_s(self) -> float:
        """For how many seconds the terminal has taken nothing of what is waiting for it; 0: it takes what there is."""
        return self._clock() - self._stuck_at if self._writing else 0.0

    def drain(self, until: float) -> bool:
        """Send what is left, waiting at most until the clock says `until`; False: the terminal did not take all."""
        self._pending, self._apart = self._pending + b"".join(self._apart), []
        while self._pending and not self._lost:
            self._push()
            rest = until - self._clock()
            if self._pending and (rest <= 0 or not select.select([], [self._terminal.fd], [], rest)[1]):
                return False
        return not self._pending

    def close(self) -> None:
        """Give the terminal back; what it did not take is forgotten."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing:
            self._loop.remove_writer(self._terminal.fd)
            self._writing = False
        self._terminal.close()
        self._lost = True
