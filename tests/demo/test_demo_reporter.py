"""The job of the demo: it reports itself, falls silent in time to be seen, and leaves nothing behind."""

from __future__ import annotations

import threading

import pytest

from support.databases import Server, _drop_templates, database, dsn
from support.make import definition, make_services
from support.sql import one
from support.waiting import until
from watchfloor.demo.reporter import NAME, Reporter, silent
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded

__all__ = ["_drop_templates", "database", "dsn"]


@pytest.fixture
def server(embedded: Embedded) -> Server:
    """The server of these tests."""
    return Server("embedded", embedded.dsn)


@pytest.mark.parametrize("seed", range(20))
def test_it_works_first_then_hangs_within_the_first_minute_and_comes_back(seed: int) -> None:
    course = [silent(seed, second) for second in range(200)]
    assert not any(course[:20])
    assert all(course[25:60])
    assert not course[80]


async def test_it_pings_once_it_is_known_and_ends_when_told(database: Database, dsn: str) -> None:
    with Reporter(1, dsn):
        await make_services(database, definition(NAME, kind="heartbeat", settings={"period": "5s"}))
        await until(lambda: one(database, "SELECT count(*) >= 2 FROM heartbeat_pings"))
    assert "demo-job" not in {thread.name for thread in threading.enumerate()}
    assert (
        await one(database, "SELECT body FROM heartbeat_pings WHERE signal = 'success'")
        == "212 articles, 3 changed"
    )
