"""Settings and preferences as they are stored, and JSON as PostgreSQL takes it."""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

import pytest

from support.sql import one, rows
from watchfloor.domain.settings import SETTINGS
from watchfloor.store import audit, settings
from watchfloor.store.database import Database
from watchfloor.store.jsonb import dumps


async def values(database: Database) -> dict[str, object]:
    async with database.transaction() as connection:
        return await settings.values(connection)


async def change(database: Database, key: str, value: object) -> object:
    async with database.transaction() as connection:
        return await settings.change(connection, key, value, "ann")


async def test_without_changes_every_setting_has_its_default(database: Database) -> None:
    assert await values(database) == {setting.key: setting.default for setting in SETTINGS}
    async with database.transaction() as connection:
        assert {row.source for row in await settings.rows(connection)} == {"default"}


async def test_a_change_tells_what_was_before_and_a_reset_goes_back(database: Database) -> None:
    key = "retention.logs"
    assert await change(database, key, 7) is None
    assert await change(database, key, 8) == 7
    assert (await values(database))[key] == 8
    async with database.transaction() as connection:
        row = next(row for row in await settings.rows(connection) if row.key == key)
        assert (row.value, row.default, row.source, row.changed_by) == (8, 14, "database", "ann")
        assert await settings.reset(connection, key) == 8
        assert await settings.reset(connection, key) is None
    assert (await values(database))[key] == 14


@pytest.mark.parametrize("stored", ["soon", -5, 10**9, None, [], {"a": 1}, True, 7.5])
async def test_what_another_version_stored_and_this_one_cannot_use_is_not_in_force(
    database: Database, stored: object
) -> None:
    await change(database, "retention.logs", stored)
    await change(database, "of.another.version", 1)
    assert (await values(database))["retention.logs"] == 14
    assert "of.another.version" not in await values(database)


async def test_preferences_belong_to_an_operator_and_hold_whatever_came(database: Database) -> None:
    async with database.transaction() as connection:
        await settings.save_preference(connection, "ann", "theme", "day")
        await settings.save_preference(connection, "ann", "theme", {"name": "night\0", "half": "\ud800"})
        await settings.save_preference(connection, "bob", "theme", "clear")
        assert await settings.preferences(connection, "ann") == {"theme": {"name": "night", "half": "�"}}
        assert await settings.preferences(connection, "nobody") == {}


async def test_the_audit_keeps_lines_in_order_with_before_and_after(database: Database) -> None:
    lines = [
        audit.Line("ann", "change", "setting", "x", {"value": 1}, {"value": "a\0b"}),
        audit.Line("bob", "check now", "service", "42"),
    ]
    async with database.transaction() as connection:
        await audit.record(connection, lines)
        await audit.record(connection, [])
    found = await rows(
        database, "SELECT actor, action, object_kind, object_id, before, after FROM audit ORDER BY id"
    )
    assert found == [
        ("ann", "change", "setting", "x", {"value": 1}, {"value": "ab"}),
        ("bob", "check now", "service", "42", None, None),
    ]


def test_good_json_is_left_as_it_is() -> None:
    value = {"a": [1, 2.5, None, True, "größe 🦉 \\u0000 \n"], "b": {}}
    assert json.loads(dumps(value)) == value


class Odd:
    def __str__(self) -> str:
        return "odd\0"


async def test_postgresql_takes_whatever_is_written(database: Database) -> None:
    random = Random(5)
    pool: list[Any] = [
        "\0", "a\0b\ud800", "\udfff", "🦉", "\\u0000", "\\\0", math.nan, math.inf, -math.inf, 1e308, 10**30, True, None,
        Odd(), b"\0", "\x1b", "\x7f", "",
    ]  # fmt: skip

    def some(depth: int) -> Any:
        match random.randrange(3) if depth else 2:
            case 0:
                return {random.choice(["k", "k\0", "\ud800", 5, (1, 2)]): some(depth - 1) for _ in range(3)}
            case 1:
                return [some(depth - 1) for _ in range(3)]
            case _:
                return random.choice(pool)

    for _ in range(200):
        written = dumps(some(3))
        assert await one(database, "SELECT %(v)s::jsonb IS NOT NULL", v=written) is True
