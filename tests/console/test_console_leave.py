"""Whatever ends the console, it is gone within a second and the terminal is as it was."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import termios
from time import monotonic

import pytest
from console_pty import PATIENCE_S, Terminal, started, terminal

from watchfloor.console.terminal import refusal

# A console that never hears SIGHUP, so that only the terminal itself can tell that it is gone.
DEAF = """
import signal
import watchfloor.console.leave
world, options = World(), {}
watchfloor.console.leave.SIGNALS.pop(signal.SIGHUP)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
"""


def sane(seen: Terminal) -> None:
    """The screen is the normal one, with a visible cursor and no mouse reports."""
    output = bytes(seen.output)
    for on, off in (
        (b"\x1b[?1049h", b"\x1b[?1049l"),
        (b"\x1b[?25l", b"\x1b[?25h"),
        (b"\x1b[?2004h", b"\x1b[?2004l"),
    ):
        assert output.rfind(off) > output.rfind(on), off
    assert output.rfind(b"\x1b[?1002l") >= output.rfind(b"\x1b[?1002h")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_console_within_a_second_and_the_terminal_is_restored(
    number: signal.Signals,
) -> None:
    with terminal() as seen:
        before = seen.modes()
        seen.until(started)
        assert seen.modes() != before
        os.kill(seen.process.pid, number)
        seen.gone_within(1.0)
        seen.until(lambda output: f"LEFT {number.name}".encode() in output)
        assert seen.process.returncode == 0
        assert seen.modes() == before
        sane(seen)


def test_a_terminal_that_goes_away_ends_the_console_within_a_second() -> None:
    with terminal() as seen:
        seen.until(started)
        seen.hang_up()
        seen.gone_within(1.0)


def test_a_terminal_that_goes_away_while_hangups_are_ignored_ends_it_too() -> None:
    with terminal(setup=DEAF) as seen:
        seen.until(started)
        seen.hang_up()
        seen.gone_within(1.0)


@pytest.mark.parametrize("keys", [b"q", b"\x03", b"\x11"])
def test_keys_that_leave_restore_the_terminal(keys: bytes) -> None:
    with terminal() as seen:
        before = seen.modes()
        seen.until(started)
        seen.type(keys)
        seen.gone_within(1.0)
        seen.until(lambda output: b"LEFT quit" in output)
        assert seen.modes() == before
        sane(seen)


# Pulses with a change of every cell of the trend, so that output fills every buffer of a client that stopped.
STORM = """
import asyncio, random
from dataclasses import replace
world, options = World(), {"pace": 0.0}
class Storm(FakeReader):
    async def pulses(self):
        while True:
            await asyncio.sleep(0.002)
            rows = self.world.services
            self.world.services = [replace(r, recent=bytes(random.randrange(256) for _ in range(48))) for r in rows]
            yield frozenset({"alerts", "health"})
FakeReader = Storm
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_client_that_no_longer_reads_cannot_keep_the_console(number: signal.Signals) -> None:
    with terminal(setup=STORM, size=(200, 60)) as seen:
        before = seen.modes()
        seen.until(lambda output: b"shop checkout" in output and len(output) > 100_000)
        seen.freeze()
        wait_until_full(seen.slave)
        os.kill(seen.process.pid, number)
        seen.gone_within(1.0)
        assert seen.modes() == before
        seen.thaw()
        seen.until(lambda output: output.rfind(b"\x1b[?1049l") > output.rfind(b"\x1b[?1049h"), 3)


def wait_until_full(fd: int) -> None:
    """Wait until the terminal takes no more output."""
    deadline = monotonic() + 10
    while select.select([], [fd], [], 0)[1]:
        assert monotonic() < deadline
        select.select([], [], [], 0.05)


def test_the_terminal_is_restored_after_a_mistake_in_the_program() -> None:
    setup = "world, options = World(), {}\nWatchfloorApp._next_minute = lambda self: 1 / 0"
    with terminal(setup=setup) as seen:
        before = seen.modes()
        seen.until(lambda output: b"LEFT" in output)
        seen.gone_within(1.0)
        assert seen.modes() == before
        assert b"ZeroDivisionError" in seen.output


def test_many_sizes_do_not_end_it() -> None:
    with terminal() as seen:
        seen.until(started)
        for columns, rows in ((40, 10), (1, 1), (7, 3), (300, 5), (20, 100), (80, 24)):
            seen.resize(columns, rows)
            seen.still(0.15)
        seen.type(b"q")
        seen.gone_within(1.0)
        assert seen.process.returncode == 0


def test_a_console_without_a_terminal_is_refused_with_what_to_do_instead() -> None:
    code = "from watchfloor.console.terminal import refusal; print(refusal())"
    result = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    assert "needs a terminal" in result.stdout
    assert "watchfloor serve" in result.stdout


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_draw_is_refused(term: str) -> None:
    with terminal(environ={"TERM": term}) as seen:
        seen.process.wait(PATIENCE_S)
        seen.until(lambda output: b"cannot draw on this terminal" in output)
        assert seen.process.returncode == 1
        assert b"\x1b[?1049h" not in seen.output


def test_refusal_names_the_terminal_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchfloor.console.terminal._is_terminal", lambda fd: True)
    assert refusal({"TERM": "xterm"}) is None
    assert "TERM is dumb" in str(refusal({"TERM": "dumb"}))


def test_modes_are_really_compared() -> None:
    """The comparison above would notice a terminal left raw."""
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    raw = termios.tcgetattr(slave)
    raw[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, raw)
    assert termios.tcgetattr(slave) != before
    os.close(master)
    os.close(slave)
