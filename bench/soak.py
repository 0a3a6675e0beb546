"""A console over hours: does its memory grow, do its file handles, does a key take longer?

A node checks 250 services every 5 s, 50 events a second; a console attached to it goes through its rooms and its lists.
Growth counts from the end of the warm-up, a tenth of the time.
"""

from __future__ import annotations

import sys
import time
from itertools import cycle
from pathlib import Path
from statistics import median

from processes import Served, clean_environment, command, rss_mb, services_yaml
from screen import Pty
from support import Report, run, temporary_ground
from target import Target

SERVICES = 250
KEYS = "jjjjGgjj2345/x\x1b1jj\rk\x1bzz"
KEY_EVERY_S = 1.0
BUDGET_MB = 2.0


def measure(report: Report, quick: bool) -> None:
    """Press a key a second and look at the process."""
    seconds = 300.0 if quick else 3600.0
    with Target() as target, temporary_ground() as ground:
        config = services_yaml(map(target.url, range(SERVICES)), "5s")
        with Served(ground, config) as served:
            served.ready()
            argv = [*command(), "--config", str(served.config), "--data-dir", str(served.data_dir), "attach"]
            with Pty(argv, clean_environment(ground / "home")) as terminal:
                terminal.when(lambda screen: "service-000" in str(screen), 120, "the board")
                samples = _live(terminal, seconds)
    warm = len(samples) // 10
    first, last = samples[warm : 2 * warm], samples[-warm:]
    report.note(
        f"{SERVICES} services every 5 s for {seconds / 60:.0f} minutes, a key every {KEY_EVERY_S:g} s"
    )
    report.add("memory after the warm-up", "MB", [median(memory for memory, _, _ in first)])
    report.add("memory at the end", "MB", [median(memory for memory, _, _ in last)])
    grown = median(memory for memory, _, _ in last) - median(memory for memory, _, _ in first)
    report.add("growth", "MB", [grown], BUDGET_MB)
    handles = median(count for _, count, _ in last) - median(count for _, count, _ in first)
    report.add("file handles that came", "", [handles], 0.0)
    for name, part in (("after the warm-up", first), ("at the end", last)):
        report.add(f"key to first byte, median {name}", "ms", [median(wait for _, _, wait in part)])


def _live(terminal: Pty, seconds: float) -> list[tuple[float, int, float]]:
    """Memory (MB), file handles and the wait for an answer (ms) after each key."""
    pid, samples, ends = terminal.process.pid, [], time.monotonic() + seconds
    for key in cycle(KEYS):
        before, at = len(terminal.chunks), terminal.press(key)
        time.sleep(KEY_EVERY_S)
        answers = [chunk.at for chunk in terminal.chunks[before:] if chunk.at > at]
        wait = (answers[0] - at) * 1000 if answers else 0.0
        del terminal.chunks[:-50]
        samples.append((rss_mb([pid]), len(list(Path(f"/proc/{pid}/fd").iterdir())), wait))
        if len(samples) % 60 == 0:
            print(f"{len(samples)} keys: {samples[-1][0]:.1f} MB", file=sys.stderr, flush=True)
        if time.monotonic() > ends:
            return samples
    return samples


if __name__ == "__main__":
    run(measure, "A console over hours", __doc__)
