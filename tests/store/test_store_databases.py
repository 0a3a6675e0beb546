"""The summary of databases: a week counted from roll-ups is what counting single results gives, hour by hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from support.make import EPOCH, definition, make_services
from watchfloor.domain.outcome import Status
from watchfloor.store import databases as store
from watchfloor.store.database import Database
from watchfloor.store.partitions import ensure_partitions
from watchfloor.store.results import ResultRow, copy_results, save_facts
from watchfloor.store.rollups import GRAINS, move_watermark, roll

SPELL = timedelta(minutes=20)
WORDS = (Status.OK, Status.OK, Status.DEGRADED, Status.OK, Status.FAILING, Status.OK, Status.UNKNOWN)


def results(service_id: int, start: datetime, end: datetime) -> Sequence[ResultRow]:
    number = (end - start) // SPELL
    return [
        ResultRow(service_id, start + n * SPELL, 1, int(WORDS[n % len(WORDS)]), 900, 0, None, None, 900)
        for n in range(number)
    ]


async def test_a_week_is_counted_from_every_grain_once(database: Database) -> None:
    """Ten days of results; minutes, hours and days are each rolled up to a moment of their own, then dropped."""
    midnight = EPOCH.replace(hour=0, minute=0, second=0, microsecond=0)
    start, now = midnight, midnight + timedelta(days=10, hours=13, minutes=31)
    marks = {
        "minute": now - timedelta(minutes=31),
        "hour": now.replace(hour=9, minute=0),
        "day": midnight + timedelta(days=9),
    }
    made = await make_services(
        database,
        definition("shop", kind="postgres"),
        definition("site", kind="http"),
        definition("new", kind="redis"),
    )
    rows = results(made["shop"].id, start, now)
    async with database.transaction() as connection:
        for day in range(11):
            await ensure_partitions(connection, (midnight + timedelta(days=day)).date())
        assert await store.database_week(connection, now) == {}
        await copy_results(connection, [*rows, *results(made["site"].id, start, now)])
        for grain in GRAINS:
            await roll(connection, grain, [made["shop"].id], start, marks[grain.name])
            await move_watermark(connection, grain.name, marks[grain.name])
        # What is rolled up must not be needed any more, and what is not must not be looked for there.
        await connection.execute("DELETE FROM check_results WHERE ts < %s", (marks["minute"],))
        await connection.execute("DELETE FROM result_1m WHERE ts < %s", (marks["hour"],))
        week = await store.database_week(connection, now)
        since = (now - timedelta(days=7)).replace(minute=0)
        told = [row for row in rows if row.ts >= since and row.status != Status.UNKNOWN]
        assert week == {made["shop"].id: (sum(row.status == Status.OK for row in told), len(told))}


async def test_what_is_known_of_a_database_is_its_place_its_figures_and_its_week(database: Database) -> None:
    made = await make_services(
        database,
        definition("shop", kind="postgres", settings={"dsn": "postgresql://db/shop"}, depends_on=("net",)),
        definition("net", kind="ping"),
    )
    shop = made["shop"].id
    async with database.transaction() as connection:
        await save_facts(
            connection, [(shop, EPOCH, {}, {"connections_used": 7.0, "round_trip_seconds": 0.1})]
        )
        (known,) = (await store.known_databases(connection, {shop: (3, 4)})).values()
    assert (known.settings, known.needs) == ({"dsn": "postgresql://db/shop"}, ("net",))
    assert (known.metrics, known.succeeded, known.judged) == ({"connections_used": 7.0}, 3, 4)
