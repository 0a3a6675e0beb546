"""Writes of workers that were declared dead: ten thousand of them, each with something wrong, all refused."""

from __future__ import annotations

import random

import pytest

from support.databases import Server, _drop_templates, database, dsn
from support.engines import brisk
from support.jobs import now
from support.sql import column, one, rows
from watchfloor.domain.text import one_line
from watchfloor.store import run_logs, runs
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.partitions import ensure_partitions
from watchfloor.store.run_logs import Fence
from watchfloor.store.runs import Finished

__all__ = ["_drop_templates", "brisk", "database", "dsn"]

pytestmark = pytest.mark.chaos

WRITES = 10_000
RUNS = 400
STATES = ("succeeded", "dead", "waiting", "cancelled")


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


async def test_ten_thousand_writes_of_the_dead_are_refused(database: Database, chaos_seed: int) -> None:
    chance = random.Random(chaos_seed)
    await _people(database)
    async with database.transaction() as connection:
        await ensure_partitions(connection, now().date())
    held = await rows(database, "SELECT id, attempt, worker_id, state FROM runs ORDER BY id")
    before = await rows(database, "SELECT * FROM runs ORDER BY id")
    wrong = []
    while len(wrong) < WRITES:
        run, attempt, worker, state = chance.choice(held)
        fence = (run, attempt - chance.randint(0, 1), worker - chance.randint(0, 1))
        if state == "running" and fence == (run, attempt, worker):
            continue  # that would be the rightful one
        wrong.append(Finished(*fence, state=chance.choice(STATES), error=one_line("from the grave")))
    for at in range(0, WRITES, 500):
        async with database.transaction() as connection:
            assert await runs.finish(connection, wrong[at : at + 500]) == frozenset()
    for each in wrong[:500]:
        fence = Fence(each.id, each.attempt, each.worker_id)
        assert not await run_logs.append(database, fence, [(1, now(), "stdout", 9, "from the grave")])
        assert not await run_logs.replace(database, fence, 1, [(2, now(), "stdout", 9, "from the grave")])
    async with database.transaction() as connection:
        assert await runs.claim(connection, 1, 100, ["default"]) == []
    assert await rows(database, "SELECT * FROM runs ORDER BY id") == before
    assert await column(database, "SELECT line FROM run_logs") == []
    assert await one(database, "SELECT count(*) FROM dead_letters") == 0
    rightful = [Finished(row[0], row[1], row[2], "succeeded") for row in held if row[3] == "running"]
    async with database.transaction() as connection:
        assert len(await runs.finish(connection, rightful)) == len(rightful) > 50


async def _people(database: Database) -> None:
    """Two workers, the first of them dead; runs that the second took over, that have ended, that wait again."""
    await rows(
        database,
        "INSERT INTO nodes (name, machine, pid, version, environment, tags, state, started_at, beat_at, lease_until) "
        "VALUES ('x', '', 1, '', '', '{}', 'running', now(), now(), now())",
    )
    for state in ("dead", "up"):
        await rows(
            database,
            "INSERT INTO workers (node_id, place, pid, born, state, lease_until) "
            f"SELECT id, '', 1, '', '{state}', now() + interval '1 hour' FROM nodes",
        )
    await rows(
        database,
        "INSERT INTO jobs (name, kind, settings, priority, overlap, at_most_once, timeout_ms, retry, contact, "
        "description, runbook, owner, origin, paused, paused_by_file) VALUES ('a', 'fake', '{}', 5, 'allow', false, "
        "1000, '{}', '', '', '', 'file', '', false, false)",
    )
    await rows(
        database,
        "INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, started_at, "
        "finished_at, priority, capped, attempt, worker_id) SELECT gen_random_uuid(), j.id, n::text, 'manual', "
        "s.state, now(), now(), now(), CASE WHEN s.state <> 'running' AND s.state <> 'ready' THEN now() END, 5, "
        "false, 2, w.id "
        f"FROM generate_series(1, {RUNS}) n CROSS JOIN jobs j CROSS JOIN (SELECT max(id) AS id FROM workers) w "
        "CROSS JOIN LATERAL (SELECT (ARRAY['running', 'succeeded', 'ready', 'dead'])[1 + n % 4] AS state) s",
    )
    await rows(
        database,
        "INSERT INTO attempts SELECT id, a, a, now(), now() FROM runs CROSS JOIN generate_series(1, 2) a",
    )
