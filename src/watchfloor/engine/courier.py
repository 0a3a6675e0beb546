"""Delivers the outbox: at least once, in order per alert and channel, with back-off and an end.

A message is leased, sent, and only then booked as delivered. A courier that dies in between leaves a lease that
runs out; the message is then sent again with the same id and the same bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from watchfloor.channels.message import DeliveryError, Draft, Message
from watchfloor.config.kinds import Kind
from watchfloor.config.problems import ConfigError
from watchfloor.config.settings import build_settings
from watchfloor.domain.backoff import full_jitter
from watchfloor.domain.text import one_line
from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.store import outbox
from watchfloor.store.outbox import Leased
from watchfloor.store.rules import Channel, load_channels

log = logging.getLogger(__name__)

POLL_S = 1.0
AT_ONCE = 64
PER_CHANNEL = 16
LEASE_S = 60.0
LONGEST_S = 45.0
"""No attempt lasts longer, whatever its channel: the lease must not run out under it."""

FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 900.0
LONGEST_WISH_S = 3600.0
"""A receiver may ask for more patience, but not for more than this."""

GIVE_UP = timedelta(hours=72)


class Courier:
    """Delivers for one node; nodes share the outbox by row locks."""

    def __init__(self, node: Node, kinds: Mapping[str, Kind], base_dir: Path) -> None:
        self._node = node
        self._kinds = kinds
        self._base_dir = base_dir
        self._wake = asyncio.Event()
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing

    async def wake(self) -> None:
        """There is something in the outbox."""
        self._wake.set()

    async def run(self, beat: Beat) -> None:
        """Deliver for ever. Raises when the database is away; leases bring the messages back."""
        under_way: dict[asyncio.Task[None], str] = {}
        try:
            while True:
                beat()
                self._wake.clear()
                for message, channel in await self._lease(Counter(under_way.values())):
                    task = asyncio.create_task(self._deliver(message, channel))
                    task.add_done_callback(lambda _: self._wake.set())
                    under_way[task] = message.channel
                await self._rest()
                for task in [task for task in under_way if task.done()]:
                    del under_way[task]
                    task.result()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _lease(self, under_way: Counter[str]) -> list[tuple[Leased, Channel | None]]:
        """What may be delivered now. A channel that is slow leaves room for the others."""
        room = min(AT_ONCE - under_way.total(), PER_CHANNEL)
        if room <= 0:
            return []
        busy = [channel for channel, count in under_way.items() if count >= PER_CHANNEL]
        async with self._node.database.transaction() as connection:
            leased = await outbox.lease(connection, room, LEASE_S, busy)
            channels = await load_channels(connection) if leased else {}
        if len(leased) == room:
            self._wake.set()  # there may be more
        return [(message, channels.get(message.channel)) for message in leased]

    async def _rest(self) -> None:
        """Wait until a message comes or a delivery ends; not for ever, because a hint may get lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()

    async def _deliver(self, leased: Leased, channel: Channel | None) -> None:
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._send(leased, channel)
        except DeliveryError as error:
            await self._book_failure(leased, error)
            return
        except TimeoutError:
            await self._book_failure(leased, DeliveryError(f"no end after {LONGEST_S:.0f} s"))
            return
        except Exception as error:
            log.exception("channel %s failed by itself", leased.channel)
            await self._book_failure(leased, DeliveryError(one_line(f"{type(error).__name__}: {error}")))
            return
        async with self._node.database.transaction() as connection:
            await outbox.delivered(connection, leased)
        self._node.count("delivered")
        self._node.pulse.mark("alerts")

    async def _send(self, leased: Leased, channel: Channel | None) -> None:
        if channel is None or not channel.enabled:
            raise DeliveryError(f"channel {leased.channel} is not enabled", permanent=True)
        kind = self._kinds.get(channel.kind)
        if kind is None:
            raise DeliveryError(f"this node has no channels of kind {channel.kind}")
        try:
            settings = build_settings(kind.settings, channel.settings, os.environ, self._base_dir)
        except ConfigError as error:
            raise DeliveryError(one_line(str(error))) from None
        sent_at = int(self._node.clock.now().timestamp())
        draft = Draft(str(leased.id), str(leased.id), leased.payload)
        payload = leased.payload if kind.render is None else kind.render(settings, draft)
        await kind.run(settings, Message(str(leased.id), leased.kind, payload, sent_at))

    async def _book_failure(self, leased: Leased, error: DeliveryError) -> None:
        too_old = self._node.clock.now() - leased.created_at > GIVE_UP
        retry = None
        if not error.permanent and not too_old:
            jitter = full_jitter(leased.attempt - 1, FIRST_RETRY_S, LONGEST_RETRY_S, self._random.random)
            retry = min(max(jitter, error.retry_after or 0.0), LONGEST_WISH_S)
        self._node.count("delivery_failures")
        log.warning("channel %s: %s", leased.channel, error)
        async with self._node.database.transaction() as connection:
            await outbox.failed(connection, leased, one_line(str(error)), retry)
        self._node.pulse.mark("alerts")
