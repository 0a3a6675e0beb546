"""Leaving: whatever ends the console, it is gone within a second and the terminal is as it was.

Textual handles neither SIGTERM nor SIGHUP, nor a terminal that went away. This module asks the application to leave
on each of these, and restores a terminal that took no more output. It must never end the process: an engine may be
running in it, and has its own way to stop.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = {signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP", signal.SIGINT: "SIGINT"}
POLL_S = 0.3
"""How often a lost terminal is looked for where the system cannot tell by itself."""

# Mouse, focus and paste reports off, lines wrap, keyboard protocol off, normal screen, cursor, plain text.
SANE = b"\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h\x1b[0m"


class Exits:
    """Watches the ways out of one running console on the terminal `fd`.

    `leave` is called in the event loop's thread with the reason.
    """

    def __init__(self, fd: int, leave: Callable[[str], None]) -> None:
        self._fd, self._leave = fd, leave
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reason = ""
        self._epoll: select.epoll | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._dropped = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Catch the signals while the context lasts, and restore the terminal; call it in the main thread."""
        modes = termios.tcgetattr(self._fd)
        before = {number: signal.signal(number, self._caught) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._restore(modes)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start looking for a lost terminal; call it from the loop as soon as it runs."""
        self._loop = loop
        if self._reason:
            self._leave(self._reason)
        if hasattr(select, "epoll"):
            self._epoll = select.epoll()
            self._epoll.register(self._fd, 0)  # hang-up and error are told without being asked for
            loop.add_reader(self._epoll.fileno(), self._lost)
        else:
            self._look()

    def detach(self) -> None:
        """Stop looking for a lost terminal; call it from the loop before it ends."""
        if self._epoll is not None and self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
        if self._timer is not None:
            self._timer.cancel()
        self._loop = None

    def ask(self, reason: str) -> None:
        """Leave for `reason`; from any thread, also from a signal handler."""
        if not self._reason:
            self._reason = reason
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._leave, reason)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        self.ask(SIGNALS[signal.Signals(number)])

    def _lost(self) -> None:
        self.ask("the terminal went away")
        self.detach()

    def _look(self) -> None:
        poll = select.poll()
        poll.register(self._fd, 0)
        if poll.poll(0):
            self._lost()
        elif self._loop is not None:
            self._timer = self._loop.call_later(POLL_S, self._look)

    def drop_output(self) -> None:
        """The terminal did not take the last output: throw it away, so that nobody waits for it."""
        self._dropped = True
        _drop_output(self._fd)

    def _restore(self, modes: list[Any]) -> None:
        """Give the terminal its modes back; where output was dropped, its screen and cursor too."""
        try:
            termios.tcsetattr(self._fd, termios.TCSANOW, modes)
        except termios.error:
            return  # there is no terminal any more
        if self._dropped:
            _drop_output(self._fd)
            if _takes_output(self._fd):
                os.write(self._fd, SANE)


def _drop_output(fd: int) -> bool:
    """Throw away output that the terminal has not taken; also lifts the stop of a ctrl-s. False: no terminal."""
    try:
        termios.tcflow(fd, termios.TCOOFF)
        termios.tcflush(fd, termios.TCOFLUSH)
        termios.tcflow(fd, termios.TCOON)
    except termios.error:
        return False
    return True


def _takes_output(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return any(
        event & select.POLLOUT and not event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0)
    )
