"""Channels that fail: spared, probed, told of through the others; nothing they were to carry is lost."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from support.couriers import all_are, at_work, channels, put, states
from support.engines import MemoryKinds
from support.make import make_alerts, make_rules, make_services, now
from support.receivers import receiving, status
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.channels import slack, webhook
from watchfloor.config.kinds import Kind
from watchfloor.config.model import NodeConfig
from watchfloor.domain.channel_boards import Replayed
from watchfloor.domain.circuit import THRESHOLD
from watchfloor.domain.notice import TEST
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import courier as module
from watchfloor.engine.courier import Courier
from watchfloor.engine.node import Node
from watchfloor.engine.registration import NameLock, register
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.deliveries import discard, replay, try_channel
from watchfloor.store import channels as store
from watchfloor.store import outbox
from watchfloor.store.alerts import StoredAlert
from watchfloor.store.database import Database
from watchfloor.store.pulse import Pulse
from watchfloor.store.rules import ChannelDefinition

pytestmark = pytest.mark.usefixtures("brisk")

KINDS = MemoryKinds(
    Kind("webhook", webhook.Settings, webhook.deliver, webhook.render),
    Kind("slack", slack.Settings, slack.deliver, slack.render),
)
ANN = Actor("ann")


@pytest.fixture
def node(database: Database) -> Node:
    return Node(1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS})


@pytest.fixture
async def alerts(database: Database) -> list[StoredAlert]:
    made = await make_services(database, *(f"s{n}" for n in range(8)))
    await make_rules(database, channels=("broken", "good"))
    return await make_alerts(database, *made.values())


def opened(database: Database) -> Awaitable[object]:
    return one(database, "SELECT opened_at FROM channel_health WHERE channel = 'broken'")


async def told(database: Database) -> list[tuple[object, ...]]:
    return await rows(
        database,
        "SELECT a.title, a.state, o.channel FROM alerts a JOIN outbox o ON o.alert_id = a.id "
        "WHERE a.subject = 'channel:broken' ORDER BY o.seq, o.channel",
    )


async def test_a_channel_that_fails_again_and_again_is_spared_and_the_others_tell_of_it(
    node: Node, database: Database, alerts: list[StoredAlert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 3600.0)
    monkeypatch.setattr(module.random.Random, "random", lambda _: 0.9)
    monkeypatch.setattr(module, "PER_CHANNEL", 1)
    async with receiving() as broken, receiving() as good:
        broken.answers = [status(500)]
        await channels(database, broken=broken, good=good)
        await put(database, *((alert, 1, "broken") for alert in alerts))
        async with at_work(node, KINDS) as courier:
            await until(lambda: good.got)
            body = json.loads(good.got[0].body)
            assert (body["type"], body["data"]["title"]) == ("alert.firing", "channel broken fails")
            assert body["data"]["summary"] == "the receiver answered 500"
            assert await told(database) == [("channel broken fails", "firing", "good")]
            await rounds(courier)
            assert len(broken.got) == THRESHOLD  # what is left waits
            await try_now(database, courier)
            await until(lambda: len(broken.got) == THRESHOLD + 1)  # one is the probe
            await rounds(courier)
            assert len(broken.got) == THRESHOLD + 1
            broken.answers = [status(204)]
            await try_now(database, courier)
            await until(lambda: len(good.got) == 2)
            assert json.loads(good.got[1].body)["type"] == "alert.resolved"
            assert await opened(database) is None
            came = {"delivered": len(alerts) - THRESHOLD - 1, "queued": THRESHOLD + 1}
            await until(lambda: so_far(database, came))  # those that were never tried come at once
            async with database.transaction() as connection:
                await connection.execute("UPDATE outbox SET not_before = clock_timestamp()")
            await courier.wake()
            await until(lambda: all_are(database, "delivered"))


async def so_far(database: Database, wanted: dict[str, int]) -> bool:
    """Whether so many messages for the failing channel are in each state."""
    return Counter(await column(database, "SELECT state FROM outbox WHERE channel = 'broken'")) == wanted


async def rounds(courier: Courier) -> None:
    """Let a courier look at what is due several times."""
    for _ in range(3):
        await courier.wake()
        await until(lambda: not courier._wake.is_set())


async def try_now(database: Database, courier: Courier) -> None:
    """The pauses of a failing channel are over."""
    async with database.transaction() as connection:
        await store.try_soon(connection)
    await courier.wake()


async def test_messages_that_wait_for_a_failing_channel_lose_no_attempt(
    node: Node, database: Database, alerts: list[StoredAlert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 3600.0)
    monkeypatch.setattr(module.random.Random, "random", lambda _: 0.9)
    async with receiving() as broken:
        broken.answers = [status(410)]
        await channels(database, broken=broken)
        await put(database, (alerts[0], 1, "broken"))
        async with at_work(node, KINDS) as courier:
            await until(lambda: opened(database))
            await put(database, *((alert, 1, "broken") for alert in alerts[1:]))
            await put(database, (alerts[0], 2, "broken"))
            await rounds(courier)
    assert len(broken.got) == 1
    waiting = await rows(
        database, "SELECT state, attempt FROM outbox WHERE channel = 'broken' ORDER BY attempt DESC"
    )
    assert waiting == [("queued", 1), *[("queued", 0)] * len(alerts)]


async def test_a_receiver_that_is_no_more_burns_no_message_and_gets_all_of_them_at_its_new_address(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async with receiving() as broken, receiving() as good:
        broken.answers = [status(410)]
        await channels(database, broken=broken, good=good)
        await put(database, (alerts[0], 1, "broken"))
        async with at_work(node, KINDS) as courier:
            await until(lambda: opened(database))
            assert await one(database, "SELECT probe_at FROM channel_health WHERE channel = 'broken'") is None
            await put(database, *((alert, 2, "broken") for alert in alerts), (alerts[0], 1, "good"))
            await until(lambda: len(good.got) == 2)
            assert len(broken.got) == 1
            async with receiving() as moved:
                await channels(database, broken=moved, good=good)
                await try_now(database, courier)
                await until(lambda: all_are(database, "delivered"))
                assert len(moved.got) == 1 + len(alerts)
    assert len(broken.got) == 1
    why = "the receiver answered 410; nothing is sent there until the channel is tested, switched on again or its"
    assert any(why in got.body.decode() for got in good.got)


async def test_one_dead_letter_is_told_and_can_be_replayed_with_the_same_id_and_bytes(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async with receiving() as broken, receiving() as good:
        broken.answers = [status(400)]
        await channels(database, broken=broken, good=good)
        await put(database, (alerts[0], 1, "broken"))
        async with at_work(node, KINDS) as courier:
            await until(lambda: good.got)
            assert (await states(database))[0] == "dead"
            broken.answers = [status(204)]
            (letter,) = await _dead_letters(database)
            assert (letter.channel, letter.last_error) == ("broken", "the receiver answered 400")
            assert await replay(database, ANN, [UUID(letter.id)]) == Replayed(1)
            await courier.wake()
            await until(lambda: all_are(database, "delivered"))
    first, second = broken.got
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    with pytest.raises(Refused, match="no such dead letter"):
        await replay(database, ANN, [uuid4()])
    with pytest.raises(Refused, match="read-only"):
        await replay(database, Actor("ann", True), [uuid4()])


async def _dead_letters(database: Database) -> list[store.DeadLetterRow]:
    async with database.transaction() as connection:
        return await store.dead_letters(connection)


async def test_dead_letters_of_a_channel_are_replayed_from_a_moment_on(
    database: Database, alerts: list[StoredAlert]
) -> None:
    moment = await now(database)
    for hours in (5, 1):
        await put(database, (alerts[hours], 1, "broken"), at=moment - timedelta(hours=hours))
    await rows(database, "UPDATE outbox SET state = 'dead'")
    assert await replay(database, ANN, channel="broken", since=moment - timedelta(hours=2)) == Replayed(1)
    assert await replay(database, ANN, channel="broken") == Replayed(1)
    assert await one(database, "SELECT count(*) FROM audit WHERE action = 'replay'") == 2


async def test_a_dead_letter_that_was_overtaken_is_not_sent_after_what_came_later(
    database: Database, alerts: list[StoredAlert]
) -> None:
    first, second = alerts[0], alerts[1]
    await put(database, (first, 1, "ops"), (first, 2, "ops"), (first, 1, "other"), (first, 2, "other"))
    await put(database, (second, 1, "ops"), (second, 2, "ops"), (second, 3, "ops"))
    became = "UPDATE outbox SET state = %(state)s, delivered_at = %(at)s WHERE {}"
    moment = datetime(2031, 3, 1, 12, tzinfo=UTC)
    await rows(database, became.format("seq = 1 OR alert_id = %(id)s"), state="dead", at=None, id=second.id)
    await rows(
        database,
        became.format("seq = 2 AND channel = 'ops' AND alert_id = %(id)s"),
        state="delivered",
        at=moment,
        id=first.id,
    )
    overtaken = await one(
        database, "SELECT id FROM outbox WHERE channel = 'ops' AND seq = 1 AND alert_id = 1"
    )
    late = f"a later message about alert #{first.id} (alert.firing) was delivered at 2031-03-01 12:00:00 UTC"
    with pytest.raises(Refused, match=re.escape(late)):
        await replay(database, ANN, [overtaken])
    done = await replay(database, ANN, channel="ops")
    assert (done.queued, done.left_out, late in done.why) == (3, 1, True)
    assert await replay(database, ANN, channel="other") == Replayed(1), (
        "what follows it waits: it is not late"
    )
    await rows(database, "UPDATE outbox SET state = 'leased' WHERE seq = 3")
    await rows(database, "UPDATE outbox SET state = 'dead' WHERE seq = 2 AND alert_id = %(id)s", id=second.id)
    with pytest.raises(Refused, match="is on its way now"):
        await replay(
            database, ANN, [await one(database, "SELECT id FROM outbox WHERE state = 'dead' AND seq = 2")]
        )
    assert await discard(database, ANN, [overtaken]) == 1
    said = await one(
        database, "SELECT state || ': ' || last_error FROM outbox WHERE id = %(id)s", id=overtaken
    )
    assert said.startswith("cancelled: discarded by ann")
    with pytest.raises(Refused, match="no such dead letter"):
        await discard(database, ANN, [overtaken])


async def test_what_is_sent_is_made_once_whatever_becomes_of_the_settings(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async with receiving() as chat:

        def channel(title: str) -> ChannelDefinition:
            words = {"every": {"title": title}}
            return ChannelDefinition(
                "chat", "slack", {"url": chat.url(), "public_only": False, "templates": words}, True, ""
            )

        chat.answers = [status(500), status(200)]
        await channels(database, chat=channel("first"))
        body = b'{"type":"alert.firing","timestamp":"2031-03-01T07:02:11Z","data":{"id":1}}'
        await put(database, (alerts[0], 1, "chat"))
        await rows(database, "UPDATE outbox SET payload = %(body)s", body=body)
        async with at_work(node, KINDS):
            await until(lambda: chat.got)
            await channels(database, chat=channel("second"))
            await until(lambda: all_are(database, "delivered"))
    assert chat.got[0].body == chat.got[1].body == await one(database, "SELECT rendered FROM outbox")
    assert b"first" in chat.got[0].body


async def test_a_test_message_passes_an_open_circuit_and_closes_it(
    node: Node, database: Database, alerts: list[StoredAlert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 3600.0)
    monkeypatch.setattr(module.random.Random, "random", lambda _: 0.9)
    async with receiving() as broken:
        broken.answers = [status(410), status(500), status(204)]
        await channels(database, broken=broken)
        await put(database, (alerts[0], 1, "broken"))
        async with at_work(node, KINDS) as courier:
            await until(lambda: opened(database))
            for wanted in ("dead", "delivered"):
                trial = await try_channel(database, ANN, "broken")
                await courier.wake()
                await until(lambda trial=trial, wanted=wanted: _is(database, trial, wanted))
            assert await opened(database) is None
    (failure,) = await rows(
        database, "SELECT attempt, last_error FROM outbox WHERE kind = %(k)s AND state = 'dead'", k=TEST
    )
    assert failure == (1, "the receiver answered 500")
    with pytest.raises(Refused, match="no channel nowhere"):
        await try_channel(database, ANN, "nowhere")


async def _is(database: Database, message: UUID, wanted: str) -> bool:
    return bool(await one(database, "SELECT state FROM outbox WHERE id = %(id)s", id=message) == wanted)


async def test_what_a_killed_node_held_is_sent_at_once_by_another(
    database: Database, alerts: list[StoredAlert]
) -> None:
    killed = NameLock(database)
    lost, _ = await register(database, NodeConfig("lost", "", ()), killed)
    survivor_lock = NameLock(database)
    survivor, _ = await register(database, NodeConfig("survivor", "", ()), survivor_lock)
    survivor.live = {lost.id: (), survivor.id: ()}
    async with receiving() as receiver:
        await channels(database, ops=receiver)
        await put(database, (alerts[0], 1, "ops"))
        async with database.transaction() as connection:
            (held,) = await outbox.lease(connection, 9, 3600.0, owner=lost.id)
        async with at_work(survivor, KINDS) as courier:
            await until(lambda: not courier._wake.is_set())
            assert receiver.got == []
            await killed.close()  # what the death of its process does
            survivor.live = {survivor.id: ()}
            await courier.wake()
            await until(lambda: all_are(database, "delivered"), timeout=5.0)
    assert [got.headers["webhook-id"] for got in receiver.got] == [str(held.id)]
    await survivor_lock.close()


async def test_a_courier_that_comes_back_sends_at_once_what_it_held(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async with receiving() as receiver:
        await channels(database, ops=receiver)
        await put(database, (alerts[0], 1, "ops"))
        async with database.transaction() as connection:
            await outbox.lease(connection, 9, 3600.0, owner=node.id)
        async with at_work(node, KINDS):
            await until(lambda: all_are(database, "delivered"), timeout=5.0)
    assert len(receiver.got) == 1


async def test_statistics_of_every_channel_come_from_one_query(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async with receiving() as good, receiving() as broken:
        broken.answers = [status(500)]
        await channels(database, good=good, broken=broken)
        await put(database, *((alert, 1, "good") for alert in alerts), (alerts[0], 1, "broken"))
        async with at_work(node, KINDS):
            await until(lambda: len(good.got) >= len(alerts))
            await until(lambda: opened(database))
        async with database.transaction() as connection:
            failing, fine = await store.board(connection)
    assert (fine.name, fine.dead, fine.failures, fine.open_since) == ("good", 0, 0, None)
    assert fine.delivered >= len(alerts)
    assert fine.p50 is not None
    assert fine.p95 is not None
    assert 0 <= fine.p50 <= fine.p95
    assert (failing.name, failing.waiting, failing.delivered, failing.p50) == ("broken", 1, 0, None)
    assert failing.failures >= THRESHOLD
    assert failing.attempts >= THRESHOLD
    assert failing.last_error == "the receiver answered 500"


async def test_a_channel_that_is_switched_off_is_no_failing_channel(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async with receiving() as hook:
        off = ChannelDefinition("broken", "webhook", {"url": "http://x"}, False, "")
        await channels(database, broken=off, hook=hook)
        await put(database, (alerts[0], 1, "broken"), (alerts[1], 1, "hook"))
        async with at_work(node, KINDS):
            await until(lambda: len(hook.got) == 1)
    left = await rows(database, "SELECT state, attempt FROM outbox WHERE channel = 'broken'")
    assert left == [("cancelled", 0)]
    assert await told(database) == []
    assert await opened(database) is None


async def test_people_hear_once_of_what_was_over_before_they_could_be_told(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    long_ago = await now(database) - timedelta(hours=2)
    body = b'{"type":"alert.resolved","timestamp":"2031-03-01T07:09:11Z","data":{"id":1,"state":"resolved"}}'
    async with receiving() as chat, receiving() as hook:
        settings = {"url": chat.url(), "public_only": False}
        await channels(database, chat=ChannelDefinition("chat", "slack", settings, True, ""), hook=hook)
        for seq in (1, 2, 3):
            await put(database, (alerts[0], seq, "chat"), (alerts[0], seq, "hook"), at=long_ago)
        await put(database, (alerts[1], 1, "chat"), at=long_ago)
        await put(database, (alerts[2], 1, "chat"), (alerts[2], 2, "chat"))
        await rows(database, "UPDATE outbox SET payload = %(body)s WHERE channel = 'chat'", body=body)
        await rows(
            database,
            "UPDATE outbox SET kind = 'alert.resolved' WHERE (alert_id = %(a)s AND seq = 2) "
            "OR (alert_id = %(b)s AND seq = 2)",
            a=alerts[0].id,
            b=alerts[2].id,
        )
        async with at_work(node, KINDS):
            await until(lambda: len(chat.got) == 5)
            await until(lambda: len(hook.got) == 3)
            await until(
                lambda: rows(
                    database, "SELECT 1 WHERE NOT EXISTS (SELECT FROM outbox WHERE state = 'leased')"
                )
            )
    found = await rows(database, "SELECT alert_id, seq FROM outbox WHERE state = 'cancelled'")
    assert found == [(alerts[0].id, 1)]
    assert node.counters["collapsed"] == 1
