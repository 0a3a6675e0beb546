"""The audit of all nodes: one that is well does not speak for one that is not, one that is gone silences nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from support.make import definition, make_rules, make_services, now
from support.sql import column, rows
from watchfloor.domain.boards import ComponentRow
from watchfloor.operations.auditing import audit
from watchfloor.operations.components import report
from watchfloor.store import nodes
from watchfloor.store.database import Connection, Database
from watchfloor.store.nodes import Entry, Registration

LOOPS = ("loop", "heart", "prober")
HOUR_MS = 3_600_000


@dataclass
class Nodes:
    """Nodes that run, and what one of them finds."""

    database: Database
    entries: dict[str, Entry] = field(default_factory=dict)
    locks: dict[str, Connection] = field(default_factory=dict)

    async def start(self, *names: str) -> None:
        for name in names:
            async with self.database.transaction() as connection:
                entry = await nodes.register(connection, Registration(name, "here", 1, "1", "", ()))
                await nodes.beat(connection, entry, "running", {})
            self.entries[name], self.locks[name] = entry, await self.database.connect()
            assert await nodes.hold(self.locks[name], entry.id)
            await self.report(name)

    async def report(self, name: str, failing: str = "", silent: str = "", silent_s: float = 40.0) -> None:
        """Let a node say how its loops do."""
        at = await now(self.database)
        async with self.database.transaction() as connection:
            found = [
                ComponentRow(
                    self.entries[name].id, name, each, "running",
                    at - timedelta(seconds=silent_s if each in silent.split() else 0), at, 0, "",
                )
                for each in LOOPS
            ]  # fmt: skip
            await report(connection, found, name, at, [failing])

    async def change(self, name: str, what: str) -> None:
        await rows(self.database, f"UPDATE nodes SET {what} WHERE name = %(name)s", name=name)

    async def found(self) -> list[str]:
        """What node one finds; somebody outside listens."""
        at = await now(self.database)
        async with self.database.transaction() as connection:
            return await audit(connection, self.entries["one"].id, "one", LOOPS, True, at)

    async def said(self) -> int:
        """How often it was said outside that all is well."""
        return len(await column(self.database, "SELECT id FROM outbox WHERE channel = 'watchdog'"))


@pytest.fixture
async def two(database: Database) -> AsyncIterator[Nodes]:
    """Two nodes that are well, and two services: one is checked every minute, the other once in an hour."""
    await make_rules(database)
    await make_services(
        database, definition("often", every_ms=60_000), definition("seldom", every_ms=HOUR_MS)
    )
    await _age(database, "services", "changed_at", "6 hours")
    await _age(database, "service_state", "last_ended", "5 s")
    made = Nodes(database)
    async with AsyncExitStack() as stack:
        await made.start("one", "two")
        await _age(database, "nodes", "started_at", "6 hours")
        for lock in made.locks.values():
            stack.push_async_callback(lock.close)
        yield made


async def _age(database: Database, table: str, column: str, age: str, where: str = "true") -> None:
    await rows(database, f"UPDATE {table} SET {column} = clock_timestamp() - interval '{age}' WHERE {where}")


async def test_where_all_nodes_are_well_it_is_said(two: Nodes) -> None:
    assert await two.found() == []
    assert await two.said() == 1


async def test_a_loop_of_another_node_that_stands_still_silences_all(two: Nodes) -> None:
    await two.report("two", silent="prober")
    assert await two.found() == ["the loop prober of node two has given no sign of life for 40 s"]
    await two.report("two", failing="prober")
    assert await two.found() == ["the loop prober of node two is failing"]
    assert await column(two.database, "SELECT title FROM alerts") == ["prober of node two is failing"]
    assert await two.said() == 0
    await two.report("two")
    assert await two.found() == []


async def test_a_node_whose_heart_stands_still_is_not_taken_for_gone(two: Nodes) -> None:
    await two.change("two", "lease_until = now() - interval '1 minute'")
    assert await two.found() == []
    await two.report("two", silent="heart")
    assert await two.found() == ["the loop heart of node two has given no sign of life for 40 s"]


async def test_a_node_of_which_nothing_is_heard_is_one_line(two: Nodes) -> None:
    await two.report("two", silent="loop heart prober", silent_s=90.0)
    assert await two.found() == ["no loop of node two has given a sign of life for 90 s"]
    await rows(two.database, "DELETE FROM component_health WHERE node_id = %(id)s", id=two.entries["two"].id)
    assert await two.found() == ["no loop of node two has given a sign of life for 21600 s"]


async def test_a_node_that_is_gone_silences_nobody(two: Nodes) -> None:
    await two.report("two", failing="prober", silent="loop heart prober")
    await two.locks["two"].close()  # as the connections of a dead process are
    assert await two.found() == []


@pytest.mark.parametrize("state", ["stopping", "stopped", "error"])
async def test_a_node_that_ends_silences_nobody(two: Nodes, state: str) -> None:
    await two.report("two", silent="prober")
    await two.change("two", f"state = '{state}'")
    assert await two.found() == []


async def test_one_service_that_is_checked_does_not_speak_for_one_that_is_not(two: Nodes) -> None:
    seldom = "service_id = (SELECT id FROM services WHERE name = 'seldom')"
    await _age(two.database, "service_state", "last_ended", "119 minutes", seldom)
    assert await two.found() == []
    await _age(two.database, "service_state", "last_ended", "121 minutes", seldom)
    (found,) = await two.found()
    assert found.startswith("seldom should have been checked: no result for 726")
    await rows(two.database, f"UPDATE service_state SET last_ended = NULL WHERE {seldom}")
    (found,) = await two.found()
    assert found.startswith("seldom should have been checked: no result for 216")


@pytest.mark.parametrize(
    "excuse",
    [
        "UPDATE services SET paused = true WHERE name = 'seldom'",
        "UPDATE services SET retired_at = now() WHERE name = 'seldom'",
        "UPDATE services SET kind = 'heartbeat' WHERE name = 'seldom'",
        "UPDATE services SET changed_at = now() WHERE name = 'seldom'",  # resumed, or checked more often from now on
        "UPDATE nodes SET started_at = now()",  # nobody was there before
    ],
)
async def test_a_service_that_need_not_have_been_checked_is_not_late(two: Nodes, excuse: str) -> None:
    await _age(two.database, "service_state", "last_ended", "5 hours")
    await _age(two.database, "service_state", "last_ended", "5 s", "service_id = 1")
    assert len(await two.found()) == 1
    await rows(two.database, excuse)
    assert await two.found() == []


async def test_of_many_late_services_the_one_that_waits_longest_is_named(two: Nodes) -> None:
    await _age(two.database, "service_state", "last_ended", "4 minutes")
    await _age(two.database, "service_state", "last_ended", "5 hours", "service_id = 2")
    late = (await two.found())[-1]
    assert late.startswith("seldom and 1 other service should have been checked")
