"""``watchfloor wrap``: runs a command as if it were not there, and tells a heartbeat how it went.

The command comes first: it begins before the first ping is through, its output passes as it comes, signals reach it,
and its exit status is the exit status, whatever becomes of the pings. What could not be told is said on standard error.
"""

from __future__ import annotations

import os
import select
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import BinaryIO, TextIO, cast
from uuid import uuid4

from watchfloor.cli import pinging
from watchfloor.cli.failures import told
from watchfloor.cli.options import Options
from watchfloor.domain.heartbeats import Signal
from watchfloor.operations.heartbeats import BODY_LIMIT, Said

PASSED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
FROM_KEYS = (signal.SIGINT, signal.SIGQUIT)
"""What a terminal sends to every process in the foreground: the command has it already."""

PATIENCE_S = 20.0
"""How long is waited for a database that does not answer, once the command has ended."""

LEFTOVERS_S = 1.0
"""How long output is waited for that children of the command, which outlive it, keep open."""

NOT_FOUND, NOT_EXECUTABLE, BY_SIGNAL = 127, 126, 128  # as shells say it


def wrap(options: Options, name: str, command: Sequence[str], run_id: str | None) -> int:
    """Run ``command``; returns its exit status, 128 and the signal where one ended it."""
    run_id = run_id or str(uuid4())
    began = _Telling(options, name, Said(Signal.START, None, run_id).checked())
    status, output = _run(command)
    began.wait()
    ended = Said(exit_status=status, run_id=run_id, body=output)
    _Telling(options, name, ended, known=began.failed).wait()
    return status


class _Telling:
    """One ping on its way, in a thread of its own: the command does not wait for it."""

    def __init__(self, options: Options, name: str, words: Said, known: str = "") -> None:
        """``known`` is what went wrong with the one before: the same is not said twice."""
        self._options, self._name, self._words = options, name, words
        self.failed = known
        self._thread = threading.Thread(target=self._tell, daemon=True)
        self._thread.start()

    def _tell(self) -> None:
        try:
            pinging.send(self._options, self._name, self._words, _say)
        except Exception as error:
            self._fail("; ".join(told(error) or [f"{type(error).__name__}: {error}"]))

    def wait(self) -> None:
        """Wait until it is through or failed, but not for ever."""
        self._thread.join(PATIENCE_S)
        if self._thread.is_alive():
            self._fail("the database does not answer")

    def _fail(self, why: str) -> None:
        if why != self.failed:
            _say(f"watchfloor: {self._name} could not be told: {why}")
        self.failed = why


def _run(command: Sequence[str]) -> tuple[int, str]:
    """Run it with its output passed on; its exit status and the end of its output."""
    try:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603
    except OSError as error:
        reason = f"{command[0]}: {error.strerror}"
        _say(f"watchfloor: {reason}")
        return (NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE), reason

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if number not in FROM_KEYS or not _has_terminal():
            child.send_signal(number)

    before = {number: signal.signal(number, on_signal) for number in PASSED}
    try:
        tail = _pass_on(child)
        status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return (BY_SIGNAL - status if status < 0 else status), tail.decode(errors="replace")


def _has_terminal() -> bool:
    """Whether this process is in the foreground of a terminal, and so its command too."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _pass_on(child: subprocess.Popen[bytes]) -> bytes:
    """Copy what the command writes to where this process writes; returns the end of all of it, in its order."""
    tail = b""
    with selectors.DefaultSelector() as selector:
        for source, sink in ((child.stdout, sys.stdout), (child.stderr, sys.stderr)):
            selector.register(cast(BinaryIO, source), selectors.EVENT_READ, _Sink(sink))
        left = 2
        while left:
            events = selector.select(LEFTOVERS_S)
            if not events and child.poll() is not None:
                break
            for key, _ in events:
                chunk = os.read(key.fd, 65_536)
                if not chunk:
                    selector.unregister(key.fileobj)
                    left -= 1
                    continue
                tail = (tail + chunk)[-BODY_LIMIT * 4 :]
                key.data.write(chunk)
    return tail


def _say(line: str) -> None:
    _Sink(sys.stderr).write(f"{line}\n".encode(errors="backslashreplace"))


class _Sink:
    """Where output goes; once it is full, or nobody reads it any more, the command may go on all the same.

    Nothing is left in a buffer, which would fail to be written at the end and change the exit status.
    """

    def __init__(self, stream: TextIO | None) -> None:
        """``stream`` is None where this process was started without it."""
        self._descriptor = None if stream is None else stream.fileno()

    def write(self, chunk: bytes) -> None:
        while chunk and self._descriptor is not None:
            try:
                chunk = chunk[os.write(self._descriptor, chunk) :]
            except BlockingIOError:
                select.select((), (self._descriptor,), ())
            except OSError:
                self._descriptor = None
