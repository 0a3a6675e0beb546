"""From the moment a job is due, or asked for, to the start of its run; and the take-over after a node was killed.

Times are those of the database: the nominal time, or that of the row, to the start that the claim wrote. Of a request
it is also counted from when whoever asks had read the clock, which is an exchange earlier. The peers (see job_peers.py)
are asked on the same server in the same run, each by itself; procrastinate by the times of its own events.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from job_peers import PEERS, peer
from processes import Observer, Served, dsn
from support import Report, percentile, run, temporary_ground, until
from watchfloor.operations.actor import Actor
from watchfloor.operations.jobs import run_now
from watchfloor.store.database import Database

JOBS = 100
CROWD = 1_000


def measure(report: Report, quick: bool) -> None:
    """A hundred fires a second, a hundred requests a second, then a thousand at one moment."""
    seconds = 5 if quick else 60
    moment = datetime.now(UTC) + timedelta(seconds=seconds * 2 + 25)
    with (
        temporary_ground() as ground,
        Served(ground, _config(moment)) as served,
        served.ready().connect() as connection,
    ):
        connection.execute("INSERT INTO settings VALUES ('jobs.max_concurrent_runs', '1000', now(), 'bench')")
        connection.execute("NOTIFY watchfloor_pulse, 'settings'")
        time.sleep(seconds + 2)  # it fires meanwhile
        due = _lags(
            connection,
            "scheduled_for",
            f"r.origin = 'schedule' AND r.created_at > now() - interval '{seconds} s'",
        )
        connection.execute("UPDATE schedules SET state = 'paused' WHERE spec->>'kind' = 'interval'")
        asyncio.run(_ask(dsn(served.data_dir), seconds))
        asked = _lags(connection, "created_at", "r.origin = 'manual'")
        whole = _lags(connection, "scheduled_for", "r.origin = 'manual'")
        until(partial(_crowd_done, connection), 120, "the crowd")
        crowd = _lags(connection, "scheduled_for", "j.name LIKE 'crowd-%'")
        peers = {name: peer(name, dsn(served.data_dir), 100) for name in PEERS}
    report.note(f"{len(due):,} fires and {len(asked):,} requests at 100 a second each")
    report.add("due to start, p50", "ms", [percentile(due, 0.5)], 5.0)
    report.add("due to start, p99", "ms", [percentile(due, 0.99)], 20.0)
    report.add("asked to start, p50", "ms", [percentile(asked, 0.5)], 3.4)
    report.add("asked to start, p99", "ms", [percentile(asked, 0.99)], 6.0)
    report.add("the clock read to start, p50", "ms", [percentile(whole, 0.5)])
    report.add("the clock read to start, p99", "ms", [percentile(whole, 0.99)])
    for name, found in peers.items():
        if isinstance(found, str):
            report.note(f"{name} was not measured: {found}")
            continue
        for share in (0.5, 0.99):
            lag = percentile(found["start_ms"], share)
            report.add(f"{name}: asked to start, p{100 * share:.0f}", "ms", [lag])
    report.add(f"the last of {CROWD:,} due at one moment", "ms", [max(crowd, default=0.0)], 1000.0)


def _config(moment: datetime) -> str:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    lines = ["jobs:"]
    for number in range(JOBS):
        anchor = (first + timedelta(milliseconds=10 * number)).isoformat()
        schedule = f"{{every: 1s, anchor: '{anchor}'}}"
        lines.append(f"  - {{name: due-{number:03}, kind: dummy, overlap: allow, schedules: [{schedule}]}}")
    for number in range(CROWD):
        schedule = f"{{at: '{moment.isoformat()}'}}"
        lines.append(f"  - {{name: crowd-{number:04}, kind: dummy, overlap: allow, schedules: [{schedule}]}}")
    lines.append("  - {name: asked, kind: dummy, overlap: allow}")
    return "\n".join(lines) + "\n"


async def _ask(address: str, seconds: int) -> None:
    database, somebody = Database(address, name="bench"), Actor("bench")
    began = time.monotonic()
    for number in range(seconds * 100):
        await asyncio.sleep(max(0.0, began + number / 100 - time.monotonic()))
        await run_now(database, somebody, "asked", uuid4())
    await database.close()


def _lags(connection: Observer, since: str, which: str) -> list[float]:
    """Milliseconds from a moment of each run to its start."""
    rows = connection.execute(
        f"SELECT extract(epoch FROM r.started_at - r.{since})::float8 * 1000 FROM runs r "
        f"JOIN jobs j ON j.id = r.job_id WHERE r.started_at IS NOT NULL AND r.missed = 0 AND {which}".encode()
    ).fetchall()
    return [row[0] for row in rows]


def _crowd_done(connection: Observer) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM runs r JOIN jobs j ON j.id = r.job_id "
        "WHERE j.name LIKE 'crowd-%' AND r.state = 'succeeded'"
    ).fetchone()
    return row is not None and row[0] == CROWD


if __name__ == "__main__":
    run(measure, "From due to start", __doc__)
