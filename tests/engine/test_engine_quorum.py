"""Several engines with tags: who may check what, and how many must agree before a service is down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from support.engines import FAILING, OK, Stage, configuration, plan, running, service
from support.sql import one, rows
from support.waiting import until
from watchfloor.config.model import ServiceConfig
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.sharing import watchers
from watchfloor.engine import prober
from watchfloor.engine.engine import Plan
from watchfloor.store import votes
from watchfloor.store.database import Database
from watchfloor.store.nodes import LIVE
from watchfloor.store.pulse import pulse

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


RARE = 3_600.0
"""Seconds between checks that come so seldom that none comes by itself within a test."""


@asynccontextmanager
async def three(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch, **values: Any
) -> AsyncIterator[list[Stage]]:
    """Three engines that check one service once an hour, and found it well; the one that books it comes first."""
    monkeypatch.setattr(prober, "FIRST_WITHIN_S", RARE)
    monkeypatch.setattr(prober, "FIRST_APART_S", RARE)
    asked = service("shop", quorum=2, every_s=RARE, **values)
    stages = [Stage() for _ in range(3)]
    async with AsyncExitStack() as stack:
        for number, stage in enumerate(stages):
            await stack.enter_async_context(running(tagged(dsn, stage, f"n{number}", (), asked)))
        await until(lambda: are_live(database, 3))
        await is_asked(database, "n0")
        await until(lambda: all_vote(database))
        await until(lambda: is_hard(database, "shop", Status.OK))
        await until(lambda: nobody_is_asked(database))
        uuid = await one(database, "SELECT uuid::text FROM services")
        ids = dict(await rows(database, "SELECT id, name FROM nodes"))
        order = [ids[each] for each in watchers(uuid, dict.fromkeys(ids, ()), quorum=2)]
        yield [stages[int(name[1:])] for name in order]


async def are_live(database: Database, number: int) -> bool:
    """Whether so many nodes share the work, and each of them knows it."""
    known = await one(database, f"SELECT count(*) FROM nodes n WHERE {LIVE} AND state = 'running'")
    return bool(known == number)


async def is_asked(database: Database, node: str) -> None:
    """One node is asked to check the service at once, whatever it did before."""
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO vote_requests SELECT s.id, n.id, clock_timestamp(), true FROM services s, nodes n "
            "WHERE n.name = %s ON CONFLICT (service_id, node_id) DO UPDATE SET since = EXCLUDED.since, anew = true",
            (node,),
        )
        await pulse(connection, "checks")


async def name_of(database: Database, place: int) -> str:
    uuid = await one(database, "SELECT uuid::text FROM services")
    ids = dict(await rows(database, "SELECT id, name FROM nodes"))
    return str(ids[watchers(uuid, dict.fromkeys(ids, ()), quorum=2)[place]])


@pytest.mark.parametrize("place", [0, 2], ids=["the one that books", "another"])
async def test_what_one_node_finds_is_confirmed_by_the_others_at_once_not_at_their_next_slots(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """A service that is checked once an hour is down as soon as enough nodes have looked, be it with one attempt."""
    async with three(database, dsn, monkeypatch, attempts=1) as stages:
        for stage in stages:
            stage.finds["shop"] = FAILING
        await is_asked(database, await name_of(database, place))
        await until(lambda: is_hard(database, "shop", Status.FAILING))
        assert "nodes say so, 2 must" in await one(database, "SELECT cause FROM incidents")
        for stage in stages:
            del stage.finds["shop"]
        await is_asked(database, await name_of(database, place))
        await until(lambda: is_hard(database, "shop", Status.OK))


@pytest.mark.parametrize("place", [0, 2], ids=["the one that books", "another"])
async def test_one_node_alone_is_asked_about_and_outvoted(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    async with three(database, dsn, monkeypatch, attempts=1) as stages:
        stages[place].finds["shop"] = FAILING
        before = [stage.count("shop") for stage in stages]
        results = await one(database, "SELECT count(*) FROM check_results")
        await is_asked(database, await name_of(database, place))
        await until(lambda: all(stage.count("shop") > was for stage, was in zip(stages, before, strict=True)))
        await until(lambda: has_results(database, results + 1))
        await until(lambda: nobody_is_asked(database))
        assert await rows(database, "SELECT status FROM check_results WHERE status <> 0") == []
        assert await is_hard(database, "shop", Status.OK)


async def has_results(database: Database, number: int) -> bool:
    return bool(await one(database, "SELECT count(*) FROM check_results") >= number)


async def nobody_is_asked(database: Database) -> bool:
    return bool(await one(database, "SELECT count(*) FROM vote_requests") == 0)


async def test_every_attempt_is_confirmed_by_checks_of_its_own(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others see the failure once and then no more: what they said at the first attempt confirms no second one."""
    async with three(database, dsn, monkeypatch, attempts=3, retry_every_s=0.3) as stages:
        speaker, *others = stages
        for stage in stages:
            stage.finds["shop"] = FAILING
        seen = {id(stage): stage.count("shop") for stage in others}

        async def once(stage: Stage) -> Outcome:
            if stage.count("shop") > seen[id(stage)] + 1:
                return OK
            return FAILING

        for stage in others:
            stage.finds["shop"] = partial(once, stage)
        await is_asked(database, await name_of(database, 0))
        await until(lambda: all(stage.count("shop") > seen[id(stage)] + 1 for stage in others))
        await until(lambda: is_status(database, Status.OK))
        assert await rows(database, "SELECT id FROM incidents") == []
        assert speaker.count("shop") > 1


async def is_status(database: Database, wanted: Status) -> bool:
    return bool(await one(database, "SELECT status FROM service_state") == wanted)


async def test_a_node_that_is_live_and_silent_agrees_to_nothing_and_holds_nothing_up(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with three(database, dsn, monkeypatch, timeout_s=0.2) as stages:
        silent = asyncio.Event()

        async def hang() -> Outcome:
            await silent.wait()
            return OK

        for stage in stages[1:]:
            stage.finds["shop"] = hang
        stages[0].finds["shop"] = FAILING
        await is_asked(database, await name_of(database, 0))
        await until(lambda: is_status(database, Status.UNKNOWN))
        silent.set()
        assert await is_hard(database, "shop", Status.OK)
        assert "1 of 3 nodes says so, 2 must" in await one(database, "SELECT summary FROM service_state")


async def test_the_word_of_a_node_that_is_gone_and_one_that_is_old_are_not_counted(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with three(database, dsn, monkeypatch):
        shop = await one(database, "SELECT id FROM services")
        said = "SELECT count(*) FROM service_votes"
        assert await one(database, said) == 3
        async with database.transaction() as connection:
            assert len((await votes.polls(connection, [shop]))[shop].votes) == 3
            await connection.execute(
                "UPDATE service_votes SET at = clock_timestamp() - interval '3602 seconds' WHERE node_id = ("
                "SELECT min(node_id) FROM service_votes)"
            )
            assert len((await votes.polls(connection, [shop]))[shop].votes) == 2
    async with database.transaction() as connection:
        assert await one(database, said) == 3
        assert (await votes.polls(connection, [shop]))[shop].votes == []
