"""Boards of the room of jobs against the database: calendar, nodes, queues and outlooks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from support.sql import rows
from watchfloor.config.kinds import payload_kinds
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Actor
from watchfloor.operations.job_edits import delete_job, save_job
from watchfloor.operations.judge import Judge
from watchfloor.store import job_boards, job_rooms
from watchfloor.store.database import Database
from watchfloor.store.health import clock

ANN = Actor("ann")
JUDGE = Judge(payload_kinds().models, {}, Path("/nowhere"))


async def define(database: Database, name: str, **more: Any) -> None:
    entry: Mapping[str, Any] = {"name": name, "kind": "script", "run": ["true"], **more}
    await save_job(database, ANN, JUDGE, entry)


async def ended(database: Database, name: str, state: str, took_s: float = 1.0) -> int:
    run = await operations.run_now(database, ANN, name, uuid4())
    await rows(
        database,
        f"UPDATE runs SET state = '{state}', slot = NULL, started_at = now() - interval '{took_s} s', "
        f"finished_at = now(), error = '{state}' WHERE id = {run}",
    )
    if state == "dead":
        await rows(database, f"INSERT INTO dead_letters VALUES ({run}, 'it failed', now())")
    return run


async def test_the_calendar_knows_how_long_runs_usually_take(database: Database) -> None:
    await define(database, "often", schedules=[{"every": "1h"}])
    await define(database, "asked")
    for took in (10, 20, 60):
        await ended(database, "often", "succeeded", took)
    async with database.transaction() as connection:
        found = await job_rooms.job_calendar(connection, await clock(connection), timedelta(hours=3))
    assert {fire.job for fire in found} == {"often"}
    assert found[0].took_s is not None
    assert 19 < found[0].took_s < 21


async def test_a_job_shows_whose_it_is_its_queue_and_its_usual_duration(database: Database) -> None:
    await define(database, "a", owner="kim", role="data", on_queue="nightly")
    for took in (10, 20, 60):
        await ended(database, "a", "succeeded", took)
    await ended(database, "a", "dead", 500)
    async with database.transaction() as connection:
        (row,) = await job_boards.jobs(connection)
    assert (row.belongs_to, row.role, row.queue, row.owner) == ("kim", "data", "nightly", "console")
    assert row.median is not None
    assert 19 < row.median < 21
    assert row.recent == ("succeeded", "succeeded", "succeeded", "dead")


async def test_queues_are_listed_with_what_waits_in_them(database: Database) -> None:
    await define(database, "a", on_queue="nightly", overlap="allow")
    await operations.run_now(database, ANN, "a", uuid4())
    async with database.transaction() as connection:
        (queue,) = await job_rooms.queues(connection, await clock(connection))
    assert (queue.name, queue.ready, queue.nodes, queue.depth) == ("nightly", 1, 0, ())


async def test_a_run_knows_its_future_and_who_settled_it(database: Database) -> None:
    await define(database, "a", retry={"attempts": 4}, schedules=[{"every": "1h"}])
    run = await ended(database, "a", "dead")
    new = await operations.requeue(database, ANN, run)
    async with database.transaction() as connection:
        dead = await job_boards.run_detail(connection, run)
        waiting = await job_boards.run_detail(connection, new)
    assert dead is not None
    assert dead.outlook is not None
    assert (dead.outlook.settled_by, dead.outlook.requeued_as, dead.outlook.retry.attempts) == ("ann", new, 4)
    assert dead.outlook.next_fire_at is not None
    assert waiting is not None
    assert waiting.settings == {"run": ["true"]}


async def test_a_run_that_waits_for_a_slot_names_who_has_it(database: Database) -> None:
    await define(database, "a")
    first = await operations.run_now(database, ANN, "a", uuid4())
    second = await operations.run_now(database, ANN, "a", uuid4())
    async with database.transaction() as connection:
        found = await job_boards.run_detail(connection, second)
    assert found is not None
    assert found.outlook is not None
    assert found.outlook.holders == (first,)


async def test_a_run_says_which_jobs_will_not_follow_it_since_they_are_gone(database: Database) -> None:
    await define(database, "report")
    await define(database, "tidy")
    await define(database, "a", then=[{"job": "report"}, {"job": "tidy", "when": "any"}])
    await delete_job(database, ANN, "report")
    run = await operations.run_now(database, ANN, "a", uuid4())
    async with database.transaction() as connection:
        found = await job_boards.run_detail(connection, run)
    assert found is not None
    assert found.outlook is not None
    assert found.outlook.follows == (
        "report when it succeeds (not started: there is no such job any more)",
        "tidy when it has ended",
    )
