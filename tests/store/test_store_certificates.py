"""The log of certificates: each once, every change, and what expires first."""

from __future__ import annotations

from datetime import timedelta

from support.make import EPOCH, at, definition, make_services
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
        ("aa", at(0), at(4), True, at(4)),
        ("bb", at(2), at(3), False, at(2)),
    ]


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
