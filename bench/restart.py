"""A restart at 10,000 services: from the start of the process to checks at their slots again.

The node is killed, not asked to leave, and started anew with its embedded database, which ended with its last user.
Taken is the time from the start of the new process to the end of the first check that started within 50 ms of its slot.
Slots of the time in which nothing ran are missed; none is made up for in a burst.
"""

from __future__ import annotations

import signal
import subprocess
import time
from datetime import UTC, datetime

import psycopg

from processes import Served, clean_environment, command, services_yaml
from support import Report, TooSlow, run, temporary_ground, until
from target import Target

SERVICES, QUICK_SERVICES = 10_000, 2_000
EVERY_S = 30
BUDGET_S = 2.0
PATIENCE_S = 300.0
REPEATS = 3


def measure(report: Report, quick: bool) -> None:
    """Kill and start, again and again."""
    services = QUICK_SERVICES if quick else SERVICES
    firsts: list[float] = []
    with Target() as target, temporary_ground() as ground:
        config = services_yaml(map(target.url, range(services)), f"{EVERY_S}s")
        with Served(ground, config) as served:
            served.ready(PATIENCE_S)
            until(lambda: target.answered() >= services, PATIENCE_S, "a first check of every service")
            process = served.process
            for _ in range(1 if quick else REPEATS):
                process.send_signal(signal.SIGKILL)
                process.wait()
                began = datetime.now(UTC)
                clock = time.monotonic()
                with open(ground / "again.log", "ab") as log:
                    process = subprocess.Popen(
                        [
                            *command(),
                            "--config",
                            str(served.config),
                            "--data-dir",
                            str(served.data_dir),
                            "serve",
                        ],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env=clean_environment(ground / "home"),
                    )
                firsts.append(_resumed(served, began, clock))
                _round(target, services)
            served.process = process
            with served.connect() as connection:
                row = connection.execute(
                    "SELECT max(n) FROM (SELECT count(*) AS n FROM check_results WHERE ts > %s GROUP BY service_id) x",
                    [began],
                ).fetchone()
            assert row is not None
            report.add(
                "start of the process to a check at its slot", "s", firsts, None if quick else BUDGET_S
            )
            report.note(
                f"{services:,} services every {EVERY_S} s; since the last restart at most {row[0]} of one service"
            )


def _round(target: Target, services: int) -> None:
    before = target.answered()
    until(lambda: target.answered() - before >= services, PATIENCE_S, "a round of checks")


def _resumed(served: Served, began: datetime, clock: float) -> float:
    """Seconds until the first result of the new process that is on time is there."""
    while time.monotonic() - clock < PATIENCE_S:
        time.sleep(0.05)
        try:
            with served.connect() as connection:
                row = connection.execute(
                    "SELECT min(ts + took_us * interval '1 microsecond') FROM check_results "
                    "WHERE ts > %s AND lag_us < 50000",
                    [began],
                ).fetchone()
        except (psycopg.OperationalError, TooSlow):
            continue  # nobody used the embedded server any more, so it ended, and starts again with the new process
        if row is not None and row[0] is not None:
            return float((row[0] - began).total_seconds())
    raise TooSlow("no check came back")


if __name__ == "__main__":
    run(measure, "Restart", __doc__)
