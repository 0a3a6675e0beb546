"""Minutes of nodes: kept once, only of a node that is alive, and summed up for charts of any length."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from support.sql import one, rows
from watchfloor.store import nodes, retention
from watchfloor.store.database import Database
from watchfloor.store.node_minutes import Minute, node_course, save_minute
from watchfloor.store.nodes import Entry, Registration

START = datetime(2031, 5, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MEASURED = Minute(START, 24, 120, 1, 0.4, 2.5, 9.0, 3, 2, 12.0, 8.5, 90_000_000, 0.7)


async def register(database: Database) -> Entry:
    async with database.transaction() as connection:
        return await nodes.register(connection, Registration("one", "box", 1, "1.0", "test", ()))


async def save(database: Database, entry: Entry, measured: Minute = MEASURED) -> bool:
    async with database.transaction() as connection:
        return await save_minute(connection, entry, measured)


async def test_a_minute_is_kept_once(database: Database) -> None:
    entry = await register(database)
    assert await save(database, entry)
    assert not await save(database, entry, replace(MEASURED, checks=7))
    assert await one(database, "SELECT checks FROM node_minutes") == 120


async def test_a_node_that_is_not_alive_keeps_nothing(database: Database) -> None:
    old = await register(database)
    entry = await register(database)
    assert not await save(database, old)
    for change in ("lease_until = now()", "lease_until = now() + interval '9 s', lost_at = now()"):
        await rows(database, f"UPDATE nodes SET {change} RETURNING 1")
        assert not await save(database, entry)
    assert await rows(database, "SELECT * FROM node_minutes") == []


async def test_figures_are_summed_up_for_the_stretch_that_is_asked_for(database: Database) -> None:
    entry = await register(database)
    for number in range(10):
        await save(database, entry, replace(MEASURED, minute=START + number * MINUTE, checks=60 * number))
    async with database.transaction() as connection:
        course = await node_course(connection, entry.id, START - 80 * MINUTE, START + 10 * MINUTE)
        long = await node_course(connection, entry.id, START - timedelta(days=90), START + 10 * MINUTE)
    checks = course.courses["checks_per_second"]
    assert [sample.value for sample in checks.samples] == [float(number) for number in range(10)]
    assert checks.figures is not None
    assert (checks.figures.least, checks.figures.mean, checks.figures.most) == (0.0, 4.5, 9.0)
    lag = course.courses["lag"].samples[0]
    assert (round(lag.value or 0, 3), lag.peak) == (0.4, 2.5)
    assert (course.minutes, course.covered, course.uptime) == (10, 10 * MINUTE, 1.0)
    assert [sample.peak for sample in long.courses["checks_per_second"].samples] == [9.0]


async def test_old_minutes_are_deleted(database: Database) -> None:
    entry = await register(database)
    for number in range(3):
        await save(database, entry, replace(MEASURED, minute=START + number * MINUTE))
    async with database.transaction() as connection:
        assert await retention.delete_batch(connection, "node_minutes", START + 2 * MINUTE) == 2
    assert await one(database, "SELECT count(*) FROM node_minutes") == 1
