"""Daily partitions: there before they are needed, gone when their time is over, whatever cuts in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from support.sql import column, one, rows
from watchfloor.store.database import Database
from watchfloor.store.partitions import (
    AHEAD,
    DAILY,
    MONTHLY,
    drop_partition,
    ensure_partitions,
    expired_partitions,
    leaf,
)

TODAY = date(2031, 3, 30)
OLD = date(2031, 1, 5)


async def ensure(database: Database, day: date, ahead: int = AHEAD) -> int:
    async with database.transaction() as connection:
        return await ensure_partitions(connection, day, ahead)


async def expired(database: Database, before: date) -> list[str]:
    async with database.transaction() as connection:
        return await expired_partitions(connection, "logs", before)


async def leaves(database: Database, table: str = "logs") -> list[str]:
    return await column(
        database,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(%(table)s) ORDER BY 1",
        table=table,
    )


async def write(database: Database, moment: datetime) -> None:
    await rows(
        database,
        "INSERT INTO logs (source_id, ts, id, sev, channel_id, msg) VALUES (1, %(ts)s, 1, 9, 1, 'x')",
        ts=moment,
    )


@asynccontextmanager
async def reader(database: Database, name: str) -> AsyncIterator[psycopg.AsyncConnection[tuple[object, ...]]]:
    """Somebody who is in the middle of reading ``name``."""
    connection = await database.connect()
    await connection.set_autocommit(False)
    try:
        await connection.execute(f"SELECT count(*) FROM {name}".encode())
        yield connection
    finally:
        await connection.close()


async def test_yesterday_to_four_days_ahead_are_there_for_every_fact_table(database: Database) -> None:
    assert await ensure(database, TODAY) == (AHEAD + 2) * len(DAILY) + 2 * len(MONTHLY), "April begins, too"
    wanted = [leaf("logs", TODAY + timedelta(days=offset)) for offset in range(-1, AHEAD + 1)]
    assert await leaves(database) == wanted
    assert await ensure(database, TODAY) == 0
    assert await ensure(database, TODAY + timedelta(days=1)) == len(DAILY)


async def test_a_day_begins_and_ends_at_midnight_utc_whatever_clocks_are_changed(database: Database) -> None:
    await rows(database, "SET timezone = 'Europe/Berlin'")
    await ensure(database, TODAY)
    for moment in (
        datetime(2031, 3, 30, tzinfo=UTC),
        datetime(2031, 3, 30, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2031, 3, 31, tzinfo=UTC),
    ):
        await write(database, moment)
    found = await rows(database, "SELECT tableoid::regclass::text, count(*) FROM logs GROUP BY 1 ORDER BY 1")
    assert found == [("logs_p20310330", 2), ("logs_p20310331", 1)]


async def test_nodes_that_create_at_once_do_not_collide(database: Database) -> None:
    counts = await asyncio.gather(*(ensure(database, TODAY) for _ in range(4)))
    assert sorted(counts) == [0, 0, 0, (AHEAD + 2) * len(DAILY) + 2 * len(MONTHLY)]


async def test_creation_does_not_wait_for_readers(database: Database) -> None:
    await ensure(database, TODAY)
    async with reader(database, "logs"):
        assert await asyncio.wait_for(ensure(database, TODAY + timedelta(days=30)), 5) > 0


async def test_a_table_of_another_schema_does_not_count_as_a_partition(database: Database) -> None:
    await rows(database, "CREATE SCHEMA other")
    await rows(database, "CREATE TABLE other.logs (ts timestamptz) PARTITION BY RANGE (ts)")
    await rows(
        database,
        f"CREATE TABLE other.{leaf('logs', TODAY)} PARTITION OF other.logs "
        "FOR VALUES FROM ('2031-03-30') TO ('2031-03-31')",
    )
    await ensure(database, TODAY)
    await write(database, datetime(2031, 3, 30, 12, tzinfo=UTC))


async def test_after_a_long_outage_the_days_in_between_are_not_made(database: Database) -> None:
    await ensure(database, OLD)
    await ensure(database, TODAY)
    assert leaf("logs", OLD + timedelta(days=30)) not in await leaves(database)


async def test_leaves_attached_and_made_by_hand_are_left_alone(database: Database) -> None:
    await rows(
        database,
        "CREATE TABLE archive_of_2020 PARTITION OF logs FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
    )
    assert "archive_of_2020" not in await expired(database, TODAY)


async def test_only_whole_days_before_the_limit_expire_the_oldest_first(database: Database) -> None:
    await ensure(database, OLD, ahead=2)
    days = [OLD + timedelta(days=offset) for offset in (-1, 0, 1)]
    assert await expired(database, OLD + timedelta(days=2)) == [leaf("logs", day) for day in days]


async def test_an_expired_day_is_dropped_with_what_it_holds(database: Database) -> None:
    await ensure(database, OLD, ahead=0)
    await write(database, datetime(2031, 1, 5, tzinfo=UTC))
    for name in await expired(database, TODAY):
        await drop_partition(database, "logs", name)
    assert await expired(database, TODAY) == []
    assert await one(database, "SELECT count(*) FROM logs") == 0


async def test_a_reader_is_not_disturbed_and_the_next_run_finishes_what_it_held_up(
    database: Database,
) -> None:
    await ensure(database, OLD, ahead=0)
    await write(database, datetime(2031, 1, 5, tzinfo=UTC))
    name = leaf("logs", OLD)
    async with reader(database, "logs") as connection:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await drop_partition(database, "logs", name)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    assert await one(database, "SELECT inhdetachpending FROM pg_inherits WHERE inhdetachpending") is True
    assert name in await expired(database, TODAY)
    await drop_partition(database, "logs", name)
    assert await one(database, "SELECT to_regclass(%(name)s)", name=name) is None


async def test_a_leaf_that_was_detached_but_not_dropped_is_found_and_dropped(database: Database) -> None:
    await ensure(database, OLD, ahead=0)
    name = leaf("logs", OLD)
    await rows(database, f"ALTER TABLE logs DETACH PARTITION {name}")
    assert name in await expired(database, TODAY)
    await drop_partition(database, "logs", name)
    assert name not in await expired(database, TODAY)


async def test_two_nodes_that_expire_at_once_do_not_fail(database: Database) -> None:
    await ensure(database, OLD, ahead=0)
    name = leaf("logs", OLD)
    done = await asyncio.gather(
        *(drop_partition(database, "logs", name) for _ in range(4)), return_exceptions=True
    )
    assert [error for error in done if error and not isinstance(error, psycopg.errors.LockNotAvailable)] == []
    assert await one(database, "SELECT to_regclass(%(name)s)", name=name) is None


async def test_a_query_with_a_bound_on_time_locks_few_partitions(database: Database) -> None:
    """Also when the driver has prepared it: a generic plan would lock every day there is."""
    await ensure(database, TODAY, ahead=60)
    connection = await database.connect()
    await connection.set_autocommit(False)
    try:
        for _ in range(8):
            await connection.execute(
                "SELECT count(*) FROM logs WHERE ts >= %s AND ts < %s",
                (datetime(2031, 4, 1, tzinfo=UTC), datetime(2031, 4, 2, tzinfo=UTC)),
            )
        cursor = await connection.execute(
            "SELECT count(DISTINCT relation) FROM pg_locks JOIN pg_class c ON c.oid = relation "
            "WHERE pid = pg_backend_pid() AND c.relname LIKE 'logs_p%' AND c.relkind = 'r'"
        )
        assert await cursor.fetchone() == (1,)
    finally:
        await connection.close()
