"""Checkpoints of long jobs: kept by whoever holds the run, refused from everybody else."""

from __future__ import annotations

import pytest

from support.sql import one
from watchfloor.store import checkpoints
from watchfloor.store.database import Connection, Database, fetch_value

RUN = """
WITH j AS (INSERT INTO jobs (name, kind, settings, priority, overlap, slots, at_most_once, timeout_ms, retry, contact,
    description, runbook, owner, origin, paused, paused_by_file)
    VALUES ('copy', 'dummy', '{}', 5, 'skip', 1, false, 1000, '{}', '', '', '', 'file', '', false, false) RETURNING id)
INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, priority, capped, attempt,
    worker_id)
SELECT gen_random_uuid(), id, 'm:1', 'manual', 'running', now(), now(), 5, true, 2, 7 FROM j RETURNING id
"""


async def begun(connection: Connection) -> int:
    return int(await fetch_value(connection, RUN))


async def save(database: Database, run: int, attempt: int, worker: int, value: int) -> bool:
    async with database.transaction() as connection:
        return await checkpoints.save(connection, run, attempt, worker, {"at": value})


async def test_only_the_attempt_that_holds_the_run_saves(database: Database) -> None:
    async with database.transaction() as connection:
        run = await begun(connection)
    job = await one(database, f"SELECT job_id FROM runs WHERE id = {run}")
    async with database.transaction() as connection:
        assert await checkpoints.load(connection, job) is None
    assert await save(database, run, 2, 7, 10)
    assert not await save(database, run, 1, 7, 99), "an attempt before"
    assert not await save(database, run, 2, 6, 99), "another worker"
    assert await save(database, run, 2, 7, 20)
    async with database.transaction() as connection:
        assert await checkpoints.load(connection, job) == {"at": 20}


@pytest.mark.parametrize("state", ["waiting", "ready", "succeeded", "cancelled", "dead"])
async def test_a_run_that_is_over_takes_no_checkpoint(database: Database, state: str) -> None:
    async with database.transaction() as connection:
        run = await begun(connection)
        await connection.execute(f"UPDATE runs SET state = '{state}' WHERE id = {run}")
    assert not await save(database, run, 2, 7, 10)
