"""The uptime board of 10,000 services with a year of history: 24 h, 7 d, 30 d, 90 d and 365 d of every service.

The year is made by SQL in an embedded database: spans with an outage every few days, and the totals of each day that
the roller keeps. Read as the command and the console read it, up to the rows in this process; beside it one service.
"""

from __future__ import annotations

import asyncio
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from processes import cpu_s
from support import Report, run, temporary_ground
from watchfloor.engine.node import Node
from watchfloor.engine.roller import Roller
from watchfloor.store import uptime
from watchfloor.store.database import Connection, Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.health import clock
from watchfloor.store.partitions import ensure_days
from watchfloor.store.pulse import Pulse
from watchfloor.store.rollups import DAY, move_watermark
from watchfloor.store.schema import ensure_schema

SERVICES, QUICK_SERVICES = 10_000, 1_000
DAYS = 370
OUTAGES = 60
"""Of each service in that time."""
BUDGET_MS = 1000.0
REPEATS = 7

_SERVICES = """
INSERT INTO services (uuid, name, kind, settings, every_ms, retry_every_ms, timeout_ms, max_attempts,
    recover_attempts, group_name, tags, description, runbook, owner, origin)
SELECT gen_random_uuid(), 'service-' || n, 'http', '{}', 30000, 30000, 10000, 3, 1, '', '{}', '', '', 'file', ''
FROM generate_series(1, %(count)s) n
"""

_SPANS = """
INSERT INTO state_spans (service_id, began, ended, state)
SELECT id, at, coalesce(lead(at) OVER (PARTITION BY id ORDER BY at), CASE WHEN at >= %(last)s THEN NULL ELSE at END),
    state
FROM (
    SELECT s.id, %(start)s::timestamptz + (n + random() * 0.5) * %(step)s::interval AS at, 'up' AS state
    FROM services s, generate_series(0, %(outages)s) n
    UNION ALL
    SELECT s.id, %(start)s::timestamptz + (n + 0.5 + random() * 0.49) * %(step)s::interval, 'down'
    FROM services s, generate_series(0, %(outages)s - 1) n
) x
"""


def measure(report: Report, quick: bool) -> None:
    """Make the year and read it."""
    with temporary_ground() as ground:
        asyncio.run(_measure(report, ground, QUICK_SERVICES if quick else SERVICES, 60 if quick else DAYS))


async def _measure(report: Report, ground: Path, services: int, days: int) -> None:
    with Embedded.start(ground / "data") as server:
        database = Database(server.dsn, name="bench", statement_timeout=600)
        await ensure_schema(database)
        connection = await database.connect()
        now = await _make(connection, database, services, days)
        board = [await _timed(connection, now) for _ in range(REPEATS)]
        row = await (await connection.execute("SELECT count(*) FROM uptime_1d")).fetchone()
        spans = await (await connection.execute("SELECT count(*) FROM state_spans")).fetchone()
        one = []
        for service_id in range(1, 200):
            began = time.perf_counter()
            await uptime.uptime_between(
                connection, service_id, [(now - length, now) for length in uptime.WINDOWS.values()]
            )
            one.append((time.perf_counter() - began) * 1000)
        assert row is not None
        assert spans is not None
        report.note(f"{services:,} services, {days} days: {row[0]:,} rows of totals, {spans[0]:,} spans")
        report.add("board of every service, five windows", "ms", [wall for wall, _ in board], BUDGET_MS)
        report.add("its CPU, server and reader", "ms", [spent for _, spent in board])
        report.add("one service, five windows", "ms", one)
        await connection.close()
        await database.close()


async def _make(connection: Connection, database: Database, services: int, days: int) -> datetime:
    now = await clock(connection)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) - DAY * days
    await connection.execute(_SERVICES, {"count": services})
    step = (now - start) / (OUTAGES + 1)
    await connection.execute("ALTER TABLE state_spans DISABLE TRIGGER USER")
    await connection.execute(
        _SPANS, {"start": start, "outages": OUTAGES, "step": step, "last": now - step * 1.0}
    )
    await connection.execute("ALTER TABLE state_spans ENABLE TRIGGER USER")
    await connection.execute("ANALYZE state_spans, services")
    async with database.transaction() as making:
        await ensure_days(
            making, "uptime_1d", sorted({(start + DAY * n).date().replace(day=1) for n in range(days + 2)})
        )
        for name in ("minute", "hour", "day", "pack"):  # of results there are none
            await move_watermark(making, name, now - timedelta(minutes=1))
    roller = Roller(Node(1, "bench", database, Pulse(database), {}))
    await roller.once(connection, now + timedelta(minutes=5))
    await connection.execute("VACUUM ANALYZE uptime_1d")
    return now


async def _timed(connection: Connection, now: datetime) -> tuple[float, float]:
    """Milliseconds on the clock and of CPU."""
    both = {os.getpid(), connection.info.backend_pid}
    began, spent = time.perf_counter(), cpu_s(both)
    async with connection.transaction():
        await uptime.uptime_board(connection, now)
    return (time.perf_counter() - began) * 1000, (cpu_s(both) - spent) * 1000


if __name__ == "__main__":
    run(measure, "Uptime board of a year", __doc__)
