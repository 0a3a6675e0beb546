"""The outbox: at least once, in order, and never backwards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from uuid import uuid4

import pytest

from support.make import make_alerts, make_rules, make_services, now
from support.sql import column, one, rows
from watchfloor.store import outbox
from watchfloor.store.alerts import StoredAlert
from watchfloor.store.database import Connection, Database
from watchfloor.store.outbox import Leased, Message


@pytest.fixture
async def stored(database: Database) -> list[StoredAlert]:
    """Three alerts."""
    made = await make_services(database, *"abc")
    await make_rules(database)
    return await make_alerts(database, *made.values())


async def put(database: Database, *messages: tuple[StoredAlert, int, str]) -> None:
    moment = await now(database)
    async with database.transaction() as connection:
        await outbox.put(
            connection,
            [
                Message(uuid4(), a.id, seq, channel, "alert.firing", b"%d" % seq, moment)
                for a, seq, channel in messages
            ],
        )


async def lease(
    database: Database, limit: int = 50, lease_s: float = 60.0, but: Sequence[str] = ()
) -> list[Leased]:
    async with database.transaction() as connection:
        return await outbox.lease(connection, limit, lease_s, but)


async def delivered(database: Database, message: Leased) -> None:
    async with database.transaction() as connection:
        await outbox.delivered(connection, [message])


async def failed(database: Database, message: Leased, retry_in_s: float | None) -> None:
    async with database.transaction() as connection:
        await outbox.failed(connection, message, "refused", retry_in_s)


async def state(database: Database) -> tuple[object, ...]:
    (row,) = await rows(database, "SELECT state, attempt, last_error FROM outbox")
    return row


async def test_only_the_head_of_each_line_is_given_out(database: Database, stored: list[StoredAlert]) -> None:
    a, b, _ = stored
    await put(database, (a, 1, "ops"), (a, 2, "ops"), (a, 1, "night"), (b, 1, "ops"), (a, 3, "ops"))
    first = await lease(database)
    assert sorted((m.channel, m.payload) for m in first) == [("night", b"1"), ("ops", b"1"), ("ops", b"1")]
    assert await lease(database) == []
    for message in first:
        await delivered(database, message)
    assert [(m.channel, m.payload) for m in await lease(database)] == [("ops", b"2")]


async def test_couriers_that_come_at_once_share_the_work_and_keep_the_order(
    database: Database, stored: list[StoredAlert]
) -> None:
    await put(database, *((a, seq, "ops") for a in stored for seq in range(1, 21)))
    order: dict[int, list[int]] = {a.id: [] for a in stored}
    owner = dict(await rows(database, "SELECT id, alert_id FROM outbox"))

    async def courier(random: Random) -> None:
        while await one(database, "SELECT count(*) FROM outbox WHERE state <> 'delivered'"):
            for message in await lease(database, limit=2):
                order[owner[message.id]].append(int(message.payload))
                if random.random() < 0.3:
                    order[owner[message.id]].pop()
                    await failed(database, message, 0.0)
                else:
                    await delivered(database, message)

    await asyncio.gather(*(courier(Random(n)) for n in range(3)))
    assert order == {a.id: list(range(1, 21)) for a in stored}


async def test_a_lease_that_ran_out_is_given_out_again_with_the_same_id_and_bytes(
    database: Database, stored: list[StoredAlert]
) -> None:
    await put(database, (stored[0], 1, "ops"))
    (first,) = await lease(database, lease_s=0.0)
    (second,) = await lease(database)
    assert (second.id, second.payload, second.attempt) == (first.id, first.payload, 2)


async def test_a_message_that_failed_waits_for_its_turn(
    database: Database, stored: list[StoredAlert]
) -> None:
    await put(database, (stored[0], 1, "ops"), (stored[0], 2, "ops"))
    (message,) = await lease(database)
    await failed(database, message, 3600.0)
    assert await lease(database) == []
    await rows(database, "UPDATE outbox SET not_before = now() WHERE seq = 1")
    (again,) = await lease(database)
    assert (again.id, again.attempt) == (message.id, 2)


async def test_a_dead_letter_lets_the_next_one_pass(database: Database, stored: list[StoredAlert]) -> None:
    await put(database, (stored[0], 1, "ops"), (stored[0], 2, "ops"))
    (message,) = await lease(database)
    await failed(database, message, None)
    assert [m.payload for m in await lease(database)] == [b"2"]
    assert await column(database, "SELECT state FROM outbox ORDER BY seq") == ["dead", "leased"]


async def test_a_message_is_queued_once(database: Database, stored: list[StoredAlert]) -> None:
    for _ in range(2):
        await put(database, (stored[0], 1, "ops"))
    assert await one(database, "SELECT count(*) FROM outbox") == 1


async def test_a_message_is_due_at_once_whatever_the_clock_of_its_node_says(
    database: Database, stored: list[StoredAlert]
) -> None:
    await put(database, (stored[0], 1, "ops"))
    assert await one(database, "SELECT not_before <= clock_timestamp() FROM outbox") is True


async def test_a_courier_that_was_too_slow_cannot_take_back_what_another_delivered(
    database: Database, stored: list[StoredAlert]
) -> None:
    await put(database, (stored[0], 1, "ops"))
    (slow,) = await lease(database, lease_s=0.0)
    (quick,) = await lease(database)
    await failed(database, slow, None)
    assert await state(database) == ("leased", 2, "")
    await delivered(database, quick)
    await failed(database, slow, 0.0)
    assert await state(database) == ("delivered", 2, "")


async def test_a_delivery_counts_even_when_its_lease_ran_out(
    database: Database, stored: list[StoredAlert]
) -> None:
    await put(database, (stored[0], 1, "ops"))
    (slow,) = await lease(database, lease_s=0.0)
    (quick,) = await lease(database)
    await delivered(database, slow)
    await failed(database, quick, 0.0)
    assert (await state(database))[0] == "delivered"


async def test_channels_that_have_enough_to_do_are_left_out(
    database: Database, stored: list[StoredAlert]
) -> None:
    await put(database, (stored[0], 1, "ops"), (stored[0], 1, "night"))
    assert [m.channel for m in await lease(database, but=["ops"])] == ["night"]


async def test_the_age_of_the_oldest_message_that_waits(
    database: Database, stored: list[StoredAlert]
) -> None:
    async def age() -> float | None:
        async with database.transaction() as connection:
            return await outbox.oldest_due_s(connection)

    assert await age() is None
    await put(database, (stored[0], 1, "ops"), (stored[1], 1, "ops"))
    await rows(
        database,
        "UPDATE outbox SET not_before = now() - interval '90 s' WHERE alert_id = %(id)s",
        id=stored[0].id,
    )
    assert 90 <= (await age() or 0) < 120
    broken = (
        "INSERT INTO channel_health VALUES ('ops', 1, now(), 0, {}, 'gone', now()) ON CONFLICT (channel) "
    )
    broken += "DO UPDATE SET probe_at = EXCLUDED.probe_at"
    await rows(database, broken.format("NULL"))
    assert await age() is None  # nothing is sent there by itself
    await rows(database, broken.format("now()"))
    assert 90 <= (await age() or 0) < 120
    await rows(database, "UPDATE outbox SET state = 'dead'")
    assert await age() is None


async def _calling(database: Database, alert: StoredAlert) -> Leased:
    """A page that calls for somebody to take charge, under way."""
    moment = await now(database)
    page = Message(uuid4(), alert.id, 1, "ops", "alert.firing", b"1", moment, reason="escalated")
    async with database.transaction() as connection:
        await outbox.put(connection, [page])
    (leased,) = await lease(database)
    return leased


@pytest.mark.parametrize("first", ["taking charge", "the failure"])
async def test_a_page_that_fails_while_somebody_takes_charge_is_not_tried_again(
    database: Database, stored: list[StoredAlert], first: str
) -> None:
    page = await _calling(database, stored[0])

    async def take_charge(connection: Connection) -> None:
        await connection.execute(
            "UPDATE alerts SET state = 'acknowledged' WHERE id = %(id)s", {"id": stored[0].id}
        )
        await outbox.take_back(connection, [stored[0].id])

    async def fail(connection: Connection) -> None:
        await outbox.failed(connection, page, "refused", 0.0)

    early, late = (take_charge, fail) if first == "taking charge" else (fail, take_charge)
    async with database.transaction() as one_of_two:
        await early(one_of_two)
        async with database.transaction() as other:
            await late(other)  # neither sees the other, and neither waits for it
    assert await lease(database) == []
    assert await state(database) == ("cancelled", 1, outbox.TAKEN)


async def test_a_page_whose_node_died_is_not_tried_again_after_somebody_took_charge(
    database: Database, stored: list[StoredAlert]
) -> None:
    await _calling(database, stored[0])
    await rows(database, f"UPDATE alerts SET state = 'acknowledged' WHERE id = {stored[0].id}")
    await rows(database, "UPDATE outbox SET lease_until = now() - interval '1 s'")
    assert await lease(database) == []
    assert await state(database) == ("cancelled", 1, outbox.TAKEN)
