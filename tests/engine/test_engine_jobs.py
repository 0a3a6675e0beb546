"""Jobs from their schedules to their ends: engines at work on a real database, with work made by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from support.engines import Running, Stage, configuration, plan, running
from support.jobs import Labour, for_ever, job, now, schedule, states
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.config.kinds import payload_kinds
from watchfloor.config.model import JobConfig
from watchfloor.engine.runner import UNTRUSTED, Runner
from watchfloor.engine.worker import Worker
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Actor
from watchfloor.payloads.contract import Attempt, PayloadError
from watchfloor.store import run_logs, runs
from watchfloor.store.database import Database, fetch_one
from watchfloor.store.runs import Claimed, Finished

pytestmark = pytest.mark.usefixtures("brisk")

ANN = Actor("ann")
EVERY_SECOND = {"every": "1s"}


@pytest.fixture(autouse=True)
async def _no_patience(database: Database) -> None:
    """What goes on when a node is told to stop is broken off at once."""
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO settings VALUES ('jobs.drain', '0', now(), 'ann')")


@asynccontextmanager
async def engine(
    dsn: str, labour: Labour, jobs: Sequence[JobConfig], node: str = "one"
) -> AsyncIterator[Running]:
    made = plan(dsn, Stage(), configuration(jobs=jobs, node=node), payloads=labour.kinds)
    async with running(made) as at_work:
        await until(lambda: at_work.progress.stage == "running")
        yield at_work


async def ask(database: Database, name: str) -> int:
    return await operations.run_now(database, ANN, name, uuid4())


async def ended(database: Database, run_id: int, state: str) -> Any:
    async def look() -> Any:
        async with database.transaction() as connection:
            return await fetch_one(
                connection, f"SELECT * FROM runs WHERE id = {run_id} AND state = '{state}'"
            )

    return await until(look)


async def test_a_job_runs_as_its_schedule_says(database: Database, dsn: str) -> None:
    labour = Labour()
    async with engine(dsn, labour, [job("tick", schedule(**EVERY_SECOND))]):
        await until(lambda: len(labour.attempts["tick"]) >= 3)
        await until(lambda: _count(database, "succeeded", 3))
    moments = [attempt.scheduled_for for attempt in labour.attempts["tick"]]
    assert {b - a for a, b in pairwise(moments)} == {timedelta(seconds=1)}
    lag = await one(database, "SELECT max(started_at - scheduled_for) FROM runs WHERE started_at IS NOT NULL")
    assert lag < timedelta(seconds=1)
    assert await one(database, "SELECT count(*) FROM attempts WHERE finished_at IS NULL") == 0


async def _count(database: Database, state: str, least: int) -> bool:
    return bool(await one(database, f"SELECT count(*) >= {least} FROM runs WHERE state = '{state}'"))


async def test_asked_twice_with_one_key_it_runs_once(database: Database, dsn: str) -> None:
    labour, key = Labour(), uuid4()
    async with engine(dsn, labour, [job("backup")]):
        found = {await operations.run_now(database, ANN, "backup", key) for _ in range(3)}
        await ended(database, found.pop(), "succeeded")
    assert not found
    assert len(labour.attempts["backup"]) == 1


async def test_what_fails_is_tried_again_and_then_lies_among_the_dead(database: Database, dsn: str) -> None:
    labour = Labour()

    async def fail(attempt: Attempt) -> None:
        await attempt.output("stdout", b"it goes wrong\n")
        raise PayloadError("script.exit.3", f"attempt {attempt.attempt}", exit_code=3)

    labour.does["bad"] = fail
    async with engine(dsn, labour, [job("bad", retry={"attempts": 3, "first": "100ms"})]):
        run = await ended(database, await ask(database, "bad"), "dead")
        assert (run.attempt, run.exit_code, run.error_class, run.error) == (
            3,
            3,
            "script.exit.3",
            "attempt 3",
        )
        assert await one(database, "SELECT reason FROM dead_letters") == "all 3 attempts failed"
        assert await column(database, "SELECT line FROM run_logs ORDER BY attempt") == ["it goes wrong"] * 3
        again = await operations.requeue(database, ANN, run.id)
        await ended(database, again, "dead")
        await operations.discard(database, ANN, again)
        settled = await rows(database, "SELECT requeued_as, settled_by FROM dead_letters ORDER BY run_id")
        assert settled == [(again, "ann"), (None, "ann")]


async def test_what_takes_too_long_or_breaks_is_told_apart(database: Database, dsn: str) -> None:
    labour = Labour()

    async def break_down(_: Attempt) -> None:
        raise ZeroDivisionError("no such thing")

    labour.does |= {"slow": for_ever, "broken": break_down}
    async with engine(dsn, labour, [job("slow", timeout_s=0.2), job("broken"), job("alien", kind="unheard")]):
        found = [
            await ended(database, await ask(database, name), "dead") for name in ("slow", "broken", "alien")
        ]
    assert [run.error_class for run in found] == ["timeout", "internal", "config.kind"]
    assert found[0].error == "no end after 200ms"


async def test_a_run_is_cancelled_while_it_goes_on_and_while_it_waits(database: Database, dsn: str) -> None:
    labour = Labour(does={"slow": for_ever})
    async with engine(dsn, labour, [job("slow", overlap="queue_all", slots=1)]):
        first, second = await ask(database, "slow"), await ask(database, "slow")
        await until(lambda: labour.attempts["slow"])
        await operations.cancel(database, ANN, second)
        await operations.cancel(database, ANN, first)
        assert (await ended(database, first, "cancelled")).error == "cancelled by ann"
        never = await ended(database, second, "cancelled")
        assert (never.attempt, never.error) == (0, "cancelled by ann")
    assert len(labour.attempts["slow"]) == 1


async def test_a_run_that_comes_too_early_is_skipped_with_its_reason(database: Database, dsn: str) -> None:
    labour = Labour(does={"slow": for_ever})
    async with engine(dsn, labour, [job("slow", schedule(**EVERY_SECOND), overlap="skip", slots=1)]):
        await until(lambda: _count(database, "skipped", 1))
        first, reason = (
            await one(database, "SELECT min(id) FROM runs"),
            "SELECT error FROM runs WHERE state = 'skipped'",
        )
        assert await one(database, reason) == f"#{first} had not ended"


async def test_no_more_than_its_slots_go_on_at_once(database: Database, dsn: str) -> None:
    labour = Labour()

    async def brief(_: Attempt) -> None:
        await asyncio.sleep(0.01)

    labour.does["crowd"] = brief
    async with engine(dsn, labour, [job("crowd", overlap="queue_all", slots=2)]):
        for _ in range(12):
            await ask(database, "crowd")
        await until(lambda: _count(database, "succeeded", 12))
    assert labour.most_at_once == 2


async def test_a_newer_run_takes_the_place_of_the_one_before(database: Database, dsn: str) -> None:
    labour = Labour(does={"slow": for_ever})
    async with engine(
        dsn, labour, [job("slow", schedule(**EVERY_SECOND), overlap="cancel_previous", slots=1)]
    ):
        await until(lambda: len(labour.attempts["slow"]) >= 3)
        # One that had not begun when the next came is skipped: on a slow machine there are such runs too.
        ended = [state for state in await states(database, "slow") if state != "skipped"]
    assert ended[:2] == ["cancelled", "cancelled"]


async def test_fires_missed_while_no_engine_was_there_are_counted_and_one_is_made_up_for(
    database: Database, dsn: str
) -> None:
    labour = Labour()
    jobs = [job("tick", schedule(every="1m"))]
    async with engine(dsn, labour, jobs):
        pass
    async with database.transaction() as connection:
        await connection.execute("UPDATE schedules SET next_fire_at = next_fire_at - interval '2 hours'")
    async with engine(dsn, labour, jobs):
        await until(lambda: labour.attempts["tick"])
        missed = await one(database, "SELECT missed FROM runs WHERE state = 'missed'")
    assert missed >= 117
    assert len(labour.attempts["tick"]) == 1


async def test_a_paused_job_does_not_run_and_makes_up_for_nothing(database: Database, dsn: str) -> None:
    labour = Labour()
    async with engine(dsn, labour, [job("tick", schedule(**EVERY_SECOND))]):
        await until(lambda: labour.attempts["tick"])
        assert await operations.set_paused(database, ANN, "tick", True)
        assert await one(database, "SELECT count(*) FROM schedules WHERE state = 'active'") == 0
        assert await operations.set_paused(database, ANN, "tick", False)
        resumed = now()
        await until(lambda: labour.attempts["tick"][-1].scheduled_for > resumed)
        assert await one(database, "SELECT count(*) FROM runs WHERE state = 'missed'") == 0


async def test_told_to_stop_a_node_breaks_off_what_goes_on_and_another_goes_on_with_it(
    database: Database, dsn: str
) -> None:
    labour = Labour(does={"slow": for_ever, "once": for_ever})
    jobs = [job("slow"), job("once", at_most_once=True)]
    async with engine(dsn, labour, jobs):
        slow, once = await ask(database, "slow"), await ask(database, "once")
        await until(lambda: labour.going_on == 2)
    assert (await ended(database, slow, "waiting")).used == 0
    assert (await ended(database, once, "dead")).error_class == "worker.shutdown"
    labour.does.clear()
    async with engine(dsn, labour, jobs):
        assert (await ended(database, slow, "succeeded")).attempt == 2
    assert len(labour.attempts["once"]) == 1


async def test_runs_of_a_worker_that_died_are_taken_over_and_it_can_write_nothing_any_more(
    database: Database, dsn: str
) -> None:
    labour = Labour(does={"slow": for_ever, "once": for_ever})
    async with engine(dsn, labour, [job("slow"), job("once", at_most_once=True)]):
        slow, once = await ask(database, "slow"), await ask(database, "once")
        await until(lambda: labour.going_on == 2)
        old = await one(database, "SELECT max(id) FROM workers")
        async with database.transaction() as connection:
            await connection.execute("UPDATE workers SET state = 'dead'")
        assert (await ended(database, once, "dead")).error_class == "worker.lost"
        await until(lambda: len(labour.attempts["slow"]) == 2)
        zombies = [(slow, 1, old), (slow, 2, old), (slow, 1, old + 1), (once, 1, old)]
        async with database.transaction() as connection:
            for run, attempt, worker in zombies:
                assert (
                    await runs.finish(connection, [Finished(run, attempt, worker, "succeeded")])
                    == frozenset()
                )
                late = [(1, now(), "stdout", 9, "late")]
                assert not await run_logs.append(database, run_logs.Fence(run, attempt, worker), late)
        assert await one(database, "SELECT count(*) FROM run_logs") == 0
        assert (await ended(database, slow, "running")).attempt == 2
        await operations.cancel(database, ANN, slow)
        await ended(database, slow, "cancelled")
    assert len(labour.attempts["once"]) == 1


async def test_a_worker_that_learns_that_it_is_dead_ends_its_work_and_begins_anew(
    database: Database, dsn: str
) -> None:
    labour = Labour(does={"slow": for_ever})
    async with engine(dsn, labour, [job("slow")]):
        await ask(database, "slow")
        await until(lambda: labour.going_on == 1)
        async with database.transaction() as connection:
            await connection.execute("UPDATE workers SET state = 'dead'")
        await until(lambda: len(labour.attempts["slow"]) == 2)
        assert await one(database, "SELECT count(*) FROM workers WHERE state = 'up'") == 1
        await until(lambda: labour.going_on == 1)


async def test_a_worker_whose_heart_fails_is_lost_and_begins_anew(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat, failed = Worker._beat, []

    def fail_once(worker: Worker, connection: Any) -> Any:
        if not failed:
            failed.append(worker.id)
            raise ValueError("not what anybody expects")
        return beat(worker, connection)

    monkeypatch.setattr(Worker, "_beat", fail_once)
    async with engine(dsn, Labour(), [job("brief")]):
        await until(lambda: failed)
        await ended(database, await ask(database, "brief"), "succeeded")
        await until(lambda: one(database, f"SELECT max(id) > {failed[0]} FROM workers WHERE state = 'up'"))


async def test_a_run_claimed_without_its_node_hearing_of_it_is_found(database: Database, dsn: str) -> None:
    labour = Labour()
    async with engine(dsn, labour, [job("lonely")]) as at_work:
        run = await ask(database, "lonely")
        await ended(database, run, "succeeded")
        worker = await one(database, "SELECT max(id) FROM workers")
        async with database.transaction() as connection:
            await connection.execute(
                f"UPDATE runs SET state = 'running', worker_id = {worker}, attempt = 2 WHERE id = {run}"
            )
        await ended(database, run, "succeeded")
        assert at_work.progress.stage == "running"


async def test_a_run_that_is_broken_off_before_its_first_step_is_not_forgotten(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    labour, begin, broken_off = Labour(), Runner._start, []

    def begin_and_break_off(runner: Runner, run: Claimed, worker: Worker) -> None:
        begin(runner, run, worker)
        if not broken_off:
            broken_off.append(run.id)
            runner._end_all(UNTRUSTED)

    monkeypatch.setattr(Runner, "_start", begin_and_break_off)
    async with engine(dsn, labour, [job("brief", retry={"attempts": 2, "first": "0s"})]):
        run = await ask(database, "brief")
        assert (await ended(database, run, "succeeded")).attempt == 2
    assert broken_off == [run]
    assert await column(database, "SELECT error_class FROM attempts ORDER BY attempt") == ["worker.lost", ""]


async def test_two_nodes_share_the_runs_and_none_is_done_twice(database: Database, dsn: str) -> None:
    first, second = Labour(), Labour()
    jobs = [job("shared", schedule(**EVERY_SECOND))]
    async with engine(dsn, first, jobs), engine(dsn, second, jobs, node="two"):
        for _ in range(100):
            await ask(database, "shared")
        await until(lambda: _count(database, "succeeded", 101))
    done = [attempt.fence for labour in (first, second) for attempt in labour.attempts["shared"]]
    assert len(done) == len(set(done))
    assert {fence.partition(".")[2] for fence in done} == {"1"}
    fired = await rows(
        database,
        "SELECT count(*) AS fired, count(DISTINCT scheduled_for) FROM runs WHERE origin = 'schedule'",
    )
    assert fired[0][0] == fired[0][1]


async def test_a_secret_never_reaches_the_log_or_the_error_of_a_run(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_KEY", "open-sesame-1")
    script = 'printf "key $KEY; "; printf open-; sleep 0.1; echo sesame-1; echo -n "$KEY" | base64; exit 9'
    settings = {"script": script, "env": {"KEY": "${VAULT_KEY}"}}
    made = plan(
        dsn,
        Stage(),
        configuration(jobs=[job("leaky", kind="script", raw=settings)]),
        payloads=payload_kinds(),
    )
    async with running(made):
        await until(lambda: one(database, "SELECT count(*) FROM jobs"))
        run = await ended(database, await ask(database, "leaky"), "dead")
    assert run.exit_code == 9
    assert await column(database, "SELECT line FROM run_logs ORDER BY seq") == ["key ***; ***", "***=="]
    stored = await one(database, "SELECT settings::text FROM jobs")
    assert "${VAULT_KEY}" in stored


async def test_what_refers_to_a_secret_that_is_gone_ends_among_the_dead_and_names_it(
    database: Database, dsn: str
) -> None:
    settings = {"run": ["/bin/true"], "env": {"TOKEN": "${WATCHFLOOR_GONE}"}}
    config = configuration(jobs=[job("needy", kind="script", raw=settings)])
    async with running(plan(dsn, Stage(), config, payloads=payload_kinds())):
        await until(lambda: one(database, "SELECT count(*) FROM jobs"))
        run = await ended(database, await ask(database, "needy"), "dead")
    assert run.error_class == "config.settings"
    assert 'env.TOKEN: the environment variable "WATCHFLOOR_GONE" is not set' in run.error


async def test_a_flood_of_what_is_no_text_is_kept_in_part_and_safe_to_show(
    database: Database, dsn: str
) -> None:
    settings = {"script": "head -c 4000000 /dev/urandom; echo; echo the end"}
    config = configuration(jobs=[job("noisy", kind="script", raw=settings)])
    async with running(plan(dsn, Stage(), config, payloads=payload_kinds())):
        await until(lambda: one(database, "SELECT count(*) FROM jobs"))
        await ended(database, await ask(database, "noisy"), "succeeded")
    lines = await column(database, "SELECT line FROM run_logs ORDER BY seq")
    assert lines[-1] == "the end"
    assert any("lines left out: only the head and the tail" in line for line in lines)
    assert sum(len(line.encode()) for line in lines) < 4 * 2**20
    assert not any(ord(letter) < 32 for line in lines for letter in line)
