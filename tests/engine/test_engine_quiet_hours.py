"""Quiet hours in a running engine: what was over by the morning is told once, by a courier that ran all the time."""

from __future__ import annotations

import json
from collections.abc import Awaitable

import pytest

from support.couriers import at_work, channels
from support.engines import MemoryKinds
from support.floor import Floor
from support.make import EPOCH, make_rules
from support.receivers import receiving
from support.sql import one, rows
from support.waiting import until
from watchfloor.channels import webhook
from watchfloor.config.kinds import Kind
from watchfloor.config.oncall import EscalationKeys, PersonKeys
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine.node import Node
from watchfloor.store.database import Database
from watchfloor.store.duty import apply_oncall
from watchfloor.store.pulse import Pulse

pytestmark = pytest.mark.usefixtures("brisk")

KINDS = MemoryKinds(Kind("webhook", webhook.Settings, webhook.deliver, webhook.render))
SLEEPER = {
    "name": "sleeper",
    "channels": [{"channel": "bed"}],
    "quiet_hours": [{"from": "00:00", "to": "23:00", "below": "emergency"}],
}


@pytest.fixture
async def floor(database: Database) -> Floor:
    await make_rules(database, channels=())
    chain = EscalationKeys.model_validate({"name": "page", "steps": [{"tell": [{"person": "sleeper"}]}]})
    people = [PersonKeys.model_validate(SLEEPER).spec()]
    async with database.transaction() as connection:
        await apply_oncall(
            connection, {"people": people, "groups": [], "rotas": [], "escalations": [chain.spec()]}
        )
    return Floor(database, EPOCH)


async def morning(database: Database) -> None:
    """The quiet hours end."""
    await rows(
        database, "UPDATE outbox SET held_until = now(), not_before = now() WHERE held_until IS NOT NULL"
    )


def settled(database: Database) -> Awaitable[object]:
    return one(database, "SELECT NOT EXISTS (SELECT FROM outbox WHERE state IN ('queued', 'leased'))")


async def test_a_courier_that_ran_all_night_says_once_what_was_over_by_the_morning(floor: Floor) -> None:
    database = floor.database
    node = Node(1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS})
    async with receiving() as bed:
        await channels(database, bed=bed)
        async with at_work(node, KINDS) as courier:
            await floor.fire("over", "lasting")
            floor.later(60)
            await floor.end("over")
            await courier.wake()
            await morning(database)
            await courier.wake()
            await until(lambda: settled(database))
    said = sorted((body["data"]["title"], body["type"]) for body in (json.loads(got.body) for got in bed.got))
    assert said == [("lasting is failing", "alert.firing"), ("over is failing", "alert.resolved")]
