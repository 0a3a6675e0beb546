"""Resident memory with 10,000 services every 30 s: the engine alone, the console with its engine, and a console that
is only attached.

Memory is read after every service was checked twice and the console has shown its rooms. PostgreSQL is told apart:
its shared buffers are divided among its processes (PSS).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from processes import Served, clean_environment, command, embedded_pids, pss_mb, rss_mb, services_yaml, tree
from screen import ROOMS, Pty, Screen
from support import Report, run, temporary_ground, until
from target import Target
from watchfloor.store.embedded import status

SERVICES = 10_000
QUICK_SERVICES = 2_000
EVERY_S = 30
BUDGET_MB = 200.0
PATIENCE_S = 180.0


def measure(report: Report, quick: bool) -> None:
    """Measure all three."""
    services = QUICK_SERVICES if quick else SERVICES
    every_s = 5 if quick else EVERY_S
    budget = None if quick else BUDGET_MB
    with Target() as target:
        config = services_yaml(map(target.url, range(services)), f"{every_s}s")
        with temporary_ground() as ground, Served(ground, config) as served:
            served.ready(PATIENCE_S)
            _two_rounds(target, services)
            report.add("engine alone: RSS", "MB", [rss_mb(served.product)], budget)
            report.add("PostgreSQL and keeper beside it: PSS", "MB", [pss_mb(embedded_pids(served.data_dir))])
            arguments = ["--config", str(served.config), "--data-dir", str(served.data_dir)]
            attached = _console(ground, [*arguments, "attach"], target, 0)
            report.add("console that is only attached: RSS", "MB", [attached], budget)
        with temporary_ground() as ground:
            (ground / "config.yaml").write_text(config)
            arguments = ["--config", str(ground / "config.yaml"), "--data-dir", str(ground / "data")]
            together = _console(ground, arguments, target, services)
            report.add("console and engine in one process: RSS", "MB", [together], budget)
            until(lambda: status(ground / "data").state == "stopped", 60, "the database stops")
    report.note(f"{services:,} services every {every_s} s")


def _two_rounds(target: Target, services: int) -> None:
    before = target.answered()
    until(lambda: target.answered() - before >= 2 * services, PATIENCE_S, "two rounds of checks")


def _console(ground: Path, arguments: list[str], target: Target, services: int) -> float:
    """Megabytes of a console that has been in every room, after ``services`` were checked twice."""
    with Pty([*command(), *arguments], clean_environment(ground / "home")) as terminal:
        terminal.when(lambda s: "service-0" in str(s), PATIENCE_S, "the board")
        _two_rounds(target, services)
        for number in (2, 3, 4, 5, 1):
            terminal.press(str(number))
            terminal.when(partial(_in_room, ROOMS[number - 1]), 30, f"room {number}")
        terminal.still(0.5, 5.0)
        return rss_mb(tree(terminal.process.pid))


def _in_room(room: str, screen: Screen) -> bool:
    return screen.room() == room


if __name__ == "__main__":
    run(measure, "Resident memory", __doc__)
