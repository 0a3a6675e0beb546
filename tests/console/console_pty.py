"""Runs the console on a real pseudo-terminal, in a process of its own, and looks at it from the other side."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

HERE = Path(__file__).resolve().parent
PROGRAM = """
import sys
sys.path[:0] = {paths!r}
from console_world import FakeOperator, FakeReader, World
from watchfloor.cli.memory import forget_memory
from watchfloor.console.app import WatchfloorApp
from watchfloor.console.terminal import refusal, run
if reason := refusal():
    sys.exit(reason)
{setup}
app = WatchfloorApp(FakeReader(world), FakeOperator(world), **options)
try:
    print("LEFT", run(app), flush=True)
finally:  # as the command line does it, also where nobody hears this any more
    forget_memory()
"""
SETUP = "world, options = World(), {}"
PATIENCE_S = 30.0


class Terminal:
    """The master side: what the console writes is collected, unless nobody reads."""

    def __init__(self, master: int, slave: int, process: subprocess.Popen[bytes]) -> None:
        self.master, self.slave, self.process = master, slave, process
        self.output = bytearray()
        self._reading = threading.Event()
        self._reading.set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._closed.is_set():
            self._reading.wait()
            ready, _, _ = select.select([self.master], [], [], 0.05)
            if ready and self._reading.is_set() and not self._closed.is_set():
                try:
                    self.output += os.read(self.master, 65536)
                except OSError:
                    return

    def freeze(self) -> None:
        """Stop reading, as a client does that lost its network."""
        self._reading.clear()

    def thaw(self) -> None:
        """Read again."""
        self._reading.set()

    def hang_up(self) -> None:
        """Close the terminal from the far side."""
        self._closed.set()
        self._reading.set()
        self._thread.join()
        os.close(self.slave)
        os.close(self.master)

    def type(self, keys: bytes) -> None:
        """Send keys."""
        os.write(self.master, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the terminal."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.process.pid, signal.SIGWINCH)

    def until(self, condition: Callable[[bytes], bool], patience: float = PATIENCE_S) -> bytes:
        """Wait until the output so far meets `condition`."""
        deadline, ended = monotonic() + patience, False
        while not condition(bytes(self.output)):
            if not ended and self.process.poll() is not None:
                ended, deadline = (
                    True,
                    min(deadline, monotonic() + 2),
                )  # only what it wrote before can still come
            assert monotonic() < deadline, bytes(self.output[-3000:])
            select.select([], [], [], 0.005)
        return bytes(self.output)

    def still(self, for_s: float = 0.4, patience: float = PATIENCE_S) -> int:
        """Wait until nothing was written while the console slept for `for_s` seconds; the number of bytes so far.

        A console that is not given the processor writes nothing either, but it does not sleep: that time does not
        count. Nor does it begin anew where the console woke and had nothing to write.
        """
        deadline, last, slept, at = monotonic() + patience, -1, 0.0, monotonic()
        while slept < for_s:
            now = monotonic()
            assert now < deadline, "the console never stands still"
            if len(self.output) != last:
                last, slept = len(self.output), 0.0
            elif not self._runs():
                slept += now - at
            at = now
            select.select([], [], [], 0.01)
        return last

    def _runs(self) -> bool:
        """Whether a thread of the console runs, or would if the machine had time for it."""
        try:
            return any(
                (task / "stat").read_text().rpartition(")")[2].split()[0] in "RD"
                for task in Path(f"/proc/{self.process.pid}/task").iterdir()
            )
        except (FileNotFoundError, ProcessLookupError):
            return False  # a thread, or the whole console, ended

    def gone_within(self, seconds: float) -> float:
        """Wait for the end of the process; how long it took, at most `seconds`."""
        started = monotonic()
        self.process.wait(PATIENCE_S)
        took = monotonic() - started
        assert took <= seconds, f"it took {took:.2f} s to leave"
        return took

    def modes(self) -> list[Any]:
        """The modes of the terminal."""
        return termios.tcgetattr(self.slave)


@contextmanager
def terminal(
    *, setup: str = SETUP, environ: Mapping[str, str] | None = None, size: tuple[int, int] = (80, 24)
) -> Iterator[Terminal]:
    """A console on a pseudo-terminal of its own; killed in the end if it is still there."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    program = PROGRAM.format(paths=[str(HERE), str(HERE.parents[1] / "src")], setup=setup)
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("TEXTUAL", "SSH_", "NO_COLOR", "COLOR"))
    }
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**clean, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(environ or {})},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    found = Terminal(master, slave, process)
    try:
        yield found
    finally:
        found.thaw()
        if process.poll() is None:
            process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            found.hang_up()


def started(output: bytes) -> bool:
    """Whether the first board is on the screen."""
    return b"shop checkout" in output and b"1 / 24" in output
