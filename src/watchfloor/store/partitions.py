"""Partitions of the fact tables, daily or monthly: created ahead, dropped when retention ends.

This is the only place that names a leaf or issues partition DDL, so that another engine for facts would be a
change of this file. There is no DEFAULT partition: it would forbid ``DETACH ... CONCURRENTLY`` and would be
scanned at every attach.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from watchfloor.store.database import Connection, Database, fetch_column, fetch_value

DAILY = {
    "check_results": "ts",
    "metric_raw": "ts",
    "logs": "ts",
    "task_runs": "started_at",
    "run_logs": "ts",
    "run_archive": "finished_at",
    "result_1m": "ts",
    "metric_1m": "ts",
}
MONTHLY = {
    "check_packed": "ts",
    "result_1h": "ts",
    "metric_1h": "ts",
    "result_1d": "ts",
    "metric_1d": "ts",
    "uptime_1d": "ts",
}
FACTS = {**DAILY, **MONTHLY}
"""Fact tables and the column that they are partitioned by: by the day, or by the month where a day holds little."""

AHEAD = 4
"""Days created beyond today."""

_LOCK = 0x5746_0002  # one creation at a time
_DROP_LOCK = 0x5746_0003  # one retention at a time: nodes would get in each other's way


def bounds(table: str, day: date) -> tuple[date, date]:
    """The first day of the partition that holds ``day``, and the first day after it.

    >>> bounds("result_1h", date(2031, 12, 9))
    (datetime.date(2031, 12, 1), datetime.date(2032, 1, 1))
    """
    if table in DAILY:
        return day, day + timedelta(days=1)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def leaf(table: str, day: date) -> str:
    """The name of the partition that holds one day."""
    return f"{table}_p{bounds(table, day)[0]:%Y%m%d}"


async def ensure_partitions(connection: Connection, today: date, ahead: int = AHEAD) -> int:
    """Create what is missing from yesterday to ``ahead`` days from ``today`` (UTC); returns how many."""
    await connection.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": _LOCK})
    wanted = [today + timedelta(days=offset) for offset in range(-1, ahead + 1)]
    existing = await fetch_column(
        connection,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent::regclass::text = ANY(%(facts)s)",
        {"facts": list(FACTS)},
    )
    there = set(existing)
    created = 0
    for table, column in FACTS.items():
        for day in wanted:
            if leaf(table, day) not in there:
                await _create(connection, table, column, day)
                there.add(leaf(table, day))
                created += 1
    return created


async def ensure_days(connection: Connection, table: str, days: Sequence[date]) -> None:
    """Create the partitions of ``days`` of one table that are missing: for facts about what is long over."""
    await connection.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": _LOCK})
    for day in days:
        if await fetch_value(connection, "SELECT to_regclass(%(leaf)s)", {"leaf": leaf(table, day)}) is None:
            await _create(connection, table, FACTS[table], day)


async def _create(connection: Connection, table: str, column: str, day: date) -> None:
    # LIKE + CHECK + ATTACH takes only SHARE UPDATE EXCLUSIVE on the parent; PARTITION OF would lock out readers.
    name, (low, high) = leaf(table, day), (each.isoformat() for each in bounds(table, day))
    bound = f"{column} >= '{low} 00:00:00+00' AND {column} < '{high} 00:00:00+00'"
    for statement in (
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL, CONSTRAINT {name}_day CHECK ({bound}))",
        f"ALTER TABLE {table} ATTACH PARTITION {name} "
        f"FOR VALUES FROM ('{low} 00:00:00+00') TO ('{high} 00:00:00+00')",
        f"ALTER TABLE {name} DROP CONSTRAINT {name}_day",
    ):
        await connection.execute(statement)


async def oldest_day(connection: Connection, table: str) -> datetime | None:
    """Since when the facts of ``table`` are kept without a gap: the start of its oldest day. None: there is none."""
    name = await fetch_value(
        connection,
        "SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = to_regclass(%(table)s)",
        {"table": table},
    )
    return None if name is None else datetime.strptime(f"{name[-8:]}+0000", "%Y%m%d%z")


async def expired_partitions(connection: Connection, table: str, before: date) -> list[str]:
    """Leaves of ``table`` that lie before ``before`` as a whole, oldest first.

    With them those that were detached already, by a run of retention that was cut off before it dropped them.
    """
    rows = await fetch_column(
        connection,
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ %(pattern)s AND relnamespace = "
        "(SELECT relnamespace FROM pg_class WHERE oid = to_regclass(%(table)s)) ORDER BY relname",
        {"table": table, "pattern": f"^{table}_p[0-9]{{8}}$"},
    )
    return [name for name in rows if name < leaf(table, before)]


async def drop_partition(database: Database, table: str, name: str) -> None:
    """Detach and drop one leaf without making writers wait.

    Raises ``psycopg.errors.LockNotAvailable`` when a reader holds it or another node is at it. What was begun is
    finished by the next call for the same leaf, which must come before any other leaf of its table.
    """
    connection = await database.connect()
    try:
        await connection.execute("SET lock_timeout = '200ms'")
        await connection.execute("SELECT pg_advisory_lock(%s)", (_DROP_LOCK,))
        pending = await connection.execute(
            "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass(%s)", (name,)
        )
        row = await pending.fetchone()
        if row is not None:
            how = "FINALIZE" if row[0] else "CONCURRENTLY"
            await connection.execute(f"ALTER TABLE {table} DETACH PARTITION {name} {how}".encode())
        await connection.execute(f"DROP TABLE IF EXISTS {name}".encode())
    finally:
        await connection.close()
