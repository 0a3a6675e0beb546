"""What the end of a run brings about: jobs that follow, each once, and the circuit of a job that only fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from test_engine_jobs import _no_patience, ask, ended, engine

from support.engines import configuration
from support.jobs import Labour, for_ever, job, now, schedule, states
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.engine import definitions
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Actor
from watchfloor.operations.backfill import backfill
from watchfloor.payloads.contract import Attempt, PayloadError
from watchfloor.store import runs
from watchfloor.store.database import Database
from watchfloor.store.health import clock
from watchfloor.store.jobs import apply_jobs
from watchfloor.store.runs import Finished

__all__ = ["_no_patience"]

pytestmark = pytest.mark.usefixtures("brisk")

ANN = Actor("ann")


def link(name: str, **values: Any) -> dict[str, Any]:
    return {"job": name, "when": "success", "parameters": {}, "pass_on": False, **values}


async def fail(_: Attempt) -> None:
    raise PayloadError("script.exit.3", "it went wrong", exit_code=3)


async def test_jobs_follow_by_outcome_and_only_at_the_end(database: Database, dsn: str) -> None:
    labour = Labour(does={"bad": fail})
    chains = (
        link("loaded"),
        link("mourned", when="failure"),
        link("three", when="script.exit.*"),
        link("other", when="http.*"),
        link("always", when="any"),
    )
    jobs = [
        job("good", chains=chains),
        job("bad", chains=chains, retry={"attempts": 2, "first": "0s"}),
        *(job(name) for name in ("loaded", "mourned", "three", "other", "always")),
    ]
    async with engine(dsn, labour, jobs):
        good, bad = await ask(database, "good"), await ask(database, "bad")
        await ended(database, bad, "dead")
        await until(lambda: len(labour.attempts["always"]) == 2)
        await until(
            lambda: labour.attempts["mourned"] and labour.attempts["loaded"] and labour.attempts["three"]
        )
    assert {name: len(found) for name, found in labour.attempts.items() if found} == {
        "good": 1, "bad": 2, "loaded": 1, "mourned": 1, "three": 1, "always": 2,
    }  # fmt: skip
    chained = await rows(
        database, "SELECT upstream_id, count(*) FROM runs WHERE origin = 'chain' GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in chained] == [(good, 2), (bad, 3)]


async def test_the_run_that_follows_is_recorded_with_the_end_and_once(database: Database, dsn: str) -> None:
    labour = Labour(does={"slow": for_ever})
    async with engine(dsn, labour, [job("slow", chains=(link("next"),)), job("next", paused=False)]):
        run = await ask(database, "slow")
        await until(lambda: labour.going_on == 1)
        worker = await one(database, "SELECT max(id) FROM workers")
        ending = Finished(run, 1, worker, "succeeded")
        try:
            async with database.transaction() as connection:
                await runs.finish(connection, [ending])
                raise KeyError("the transaction is not to be")
        except KeyError:
            assert await states(database, "next") == []
        async with database.transaction() as connection:
            assert await runs.finish(connection, [ending]) == {run}
            assert await runs.finish(connection, [ending]) == set()
        await until(lambda: len(labour.attempts["next"]) == 1)
        assert len(await states(database, "next")) == 1


async def test_parameters_are_given_and_passed_on(database: Database, dsn: str) -> None:
    labour = Labour()
    jobs = [
        job("first", chains=(link("second", when="any", parameters={"b": 2}, pass_on=True),)),
        job("second", chains=(link("third", when="any", parameters={"c": 3}),)),
        job("third"),
    ]
    async with engine(dsn, labour, jobs):
        run = await ask(database, "first")
        await ended(database, run, "succeeded")
        await until(lambda: one(database, "SELECT count(*) = 3 FROM runs"))
        await rows(database, "DELETE FROM runs")
        async with database.transaction() as connection:
            await connection.execute(
                "INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, priority, "
                "capped, parameters) SELECT gen_random_uuid(), id, 'x', 'manual', 'ready', now(), now(), 5, false, "
                "'{\"a\": 1}' FROM jobs WHERE name = 'first'"
            )
        await until(lambda: one(database, "SELECT count(*) = 3 FROM runs"))
        found = await column(database, "SELECT parameters FROM runs ORDER BY id")
    assert found == [{"a": 1}, {"a": 1, "b": 2}, {"c": 3}]


async def test_a_paused_job_does_not_follow_and_that_is_on_record(database: Database, dsn: str) -> None:
    labour = Labour()
    jobs = [job("first", chains=(link("rests"), link("gone"))), job("rests", paused=True)]
    async with engine(dsn, labour, jobs):
        await ended(database, await ask(database, "first"), "succeeded")
        assert await column(database, "SELECT error FROM runs WHERE state = 'skipped'") == [
            "its job is paused"
        ]
    assert labour.attempts["rests"] == []


async def test_a_pause_lets_a_retry_and_a_line_that_were_there_go_on(database: Database, dsn: str) -> None:
    labour = Labour()

    async def fail_once(attempt: Attempt) -> None:
        if attempt.attempt == 1:
            assert await operations.set_paused(database, ANN, attempt.job, True)
            raise PayloadError("script.exit.3", "it went wrong", exit_code=3)

    labour.does["again"] = fail_once
    jobs = [
        job(
            "again",
            schedule(every="1h"),
            overlap="queue_all",
            slots=1,
            retry={"attempts": 2, "first": "100ms"},
        )
    ]
    async with engine(dsn, labour, jobs):
        first, second = await ask(database, "again"), await ask(database, "again")
        assert (await ended(database, first, "succeeded")).attempt == 2
        await ended(database, second, "succeeded")
        assert await one(database, "SELECT paused FROM jobs")
        assert await one(database, "SELECT state FROM schedules") == "paused"


async def test_what_is_requeued_or_backfilled_runs_though_its_job_was_paused_by_its_failures(
    database: Database, dsn: str
) -> None:
    labour = Labour(does={"bad": fail})
    async with engine(dsn, labour, [job("bad", schedule(every="1h", anchor="2026-01-01"), pause_after=1)]):
        dead = await ask(database, "bad")
        await ended(database, dead, "dead")
        assert await one(database, "SELECT paused AND tripped_at IS NOT NULL FROM jobs")
        labour.does.clear()
        await ended(database, await operations.requeue(database, ANN, dead), "succeeded")
        past = now() - timedelta(hours=2), now()
        made = await backfill(database, ANN, "bad", *past)
        assert len(made.runs) == 2
        for run in made.runs:
            await ended(database, run, "succeeded")
        assert await one(database, "SELECT paused FROM jobs")
        assert await one(database, "SELECT state FROM schedules") == "paused"


async def test_a_run_cancelled_before_it_began_is_followed_as_one_that_was_cancelled(
    database: Database, dsn: str
) -> None:
    labour = Labour(does={"slow": for_ever})
    jobs = [job("slow", overlap="queue_all", slots=1, chains=(link("told", when="cancelled"),)), job("told")]
    async with engine(dsn, labour, jobs):
        first, second = await ask(database, "slow"), await ask(database, "slow")
        await until(lambda: labour.going_on == 1)
        await operations.cancel(database, ANN, second)
        await until(lambda: len(labour.attempts["told"]) == 1)
        await operations.cancel(database, ANN, first)
        await until(lambda: len(labour.attempts["told"]) == 2)


async def test_a_run_that_a_newer_one_replaced_before_it_began_is_followed_as_one_that_was_cancelled(
    database: Database,
) -> None:
    chains = (link("told", when="cancelled"), link("always", when="any"), link("loaded"))
    made = [
        job("slow", overlap="cancel_previous", slots=1, chains=chains),
        *(job(name) for name in ("told", "loaded")),
        job("always", overlap="queue_all", slots=1),
    ]
    async with database.transaction() as connection:
        jobs = definitions.jobs(configuration(jobs=made))
        await apply_jobs(connection, jobs, await clock(connection))
    first, second = await ask(database, "slow"), await ask(database, "slow")
    found = await rows(
        database,
        "SELECT j.name, r.state, r.error, r.upstream_id FROM runs r JOIN jobs j ON j.id = r.job_id ORDER BY 1, r.id",
    )
    assert found == [
        ("always", "ready", "", first),
        ("slow", "cancelled", "cancelled by a newer run", None),
        ("slow", "ready", "", None),
        ("told", "ready", "", first),
    ]
    assert second > first


async def test_so_many_dead_runs_in_a_row_pause_a_job_until_somebody_resumes_it(
    database: Database, dsn: str
) -> None:
    labour = Labour(does={"bad": fail})
    async with engine(dsn, labour, [job("bad", schedule(every="1h"), pause_after=3)]):
        for _ in range(2):
            await ended(database, await ask(database, "bad"), "dead")
        labour.does.clear()
        await ended(database, await ask(database, "bad"), "succeeded")
        assert await one(database, "SELECT failures FROM jobs") == 0
        labour.does["bad"] = fail
        for count in range(3):
            assert await one(database, "SELECT NOT paused AND tripped_at IS NULL FROM jobs"), count
            await ended(database, await ask(database, "bad"), "dead")
        assert await one(database, "SELECT paused AND tripped_at IS NOT NULL FROM jobs")
        assert await one(database, "SELECT state FROM schedules") == "paused"
        told = await column(database, "SELECT after FROM audit WHERE action = 'pause'")
        assert told == [{"paused": True, "paused_by_failure": True, "dead_runs": 3}]
        with pytest.raises(operations.Refused, match="paused"):
            await operations.run_now(database, ANN, "bad", uuid4())
        assert await operations.set_paused(database, ANN, "bad", False)
        assert await one(database, "SELECT failures = 0 AND tripped_at IS NULL FROM jobs")
        assert await one(database, "SELECT state FROM schedules") == "active"
