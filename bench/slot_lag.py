"""How late checks start: the lag between a check's slot and its start, over every stored result of a window.

Two loads, 1,000 services every 5 s and 10,000 services every 30 s, each against a local server in its own process.
Lag is read from the stored results; missed slots and overlaps are what the node itself counted since its start.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from processes import Served, counters, rss_mb, services_yaml
from support import Report, run, temporary_ground, until
from target import Target

LOADS = ((1_000, 5, 100.0), (10_000, 30, 50.0))
"""Services, seconds between checks of one, budget of the 99th percentile of lag in milliseconds."""

RSS_BUDGET_MB = 200.0
PATIENCE_S = 120.0


def measure(report: Report, quick: bool) -> None:
    """Measure both loads one after the other."""
    for services, every_s, budget in LOADS:
        window_s = 10.0 if quick else max(60.0, 3.0 * every_s)
        warm_up_s = min(10.0, every_s) if quick else float(every_s)
        _measure(report, services, every_s, budget, warm_up_s, window_s, quick)


def _measure(
    report: Report, services: int, every_s: int, budget: float, warm_up_s: float, window_s: float, quick: bool
) -> None:
    with Target() as target, temporary_ground() as ground:
        config = services_yaml(map(target.url, range(services)), f"{every_s}s")
        with Served(ground, config) as served:
            served.ready(PATIENCE_S)
            if not quick:  # what was never checked is checked early: let that pass
                until(lambda: target.answered() >= services, PATIENCE_S, "a first check of every service")
            time.sleep(warm_up_s)
            began = datetime.now(UTC)
            time.sleep(window_s)
            ended = datetime.now(UTC)
            memory = rss_mb(served.product)
            time.sleep(2.5)  # a node stores its counters every two seconds
            with served.connect() as connection:
                counted = counters(connection)
                row = connection.execute(
                    "SELECT count(*), percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY lag_us), "
                    "count(*) FILTER (WHERE status <> 0) FROM check_results WHERE ts >= %s AND ts < %s",
                    [began, ended],
                ).fetchone()
    assert row is not None
    checks, lags, not_ok = row
    load = f"{services:,} services every {every_s} s"
    expected = services * window_s / every_s
    share = checks / expected * 100
    report.note(
        f"{load}: {checks:,} checks in {window_s:.0f} s, {share:.1f} % of what was due, {not_ok} not ok"
    )
    for name, lag, limit in zip(("p50", "p99", "max"), lags or (0, 0, 0), (None, budget, None), strict=True):
        report.add(f"{load}: lag {name}", "ms", [lag / 1000], limit)
    for name in ("missed", "overlaps"):
        report.add(f"{load}: {name}", "", [counted.get(name, 0.0)], 0.0)
    report.add(f"{load}: resident memory", "MB", [memory], RSS_BUDGET_MB)


if __name__ == "__main__":
    run(measure, "Slot lag", __doc__)
