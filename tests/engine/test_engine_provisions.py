"""What payloads are handed of the database: checkpoints under the fence, the product's own records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from support.engines import Stage, configuration, plan, running
from support.jobs import Labour, job, now
from support.sql import one
from support.waiting import until
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Actor
from watchfloor.payloads.contract import Attempt, PayloadError, Records
from watchfloor.store.database import Database

pytestmark = pytest.mark.usefixtures("brisk")


async def _ended(database: Database, run_id: int) -> str:
    async def look() -> Any:
        return await one(database, f"SELECT state FROM runs WHERE id = {run_id} AND finished_at IS NOT NULL")

    return str(await until(look))


async def test_the_next_run_finds_the_checkpoint_and_a_zombie_cannot_move_it(
    database: Database, dsn: str
) -> None:
    found: list[Any] = []
    records: list[Records] = []

    async def work(attempt: Attempt) -> None:
        assert attempt.checkpoint is not None
        assert attempt.read is not None
        found.append(await attempt.checkpoint.load())
        await attempt.checkpoint.save({"at": len(found)})
        records.append(await attempt.read("jobs", now() - timedelta(days=1), now()))
        if len(found) == 2:  # another holds the run by now
            async with database.transaction() as connection:
                await connection.execute("UPDATE runs SET attempt = attempt + 1 WHERE state = 'running'")
            with pytest.raises(PayloadError) as caught:
                await attempt.checkpoint.save({"at": 99})
            assert caught.value.error_class == "worker.lost"
            async with database.transaction() as connection:
                await connection.execute("UPDATE runs SET attempt = attempt - 1 WHERE state = 'running'")

    labour = Labour({"copy": work})
    made = plan(dsn, Stage(), configuration(jobs=[job("copy")]), payloads=labour.kinds)
    async with running(made) as at_work:
        await until(lambda: at_work.progress.stage == "running")
        for _ in range(2):
            run = await operations.run_now(database, Actor("ann"), "copy", uuid4())
            assert await _ended(database, run) == "succeeded"
    assert found == [None, {"at": 1}]
    assert await one(database, "SELECT value FROM checkpoints") == {"at": 2}
    assert [row[0] for row in records[1].rows] == ["copy"]


async def test_records_that_there_are_not_are_a_mistake_of_the_settings(database: Database, dsn: str) -> None:
    classes: list[str] = []

    async def work(attempt: Attempt) -> None:
        assert attempt.read is not None
        try:
            await attempt.read("nonsense", now(), now())
        except PayloadError as error:
            classes.append(error.error_class)

    labour = Labour({"ask": work})
    made = plan(dsn, Stage(), configuration(jobs=[job("ask")]), payloads=labour.kinds)
    async with running(made) as at_work:
        await until(lambda: at_work.progress.stage == "running")
        run = await operations.run_now(database, Actor("ann"), "ask", uuid4())
        assert await _ended(database, run) == "succeeded"
    assert classes == ["config.settings"]
