"""The courier: at least once, in order, with the same id, to receivers of every temper."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from support.couriers import all_are, at_work, channels, put, states
from support.engines import MemoryKinds
from support.mailboxes import mailbox
from support.make import make_alerts, make_rules, make_services, now
from support.receivers import receiving, status
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.channels import email, webhook
from watchfloor.channels.message import DeliveryError, Message
from watchfloor.config.base import Settings
from watchfloor.config.kinds import Kind
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import courier as module
from watchfloor.engine.courier import Courier
from watchfloor.engine.node import Node
from watchfloor.store import channels as store
from watchfloor.store import outbox
from watchfloor.store.alerts import StoredAlert
from watchfloor.store.database import Database
from watchfloor.store.pulse import Pulse
from watchfloor.store.rules import ChannelDefinition

pytestmark = pytest.mark.usefixtures("brisk")


class Odd(Settings):
    """A channel of another package."""


async def _odd(settings: Odd, message: Message) -> None:
    raise ZeroDivisionError("\x1b[31mno\n")


KINDS = MemoryKinds(
    Kind("webhook", webhook.Settings, webhook.deliver, webhook.render),
    Kind("page", webhook.Settings, webhook.deliver, webhook.render),
    Kind("odd", Odd, _odd),
)


@pytest.fixture
def node(database: Database) -> Node:
    return Node(1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS})


@pytest.fixture
async def alerts(database: Database) -> list[StoredAlert]:
    made = await make_services(database, *(f"s{n}" for n in range(5)))
    await make_rules(database)
    return await make_alerts(database, *made.values())


async def test_messages_of_an_alert_arrive_in_order_each_once(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async with receiving() as receiver:
        await channels(database, ops=receiver)
        await put(database, *((alerts[0], seq, "ops") for seq in range(1, 11)))
        async with at_work(node, KINDS):
            await until(lambda: all_are(database, "delivered"))
    assert [got.body for got in receiver.got] == [b'{"n":%d}' % seq for seq in range(1, 11)]
    ids = await column(database, "SELECT id::text FROM outbox ORDER BY seq")
    assert [got.headers["webhook-id"] for got in receiver.got] == ids


async def test_a_message_that_failed_is_sent_again_with_the_same_id_and_bytes_before_the_next(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async with receiving() as receiver:
        receiver.answers = [status(500), status(503, retry_after="0"), b"garbage\r\n\r\n", status(204)]
        await channels(database, ops=receiver)
        await put(database, (alerts[0], 1, "ops"), (alerts[0], 2, "ops"))
        async with at_work(node, KINDS):
            await until(lambda: all_are(database, "delivered"))
    assert [got.body for got in receiver.got] == [b'{"n":1}'] * 4 + [b'{"n":2}']
    assert len({got.headers["webhook-id"] for got in receiver.got[:4]}) == 1
    assert await column(database, "SELECT attempt FROM outbox ORDER BY seq") == [4, 1]
    assert node.counters["delivery_failures"] == 3


async def test_a_message_that_is_refused_for_good_becomes_a_dead_letter_and_the_line_goes_on(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async with receiving() as receiver:
        receiver.answers = [status(404), status(204)]
        await channels(database, ops=receiver)
        await put(database, (alerts[0], 1, "ops"), (alerts[0], 2, "ops"))
        async with at_work(node, KINDS):
            await until(lambda: len(receiver.got) == 2)
            await until(lambda: _states_are(database, ["dead", "delivered"]))
    assert await one(database, "SELECT last_error FROM outbox WHERE seq = 1") == "the receiver answered 404"


async def _states_are(database: Database, wanted: list[str]) -> bool:
    return await states(database) == wanted


async def test_the_pause_after_a_failure_grows_and_a_receiver_may_stretch_it(
    node: Node, database: Database, alerts: list[StoredAlert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 2.0)
    monkeypatch.setattr(module.random.Random, "random", lambda _: 0.5)
    async with receiving() as receiver:
        receiver.answers = [status(500)]
        await channels(database, ops=receiver)
        await put(database, (alerts[0], 1, "ops"))
        pauses = []
        async with at_work(node, KINDS):
            for attempt in range(1, 4):
                await until(lambda attempt=attempt: _attempt_is_over(database, attempt))
                pauses.append(
                    await one(database, "SELECT extract(epoch FROM not_before - now())::float FROM outbox")
                )
                if attempt == 2:
                    receiver.answers = [status(429, retry_after="999999")]
                await rows(database, "UPDATE outbox SET not_before = now()")
    assert pauses[0] == pytest.approx(1.0, abs=0.5)
    assert pauses[1] == pytest.approx(2.0, abs=0.5)
    assert pauses[2] == pytest.approx(3600.0, abs=1)


async def _attempt_is_over(database: Database, attempt: int) -> bool:
    return await rows(database, "SELECT attempt, state FROM outbox") == [(attempt, "queued")]


@pytest.mark.parametrize(
    ("kind", "hours", "state"),
    [
        ("webhook", 71, "queued"),
        ("webhook", 73, "dead"),
        ("page", 23, "queued"),
        ("page", 25, "dead"),
    ],
)
async def test_a_message_that_is_too_old_is_given_up_of_a_page_sooner_than_of_a_webhook(
    node: Node,
    database: Database,
    alerts: list[StoredAlert],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    hours: int,
    state: str,
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 900.0)
    monkeypatch.setattr(module.random.Random, "random", lambda _: 0.9)
    async with receiving() as receiver:
        receiver.answers = [status(500)]
        await channels(
            database, ops=ChannelDefinition("ops", kind, {"url": receiver.url(), "timeout": 1.0}, True, "")
        )
        await put(database, (alerts[0], 1, "ops"), at=await now(database) - timedelta(hours=hours))
        async with at_work(node, KINDS):
            await until(lambda: one(database, "SELECT last_error <> '' FROM outbox"))
    assert await states(database) == [state]


@pytest.mark.parametrize("kept_back", ["by quiet hours", "by an operator", "by the file"])
async def test_a_message_is_as_old_as_it_has_been_free_to_go(
    node: Node, database: Database, alerts: list[StoredAlert], monkeypatch: pytest.MonkeyPatch, kept_back: str
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 900.0)
    monkeypatch.setattr(module.random.Random, "random", lambda _: 0.9)
    async with receiving() as receiver:
        receiver.answers = [status(500)]

        async def define(*, enabled: bool = True) -> None:
            settings = {"url": receiver.url(), "timeout": 1.0}
            await channels(database, ops=ChannelDefinition("ops", "page", settings, enabled, ""))

        await define()
        await put(database, (alerts[0], 1, "ops"), at=await now(database) - timedelta(hours=60))
        if kept_back == "by quiet hours":
            await rows(database, "UPDATE outbox SET held_until = now() - interval '1 hour'")
        elif kept_back == "by an operator":
            for enabled in (False, True):
                async with database.transaction() as connection:
                    await store.switch(connection, "ops", enabled)
        else:
            await define(enabled=False)
            await define()
        async with at_work(node, KINDS):
            await until(lambda: one(database, "SELECT last_error <> '' FROM outbox"))
    assert await states(database) == ["queued"]


async def test_a_receiver_that_hangs_holds_up_no_other(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async def hang(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with receiving() as slow, receiving() as quick:
        slow.answers = [hang]
        await channels(database, slow=slow, quick=quick)
        await put(database, *((alert, seq, "slow") for alert in alerts for seq in range(1, 30)))
        async with at_work(node, KINDS):
            await until(lambda: slow.got)
            for seq in range(1, 6):
                await put(database, *((alert, seq, "quick") for alert in alerts))
                await until(lambda seq=seq: len(quick.got) == seq * len(alerts), timeout=0.9)


async def test_more_messages_than_may_be_under_way_all_arrive(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async with receiving() as receiver:
        await channels(database, **{f"c{n:02}": receiver for n in range(30)})
        await put(database, *((alert, 1, f"c{n:02}") for alert in alerts for n in range(30)))
        async with at_work(node, KINDS):
            await until(lambda: all_are(database, "delivered"))
    assert len({got.headers["webhook-id"] for got in receiver.got}) == len(receiver.got) == 150


@pytest.mark.parametrize(
    ("channel", "state", "words"),
    [
        (None, "dead", "there is no channel ops any more"),
        (ChannelDefinition("ops", "webhook", {}, False, ""), "cancelled", "the channel is switched off"),
        (
            ChannelDefinition("ops", "pigeon", {}, True, ""),
            "queued",
            "this node has no channels of kind pigeon",
        ),
        (ChannelDefinition("ops", "webhook", {"url": "${NOT_SET}"}, True, ""), "queued", "NOT_SET"),
        (ChannelDefinition("ops", "odd", {}, True, ""), "queued", "ZeroDivisionError: no"),
    ],
    ids=["gone", "switched off", "of no known kind", "badly set", "odd"],
)
async def test_a_channel_that_cannot_be_used_says_why(
    node: Node,
    database: Database,
    alerts: list[StoredAlert],
    channel: ChannelDefinition | None,
    state: str,
    words: str,
) -> None:
    if channel is not None:
        await channels(database, ops=channel)
    await put(database, (alerts[0], 1, "ops"))
    async with at_work(node, KINDS):
        await until(lambda: one(database, "SELECT last_error FROM outbox"))
    found, error = (await rows(database, "SELECT state, last_error FROM outbox"))[0]
    assert found in (state, "leased")
    assert words in error
    assert error.isprintable()


async def test_a_channel_that_never_ends_is_cut_off(
    node: Node, database: Database, alerts: list[StoredAlert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_S", 0.2)

    async def endless(settings: Odd, message: Message) -> None:
        await asyncio.sleep(3600)

    await channels(database, ops=ChannelDefinition("ops", "endless", {}, True, ""))
    await put(database, (alerts[0], 1, "ops"))
    made = Courier(node, MemoryKinds(Kind("endless", Odd, endless)), Path("/"))
    running = asyncio.create_task(made.run(lambda: None))
    await until(lambda: one(database, "SELECT last_error FROM outbox"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await one(database, "SELECT last_error FROM outbox")).startswith("no end after ")


async def test_what_a_receiver_says_of_a_message_that_it_took_is_kept(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    async def partly(settings: Odd, message: Message) -> str:
        return "it was taken, but not for bob\x1b"

    await channels(database, ops=ChannelDefinition("ops", "partly", {}, True, ""))
    await put(database, (alerts[0], 1, "ops"))
    async with at_work(node, MemoryKinds(Kind("partly", Odd, partly))):
        await until(lambda: all_are(database, "delivered"))
    assert await one(database, "SELECT last_error FROM outbox") == "it was taken, but not for bob"


async def test_who_is_refused_for_now_gets_a_mail_later_and_the_others_no_second_one(
    node: Node, database: Database, alerts: list[StoredAlert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SOME_MOST", 10_000)
    async with mailbox() as box:
        box.refused = {"b@example.com": "450 later"}
        keys = {"host": "127.0.0.1", "port": box.port, "security": "none", "from": "w@example.com"}
        keys["to"] = ["a@example.com", "b@example.com"]
        await channels(database, ops=ChannelDefinition("ops", "email", keys, True, ""))
        await put(database, (alerts[0], 1, "ops"))
        async with at_work(node, MemoryKinds(Kind("email", email.Settings, email.deliver))):
            await until(lambda: one(database, "SELECT attempt > 1 FROM outbox"))
            box.refused.clear()
            await until(lambda: all_are(database, "delivered"))
    assert box.recipients == [["a@example.com"], ["b@example.com"]]
    assert await one(database, "SELECT last_error FROM outbox") == ""


async def _for_some(settings: Odd, message: Message) -> None:
    raise DeliveryError("it was taken, but not for bob", some=True)


async def test_what_some_have_is_tried_again_so_often_and_no_longer_and_its_channel_is_not_at_fault(
    node: Node, database: Database, alerts: list[StoredAlert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SOME_MOST", 7)
    failures: list[int] = []

    async def partly(settings: Odd, message: Message) -> None:
        failures.append(await one(database, "SELECT count(*) FROM channel_health"))
        if len(failures) == 1:
            raise DeliveryError("away")
        await _for_some(settings, message)

    await channels(database, ops=ChannelDefinition("ops", "partly", {}, True, ""))
    await put(database, (alerts[0], 1, "ops"))
    async with at_work(node, MemoryKinds(Kind("partly", Odd, partly))):
        await until(lambda: all_are(database, "delivered"))
    assert failures == [0, 1, 0, 0, 0, 0, 0]
    assert await rows(database, "SELECT attempt, last_error FROM outbox") == [
        (7, "it was taken, but not for bob")
    ]


async def test_nothing_waits_for_those_who_do_not_get_what_others_have(
    node: Node, database: Database, alerts: list[StoredAlert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SOME_MOST", 2)
    await channels(database, ops=ChannelDefinition("ops", "partly", {}, True, ""))
    await put(database, *((alerts[0], seq, "ops") for seq in (1, 2)), (alerts[1], 1, "ops"))
    await rows(
        database,
        "UPDATE outbox SET kind = 'channel.test' WHERE alert_id = %(id)s RETURNING 1",
        id=alerts[1].id,
    )
    async with at_work(node, MemoryKinds(Kind("partly", Odd, _for_some))):
        await until(lambda: all_are(database, "delivered"))
    assert await column(database, "SELECT attempt FROM outbox ORDER BY alert_id, seq") == [1, 2, 1]


@pytest.mark.parametrize("wish", [float("inf"), float("nan"), -5.0])
async def test_no_wish_of_a_receiver_upsets_the_courier(
    node: Node, database: Database, alerts: list[StoredAlert], wish: float
) -> None:
    async def wishing(settings: Odd, message: Message) -> None:
        raise DeliveryError("later", retry_after=wish)

    await channels(database, ops=ChannelDefinition("ops", "wishing", {}, True, ""))
    await put(database, (alerts[0], 1, "ops"))
    made = Courier(node, MemoryKinds(Kind("wishing", Odd, wishing)), Path("/"))
    running = asyncio.create_task(made.run(lambda: None))
    await until(lambda: one(database, "SELECT last_error FROM outbox"))
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_courier_that_dies_after_sending_leaves_a_message_that_is_sent_again_as_it_was(
    node: Node, database: Database, alerts: list[StoredAlert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE_S", 0.3)
    async with receiving() as receiver:
        await channels(database, ops=receiver)
        await put(database, (alerts[0], 1, "ops"))

        async def die(*_: object) -> None:
            raise OSError("cut")

        with monkeypatch.context() as patched:
            patched.setattr(outbox, "delivered", die)
            with pytest.raises(OSError):
                await Courier(node, KINDS, Path("/")).run(lambda: None)
        async with at_work(node, KINDS):
            await until(lambda: all_are(database, "delivered"))
    first, second = receiver.got
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


async def test_words_are_made_in_the_time_zone_that_is_set_for_messages(
    node: Node, database: Database, alerts: list[StoredAlert]
) -> None:
    got: list[bytes] = []

    async def deliver(_: Settings, message: Message) -> None:
        got.append(message.payload)

    kinds = MemoryKinds(Kind("odd", Odd, deliver, lambda _, draft: draft.time_zone.encode()))
    node.settings = {**node.settings, "alerts.time_zone": "Europe/Berlin"}
    await channels(database, ops=ChannelDefinition("ops", "odd", {}, True, ""))
    await put(database, (alerts[0], 1, "ops"))
    async with at_work(node, kinds):
        await until(lambda: all_are(database, "delivered"))
    assert got == [b"Europe/Berlin"]


async def test_a_hint_is_followed_at_once(
    node: Node, database: Database, alerts: list[StoredAlert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 3600.0)
    async with receiving() as receiver:
        await channels(database, ops=receiver)
        async with at_work(node, KINDS) as courier:
            await until(lambda: not courier._wake.is_set())
            await put(database, (alerts[0], 1, "ops"))
            await courier.wake()
            await until(lambda: receiver.got)
