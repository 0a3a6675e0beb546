"""What a change costs on the wire: the console's painter beside Textual's own output, in the same run.

The world of the console's tests is on the screen, with a clock that stands still; a signal changes one latency, or that
of every service. Bytes are exact and repeat on any machine. Where tmux is installed, the same is measured behind it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from support import Report, run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "console"))

from console_pty import Terminal, started, terminal
from test_console_wire import SETUP, cost

SIZES = ((80, 24), (120, 56))
ONE_CELL, COLUMN = signal.SIGUSR1, signal.SIGUSR2
BUDGETS = {"one changed latency": 64.0, "a column that changes": 900.0, "cursor down": 300.0}
STOCK = {"WATCHFLOOR_PAINTER": "off"}


def measure(report: Report, quick: bool) -> None:
    """Change things on the screen and count."""
    for size in SIZES:
        own, stock = _bytes(size, {}), _bytes(size, STOCK)
        for what, count in own.items():
            name = f"{size[0]}x{size[1]}: {what}"
            report.add(name, "B", [count], BUDGETS.get(what), peer=stock[what])
    report.peer = "Textual's own output"
    if not quick and shutil.which("tmux"):
        own, stock = _behind_tmux((80, 24), {}), _behind_tmux((80, 24), STOCK)
        for what, count in own.items():
            report.add(f"80x24 behind tmux: {what}", "B", [count], BUDGETS.get(what), peer=stock[what])


def _bytes(size: tuple[int, int], environ: Mapping[str, str]) -> dict[str, float]:
    with terminal(setup=SETUP, environ=environ, size=size) as seen:
        seen.until(started)
        seen.still()
        found: dict[str, float] = {
            "one changed latency": cost(seen, ONE_CELL),
            "a column that changes": cost(seen, COLUMN),
        }
        for what, keys in (
            ("cursor down", b"j"),
            ("cursor up", b"k"),
            ("to the end", b"G"),
            ("up from there, in a page", b"k"),
            ("to the top", b"g"),
            ("another room", b"5"),
            ("back", b"1"),
        ):
            found[what] = _cost_of_keys(seen, keys)
    return found


def _cost_of_keys(seen: Terminal, keys: bytes) -> float:
    before = seen.still()
    seen.type(keys)
    seen.until(lambda output: len(output) > before)
    return seen.still() - before


def _behind_tmux(size: tuple[int, int], environ: Mapping[str, str]) -> dict[str, float]:
    """The same keys, in a window of tmux: what tmux then sends to its own terminal."""
    with tempfile.TemporaryDirectory() as folder:
        setup = f"""
import os, subprocess, sys
os.environ["TMUX_TMPDIR"] = {folder!r}
if "TMUX" not in os.environ:
    new = ["tmux", "-f", "/dev/null", "new-session", sys.executable, "-c", PROGRAM]
    os.execvp("tmux", [*new, ";", "set", "status", "off"])
{SETUP}
"""
        setup = f"PROGRAM = open('/proc/self/cmdline').read().split(chr(0))[2]\n{setup}"
        try:
            with terminal(setup=setup, size=size, environ=environ) as seen:
                seen.until(lambda output: b"shop checkout" in output)
                return {
                    what: _cost_of_keys(seen, keys)
                    for what, keys in (("cursor down", b"j"), ("another room", b"5"), ("back", b"1"))
                }
        finally:  # the terminal ends tmux's client; what runs in its window would go on
            place = {**os.environ, "TMUX_TMPDIR": folder}
            subprocess.run(["tmux", "kill-server"], env=place, check=False, capture_output=True)


if __name__ == "__main__":
    run(measure, "Bytes on the wire", __doc__)
