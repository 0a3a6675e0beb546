"""Groups that several transactions open, close and join at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from support.make import EPOCH
from support.sql import one, rows
from support.waiting import until
from watchfloor.store import groups
from watchfloor.store.database import Database
from watchfloor.store.errors import StoreError
from watchfloor.store.groups import Wanted

LATER = EPOCH + timedelta(hours=1)
WAITS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def wanted(*keys: str) -> list[Wanted]:
    return [Wanted(key, "ops", {}, 30.0, 300.0, 14_400.0, send_resolved=True) for key in keys]


async def ensure(database: Database, *keys: str) -> list[int]:
    async with database.transaction() as connection:
        return await groups.ensure(connection, wanted(*keys), [uuid4() for _ in keys], EPOCH)


async def test_whoever_joins_a_group_while_it_is_closed_opens_the_next_one(database: Database) -> None:
    web, shop = await ensure(database, "web", "shop")
    async with database.transaction() as closing:
        assert len(await groups.lock_due(closing, LATER, 1, [web])) == 1
        joining = asyncio.create_task(ensure(database, "web", "shop"))
        await until(lambda: one(database, WAITS))
        await groups.rest(closing, web, None, LATER)
    again, same = await joining
    assert same == shop
    assert again not in (web, shop)
    found = await rows(
        database, "SELECT id, closed_at FROM notice_groups WHERE key = 'web' ORDER BY closed_at"
    )
    assert found == [(web, LATER), (again, None)]


async def test_a_group_that_is_closed_every_time_is_an_error_in_words(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(*_: object) -> dict[tuple[str, str], int]:
        return {}

    monkeypatch.setattr(groups, "_ensure", none)
    with pytest.raises(StoreError, match="the group web on ops was closed 5 times"):
        await ensure(database, "web")
