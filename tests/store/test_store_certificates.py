"""The log of certificates: each once, every change, and what expires first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.make import EPOCH, at, definition, make_services
from support.sql import column
from watchfloor.store.certificates import (
    SeenCertificate,
    certificate_log,
    current_certificates,
    save_certificates,
)
from watchfloor.store.database import Database


def seen(service_id: int, second: float, fingerprint: str, ends: float = 1000) -> SeenCertificate:
    return SeenCertificate(
        service_id, at(second), fingerprint, "CN=shop", "CN=ca", at(-10), at(ends), {"subject": "x"}
    )


async def test_certificates_are_logged_once_each_and_every_change_is_seen(database: Database) -> None:
    service_id = (await make_services(database, definition("shop")))["shop"].id
    async with database.transaction() as connection:
        for second, fingerprint in enumerate(["aa", "aa", "bb", "bb", "aa"]):
            await save_certificates(connection, [seen(service_id, second, fingerprint)])
        found = await certificate_log(connection, service_id)
    assert [
        (row.fingerprint, row.first_seen, row.last_seen, row.current, row.changed_at) for row in found
    ] == [
        ("bb", at(2), at(3), True, at(2)),
        ("aa", at(0), at(4), True, at(0)),
    ]


async def show(database: Database, service_id: int, *shown: tuple[float, str]) -> list[tuple[str, bool]]:
    """Have a service show certificates; what its log says then: the newest change first, and what is current."""
    async with database.transaction() as connection:
        for second, fingerprint in shown:
            await save_certificates(connection, [seen(service_id, second, fingerprint)])
        return [(row.fingerprint, row.current) for row in await certificate_log(connection, service_id)]


async def logged(database: Database) -> list[str]:
    return await column(database, "SELECT fingerprint FROM certificate_changes ORDER BY at")


async def test_servers_that_take_turns_show_all_their_certificates_and_change_nothing(
    database: Database,
) -> None:
    service_id = (await make_services(database, definition("shop")))["shop"].id
    turns = [(n * 600.0, "aa" if n % 2 else "bb") for n in range(2 * 24 * 6)]
    assert await show(database, service_id, *turns) == [("aa", True), ("bb", True)]
    assert await logged(database) == ["bb", "aa"]
    end = turns[-1][0]
    alone = [(end + 600 * n, "bb") for n in range(1, 8)]
    assert await show(database, service_id, *alone) == [("aa", False), ("bb", True)]
    renewed = alone[-1][0] + 60
    assert await show(database, service_id, (renewed, "cc")) == [
        ("cc", True),
        ("aa", False),
        ("bb", False),
    ]


@pytest.mark.parametrize(("hours", "again"), [(23, []), (25, ["aa"])])
async def test_a_certificate_that_comes_back_after_a_day_is_a_change(
    database: Database, hours: int, again: list[str]
) -> None:
    service_id = (await make_services(database, definition("shop")))["shop"].id
    await show(database, service_id, (0, "aa"), (60, "bb"), (hours * 3600, "aa"))
    assert await logged(database) == ["aa", "bb", *again]


async def test_a_service_that_is_looked_at_once_in_two_days_does_not_change_each_time(
    database: Database,
) -> None:
    service_id = (await make_services(database, definition("shop")))["shop"].id
    await show(database, service_id, *((2 * 86_400 * n, "aa") for n in range(5)))
    assert await logged(database) == ["aa"]


async def test_what_expires_first_comes_first_and_only_what_is_shown_now(database: Database) -> None:
    made = await make_services(database, definition("a"), definition("b"), definition("c"))
    ids = [made[name].id for name in "abc"]
    day = 86_400
    async with database.transaction() as connection:
        await save_certificates(connection, [seen(ids[0], 0, "old", 1 * day), seen(ids[1], 0, "b", 90 * day)])
        await save_certificates(connection, [seen(ids[0], 1, "new", 60 * day), seen(ids[2], 1, "c", 9 * day)])
        everything = await current_certificates(connection, EPOCH)
        soon = await current_certificates(connection, EPOCH, timedelta(days=30))
    assert [row.fingerprint for row in everything] == ["c", "new", "b"]
    assert [row.service for row in soon] == ["c"]
