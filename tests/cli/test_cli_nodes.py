"""Nodes on the command line: all of them, and one in full with its figures, its components and its config file."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from support.databases import _drop_templates, database, dsn, empty_dsn, server
from support.make import now
from watchfloor.cli.desk import Desk
from watchfloor.cli.node_requests import node, nodes
from watchfloor.domain.boards import ComponentRow
from watchfloor.operations.actor import Actor, Refused
from watchfloor.store import nodes as store
from watchfloor.store.database import Database
from watchfloor.store.node_minutes import Minute, save_minute
from watchfloor.store.nodes import Entry, Registration

__all__ = ["_drop_templates", "database", "dsn", "empty_dsn", "server"]

MEASURED = Minute(datetime.min, 24, 120, 1, 0.4, 2.5, 9.0, 3, 2, 12.0, 8.5, 90_000_000, 0.7)


@pytest.fixture
def desk(database: Database) -> Desk:
    async def connect() -> Database:
        return database

    return Desk(connect, lambda: "test", Actor("ann"))


async def register(database: Database, name: str, tags: tuple[str, ...] = ()) -> Entry:
    async with database.transaction() as connection:
        return await store.register(connection, Registration(name, "box", 42, "1.0", "test", tags))


async def measure(database: Database, entry: Entry, minutes: int) -> None:
    """So many minutes until now, the first of them with the fewest checks."""
    moment = (await now(database)).replace(second=0, microsecond=0)
    async with database.transaction() as connection:
        for ago in range(minutes):
            minute = moment - timedelta(minutes=ago + 1)
            await save_minute(
                connection, entry, replace(MEASURED, minute=minute, checks=60 * (minutes - ago))
            )


async def test_one_node_is_told_in_full(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = await register(database, "floor-01", ("eu",))
    await measure(database, entry, 3)
    moment = await now(database)
    async with database.transaction() as connection:
        row = ComponentRow(entry.id, "floor-01", "prober", "stuck", moment, moment, 2, "no answer")
        await store.save_components(connection, [row])
        await store.save_config_file(
            connection, entry.id, "/etc/floor.yaml", "5caba", ["line 7"], applied=True
        )
    async with await database.connect() as lock:  # as a running engine does
        assert await store.hold(lock, entry.id)
        await node("floor-01", "1h", json=False)(desk)
        text = " ".join(capsys.readouterr().out.split())
        await node("floor-01", "1h", json=True)(desk)
        told = json.loads(capsys.readouterr().out)
    assert "floor-01 starting box 42 1.0 eu" in text
    assert "environment test" in text
    assert "config file /etc/floor.yaml mistake line 7" in text
    assert "alive 100 % of 3m" in text
    assert "checks per second 1 2 2.9 3" in text
    assert "prober stuck" in text
    assert "no answer" in text
    assert (told["node"]["name"], told["config_file"]["problems"]) == ("floor-01", ["line 7"])
    assert told["components"][0]["without"]
    checks = told["figures"]["courses"]["checks_per_second"]["figures"]
    assert (told["figures"]["alive"], checks["least"], checks["most"]) == (1.0, 1.0, 3.0)


async def test_a_node_without_figures_says_so(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await register(database, "floor-01")
    await node("floor-01", "15m", json=False)(desk)
    assert "No figures of this time." in capsys.readouterr().out


async def test_what_no_node_is_called_and_what_is_no_stretch_of_time_are_refused(
    desk: Desk, database: Database
) -> None:
    await register(database, "floor-01")
    with pytest.raises(Refused, match=r'There is no node called flor-01. Did you mean "floor-01"'):
        await node("flor-01", "1h", json=False)(desk)
    with pytest.raises(Refused, match="--within: "):
        node("floor-01", "soon", json=False)


async def test_all_nodes_are_listed(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await register(database, "floor-01")
    await register(database, "floor-02", ("us", "spare"))
    await nodes(json=False)(desk)
    text = capsys.readouterr().out
    assert "NODE" in text
    assert "us, spare" in text
    await nodes(json=True)(desk)
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["floor-01", "floor-02"]
