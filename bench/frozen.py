"""A client that stops reading: does the engine in the same process feel it, does memory grow, and what is seen on thaw?

The console and its engine run in one process on a terminal; 500 services are checked every second on the screen's
board. The lag of checks is read from the stored results, for a while with a client that reads and for a while with one
that does not.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import psycopg

from processes import clean_environment, command, dsn, rss_mb, services_yaml
from screen import Pty
from support import Report, run, temporary_ground, until
from target import Target
from watchfloor.store.embedded import status

SERVICES = 500


def measure(report: Report, quick: bool) -> None:
    """Read, freeze, thaw."""
    reading_s, frozen_s = (15.0, 15.0) if quick else (60.0, 600.0)
    with Target() as target, temporary_ground() as ground:
        (ground / "config.yaml").write_text(services_yaml(map(target.url, range(SERVICES)), "1s"))
        data_dir = ground / "data"
        argv = [*command(), "--config", str(ground / "config.yaml"), "--data-dir", str(data_dir)]
        with Pty(argv, clean_environment(ground / "home")) as terminal:
            until(lambda: target.answered() > 5 * SERVICES, 90, "five rounds of checks")
            reading = _lag_ms(dsn(data_dir), reading_s)
            before = rss_mb([terminal.process.pid])
            terminal.freeze()
            frozen = _lag_ms(dsn(data_dir), frozen_s)
            after = rss_mb([terminal.process.pid])
            received = terminal.received
            target.fail(range(SERVICES))
            time.sleep(5.0)
            thawed = time.monotonic()
            terminal.thaw()
            present = terminal.when(lambda screen: "failing" in str(screen), 30, "what is true now")
            stale = terminal.received - received
        until(lambda: status(data_dir).state == "stopped", 60, "the database stops")
    report.note(
        f"{SERVICES} services every second; read for {reading_s:.0f} s, not read for {frozen_s:.0f} s"
    )
    for place, name in enumerate(("p50", "p99", "max")):
        report.add(f"lag {name}, client that reads", "ms", [reading[place]])
        report.add(f"lag {name}, client that does not", "ms", [frozen[place]])
    report.add("p99 of the lag: difference", "ms", [frozen[1] - reading[1]], 1.0)
    report.add("memory that came while nobody read", "MB", [after - before], 2.0)
    report.add("from thaw to the present on the screen", "ms", [(present - thawed) * 1000])
    report.add("bytes from thaw until then", "B", [stale])


def _lag_ms(address: str, seconds: float) -> list[float]:
    """The median, the 99th percentile and the maximum of what is checked from now on (milliseconds)."""
    began = datetime.now(UTC)
    time.sleep(seconds)
    ended = datetime.now(UTC)
    time.sleep(1.0)  # results are stored in batches
    with psycopg.connect(address) as connection:
        row = connection.execute(
            "SELECT percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY lag_us) FROM check_results "
            "WHERE ts >= %s AND ts < %s",
            [began, ended],
        ).fetchone()
    assert row is not None
    return [lag / 1000 for lag in row[0]]


if __name__ == "__main__":
    run(measure, "A client that stops reading", __doc__)
