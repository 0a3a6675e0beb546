"""What people feel of jobs: take-over after a node was killed, a cancel, a list of a million runs, a log that races.

Each by the product's own means: nodes are real processes killed with SIGKILL, a cancel is the operation of the console,
the list is the query of the console, the log comes from a script that numbers its lines.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

from processes import Observer, Served, clean_environment, command, dsn, leave
from support import Report, percentile, run, temporary_ground, until
from watchfloor.operations.actor import Actor
from watchfloor.operations.jobs import cancel, run_now
from watchfloor.store import job_boards
from watchfloor.store.database import Database

LINES = 500_000
RUNS = 1_000_000
CONFIG = """
jobs:
  - name: long
    kind: script
    overlap: allow
    retry: {{attempts: 50, first: 0s}}
    kill_grace: 0s
    run: [/bin/sh, -c, "echo start >> {ledger}; exec sleep 600"]
  - name: told
    kind: script
    overlap: allow
    kill_grace: 5s
    run: [/bin/sh, -c, "trap 'date +%s%N >> {told}; exit 1' TERM; echo here; while :; do sleep 0.01; done"]
  - name: racing
    kind: script
    overlap: allow
    run: [/usr/bin/seq, -f, "line %.0f of a job that prints as fast as it can", "{lines}"]
"""
FILL = """
INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, started_at, finished_at, priority,
    capped, attempt)
SELECT gen_random_uuid(), j.id, 'bench:' || n, 'schedule', CASE WHEN n %% 17 = 0 THEN 'dead' ELSE 'succeeded' END,
    at, at, at, at + interval '1 s', 5, false, 1
