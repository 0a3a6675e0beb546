"""What a still screen costs: bytes on the wire, CPU and wake-ups of a console on which nothing changes.

The console is attached to a database that a node serves; the node's services are paused, so nothing happens to them.
Every room is looked at for a while, within one minute of the clock that it shows; what the turn of a minute costs is
told apart. The engine is not part of the figures: it is another process.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from processes import Served, clean_environment, command, services_yaml, threads_cpu_s
from screen import ROOMS, Pty, Screen
from support import Report, run, temporary_ground
from target import Target

SERVICES = 50
BUDGET_BYTES_PER_S = 0.0
BUDGET_CPU_PERCENT = 0.1
SETTLE_S = 4.0


def measure(report: Report, quick: bool) -> None:
    """Look at every room for a while."""
    window_s = 6.0 if quick else 40.0
    with Target() as target, temporary_ground() as ground:
        config = services_yaml(map(target.url, range(SERVICES)), "30s").replace("}\n", ", paused: true}\n")
        with Served(ground, config) as served:
            served.ready()
            argv = [*command(), "--config", str(served.config), "--data-dir", str(served.data_dir), "attach"]
            with Pty(argv, clean_environment(ground / "home")) as terminal:
                terminal.when(lambda s: "service-00000" in str(s), 60, "the board")
                for number, room in enumerate(ROOMS, 1):
                    terminal.press(str(number))
                    terminal.when(partial(_in_room, room), 30, f"room {number}")
                    time.sleep(SETTLE_S)
                    _within_a_minute(window_s)
                    _look(report, terminal, room, window_s)
                _turn(report, terminal)
    report.note(f"{SERVICES} paused services, each room for {window_s:.0f} s in which no minute turns")


def _within_a_minute(window_s: float) -> None:
    """Wait until a window fits into the minute, with a second to spare at both ends."""
    gone = time.time() % 60
    if not 1 <= gone <= 59 - window_s:
        time.sleep(61 - gone)


def _turn(report: Report, terminal: Pty) -> None:
    """The bytes of a clock that says another minute."""
    gone = time.time() % 60
    time.sleep((58 if gone < 57 else 118) - gone)
    received = terminal.received
    time.sleep(4)
    report.add("the minute turns: bytes on the wire", "B", [terminal.received - received])


def _look(report: Report, terminal: Pty, room: str, window_s: float) -> None:
    pid = terminal.process.pid
    received, cpu, woken, began = terminal.received, threads_cpu_s(pid), _wake_ups(pid), time.monotonic()
    time.sleep(window_s)
    seconds = time.monotonic() - began
    report.add(
        f"{room}: bytes on the wire", "B/s", [(terminal.received - received) / seconds], BUDGET_BYTES_PER_S
    )
    report.add(f"{room}: CPU", "%", [(threads_cpu_s(pid) - cpu) / seconds * 100], BUDGET_CPU_PERCENT)
    report.add(f"{room}: wake-ups", "1/s", [(_wake_ups(pid) - woken) / seconds])


def _in_room(room: str, screen: Screen) -> bool:
    return screen.room() == room


def _wake_ups(pid: int) -> int:
    """How often the threads of a process gave the processor away of their own accord."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            status = (task / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread ended
        total += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("voluntary"))
    return total


if __name__ == "__main__":
    run(measure, "A still screen", __doc__)
