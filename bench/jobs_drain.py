"""How fast one node carries out runs that do nothing: claim, attempt, end and history of each, all of it durable.

The runs are there before the clock starts; it goes from the start of the first to the end of the last. Peers that
the interpreter named by WATCHFLOOR_PEERS has installed (procrastinate, pgqueuer with psycopg) do the same on the same
server in the same run; what is missing is said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from processes import Observer, Served, dsn
from support import Report, percentile, run, temporary_ground, until

RUNS = 50_000
MOST_OF_PEERS = 10_000
"""Jobs a peer is given: its rate does not depend on their number."""

PEERS = ("procrastinate", "pgqueuer")
BUDGET_MS = 0.5
"""2,000 runs a second."""

CONFIG = "jobs:\n  - {name: nothing, kind: dummy, overlap: allow}\n"
FILL = """
INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, priority, capped)
SELECT gen_random_uuid(), j.id, %s || n, 'manual', 'ready', now(), now(), 5, false
FROM jobs j, generate_series(1, %s) n
"""


def measure(report: Report, quick: bool) -> None:
    """Drain the same number of runs, some times over."""
    runs = 5_000 if quick else RUNS
    took = []
    with (
        temporary_ground() as ground,
        Served(ground, CONFIG) as served,
        served.ready().connect() as connection,
    ):
        connection.execute("INSERT INTO settings VALUES ('jobs.max_concurrent_runs', '200', now(), 'bench')")
        connection.execute("NOTIFY watchfloor_pulse, 'settings'")
        for turn in range(1 if quick else 3):
            connection.execute("TRUNCATE runs CASCADE")
            connection.execute(FILL, [f"bench:{turn}:", runs])
            until(partial(_done, connection), 300, "the end of all runs")
            row = connection.execute(
                "SELECT extract(epoch FROM max(finished_at) - min(started_at))::float8 FROM runs"
            ).fetchone()
            took.append(1000 * row[0] / runs if row is not None else 0.0)
        peers = {name: _peer(name, dsn(served.data_dir), runs) for name in PEERS}
    report.note(f"{runs:,} runs at a time; {1000 / sorted(took)[len(took) // 2]:,.0f} runs a second")
    report.add("one run of a job that does nothing", "ms", took, BUDGET_MS)
    for name, found in peers.items():
        if isinstance(found, str):
            report.note(f"{name} was not measured: {found}")
            continue
        drained, starts = found["jobs"], found["start_ms"]
        report.add(f"{name}: one job that does nothing", "ms", [1000 * found["drain_s"] / drained])
        report.add(f"{name}: asked to start, p50", "ms", [percentile(starts, 0.5)])
        report.add(f"{name}: asked to start, p99", "ms", [percentile(starts, 0.99)])


def _peer(name: str, address: str, runs: int) -> dict[str, Any] | str:
    """What a peer needs for the same, with a database of its own on the same server; why not, where it cannot."""
    python = os.environ.get("WATCHFLOOR_PEERS", sys.executable)
    if subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False).returncode:
        return f"not installed for {Path(python).name}; set WATCHFLOOR_PEERS to an interpreter that has it"
    jobs = min(runs, MOST_OF_PEERS)
    database = f"peer_{name}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    program = [python, str(Path(__file__).with_name("peer_jobs.py")), name]
    own = address.replace("/watchfloor?", f"/{database}?")
    try:
        done = subprocess.run(
            [*program, own, str(jobs)], capture_output=True, text=True, check=False, timeout=600
        )
    except subprocess.TimeoutExpired:
        return "it did not end within 10 minutes"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it failed"])[-1][:200]
    return {**json.loads(done.stdout.splitlines()[-1]), "jobs": jobs}


def _done(connection: Observer) -> bool:
    row = connection.execute("SELECT NOT EXISTS (SELECT FROM runs WHERE state <> 'succeeded')").fetchone()
    return row is not None and bool(row[0])


if __name__ == "__main__":
    run(measure, "Draining runs of jobs", __doc__)
