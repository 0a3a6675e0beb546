"""The console on a line of 9,600 baud: what each screen sends while everything on it changes once a second, and how
long an answer to a key takes meanwhile.

The world is that of the console's tests; each second every latency and trend, one alert, one run, one log record, a
beat of every node and component are new, and the clock goes on. The line carries 960 bytes a second and answers what
it is asked in its turn, as a terminal at the end of a serial line does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from support import Report, percentile, run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "console"))

from console_far import Emulator, SlowLine, cursor_row
from console_pty import Terminal, started, terminal

BYTES_PER_S = 960.0
MEAN_B, ECHO_MS = 800.0, 300.0
WORLD = """
import asyncio, random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from console_world import alert_rows, component_rows, health_rows, log_rows, node_rows, task_rows
begun = datetime.now(UTC)
world = World(
    now=begun, services=health_rows(begun), alerts=alert_rows(begun), nodes=node_rows(begun),
    components=component_rows(begun), tasks=task_rows(begun), records=log_rows(now=begun),
)
options = {}
class Live(FakeReader):
    async def pulses(self):
        dice = random.Random(1)
        while True:
            await asyncio.sleep(1)
            w = self.world
            w.now = now = datetime.now(UTC)
            w.services = [
                replace(r, recent=r.recent[1:] + bytes([dice.randrange(256)]), latency=r.latency and dice.random(),
                        checked_at=r.checked_at and now) for r in w.services
            ]
            w.alerts[0] = replace(w.alerts[0], title=f"shop checkout is failing, {dice.randrange(100)} %")
            w.nodes = [replace(n, beat_at=now, stats={**n.stats, "lag_p99_ms": dice.random()}) for n in w.nodes]
            w.components = [replace(c, beat_at=now) for c in w.components]
            w.tasks = [replace(w.tasks[0], started_at=now, duration=dice.random()), *w.tasks[:47]]
            w.records = [replace(w.records[0], id=w.records[0].id + 1, at=now, severity=dice.choice((1, 9, 13)),
                                 message=f"request {dice.randrange(10**6)} served"), *w.records]
            yield frozenset({"health", "alerts", "jobs", "nodes", "logs", "settings"})
FakeReader = Live
"""
SCREENS = (
    ("Health", b"1"),
    ("a service", b"1\r"),
    ("Alerts", b"3"),
    ("an alert", b"3\r"),
    ("Jobs", b"2"),
    ("a run of a task", b"2\r"),
    ("Logs", b"4"),
    ("a record", b"4\r"),
    ("Settings", b"5"),
    ("Settings, nodes", b"5\t\t"),
    ("Settings, components", b"5\t\t\t"),
)


def measure(report: Report, quick: bool) -> None:
    """Look at every screen, then press keys."""
    window_s, presses = (8.0, 8) if quick else (30.0, 40)
    for name, keys in SCREENS:
        report.add(f"{name}: sent", "B/s", [_rate(keys, window_s)], MEAN_B)
    waits = _echoes(presses)
    report.add("a key's answer, median", "ms", [median(waits) * 1000], ECHO_MS)
    report.add("a key's answer, p90", "ms", [percentile(waits, 0.9) * 1000])
    report.note(
        f"{BYTES_PER_S:.0f} bytes/s, 80x24; each screen for {window_s:.0f} s, {presses} keys in Health"
    )


def _on_the_line(work: Callable[[Terminal], object]) -> object:
    with terminal(setup=WORLD) as far:
        line = SlowLine(far, BYTES_PER_S)
        try:
            far.until(started, 60)
            time.sleep(6.0)  # the first picture, and until the line is known
            return work(far)
        finally:
            line.end()


def _rate(keys: bytes, window_s: float) -> float:
    def look(far: Terminal) -> float:
        for place in range(len(keys)):
            far.type(keys[place : place + 1])
            time.sleep(1.0)
        time.sleep(6.0)
        before, began = len(far.output), time.monotonic()
        time.sleep(window_s)
        return (len(far.output) - before) / (time.monotonic() - began)

    found = _on_the_line(look)
    assert isinstance(found, float)
    return found


def _echoes(presses: int) -> list[float]:
    """Seconds from a key that moves the cursor until its mark stands on the other line."""

    def press(far: Terminal) -> list[float]:
        emulator, waits = Emulator(far), []
        row = cursor_row(emulator)
        for turn in range(presses):
            down = turn % 8 < 4
            row += 1 if down else -1
            at = time.monotonic()
            far.type(b"j" if down else b"k")
            far.until(lambda _, row=row: cursor_row(emulator) == row, 30)
            waits.append(time.monotonic() - at)
            time.sleep(0.4 + turn % 5 / 10)
        return waits

    found = _on_the_line(press)
    assert isinstance(found, list)
    return found


if __name__ == "__main__":
    run(measure, "A line of 9,600 baud", __doc__)
