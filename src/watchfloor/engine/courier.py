"""Delivers the outbox: at least once, in order per alert and channel, with back-off and an end.

A message is leased, put into the words of its channel and stored so, sent, and only then booked as delivered. A
courier that dies in between leaves a lease; as soon as its node is known to be dead, or when the lease runs out, the
message is sent again with the same id and the same bytes.

A channel that keeps failing is spared: one message at a time finds out whether it works again, the others wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from watchfloor.channels.message import DeliveryError
from watchfloor.config.kinds import Kind
from watchfloor.domain.backoff import full_jitter
from watchfloor.domain.circuit import begin_probe
from watchfloor.domain.notice import TEST
from watchfloor.domain.text import one_line
from watchfloor.engine.node import Node
from watchfloor.engine.sender import NotSent, Sender
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.deliveries import Failure, book_deliveries, book_failure
from watchfloor.store import channels, outbox
from watchfloor.store.database import Connection
from watchfloor.store.outbox import Leased
from watchfloor.store.rules import Channel, load_channels

log = logging.getLogger(__name__)

POLL_S = 1.0
PART_S = 2.0
AT_ONCE = 64
PER_CHANNEL = 16
LEASE_S = 60.0
LONGEST_S = 45.0
"""No attempt lasts longer, whatever its channel: the lease must not run out under it."""

FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 900.0
LONGEST_WISH_S = 3600.0
"""A receiver may ask for more patience, but not for more than this."""

GIVE_UP = timedelta(hours=24)
GIVE_UP_WEBHOOK = timedelta(hours=72)
"""A page is worth nothing after a day; a program behind a webhook may still want to know."""

COLLAPSE_S = 300.0
MACHINES = frozenset({"webhook", "command", "syslog", "pagerduty", "opsgenie"})
"""Kinds of channels behind which programs count on every event; people are spared what is over."""


class Courier:
    """Delivers for one node; nodes share the outbox by row locks."""

    def __init__(self, node: Node, kinds: Mapping[str, Kind], base_dir: Path) -> None:
        self._node = node
        self._kinds = kinds
        self._sender = Sender(node, kinds, base_dir)
        self._wake = asyncio.Event()
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing

    async def wake(self) -> None:
        """There is something in the outbox."""
        self._wake.set()

    async def run(self, beat: Beat) -> None:
        """Deliver for ever. Raises when the database is away; leases bring the messages back."""
        under_way: dict[asyncio.Task[Leased | None], str] = {}
        live = await self._take_back()
        try:
            while True:
                beat()
                self._wake.clear()
                if live != self._node.live_ids:
                    live = await self._take_over()
                for message, channel in await self._lease(Counter(under_way.values())):
                    task = asyncio.create_task(self._deliver(message, channel))
                    task.add_done_callback(lambda _: self._wake.set())
                    under_way[task] = message.channel
                await self._rest()
                await self._book([task for task in under_way if task.done()], under_way)
        finally:
            await self._part(under_way)

    async def _book(
        self,
        finished: Sequence[asyncio.Task[Leased | None]],
        under_way: dict[asyncio.Task[Leased | None], str],
    ) -> None:
        """Book what was taken, all in one transaction. Raises what ended a delivery by itself."""
        taken = [message for task in finished if (message := task.result()) is not None]
        if taken:
            async with self._node.database.transaction() as connection:
                await book_deliveries(connection, taken, self._node.clock.now())
            self._node.count("delivered", len(taken))
            self._node.pulse.mark("alerts", *(["outbox"] if any(each.probe for each in taken) else []))
        for task in finished:
            del under_way[task]

    async def _part(self, under_way: dict[asyncio.Task[Leased | None], str]) -> None:
        """The end: stop what is under way, and book what was taken a moment ago, so that it is not sent again."""
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        taken = [task for task in under_way if not task.cancelled() and task.exception() is None]
        with contextlib.suppress(Exception):  # whoever comes next sends it again: no harm but a second copy
            async with asyncio.timeout(PART_S):
                await self._book(taken, under_way)

    async def _take_back(self) -> tuple[int, ...]:
        """What this node still holds belongs to a courier before this one, which cannot book it any more."""
        async with self._node.database.transaction() as connection:
            count = await outbox.release(connection, self._node.id)
            await self._collapse(connection)
        if count:
            log.info("%d messages that were under way are sent again", count)
        return ()

    async def _collapse(self, connection: Connection) -> None:
        people = [kind for kind in self._kinds if kind not in MACHINES]
        self._node.count("collapsed", await outbox.collapse(connection, COLLAPSE_S, people))

    async def _take_over(self) -> tuple[int, ...]:
        """The set of live nodes changed: what dead ones hold is free. Returns the set that was looked at."""
        live = self._node.live_ids
        async with self._node.database.transaction() as connection:
            count = await outbox.release_dead(connection)
        if count:
            log.info("%d messages of nodes that died are sent again", count)
        return live

    async def _lease(self, under_way: Counter[str]) -> list[tuple[Leased, Channel | None]]:
        """What may be delivered now. A channel that is slow leaves room for the others, one that fails is probed."""
        room = min(AT_ONCE - under_way.total(), PER_CHANNEL)
        if room <= 0:
            return []
        busy = [channel for channel, count in under_way.items() if count >= PER_CHANNEL]
        node = self._node
        async with node.database.transaction() as connection:
            spared = await channels.open_channels(connection)
            leased = await outbox.lease(connection, room, LEASE_S, busy, owner=node.id, open_=spared)
            full = len(leased) == room
            due = await channels.due_for_a_probe(connection) if spared else {}
            if due:
                await self._collapse(connection)
            for name, circuit in due.items():
                probe = await outbox.lease(connection, 1, LEASE_S, owner=node.id, only=name)
                if probe:
                    probing = begin_probe(circuit, node.clock.now(), LEASE_S)
                    await channels.save_probe(connection, name, probing)
                    leased += probe
            known = await load_channels(connection) if leased else {}
        if full:
            self._wake.set()  # there may be more
        return [(message, known.get(message.channel)) for message in leased]

    async def _rest(self) -> None:
        """Wait until a message comes or a delivery ends; not for ever, because a hint may get lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()

    async def _deliver(self, leased: Leased, channel: Channel | None) -> Leased | None:
        """The message if its receiver took it; what else happened is booked."""
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._sender.send(leased, channel)
        except DeliveryError as error:
            failure = error
        except TimeoutError:
            failure = DeliveryError(f"no end after {LONGEST_S:.0f} s")
        except NotSent as error:
            raise error.cause from None
        except Exception as error:
            log.exception("channel %s failed by itself", leased.channel)
            failure = DeliveryError(one_line(f"{type(error).__name__}: {error}"))
        else:
            return leased
        await self._book_failure(leased, channel, failure)
        return None

    async def _book_failure(self, leased: Leased, channel: Channel | None, error: DeliveryError) -> None:
        now, test = self._node.clock.now(), leased.kind == TEST
        usable = channel is not None and channel.enabled
        wish = min(error.retry_after or 0.0, LONGEST_WISH_S) if (error.retry_after or 0.0) > 0 else 0.0
        retry = None
        if not error.permanent and not test and not self._too_old(leased, channel, now):
            retry = min(max(self._pause(leased.attempt - 1), wish), LONGEST_WISH_S)
        failure = Failure(
            one_line(str(error)), retry, blames=usable and not test, gone=error.gone, wish_s=wish
        )
        self._node.count("delivery_failures")
        log.warning("channel %s: %s", leased.channel, error)
        async with self._node.database.transaction() as connection:
            await book_failure(connection, leased, failure, now, self._pause)
        self._node.pulse.mark("alerts", "outbox")

    def _pause(self, count: int) -> float:
        return full_jitter(count, FIRST_RETRY_S, LONGEST_RETRY_S, self._random.random)

    @staticmethod
    def _too_old(leased: Leased, channel: Channel | None, now: datetime) -> bool:
        patience = GIVE_UP_WEBHOOK if channel is not None and channel.kind == "webhook" else GIVE_UP
        return now - leased.created_at > patience
