"""An hour of 10,000 services every 30 s with the console open: lag, missed slots, memory, CPU, what is stored.

One engine, headless, and a console on a terminal of 160 by 50 that is attached to it and shows the board. Lag is read
from every stored result of the hour; missed slots and overlaps are what the node counted in it. The load of the machine
is sampled all along, because a figure of a busy machine is a figure of the machine.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from statistics import median

from processes import Served, clean_environment, command, counters, cpu_s, rss_mb, services_yaml, tree
from screen import Pty
from support import Report, percentile, run, temporary_ground, until
from target import Target

SERVICES = 10_000
EVERY_S = 30
LAG_BUDGET_MS = 50.0
CPU_BUDGET_MS = 0.44
RSS_BUDGET_MB = 200.0
PATIENCE_S = 300.0
SAMPLE_S = 10.0


def measure(report: Report, quick: bool) -> None:
    """Run the hour, or two minutes of it."""
    window_s = 120.0 if quick else 3600.0
    with Target() as target, temporary_ground() as ground:
        config = services_yaml(map(target.url, range(SERVICES)), f"{EVERY_S}s")
        with Served(ground, config) as served:
            served.ready(PATIENCE_S)
            attach = ["--config", str(served.config), "--data-dir", str(served.data_dir), "attach"]
            with Pty([*command(), *attach], clean_environment(ground / "home"), (160, 50)) as terminal:
                terminal.when(lambda screen: "service-0" in str(screen), PATIENCE_S, "the board")
                until(lambda: target.answered() >= SERVICES, PATIENCE_S, "a first check of every service")
                time.sleep(EVERY_S)
                _hour(report, target, served, terminal, window_s)


def _hour(report: Report, target: Target, served: Served, terminal: Pty, window_s: float) -> None:
    with served.connect() as connection:
        before = counters(connection)
        began, answered, cpu = datetime.now(UTC), target.answered(), cpu_s(served.everything)
        loads, engine, console = [], [], []
        deadline = time.monotonic() + window_s
        while time.monotonic() < deadline:
            time.sleep(min(SAMPLE_S, max(0.0, deadline - time.monotonic())))
            loads.append(os.getloadavg()[0])
            engine.append(rss_mb(served.product))
            console.append(rss_mb(tree(terminal.process.pid)))
            terminal.chunks.clear()  # what was drawn is of no interest here
        ended, checks = datetime.now(UTC), target.answered() - answered
        spent = cpu_s(served.everything) - cpu
        time.sleep(2.5)  # a node stores its counters every two seconds
        after = counters(connection)
        row = connection.execute(
            "SELECT count(*), percentile_disc(ARRAY[0.5, 0.99, 0.999, 1]) WITHIN GROUP (ORDER BY lag_us), "
            "count(*) FILTER (WHERE status <> 0) FROM check_results WHERE ts >= %s AND ts < %s",
            [began, ended],
        ).fetchone()
        rolled = connection.execute("SELECT count(*) FROM result_1m WHERE ts >= %s", [began]).fetchone()
    assert row is not None
    assert rolled is not None
    stored, lags, not_ok = row
    due = SERVICES * window_s / EVERY_S
    report.note(
        f"{stored:,} results stored in {window_s:.0f} s, {stored / due * 100:.1f} % of what was due, {not_ok} not ok; "
        f"{rolled[0]:,} minutes rolled up; load of the machine {min(loads):.1f} to {max(loads):.1f}, "
        f"median {median(loads):.1f}, 90 % below {percentile(loads, 0.9):.1f}"
    )
    names = ("p50", "p99", "p99.9", "max")
    for name, lag, budget in zip(names, lags or (0,) * 4, (None, LAG_BUDGET_MS, None, None), strict=True):
        report.add(f"lag {name}", "ms", [lag / 1000], budget)
    for name in ("missed", "overlaps"):
        report.add(name, "", [after.get(name, 0.0) - before.get(name, 0.0)], 0.0)
    report.add("CPU per check, all of it", "ms", [spent / max(1, checks) * 1000], CPU_BUDGET_MS)
    report.add("engine: RSS, highest", "MB", [max(engine)], RSS_BUDGET_MB)
    report.add("console: RSS, highest", "MB", [max(console)], RSS_BUDGET_MB)


if __name__ == "__main__":
    run(measure, "One hour at full load", __doc__)
