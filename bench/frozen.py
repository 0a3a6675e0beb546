"""A client that stops reading: does the engine in the same process feel it, does memory grow, and what is seen on thaw?

The console and its engine run in one process on a terminal; 500 services are checked every second on the screen's
board. The lag of checks is read from the stored results, in turn with a client that reads and with one that does not,
so that what else the machine does falls on both; then the client stops for ten minutes.
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
    pairs, window_s, frozen_s = (2, 10.0, 15.0) if quick else (8, 30.0, 600.0)
    with Target() as target, temporary_ground() as ground:
        (ground / "config.yaml").write_text(services_yaml(map(target.url, range(SERVICES)), "1s"))
        data_dir = ground / "data"
        argv = [*command(), "--config", str(ground / "config.yaml"), "--data-dir", str(data_dir)]
        with Pty(argv, clean_environment(ground / "home")) as terminal:
            until(lambda: target.answered() > 5 * SERVICES, 90, "five rounds of checks")
            address, pid = dsn(data_dir), terminal.process.pid
            reading, frozen = _in_turn(terminal, address, pairs, window_s)
            before = rss_mb([pid])
            terminal.freeze()
            long = _lag_ms(address, frozen_s)
            after = rss_mb([pid])
            received = terminal.received
            target.fail(range(SERVICES))
            time.sleep(5.0)
            thawed = time.monotonic()
            terminal.thaw()
            present = terminal.when(lambda screen: "failing" in str(screen), 30, "what is true now")
            stale = terminal.received - received
        until(lambda: status(data_dir).state == "stopped", 60, "the database stops")
    report.note(
        f"{SERVICES} services every second; {pairs} times {window_s:.0f} s read and {window_s:.0f} s not read, "
        f"then not read for {frozen_s:.0f} s"
    )
    for place, name in enumerate(("p50", "p99", "max")):
        report.add(f"lag {name}, client that reads", "ms", [lag[place] for lag in reading])
        report.add(f"lag {name}, client that does not", "ms", [lag[place] for lag in frozen])
    beside = list(zip(reading, frozen, strict=True))
    report.add("p99 of the lag: difference within a pair", "ms", [f[1] - r[1] for r, f in beside], 1.0)
    report.add("p99 of the lag: ratio within a pair", "", [f[1] / r[1] for r, f in beside])
    report.add(f"lag p99 over {frozen_s:.0f} s without a reader", "ms", [long[1]])
    report.add(f"memory that came in {frozen_s:.0f} s without a reader", "MB", [after - before], 2.0)
    report.add("from thaw to the present on the screen", "ms", [(present - thawed) * 1000])
    report.add("bytes from thaw until then", "B", [stale])


def _in_turn(
    terminal: Pty, address: str, pairs: int, window_s: float
) -> tuple[list[list[float]], list[list[float]]]:
    """The lags of windows in which the client reads, and of the windows after them in which it does not."""
    reading, frozen = [], []
    for _ in range(pairs):
        reading.append(_lag_ms(address, window_s))
        terminal.freeze()
        time.sleep(2.0)  # until the terminal is full
        frozen.append(_lag_ms(address, window_s))
        terminal.thaw()
        time.sleep(1.0)
    return reading, frozen


def _lag_ms(address: str, seconds: float) -> list[float]:
    """The median, the 99th percentile and the maximum of what is checked from now on (milliseconds)."""
    began = datetime.now(UTC)
    time.sleep(seconds)
    ended = datetime.now(UTC)
    time.sleep(2.5)  # results are stored in batches
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
