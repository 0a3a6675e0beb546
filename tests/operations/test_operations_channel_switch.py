"""A channel that is switched off: what is new is left out and says so, what waits is kept, what fires is told after."""

from __future__ import annotations

import pytest
from test_operations_escalating import Watch

from support.floor import Floor
from support.make import make_rules, now
from support.sql import column, one, rows
from watchfloor.domain.circuit import Circuit
from watchfloor.domain.severity import Severity
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.deliveries import set_channel_enabled, try_channel
from watchfloor.store import channels as health
from watchfloor.store import outbox, watchdog
from watchfloor.store.database import Database
from watchfloor.store.outbox import OFF
from watchfloor.store.rules import ChannelDefinition, apply_channels

ANN = Actor("ann")


async def define(database: Database, *names: str, **enabled: bool) -> None:
    async with database.transaction() as connection:
        made = [ChannelDefinition(each, "webhook", {}, enabled.get(each, True), "") for each in names]
        await apply_channels(connection, made)


async def said(database: Database) -> list[tuple[str, str, str]]:
    found = await rows(
        database,
        "SELECT kind, state, last_error FROM outbox WHERE alert_id IS NOT NULL ORDER BY alert_id, seq",
    )
    return [tuple(row) for row in found]


@pytest.fixture
async def floor(database: Database) -> Floor:
    await make_rules(database)
    await define(database, "ops")
    return Floor(database, await now(database))


async def test_what_is_new_is_left_out_and_what_still_fires_is_told_once_it_is_on(floor: Floor) -> None:
    database = floor.database
    assert await set_channel_enabled(database, ANN, "ops", False) == 0
    await floor.fire("a", "b")
    await floor.end("b")
    assert await said(database) == [("alert.firing", "cancelled", OFF), ("alert.firing", "cancelled", OFF)]
    assert await set_channel_enabled(database, ANN, "ops", True) == 1
    assert await said(database) == [("alert.firing", "queued", ""), ("alert.firing", "cancelled", OFF)]
    assert await set_channel_enabled(database, ANN, "ops", True) is None


async def test_what_waits_is_kept_and_the_end_of_what_was_told_follows_it(floor: Floor) -> None:
    database = floor.database
    await floor.fire("a")
    await set_channel_enabled(database, ANN, "ops", False)
    await floor.end("a")
    assert [each[:2] for each in await said(database)] == [
        ("alert.firing", "queued"),
        ("alert.resolved", "queued"),
    ]
    async with database.transaction() as connection:
        off = await health.switched_off(connection)
        assert off == ["ops"]
        assert await outbox.lease(connection, 10, 60.0, off) == []
    await set_channel_enabled(database, ANN, "ops", True)
    async with database.transaction() as connection:
        assert len(await outbox.lease(connection, 10, 60.0)) == 1


async def test_a_group_is_told_once_its_channel_is_on(floor: Floor) -> None:
    database = floor.database
    await floor.routes({"match": ["group=web"], "group_by": ["group"]})
    await set_channel_enabled(database, ANN, "ops", False)
    await floor.fire("a", "b", group="web")
    await floor.tick(30)
    assert await column(database, "SELECT state FROM outbox") == ["cancelled"]
    await set_channel_enabled(database, ANN, "ops", True)
    floor.at = await now(database)
    await floor.tick(1)
    assert await column(database, "SELECT state FROM outbox ORDER BY seq") == ["cancelled", "queued"]


async def test_a_chain_goes_on_past_a_channel_that_is_off_and_says_so(database: Database) -> None:
    await make_rules(database)
    watch = Watch(database, await now(database))
    await watch.define()
    await define(database, "p-chat", "p-page", "d-page", "siren")
    for name in ("p-chat", "p-page"):
        await set_channel_enabled(database, ANN, name, False)
    await watch.fire("a", severity=Severity.CRITICAL)
    assert await watch.channels() == ["d-page"]
    notes = await watch.notes()
    assert any("p-chat is switched off, p-page is switched off" in note for note in notes)


async def test_of_a_channel_that_fails_and_is_switched_off_nobody_need_hear(floor: Floor) -> None:
    database, moment = floor.database, await now(floor.database)
    async with database.transaction() as connection:
        await health.save_circuit(connection, "ops", Circuit(5, moment, 0, moment), "no answer", moment)
    await set_channel_enabled(database, ANN, "ops", False)
    assert await one(database, "SELECT count(*) FROM channel_health") == 0


async def oldest(database: Database) -> tuple[float | None, float | None]:
    """How long the oldest message waits, as the watchdog and the figures of the engine see it."""
    async with database.transaction() as connection:
        seen = await watchdog.signs(connection, 0, "one", (), ())
        return seen.oldest_message_s, await outbox.oldest_due_s(connection)


async def test_what_waits_for_a_channel_that_is_off_is_not_late(floor: Floor) -> None:
    database, moment = floor.database, await now(floor.database)
    await floor.fire("a")
    late = await oldest(database)
    assert None not in late
    async with database.transaction() as connection:
        await health.save_circuit(connection, "ops", Circuit(5, moment, 0, moment), "no answer", moment)
    await set_channel_enabled(database, ANN, "ops", False)
    assert [each[:2] for each in await said(database)] == [("alert.firing", "queued")]
    assert await oldest(database) == (None, None)
    await rows(database, "UPDATE outbox SET not_before = now() - interval '3 days'")
    await set_channel_enabled(database, ANN, "ops", True)
    assert all(each is not None and each < 3600 for each in await oldest(database))  # it waits since just now
    await set_channel_enabled(database, ANN, "ops", False)
    await define(database)  # whoever is not there any more is not off: its messages should have ended
    assert None not in await oldest(database)


async def test_it_stays_off_through_a_reload_until_the_file_says_something_else(floor: Floor) -> None:
    database = floor.database
    await set_channel_enabled(database, ANN, "ops", False)
    await define(database, "ops")
    assert not await one(database, "SELECT enabled FROM channels")
    await define(database, "ops", ops=False)
    await define(database, "ops")
    assert await one(database, "SELECT enabled FROM channels")
    found = await rows(database, "SELECT actor, action, object_id, before, after FROM audit")
    assert [tuple(row) for row in found] == [
        ("ann", "switch off", "ops", {"enabled": True}, {"enabled": False})
    ]


async def test_what_is_not_there_cannot_be_switched_and_what_is_off_not_tested(floor: Floor) -> None:
    with pytest.raises(Refused, match="no channel nowhere"):
        await set_channel_enabled(floor.database, ANN, "nowhere", False)
    await set_channel_enabled(floor.database, ANN, "ops", False)
    with pytest.raises(Refused, match="switched on"):
        await try_channel(floor.database, ANN, "ops")
