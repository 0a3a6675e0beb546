"""An engine and a server of its own that stops and starts under it: nothing is lost, nothing needs a hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engines import FAILING, OK, Stage, channel, configuration, plan, running, service
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.errors import is_away

pytestmark = pytest.mark.usefixtures("brisk")


@pytest.fixture
def own(server_dir: Path) -> Iterator[Embedded]:
    server = Embedded.start(server_dir)
    yield server
    server.stop(wait=True)


async def stored(database: Database) -> dict[str, int]:
    return dict(
        await rows(
            database,
            "SELECT s.name, count(*) FROM check_results r JOIN services s ON s.id = r.service_id GROUP BY 1",
        )
    )


async def answers(database: Database) -> bool:
    try:
        return await one(database, "SELECT 1") == 1
    except Exception as error:
        if not is_away(error):
            raise
        return False


async def test_everything_found_while_the_server_was_down_is_stored_when_it_is_back(
    own: Embedded, server_dir: Path, stage: Stage
) -> None:
    database = Database(own.dsn, name="test")
    made = plan(own.dsn, stage, configuration(service("a"), service("b"), channels=[channel()]))
    async with running(made) as run:
        await until(lambda: run.progress.stage == "running")
        await until(lambda: stage.count("a") >= 3)
        await asyncio.to_thread(own.stop, True)
        down = stage.count("a")
        stage.finds["b"] = FAILING
        await until(lambda: stage.count("a") >= down + 10)
        stage.finds["b"] = OK
        before = stage.count("b")
        await until(lambda: stage.count("b") >= before + 3)
        again = await asyncio.to_thread(Embedded.start, server_dir)
        own._users = again._users  # the fixture lets go of this one now
        await until(lambda: answers(database))
        await until(lambda: len(stage.sent) == 2)
        assert run.progress.stage == "running"
    assert await stored(database) == {name: stage.count(name) for name in "ab"}
    assert [message.kind for message in stage.sent] == ["alert.firing", "alert.resolved"]
    events = await column(database, "SELECT kind FROM alert_events ORDER BY seq")
    assert events == ["raised", "fired", "resolved"]
    assert await one(database, "SELECT count(*) FROM alerts") == 1
    await database.close()


async def test_an_engine_that_begins_before_its_server_waits_for_it(
    own: Embedded, server_dir: Path, stage: Stage
) -> None:
    dsn = own.dsn
    await asyncio.to_thread(own.stop, True)
    async with running(plan(dsn, stage, configuration(service("a")))) as run:
        await until(lambda: run.progress.stage == "waiting for the database")
        again = await asyncio.to_thread(Embedded.start, server_dir)
        own._users = again._users
        await until(lambda: stage.count("a") >= 2)
        assert run.progress.error == ""


async def test_an_engine_whose_server_is_down_still_ends_when_asked(own: Embedded, stage: Stage) -> None:
    async with running(plan(own.dsn, stage, configuration(service("a")))) as run:
        await until(lambda: stage.count("a") >= 2)
        await asyncio.to_thread(own.stop, True)
        await until(lambda: stage.count("a") >= 4)
        run.engine.stop()
        await asyncio.wait_for(asyncio.shield(run.task), 30)
    assert run.progress.stage == "stopped"
