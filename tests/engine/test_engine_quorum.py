"""Several engines with tags: who may check what, and how many must agree before a service is down."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from support.engines import FAILING, Stage, configuration, plan, running, service
from support.sql import one, rows
from support.waiting import until
from watchfloor.config.model import ServiceConfig
from watchfloor.domain.outcome import Status
from watchfloor.engine.engine import Plan
from watchfloor.store.database import Database

pytestmark = pytest.mark.usefixtures("brisk")


def tagged(dsn: str, stage: Stage, name: str, tags: tuple[str, ...], *services: ServiceConfig) -> Plan:
    made = configuration(*services, node=name)
    return plan(dsn, stage, replace(made, node=replace(made.node, tags=tags)))


async def is_hard(database: Database, name: str, wanted: Status) -> bool:
    found = await one(
        database,
        "SELECT hard FROM service_state JOIN services ON id = service_id WHERE name = %(name)s",
        name=name,
    )
    return bool(found == wanted)


async def is_checked_again(stage: Stage, name: str) -> None:
    before = stage.count(name)
    await until(lambda: stage.count(name) > before + 2)


async def test_a_service_is_checked_only_by_nodes_with_its_tags_and_where_there_is_none_that_is_said(
    database: Database, dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    services = (
        *(service(f"eu{number}", on_nodes=("eu",)) for number in range(6)),
        service("nowhere", on_nodes=("moon",)),
        service("anywhere"),
    )
    first, second = Stage(), Stage()
    async with (
        running(tagged(dsn, first, "one", ("eu", "big"), *services)),
        running(tagged(dsn, second, "two", ("us",), *services)),
    ):
        await until(lambda: len(first.calls) >= 6)
        await until(lambda: both_live(database))
        second.calls.clear()
        for number in range(6):
            await is_checked_again(first, f"eu{number}")
        assert not [name for name in second.calls if name.startswith("eu")]
        assert "nowhere" not in first.calls.keys() | second.calls.keys()
        await until(lambda: is_told(database))
    assert "service nowhere asks for nodes with the tags moon, which no node has" in caplog.text


async def both_live(database: Database) -> bool:
    return bool(await one(database, "SELECT count(*) FROM nodes WHERE state = 'running'") == 2)


async def is_told(database: Database) -> bool:
    found = await one(
        database, "SELECT summary FROM service_state JOIN services ON id = service_id WHERE name = 'nowhere'"
    )
    return "no live node has the tags moon" in (found or "")


async def test_a_service_is_down_only_when_enough_nodes_say_so(database: Database, dsn: str) -> None:
    stages = [Stage() for _ in range(3)]
    asked = service("shop", quorum=2)
    async with AsyncExitStack() as stack:
        for number, stage in enumerate(stages):
            await stack.enter_async_context(running(tagged(dsn, stage, f"n{number}", (), asked)))
        await until(lambda: all_vote(database))
        await until(lambda: is_hard(database, "shop", Status.OK))
        for stage in stages:  # whoever is alone with it
            stage.finds["shop"] = FAILING
            await until(
                lambda: one_disagrees(database)
            )  # what it found before is said before what it finds after
            for other in stages:
                await is_checked_again(other, "shop")
            assert await is_hard(database, "shop", Status.OK)
            del stage.finds["shop"]
            await until(lambda: all_well(database))
        assert await rows(database, "SELECT id FROM incidents") == []
        stages[0].finds["shop"] = stages[2].finds["shop"] = FAILING
        await until(lambda: is_hard(database, "shop", Status.FAILING))
        assert "of 3 nodes" in await one(database, "SELECT cause FROM incidents")
        stages[0].finds.clear()
        await until(lambda: is_hard(database, "shop", Status.OK))


async def all_well(database: Database) -> bool:
    return bool(await one(database, "SELECT max(status) = 0 FROM service_votes"))


async def one_disagrees(database: Database) -> bool:
    return not await all_well(database)


async def all_vote(database: Database) -> bool:
    return bool(await one(database, "SELECT count(*) FROM service_votes") == 3)


async def test_where_only_one_node_is_left_its_word_counts(
    database: Database, dsn: str, stage: Stage
) -> None:
    stage.finds["shop"] = FAILING
    async with running(tagged(dsn, stage, "alone", (), service("shop", quorum=3))):
        await until(lambda: is_hard(database, "shop", Status.FAILING))
