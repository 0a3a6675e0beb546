"""Which node runs what: queues, tags, how much at once, and in which order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest

from support.engines import Running, Stage, configuration, plan, running
from support.jobs import Labour, for_ever, job
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.config.model import JobConfig, NodeConfig
from watchfloor.engine import reaper, upkeep
from watchfloor.engine.node import Node
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Actor
from watchfloor.store import runs
from watchfloor.store.database import Database
from watchfloor.store.pulse import Pulse

pytestmark = pytest.mark.usefixtures("brisk", "_no_patience")

ANN = Actor("ann")


@pytest.fixture
async def _no_patience(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO settings VALUES ('jobs.drain', '0', now(), 'ann')")


@asynccontextmanager
async def engine(
    dsn: str, labour: Labour, jobs: Sequence[JobConfig], node: NodeConfig
) -> AsyncIterator[Running]:
    made = replace(configuration(jobs=jobs), node=node)
    async with running(plan(dsn, Stage(), made, payloads=labour.kinds)) as at_work:
        await until(lambda: at_work.progress.stage == "running")
        yield at_work


async def ended(database: Database, count: int) -> bool:
    return bool(await one(database, f"SELECT count(*) = {count} FROM runs WHERE state = 'succeeded'"))


async def test_a_node_runs_jobs_of_its_queues_and_tags_only(database: Database, dsn: str) -> None:
    here, there = Labour(), Labour()
    jobs = [
        job("plain"),
        job("report", queue="reports"),
        job("train", tags=("gpu",)),
        job("both", queue="reports", tags=("gpu",)),
    ]
    async with (
        engine(dsn, here, jobs, NodeConfig("one", "test", (), ("default",))),
        engine(dsn, there, jobs, NodeConfig("two", "test", ("gpu", "ssd"), ("reports", "default"))),
    ):
        for name in ("plain", "report", "train", "both") * 5:
            await operations.run_now(database, ANN, name, uuid4())
        await until(lambda: ended(database, 20))
    assert set(here.attempts) <= {"plain"}
    assert {name: len(there.attempts[name]) for name in ("report", "train", "both")} == {
        "report": 5,
        "train": 5,
        "both": 5,
    }


async def test_what_no_node_serves_waits_without_standing_in_the_way_and_runs_when_its_queue_is_changed(
    database: Database, dsn: str
) -> None:
    labour = Labour()
    lonely = job("lonely", queue="nowhere", priority=1)
    node = NodeConfig("one", "test", (), ("default",))
    async with engine(dsn, labour, [lonely, job("other", priority=10)], node):
        stuck = [await operations.run_now(database, ANN, "lonely", uuid4()) for _ in range(3)]
        await operations.run_now(database, ANN, "other", uuid4())
        await until(lambda: ended(database, 1))
        assert (
            await column(database, "SELECT state FROM runs WHERE id = ANY(ARRAY" + str(stuck) + ")")
            == ["ready"] * 3
        )
        async with database.transaction() as connection:
            assert [(row.queue, row.ready) for row in await runs.unserved(connection)] == [("nowhere", 3)]
            await connection.execute(
                "UPDATE runs SET available_at = available_at - interval '1 hour' WHERE state = 'ready'"
            )
        look = Node(1, "look", database, Pulse(database), {})
        with pytest.raises(RuntimeError, match="no node serves the queue nowhere: 3 runs waiting"):
            await upkeep.queue_check(look)
    async with engine(dsn, labour, [replace(lonely, queue="default"), job("other", priority=10)], node):
        await until(lambda: ended(database, 4))


async def test_a_node_runs_no_more_at_once_than_it_may(database: Database, dsn: str) -> None:
    labour = Labour(does={"crowd": for_ever})
    async with engine(dsn, labour, [job("crowd")], NodeConfig("one", "test", (), (), 3)):
        made = [await operations.run_now(database, ANN, "crowd", uuid4()) for _ in range(20)]
        for run in made[:3]:
            await until(lambda: labour.going_on == 3)
            await operations.cancel(database, ANN, run)
        await until(lambda: len(labour.attempts["crowd"]) == 6)
    assert labour.most_at_once == 3
    assert await column(database, "SELECT at_once FROM workers") == [3]


async def test_the_most_urgent_goes_first_whatever_its_lane_and_waiting_makes_urgent(
    database: Database, dsn: str
) -> None:
    labour = Labour(does={"blocker": for_ever})
    jobs = [
        job("blocker"),
        job("late", priority=9, queue="slow"),
        job("soon", priority=2),
        job("tagged", priority=4, tags=("ssd",)),
        job("old", priority=10),
    ]
    async with engine(dsn, labour, jobs, NodeConfig("one", "test", ("ssd",), (), 1)):
        blocker = await operations.run_now(database, ANN, "blocker", uuid4())
        await until(lambda: labour.going_on == 1)
        for name in ("late", "old", "tagged", "soon"):
            await operations.run_now(database, ANN, name, uuid4())
        await rows(database, "UPDATE runs SET available_at = now() - interval '1 hour', aged_at = now() - interval "
                   "'1 hour' WHERE job_id = (SELECT id FROM jobs WHERE name = 'old')")  # fmt: skip
        for _ in range(9):
            async with database.transaction() as connection:
                await runs.age(connection, 300)
            await rows(database, "UPDATE runs SET aged_at = now() - interval '1 hour' WHERE priority < 10 "
                       "AND job_id = (SELECT id FROM jobs WHERE name = 'old')")  # fmt: skip
        await operations.cancel(database, ANN, blocker)
        await until(lambda: ended(database, 4))
    first = await column(
        database,
        "SELECT j.name FROM runs r JOIN jobs j ON j.id = r.job_id WHERE r.state = 'succeeded' ORDER BY r.started_at",
    )
    assert first == ["old", "soon", "tagged", "late"]


async def test_a_run_that_waits_becomes_more_urgent_by_itself_up_to_the_utmost(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "AGE_S", 0.1)
    node = NodeConfig("one", "test", (), ("default",))
    async with engine(dsn, Labour(), [job("lonely", queue="nowhere", priority=4)], node):
        run = await operations.run_now(database, ANN, "lonely", uuid4())
        await until(lambda: one(database, f"SELECT priority = 1 FROM runs WHERE id = {run}"))
        aged = await one(database, f"SELECT aged_at FROM runs WHERE id = {run}")
        await until(
            lambda: one(database, f"SELECT clock_timestamp() > '{aged}'::timestamptz + interval '0.5 s'")
        )
        assert await rows(database, f"SELECT state, priority FROM runs WHERE id = {run}") == [("ready", 1)]


async def test_what_waited_beyond_its_deadline_ends_among_the_dead(database: Database, dsn: str) -> None:
    labour = Labour()
    node = NodeConfig("one", "test", (), ("default",))
    async with engine(dsn, labour, [job("lonely", queue="nowhere", deadline_s=0.2)], node):
        run = await operations.run_now(database, ANN, "lonely", uuid4())
        await until(lambda: one(database, f"SELECT state = 'dead' FROM runs WHERE id = {run}"))
    assert await one(database, "SELECT reason FROM dead_letters") == "its deadline passed while it waited"
