"""Couriers for tests: channels that lead to receivers, messages in the outbox, a courier at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from support.make import now
from support.receivers import Receiver
from support.sql import column
from watchfloor.config.kinds import Kinds
from watchfloor.engine.courier import Courier
from watchfloor.engine.node import Node
from watchfloor.store import outbox
from watchfloor.store.alerts import StoredAlert
from watchfloor.store.database import Database
from watchfloor.store.rules import ChannelDefinition, apply_channels


async def channels(database: Database, **receivers: Receiver | ChannelDefinition) -> None:
    """Exactly these channels; a receiver is one with a webhook to it."""
    async with database.transaction() as connection:
        await apply_channels(
            connection,
            [
                ChannelDefinition(name, "webhook", {"url": r.url(), "timeout": 1.0}, True, "")
                if isinstance(r, Receiver)
                else r
                for name, r in receivers.items()
            ],
        )


async def put(database: Database, *messages: tuple[StoredAlert, int, str], **values: Any) -> None:
    """Queue messages about alerts: the event's number and the channel of each."""
    moment = values.pop("at", await now(database))
    async with database.transaction() as connection:
        await outbox.put(
            connection,
            [
                outbox.Message(uuid4(), alert.id, seq, channel, "alert.firing", b'{"n":%d}' % seq, moment)
                for alert, seq, channel in messages
            ],
        )


@asynccontextmanager
async def at_work(node: Node, kinds: Kinds) -> AsyncIterator[Courier]:
    """A courier that works until the block ends."""
    made = Courier(node, kinds, Path("/"))
    running = asyncio.create_task(made.run(lambda: None))
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def states(database: Database) -> list[str]:
    """The state of every message."""
    return await column(database, "SELECT state FROM outbox ORDER BY channel, alert_id, seq")


async def all_are(database: Database, wanted: str) -> bool:
    """Whether every message is in this state."""
    return set(await states(database)) == {wanted}
