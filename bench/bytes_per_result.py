"""Bytes that a stored result takes: packed, and beside it in full, by the size of relations over their rows.

A day of results is made by SQL in an embedded database, with latencies that vary as real ones do, a failure in two
hundred and a retry after it; then it is packed as the roller packs closed hours. Sizes are those of the tables with
their indexes and TOAST, after a vacuum. Three rhythms, because a row costs the same however little is in it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from support import Report, run, temporary_ground
from watchfloor.store import packing
from watchfloor.store.database import Connection, Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.health import clock
from watchfloor.store.partitions import ensure_partitions
from watchfloor.store.schema import ensure_schema

RHYTHMS = ((30, 200), (60, 300), (300, 500))
"""Seconds between checks, and services."""
BUDGET = 4.0

_SERVICES = """
INSERT INTO services (uuid, name, kind, settings, every_ms, retry_every_ms, timeout_ms, max_attempts,
    recover_attempts, group_name, tags, description, runbook, owner, origin)
SELECT gen_random_uuid(), 'service-' || %(every)s || '-' || n, 'http', '{}', %(every)s * 1000, 30000, 10000, 3, 1, '',
    '{}', '', '', 'file', ''
FROM generate_series(1, %(count)s) n RETURNING id
"""

_RESULTS = """
INSERT INTO check_results (service_id, took_us, ts, node_id, status, latency_us, lag_us, phases, summary)
SELECT id, us, at + lag * interval '1 microsecond', 1, CASE WHEN bad THEN 2 ELSE 0 END,
    CASE WHEN bad THEN NULL ELSE us END, lag, ARRAY[0, us / 5, 0, us / 2, us / 10], CASE WHEN bad THEN 'refused' END
FROM (
    SELECT id, %(start)s::timestamptz
            + (n * %(every)s * 1000 + id * 7919 %% (%(every)s * 1000)) * interval '1 millisecond' AS at,
        exp(9 + 1.2 * (random() + random() + random() - 1.5))::int AS us,
        (random() * 5000)::int AS lag, random() < 0.005 AS bad
    FROM unnest(%(ids)s::int[]) id, generate_series(0, %(count)s - 1) n
) x
"""


def measure(report: Report, quick: bool) -> None:
    """Make, pack and weigh."""
    with temporary_ground() as ground:
        asyncio.run(_measure(report, ground, 10 if quick else 1))


async def _measure(report: Report, ground: Path, divisor: int) -> None:
    with Embedded.start(ground / "data") as server:
        database = Database(server.dsn, name="bench", statement_timeout=600)
        await ensure_schema(database)
        connection = await database.connect()
        today = (await clock(connection)).replace(hour=0, minute=0, second=0, microsecond=0)
        start = today - timedelta(days=1)
        async with database.transaction() as making:
            await ensure_partitions(making, start.date(), ahead=1)
        for every, services in RHYTHMS:
            await _rhythm(report, connection, start, every, services // divisor)
        await connection.close()
        await database.close()


async def _rhythm(report: Report, connection: Connection, start: datetime, every: int, services: int) -> None:
    for table in ("check_results", "check_packed"):
        await connection.execute(f"TRUNCATE {table}".encode())
    cursor = await connection.execute(_SERVICES, {"every": every, "count": services})
    ids = [row[0] for row in await cursor.fetchall()]
    await connection.execute(
        "UPDATE service_versions SET began = %(start)s WHERE service_id = ANY(%(ids)s)",
        {"start": start - timedelta(days=1), "ids": ids},
    )
    asked = {"start": start, "every": every, "ids": ids, "count": 86_400 // every}
    await connection.execute(_RESULTS, asked)
    for hour in range(1, 25):
        for place in range(0, len(ids), 500):
            await packing.pack(connection, ids[place : place + 500], start + timedelta(hours=hour))
    await connection.execute("VACUUM check_results, check_packed")
    row = await (await connection.execute("SELECT count(*) FROM check_results")).fetchone()
    packed = await (
        await connection.execute("SELECT sum(length(codes)) / 2, count(*) FROM check_packed")
    ).fetchone()
    assert row is not None
    assert packed is not None
    results = int(row[0])
    assert int(packed[0]) == results, "a packed result for every result"
    report.note(f"every {every} s: {services:,} services, {results:,} results in {packed[1]:,} blocks")
    report.add(f"packed, every {every} s", "B", [await _size(connection, "check_packed") / results], BUDGET)
    report.add(f"in full, every {every} s", "B", [await _size(connection, "check_results") / results])


async def _size(connection: Connection, table: str) -> float:
    """Of those partitions that hold anything: an empty one takes three pages."""
    cursor = await connection.execute(
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = to_regclass(%s) "
        "AND pg_relation_size(inhrelid) > 0",
        (table,),
    )
    row = await cursor.fetchone()
    assert row is not None
    return float(row[0])


if __name__ == "__main__":
    run(measure, "Bytes per stored result", __doc__)
