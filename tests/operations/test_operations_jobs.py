"""Operations on jobs and runs without any engine: refusals, what is audited, what becomes of a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from support.engines import configuration
from support.jobs import job, schedule, states
from support.sql import column, one, rows
from watchfloor.config.kinds import payload_kinds
from watchfloor.domain.job_boards import RunRow
from watchfloor.engine import definitions
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.editing import Invalid
from watchfloor.operations.job_edits import save_job
from watchfloor.operations.judge import Judge
from watchfloor.store import job_boards, runs
from watchfloor.store.database import Database
from watchfloor.store.health import clock
from watchfloor.store.jobs import apply_jobs

ANN = Actor("ann")
EVE = Actor("eve", read_only=True)


async def define(database: Database, *jobs: object) -> None:
    made = definitions.jobs(configuration(jobs=jobs))  # type: ignore[arg-type]
    async with database.transaction() as connection:
        await apply_jobs(connection, made, await clock(connection))


async def board(database: Database, *, dead: bool = False) -> list[RunRow]:
    async with database.transaction() as connection:
        return await job_boards.runs(connection, None, dead=dead)


async def die(database: Database, run: int) -> None:
    await rows(database, f"UPDATE runs SET state = 'dead', finished_at = now() WHERE id = {run}")
    await rows(database, f"INSERT INTO dead_letters VALUES ({run}, 'it failed', now())")


@pytest.mark.parametrize(
    "act",
    [
        lambda d: operations.run_now(d, EVE, "a", uuid4()),
        lambda d: operations.set_paused(d, EVE, "a", True),
        lambda d: operations.cancel(d, EVE, 1),
        lambda d: operations.requeue(d, EVE, 1),
        lambda d: operations.discard(d, EVE, 1),
    ],
)
async def test_who_only_looks_changes_nothing(
    database: Database, act: Callable[[Database], Awaitable[object]]
) -> None:
    await define(database, job("a"))
    with pytest.raises(Refused, match="read-only"):
        await act(database)
    assert await one(database, "SELECT count(*) FROM audit") == 0


async def test_every_change_is_audited_with_who_did_it(database: Database) -> None:
    await define(database, job("a", schedule(every="1h")))
    await operations.set_paused(database, ANN, "a", True)
    await operations.set_paused(database, ANN, "a", False)
    first = await operations.run_now(database, ANN, "a", uuid4())
    await operations.cancel(database, ANN, first)
    second = await operations.run_now(database, ANN, "a", uuid4())
    await die(database, second)
    third = await operations.requeue(database, ANN, second)
    await die(database, third)
    await operations.discard(database, ANN, third)
    done = await column(database, "SELECT action FROM audit ORDER BY id")
    assert done == ["pause", "resume", "run", "cancel", "run", "requeue", "discard"]
    assert set(await column(database, "SELECT actor FROM audit")) == {"ann"}
    assert [row.state for row in await board(database)] == ["dead", "dead", "cancelled"]
    assert await board(database, dead=True) == []


async def test_what_cannot_be_is_refused_in_a_sentence(database: Database) -> None:
    await define(database, job("a"), job("rests", paused=True))
    for act, words in (
        (operations.run_now(database, ANN, "nobody", uuid4()), "no job called nobody"),
        (operations.run_now(database, ANN, "rests", uuid4()), "is paused"),
        (operations.cancel(database, ANN, 7), "no run #7"),
        (operations.requeue(database, ANN, 7), "no dead letter"),
    ):
        with pytest.raises(Refused, match=words):
            await act


async def test_runs_of_a_job_that_left_the_file_never_begin(database: Database) -> None:
    await define(database, job("a"))
    await operations.run_now(database, ANN, "a", uuid4())
    await define(database)
    assert await states(database, "a") == ["cancelled"]
    with pytest.raises(Refused):
        await operations.run_now(database, ANN, "a", uuid4())


async def test_a_schedule_that_did_not_change_keeps_its_next_fire(database: Database) -> None:
    kept, changed = schedule(every="1h"), schedule(cron="@daily")
    await define(database, job("a", kept, changed))
    before = await column(database, "SELECT id FROM schedules WHERE spec->>'kind' = 'interval'")
    await define(database, job("a", kept, schedule(cron="@hourly"), priority=3))
    assert await column(database, "SELECT id FROM schedules WHERE spec->>'kind' = 'interval'") == before
    assert await one(database, "SELECT count(*) FROM schedules") == 2


async def test_a_run_can_go_without_a_setting_that_its_job_has(database: Database) -> None:
    judge = Judge(payload_kinds().models, {}, Path("/nowhere"))
    written = {
        "name": "tidy",
        "kind": "script",
        "script": "true",
        "nice": 5,
        "env": {"A": "1"},
        "overlap": "allow",
    }
    await save_job(database, ANN, judge, written)
    for number, changed in enumerate(({"env": None}, {"env": None, "nice": 7}), 1):
        await operations.run_now(database, ANN, "tidy", UUID(int=number), changed, judge)
    with pytest.raises(Invalid):
        await operations.run_now(database, ANN, "tidy", uuid4(), {"script": None}, judge)
    await rows(
        database,
        "INSERT INTO nodes (name, machine, pid, version, environment, tags, state, started_at, beat_at, "
        "lease_until) VALUES ('x', '', 1, '', '', '{}', 'stopped', now(), now(), now())",
    )
    await rows(
        database,
        "INSERT INTO workers (node_id, place, pid, born, state, lease_until) "
        "SELECT id, '', 1, '', 'up', now() + interval '1 h' FROM nodes",
    )
    worker = await one(database, "SELECT id FROM workers")
    async with database.transaction() as connection:
        claimed = await runs.claim(connection, worker, 10, ["default"])
    given = [dict(run.settings) for run in sorted(claimed, key=lambda run: run.id)]
    assert given == [{"script": "true", "nice": 5}, {"script": "true", "nice": 7}]
