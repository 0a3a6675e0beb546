"""A receiver that is down for a day: everything is delivered afterwards, in order, and without a stampede."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict

import pytest

from support.couriers import all_are, at_work, channels, put
from support.engines import MemoryKinds
from support.make import make_alerts, make_rules, make_services
from support.receivers import Request, receiving, status
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.channels import webhook
from watchfloor.config.kinds import Kind
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import courier as module
from watchfloor.engine.node import Node
from watchfloor.store.database import Database
from watchfloor.store.pulse import Pulse

pytestmark = pytest.mark.usefixtures("brisk")

KINDS = MemoryKinds(Kind("webhook", webhook.Settings, webhook.deliver, webhook.render))
ALERTS, EVENTS = 60, 4
MOST = 20
"""So many messages may be under way to the receiver here: fewer than there are alerts."""


async def test_after_a_day_everything_arrives_in_order_and_not_all_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PER_CHANNEL_MOST", MOST)
    monkeypatch.setattr(module, "FIRST_RETRY_S", 900.0)
    monkeypatch.setattr(module.random.Random, "random", lambda _: 0.9)
    node = Node(1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS})
    made = await make_services(database, *(f"s{n}" for n in range(ALERTS)))
    await make_rules(database)
    alerts = await make_alerts(database, *made.values())
    under_way, most = 0, [0]

    async def slowly(writer: asyncio.StreamWriter) -> None:
        nonlocal under_way
        under_way += 1
        most.append(under_way)
        await asyncio.sleep(0.02)
        writer.write(status(204))
        await writer.drain()
        under_way -= 1

    async with receiving() as receiver:
        receiver.answers = [status(503)]
        await channels(database, ops=receiver)
        await put(database, *((alert, 1, "ops") for alert in alerts))
        async with at_work(node, KINDS) as courier:
            await until(lambda: one(database, "SELECT opened_at FROM channel_health"))
            await until(lambda: _nothing_under_way(database))
            tried = len(receiver.got)
            for event in range(2, EVENTS + 1):
                await put(database, *((alert, event, "ops") for alert in alerts))
                await courier.wake()
            await until(lambda: not courier._wake.is_set())
            assert len(receiver.got) == tried, "what waits for a receiver that is down does not knock"
            await _a_day_passes(database)
            receiver.answers = [slowly]
            await courier.wake()
            await until(lambda: all_are(database, "delivered"))
    after = receiver.got[tried:]
    assert len(after) == ALERTS * EVENTS
    assert len({got.headers["webhook-id"] for got in after}) == ALERTS * EVENTS
    _in_order(after, await column(database, "SELECT id::text FROM outbox ORDER BY alert_id, seq"))
    assert most[1] == 1, "the first is alone: it finds out whether the receiver is back"
    assert max(most) <= MOST


async def _nothing_under_way(database: Database) -> bool:
    return bool(await one(database, "SELECT count(*) = 0 FROM outbox WHERE state = 'leased'"))


async def _a_day_passes(database: Database) -> None:
    await rows(
        database,
        "UPDATE outbox SET created_at = created_at - interval '24 hours', "
        "not_before = not_before - interval '24 hours'",
    )
    await rows(database, "UPDATE channel_health SET probe_at = probe_at - interval '24 hours'")


def _in_order(got: list[Request], ids: list[str]) -> None:
    """Each alert's messages came in the order of its events."""
    place = {each: divmod(number, EVENTS) for number, each in enumerate(ids)}
    seen: dict[int, list[int]] = defaultdict(list)
    for request in got:
        alert, event = place[request.headers["webhook-id"]]
        seen[alert].append(event)
        assert json.loads(request.body) == {"n": event + 1}
    assert all(events == sorted(events) for events in seen.values())
