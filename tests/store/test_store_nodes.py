"""Nodes: registered, live for as long as they hold their lock and renew their lease, gone at once when they die."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from support.make import EPOCH, now
from support.sql import one, rows
from support.waiting import until
from watchfloor.domain.boards import ComponentRow, ConfigFileRow, NodeRow
from watchfloor.store import health, nodes
from watchfloor.store.database import Connection, Database
from watchfloor.store.nodes import LEASE_S, Entry, Registration


def who(name: str, **values: Any) -> Registration:
    wanted = {"machine": "box", "pid": 42, "version": "1.0", "environment": "test", "tags": ("a", "b")}
    return Registration(name=name, **{**wanted, **values})


async def register(database: Database, name: str, **values: Any) -> Entry:
    async with database.transaction() as connection:
        return await nodes.register(connection, who(name, **values))


@asynccontextmanager
async def engine(database: Database, name: str) -> AsyncIterator[tuple[Entry, Connection]]:
    """A registered node that holds its lock, as a running engine does."""
    entry = await register(database, name)
    lock = await database.connect()
    try:
        assert await nodes.hold(lock, entry.id)
        yield entry, lock
    finally:
        await lock.close()


async def live(database: Database) -> list[int]:
    async with database.transaction() as connection:
        return await nodes.live_node_ids(connection)


async def board(database: Database) -> list[NodeRow]:
    async with database.transaction() as connection:
        return await nodes.nodes(connection)


async def test_a_node_is_live_only_while_it_holds_its_lock(database: Database) -> None:
    async with engine(database, "one") as (entry, lock):
        assert await live(database) == [entry.id]
        (row,) = await board(database)
        assert (row.name, row.state, row.live, row.tags, row.pid) == ("one", "starting", True, ("a", "b"), 42)
        await lock.close()
        await until(lambda: _nobody(database))


async def _nobody(database: Database) -> bool:
    return await live(database) == []


async def test_a_node_whose_process_is_killed_is_gone_at_once(database: Database) -> None:
    async with engine(database, "one") as (_, lock):
        await rows(database, "SELECT pg_terminate_backend(%(pid)s)", pid=lock.info.backend_pid)
        await until(lambda: _nobody(database))


async def test_a_node_that_went_silent_is_gone_when_its_lease_ends(database: Database) -> None:
    async with engine(database, "one") as (entry, _):
        await rows(database, "UPDATE nodes SET lease_until = now()")
        assert await live(database) == []
        await beat(database, entry)
        assert await live(database) == [entry.id]
        remaining = await one(database, "SELECT extract(epoch FROM lease_until - now())::float FROM nodes")
        assert LEASE_S - 5 < remaining <= LEASE_S


async def beat(database: Database, entry: Entry, state: str = "running") -> datetime | None:
    async with database.transaction() as connection:
        beaten = await nodes.beat(connection, entry, state, {"services": 3.0})
        return None if beaten is None else beaten.at


async def test_a_beat_tells_state_figures_and_the_time(database: Database) -> None:
    async with engine(database, "one") as (entry, _):
        await beat(database, entry)
        (row,) = await board(database)
    assert (row.state, row.stats) == ("running", {"services": 3.0})
    assert abs(row.beat_at - await now(database)) < timedelta(seconds=10)


async def test_a_node_whose_name_was_taken_over_may_not_beat(database: Database) -> None:
    old = await register(database, "one")
    new = await register(database, "one", pid=43)
    assert old.id == new.id
    assert await beat(database, old) is None
    assert await beat(database, new) is not None


async def test_a_lock_is_held_by_one(database: Database) -> None:
    async with engine(database, "one") as (entry, _):
        other = await database.connect()
        assert await nodes.hold(other, entry.id) is False
        await other.close()


async def test_a_node_on_its_way_out_shares_no_work(database: Database) -> None:
    async with engine(database, "one") as (first, _), engine(database, "two") as (second, _):
        assert await live(database) == [first.id, second.id]
        await beat(database, first, "stopping")
        assert await live(database) == [second.id]


async def test_a_node_that_left_is_stopped_and_its_components_with_it(database: Database) -> None:
    async with engine(database, "one") as (entry, _):
        await components(database, component(entry.id, "prober", "running"))
        await leave(database, entry)
        (row,) = await board(database)
        assert (row.state, row.live) == ("stopped", False)
        assert row.stopped_at is not None
        assert await one(database, "SELECT state FROM component_health") == "stopped"
        async with database.transaction() as connection:
            assert await nodes.components(connection) == []


async def test_a_node_that_failed_says_why(database: Database) -> None:
    async with engine(database, "one") as (entry, _):
        await leave(database, entry, "the disk is full")
        (row,) = await board(database)
    assert (row.state, row.error) == ("error", "the disk is full")


async def test_a_node_whose_name_was_taken_over_leaves_quietly(database: Database) -> None:
    old = await register(database, "one")
    await register(database, "one")
    await leave(database, old)
    assert await one(database, "SELECT state FROM nodes") == "starting"


async def leave(database: Database, entry: Entry, error: str = "") -> None:
    async with database.transaction() as connection:
        await nodes.leave(connection, entry, error)


async def test_a_node_that_comes_back_begins_anew(database: Database) -> None:
    async with engine(database, "one") as (entry, _):
        await components(database, component(entry.id, "prober", "stuck"))
        await leave(database, entry, "broken")
    async with engine(database, "one") as (again, _):
        assert again.id == entry.id
        (row,) = await board(database)
        assert (row.state, row.live, row.error, row.stopped_at) == ("starting", True, "", None)
        assert await one(database, "SELECT count(*) FROM component_health") == 0


def component(node_id: int, name: str, state: str) -> ComponentRow:
    moment = EPOCH
    return ComponentRow(node_id, "one", name, state, moment, moment, 3, "why")


async def components(database: Database, *found: ComponentRow) -> None:
    async with database.transaction() as connection:
        await nodes.save_components(connection, found)


async def test_components_are_overwritten_and_listed_the_worst_first(database: Database) -> None:
    async with engine(database, "one") as (entry, _):
        await components(database, component(entry.id, "a", "running"), component(entry.id, "b", "running"))
        await components(database, component(entry.id, "b", "stuck"))
        async with database.transaction() as connection:
            found = await nodes.components(connection)
            line = await health.status_line(connection, "")
    assert [(row.component, row.state, row.node, row.restarts) for row in found] == [
        ("b", "stuck", "one", 3),
        ("a", "running", "one", 3),
    ]
    assert (line.components_bad, line.nodes_live, line.node) == (1, 1, "one")


async def test_the_config_file_of_a_live_node_is_known_with_its_mistakes(database: Database) -> None:
    async with engine(database, "one") as (entry, _):
        await config(database, entry.id, "good", (), applied=True)
        (good,) = await config_files(database)
        await config(database, entry.id, "bad", ("line 1: \x00\ud800 what?",), applied=False)
        (bad,) = await config_files(database)
        async with database.transaction() as connection:
            line = await health.status_line(connection, "")
    assert (good.node, good.path, good.digest, good.problems) == ("one", "/etc/w.yaml", "good", ())
    assert good.loaded_at is not None
    assert (bad.loaded_at, bad.problems) == (good.loaded_at, ("line 1: � what?",))
    assert [(p.node, p.text) for p in line.config_problems] == [("one", "line 1: � what?")]

    async def forgotten() -> bool:
        return await config_files(database) == []

    await until(forgotten)


async def config(
    database: Database, node_id: int, digest: str, problems: tuple[str, ...], *, applied: bool
) -> None:
    async with database.transaction() as connection:
        await nodes.save_config_file(connection, node_id, "/etc/w.yaml", digest, problems, applied=applied)


async def config_files(database: Database) -> list[ConfigFileRow]:
    async with database.transaction() as connection:
        return await nodes.config_files(connection)