FROM generate_series(1, %s) n CROSS JOIN LATERAL (SELECT now() - n * interval '1 s' AS at) t
JOIN jobs j ON j.name = (ARRAY['long', 'told', 'racing'])[1 + n %% 3]
"""
ANN = Actor("bench")


def measure(report: Report, quick: bool) -> None:
    """All of it, one after the other, on one server."""
    lines = LINES // 5 if quick else LINES
    with temporary_ground() as ground:
        ledger, told = ground / "ledger", ground / "told"
        for file in (ledger, told):
            file.touch()
        config = CONFIG.format(ledger=ledger, told=told, lines=lines)
        with Served(ground, config) as served, served.ready().connect() as connection:
            connection.execute(
                "INSERT INTO settings VALUES ('jobs.max_concurrent_runs', '1000', now(), 'bench')"
            )
            connection.execute("NOTIFY watchfloor_pulse, 'settings'")
            _cancels(report, served, connection, told, 20 if quick else 200)
            _racing(report, served, connection, lines)
            _list(report, served, connection, RUNS // 10 if quick else RUNS)
            _take_over(report, ground, served, connection, 3 if quick else 20)


def _ask(served: Served, name: str) -> int:
    async def ask() -> int:
        database = Database(dsn(served.data_dir), name="bench", size=1)
        try:
            return await run_now(database, ANN, name, uuid4())
        finally:
            await database.close()

    return asyncio.run(ask())


def _true(connection: Observer, query: str) -> Callable[[], bool]:
    def look() -> bool:
        row = connection.execute(query.encode()).fetchone()
        return row is not None and bool(row[0])

    return look


def _cancels(report: Report, served: Served, connection: Observer, told: Path, times: int) -> None:
    took = []
    for _ in range(times):
        run_id = _ask(served, "told")
        until(
            _true(connection, f"SELECT count(*) > 0 FROM run_logs WHERE run_id = {run_id}"), 30, "the start"
        )
        before = len(told.read_text().splitlines())
        began = time.time_ns()

        async def act(run_id: int = run_id) -> int:
            database = Database(dsn(served.data_dir), name="bench", size=1)
            async with database.transaction() as warm:
                await warm.execute("SELECT 1")
            started = time.time_ns()
            await cancel(database, ANN, run_id)
            await database.close()
            return started

        began = asyncio.run(act())
        until(lambda seen=before: len(told.read_text().splitlines()) > seen, 30, "SIGTERM")  # type: ignore[misc]
        took.append((int(told.read_text().split()[-1]) - began) / 1e6)
    report.add("cancel to SIGTERM, p50", "ms", [percentile(took, 0.5)])
    report.add("cancel to SIGTERM, p99", "ms", [percentile(took, 0.99)], 150.0)


def _racing(report: Report, served: Served, connection: Observer, lines: int) -> None:
    run_id = _ask(served, "racing")
    until(
        _true(connection, f"SELECT state = 'succeeded' FROM runs WHERE id = {run_id}"),
        300,
        "the end of the race",
    )
    row = connection.execute(
        "SELECT extract(epoch FROM r.finished_at - r.started_at)::float8, count(l.*), min(l.seq), max(l.seq) "
        "FROM runs r JOIN run_logs l ON l.run_id = r.id WHERE r.id = %s GROUP BY 1",
        (run_id,),
    ).fetchone()
    assert row is not None
    assert (row[2], row[3]) == (1, lines), "the head or the tail is not there"
    report.note(
        f"{lines:,} lines in {row[0]:.2f} s, {lines / row[0]:,.0f} a second; {row[1]:,} kept, first and last there"
    )
    report.add("a line of a job that prints much", "us", [1e6 * row[0] / lines], 20.0)


def _list(report: Report, served: Served, connection: Observer, runs: int) -> None:
    connection.execute(FILL.encode(), (runs,))
    connection.execute("ANALYZE runs")

    async def look() -> list[float]:
        database, took = Database(dsn(served.data_dir), name="bench", size=1), []
        last = None
        asked = (
            (None, False, ""),
            ("told", False, ""),
            (None, True, ""),
            (None, False, "dead"),
            ("told", False, "missed"),
        )
        for number in range(200):
            job, dead, state = asked[number % len(asked)]
            began = time.perf_counter()
            async with database.transaction() as reading:
                page = await job_boards.runs(reading, job, dead=dead, before=last, state=state)
            took.append(1000 * (time.perf_counter() - began))
            last = page[-1].id if page and not dead else None
        await database.close()
        return took

    took = asyncio.run(look())
    report.note(
        f"the list of {runs:,} runs, 200 to a page: all, of one job, dead letters, by state; page after page"
    )
    report.add("a page of runs, p50", "ms", [percentile(took, 0.5)])
    report.add("a page of runs, p99", "ms", [percentile(took, 0.99)], 50.0)


def _take_over(report: Report, ground: Path, served: Served, connection: Observer, times: int) -> None:
    took = []
    for number in range(times):
        argv = [
            *command(),
            "--config",
            str(served.config),
            "--data-dir",
            str(served.data_dir),
            "--node",
            f"v{number}",
        ]
        with open(ground / f"v{number}.log", "wb") as log:
            victim = subprocess.Popen(
                [*argv, "serve"], stdout=log, stderr=log, env=clean_environment(ground / "home")
            )
        try:
            working = (
                "SELECT count(*) FROM runs r JOIN workers w ON w.id = r.worker_id JOIN nodes n ON n.id = w.node_id "
                f"WHERE r.state = 'running' AND n.name = 'v{number}'"
            )
            until(
                _true(
                    connection,
                    f"SELECT count(*) > 0 FROM nodes WHERE name = 'v{number}' AND state = 'running'",
                ),
                60,
                "a node",
            )
            until(partial(_one_more, served, connection, working), 60, "a run on the node")
            row = connection.execute(
                f"SELECT r.id FROM runs r JOIN workers w ON w.id = r.worker_id JOIN nodes n ON n.id = w.node_id "
                f"WHERE r.state = 'running' AND n.name = 'v{number}' LIMIT 1".encode()
            ).fetchone()
            assert row is not None
            now = connection.execute("SELECT clock_timestamp()").fetchone()
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
            until(
                _true(connection, f"SELECT attempt > 1 AND state = 'running' FROM runs WHERE id = {row[0]}"),
                60,
                "the take-over",
            )
            started = connection.execute("SELECT started_at FROM runs WHERE id = %s", (row[0],)).fetchone()
            assert now is not None
            assert started is not None
            took.append((started[0] - now[0]).total_seconds())
        finally:
            leave(victim)
    report.add("kill -9 to the next start, p50", "s", [percentile(took, 0.5)])
    report.add("kill -9 to the next start, p99", "s", [percentile(took, 0.99)], 3.0)


def _one_more(served: Served, connection: Observer, working: str) -> bool:
    """Ask for one run more until one goes on where it should."""
    _ask(served, "long")
    return _true(connection, working)()


if __name__ == "__main__":
    run(measure, "Jobs as people feel them", __doc__)
