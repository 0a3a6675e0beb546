"""The past of the demo: whole, without contradictions, and the same for a seed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from support.databases import Server, _drop_templates, dsn
from watchfloor.config.kinds import channel_kinds, payload_kinds, probe_kinds
from watchfloor.config.loader import load
from watchfloor.demo import past
from watchfloor.demo.remembering import remember
from watchfloor.demo.world import World
from watchfloor.domain.history import Grain
from watchfloor.domain.outcome import Status
from watchfloor.store import alert_stats, uptime
from watchfloor.store.database import Database, fetch_all, fetch_value
from watchfloor.store.embedded import Embedded
from watchfloor.store.history import history

__all__ = ["_drop_templates", "dsn"]

NOW = datetime(2026, 3, 4, 15, 20, tzinfo=UTC)


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


@pytest.fixture
async def database(dsn: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A database with the past of seed 7 in it."""
    world = World(7, tmp_path)
    await world.start()
    try:
        config = tmp_path / "config.yaml"
        config.write_text(world.config_text(), encoding="utf-8")
    finally:
        await world.stop()
    models = probe_kinds().models, channel_kinds().models
    environment = {"WATCHFLOOR_DEMO_DSN": dsn}
    loaded = load(config, *models, environment, payload_kinds=payload_kinds().models)
    await remember(dsn, loaded.required(), 7)
    database = Database(dsn, name="test")
    yield database
    await database.close()


@pytest.mark.parametrize("seed", range(20))
def test_what_happened_is_the_same_for_a_seed_and_never_overlaps(seed: int) -> None:
    happened = past.faults(seed, NOW)
    assert happened == past.faults(seed, NOW)
    assert {fault.service for fault in happened} <= set(past.HABITS)
    for _, mine in groupby(happened, key=lambda fault: fault.service):
        for one, after in pairwise(mine):
            assert one.ended is not None
            assert one.began < one.ended < after.began
    for span, after in pairwise(past.spans(happened, NOW - timedelta(days=past.DAYS))):
        if span.service == after.service:
            assert span.ended == after.began


async def test_boards_charts_and_statistics_are_full_of_it(database: Database) -> None:
    async with database.transaction() as connection:
        now = await fetch_value(connection, "SELECT clock_timestamp()")
        assert await fetch_value(connection, "SELECT count(*) FROM service_state WHERE hard IS NULL") == 0
        ids = {row.name: row.id for row in await fetch_all(connection, "SELECT name, id FROM services")}
        assert set(ids) == set(past.HABITS)
        spent = await uptime.spent_windows(connection, ids["archive"], now)
        assert spent["24h"].ratio == 0.0
        assert spent["7d"].ratio == pytest.approx(5 / 7, abs=0.02)
        for hours, grain in ((1, Grain.RAW), (24, Grain.MINUTE), (24 * 20, Grain.HOUR)):
            found = await history(connection, ids["search"], now - timedelta(hours=hours), now)
            assert found.grain is grain
            assert len([each for each in found.latency.samples if each.value is not None]) > 50
        found = await history(connection, ids["this-host"], now - timedelta(days=20), now)
        assert len(found.metrics["cpu_percent"].samples) > 50
        fired = await alert_stats.fired_alerts(connection, now - timedelta(days=30), now)
        assert len(fired) > 40
        assert len([each for each in fired if each.acked_at is not None]) > 20


async def test_what_is_broken_has_been_so_and_is_known(database: Database) -> None:
    async with database.transaction() as connection:
        rows = await fetch_all(
            connection,
            "SELECT s.name, t.hard, a.state, a.acked_by FROM services s JOIN service_state t ON t.service_id = s.id "
            "LEFT JOIN alerts a ON a.service_id = s.id AND a.state <> 'resolved' WHERE t.hard <> 0 ORDER BY s.name",
        )
        assert [tuple(row) for row in rows] == [
            ("archive", Status.FAILING, "acknowledged", "ops-primary"),
            ("partner-feed", Status.FAILING, "acknowledged", "ops-primary"),
            ("payment-certificate", Status.DEGRADED, "acknowledged", "ops-primary"),
        ]
