"""Killed before and after every exchange with the database, whatever was under way comes to its end, and once.

The errands are those of the engine and of people: fire, promote, claim, finish with what follows, reap, requeue. In
the end each statement that their code holds was one that a node was killed at. For the database, what is killed before
an exchange was killed after the one before it: the longest errand does both only with ``--chaos-long``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from chaos_at_points import Points, alone, at_every_point, points
from chaos_points import DSN, KINDS
from chaos_statements import OPERATIONS, Sent

from support.databases import Server, _drop_templates, database, dsn
from support.engines import brisk, configuration
from support.jobs import job, schedule
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import definitions
from watchfloor.engine.firer import Firer
from watchfloor.engine.node import Node
from watchfloor.engine.reaper import Reaper
from watchfloor.engine.runner import Runner
from watchfloor.operations.actor import Actor
from watchfloor.operations.dead_letters import requeue_many
from watchfloor.store.database import Database
from watchfloor.store.dead_letters import Selection
from watchfloor.store.embedded import Embedded
from watchfloor.store.jobs import apply_jobs
from watchfloor.store.partitions import ensure_partitions
from watchfloor.store.pulse import Pulse

__all__ = ["_drop_templates", "brisk", "database", "dsn", "points"]

pytestmark = [pytest.mark.chaos, pytest.mark.usefixtures("brisk")]

CLEAN = (
    "DELETE FROM runs",
    "DELETE FROM run_logs",
    "DELETE FROM workers",
    "UPDATE jobs SET failures = 1, paused = false, tripped_at = NULL",
    "UPDATE schedules SET state = 'active', next_fire_at = date_trunc('second', now() - interval '1 s'), "
    "anchor = date_trunc('second', now() - interval '1 s')",
)
Prepare = Callable[[], Awaitable[None]]
Judge = Callable[[str], Awaitable[None]]
LINK = {"job": "after", "when": "any", "parameters": {}, "pass_on": False}


KILLED: dict[str, set[tuple[str, Sent]]] = {}
"""What each test of this file was killed at."""


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


async def define(database: Database, *jobs: Any) -> None:
    await rows(
        database,
        "INSERT INTO nodes (name, machine, pid, version, environment, tags, state, started_at, beat_at, "
        "lease_until) VALUES ('x', '', 1, '', '', '{}', 'stopped', now(), now(), now())",
    )
    async with database.transaction() as connection:
        now = await one(database, "SELECT now()")
        await ensure_partitions(connection, now.date())
        await apply_jobs(connection, definitions.jobs(configuration(jobs=jobs)), now)


BOTH = ("before", "after")


async def killed_everywhere(
    points: Points, errand: str, prepare: Prepare, judge: Judge, whens: tuple[str, ...] = BOTH
) -> int:
    """As `at_every_point`; what it was killed at is kept for the last test."""
    many = await at_every_point(points, errand, prepare, judge, whens)
    KILLED[errand] = points.at
    return many


@asynccontextmanager
async def survivor(database: Database) -> AsyncIterator[None]:
    """What another node does: it buries the dead, fires, runs."""
    node = Node(1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS})
    runner = Runner(node, KINDS, Path.cwd())
    loops = [Firer(node, runner), runner, Reaper(node, runner.wake)]
    tasks = [asyncio.create_task(loop.run(lambda: None)) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runner.drain(0)


async def all_ended(database: Database) -> bool:
    return bool(
        await one(
            database,
            "SELECT count(*) > 0 AND bool_and(state NOT IN ('waiting', 'ready', 'running')) FROM runs",
        )
    )


async def test_a_fire_and_what_follows_it(database: Database, points: Points) -> None:
    await define(database, job("one", schedule(every="1d"), chains=(LINK,), pause_after=5), job("after"))

    async def prepare() -> None:
        for statement in CLEAN:
            await rows(database, statement)

    async def judge(at: str) -> None:
        await rows(database, "UPDATE workers SET state = 'dead' WHERE state IN ('up', 'draining')")
        async with survivor(database):
            await until(lambda: one(database, "SELECT count(*) = 2 FROM runs"))
            await until(lambda: all_ended(database))
        assert await column(database, "SELECT origin FROM runs ORDER BY id") == ["schedule", "chain"], at
        assert await one(database, "SELECT bool_and(state = 'succeeded') FROM runs"), at
        assert await one(
            database,
            "SELECT bool_and(attempt = (SELECT count(*) FROM attempts WHERE run_id = r.id)) FROM runs r",
        ), at
        assert await one(database, "SELECT next_fire_at > now() FROM schedules"), at
        assert await one(database, "SELECT failures = 0 FROM jobs WHERE name = 'one'"), at

    assert await killed_everywhere(points, "fire", prepare, judge) > 15


async def test_runs_that_wait_for_a_slot(
    database: Database, dsn: str, points: Points, chaos_long: bool
) -> None:
    """Of each policy that has slots; beside them a run that its worker loses, and a schedule nobody can compute."""
    DSN.set(dsn)
    whens = BOTH if chaos_long else BOTH[1:]
    daily = schedule(every="1d")
    await define(
        database,
        job("lines", daily, overlap="queue_all", slots=1),
        job("skips", daily, overlap="skip", slots=1),
        job("newest", daily, overlap="cancel_previous", slots=1),
        job("taken"),
        job("nowhere", schedule(cron="0 4 * * *")),
    )

    async def prepare() -> None:
        for statement in CLEAN:
            await rows(database, statement)
        await rows(
            database,
            'UPDATE schedules SET spec = spec || \'{"tz": "No/Where"}\' '
            "WHERE job_id = (SELECT id FROM jobs WHERE name = 'nowhere')",
        )
        await rows(
            database,
            "INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, priority, capped, "
            "slot) SELECT gen_random_uuid(), id, 'm', 'manual', CASE name WHEN 'lines' THEN 'waiting' ELSE 'ready' "
            "END, now(), now(), 5, slots IS NOT NULL, CASE WHEN name IN ('skips', 'newest') THEN 1 END "
            "FROM jobs WHERE name <> 'nowhere'",
        )

    async def judge(at: str) -> None:
        await rows(database, "UPDATE workers SET state = 'dead' WHERE state IN ('up', 'draining')")
        assert await one(
            database,
            "SELECT coalesce(max(n), 0) <= 1 FROM (SELECT count(*) AS n FROM runs "
            "WHERE state IN ('ready', 'running') AND slot IS NOT NULL GROUP BY job_id) AS x",
        ), at
        async with survivor(database):
            await until(lambda: one(database, "SELECT count(*) = 7 FROM runs"))
            await until(lambda: all_ended(database))
        found: dict[str, list[str]] = {}
        for name, state, slot in await rows(
            database,
            "SELECT j.name, r.state, r.slot FROM runs r JOIN jobs j ON j.id = r.job_id ORDER BY r.id",
        ):
            found.setdefault(name, []).append(state)
            assert slot is None, at
        assert found["lines"] == ["succeeded"] * 2, at
        assert found["skips"] in (["succeeded", "skipped"], ["succeeded"] * 2), at
        assert found["newest"] in (["cancelled", "succeeded"], ["succeeded"] * 2), at
        assert found["taken"] == ["cancelled"], at
        broken = "SELECT s.state FROM schedules s JOIN jobs j ON j.id = s.job_id WHERE j.name = 'nowhere'"
        assert await one(database, broken) == "error", at

    assert await killed_everywhere(points, "promote", prepare, judge, whens) > 25


async def test_a_take_over(database: Database, points: Points) -> None:
    await define(
        database, job("often", chains=(LINK,)), job("once", at_most_once=True, pause_after=2), job("after")
    )

    async def prepare() -> None:
        for statement in CLEAN[:4]:
            await rows(database, statement)
        await rows(
            database,
            "INSERT INTO workers (node_id, place, pid, born, state, lease_until) "
            "SELECT id, '', 1, '', 'dead', now() FROM nodes",
        )
        await rows(
            database,
            "INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, started_at, "
            "priority, capped, attempt, worker_id) SELECT gen_random_uuid(), j.id, 'm', 'manual', 'running', now(), "
            "now(), now(), 5, false, 1, w.id FROM jobs j "
            "CROSS JOIN (SELECT max(id) AS id FROM workers) w WHERE j.name <> 'after'",
        )
        await rows(database, "INSERT INTO attempts SELECT id, 1, worker_id, started_at FROM runs")

    async def judge(at: str) -> None:
        async with survivor(database):
            await until(lambda: one(database, "SELECT count(*) = 3 FROM runs"))
            await until(lambda: all_ended(database))
        found = await rows(
            database,
            "SELECT j.name, r.state, r.attempt, (SELECT count(*) FROM dead_letters WHERE run_id = r.id) "
            "FROM runs r JOIN jobs j ON j.id = r.job_id ORDER BY j.name",
        )
        assert [tuple(row) for row in found] == [
            ("after", "succeeded", 1, 0),
            ("often", "succeeded", 2, 0),
            ("once", "dead", 1, 1),
        ], at
        assert await column(database, "SELECT name FROM jobs WHERE paused") == ["once"], at

    assert await killed_everywhere(points, "reap", prepare, judge) > 8


async def test_dead_letters_that_run_again(database: Database, points: Points) -> None:
    await define(database, job("one", overlap="queue_all", slots=1))

    async def prepare() -> None:
        for statement in CLEAN[:4]:
            await rows(database, statement)
        await rows(
            database,
            "INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, finished_at, "
            "priority, capped) SELECT gen_random_uuid(), j.id, 'm' || n, 'manual', 'dead', now(), now(), now(), 5, "
            "false FROM jobs j CROSS JOIN generate_series(1, 3) n",
        )
        await rows(database, "INSERT INTO dead_letters SELECT id, 'it failed', now() FROM runs")

    async def judge(at: str) -> None:
        await until(lambda: alone(database))  # what another one has locked is not requeued
        settled, made = (
            await rows(
                database,
                "SELECT (SELECT count(*) FROM dead_letters WHERE settled_at IS NOT NULL) AS settled, "
                "(SELECT count(*) FROM runs WHERE origin = 'requeue') AS made",
            )
        )[0]
        assert settled == made, at
        assert made in (0, 3), at
        await requeue_many(database, Actor("ann"), Selection())
        async with survivor(database):
            await until(lambda: all_ended(database))
        assert (
            await column(database, "SELECT state FROM runs WHERE origin = 'requeue'") == ["succeeded"] * 3
        ), at

    assert await killed_everywhere(points, "requeue", prepare, judge) > 6


def test_no_statement_of_these_operations_was_left_out(chaos_long: bool) -> None:
    if set(KILLED) != {"fire", "promote", "reap", "requeue"}:
        pytest.skip("says something only after all other tests of this file")
    for when in BOTH if chaos_long else BOTH[1:]:
        sent = {each for killed in KILLED.values() for at, each in killed if at == when}
        missing = [str(each) for each in OPERATIONS if not any(each.sends(one) for one in sent)]
        assert not missing, f"never killed {when} {'; '.join(missing)}"
    assert len(OPERATIONS) > 35
