"""Delivers the outbox: at least once, in order per alert and channel, with back-off and an end.

A message is leased, put into the words of its channel and stored so, sent, and only then booked as delivered. A
courier that dies in between leaves a lease; as soon as its node is known to be dead, or when the lease runs out, the
message is sent again with the same id and the same bytes.

A channel that keeps failing is spared: one message at a time finds out whether it works again, the others wait. To one
whose receiver says that it is no more nothing is sent by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from watchfloor.channels import wire
from watchfloor.channels.message import DeliveryError
from watchfloor.config.kinds import Kind
from watchfloor.domain.backoff import full_jitter
from watchfloor.domain.circuit import begin_probe
from watchfloor.domain.notice import ALIVE, TEST
from watchfloor.domain.text import one_line
from watchfloor.engine.node import Node
from watchfloor.engine.sender import Ready, Sender
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.deliveries import Failure, book_deliveries, book_failure
from watchfloor.store import channels, outbox
from watchfloor.store.database import Connection
from watchfloor.store.outbox import Leased
from watchfloor.store.rules import Channel, load_channels

log = logging.getLogger(__name__)

POLL_S = 1.0
PART_S = 2.0
GATHER_S = 0.01
AT_ONCE = 512
PER_CHANNEL = 16
PER_CHANNEL_MOST = 256
"""Messages under way at once: in all, to a channel of which nothing is known, and to one that takes them quickly."""

LEASE_S = 60.0
LONGEST_S = 45.0
"""No attempt lasts longer, whatever its channel: the lease must not run out under it."""

FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 900.0
LONGEST_WISH_S = 3600.0
"""A receiver may ask for more patience, but not for more than this."""

SOME_MOST = 10
"""So often a message is tried that some of its receivers have, and only until the next one waits."""

ALIVE_RETRY_S = 10.0
GIVE_UP = timedelta(hours=24)
GIVE_UP_WEBHOOK = timedelta(hours=72)
"""A page is worth nothing after a day in which it could be sent; a program behind a webhook may still want to know."""

COLLAPSE_S = 300.0
MACHINES = frozenset({"webhook", "command", "syslog", "pagerduty", "opsgenie"})
"""Kinds of channels behind which programs count on every event; people are spared what is over."""


@dataclass(slots=True)
class _Pace:
    """How many messages of a channel may be under way: more the better it does, few again as soon as it does not."""

    room: dict[str, int] = field(default_factory=dict)

    def of(self, channel: str) -> int:
        return self.room.get(channel, PER_CHANNEL)

    def took(self, channel: str, count: int) -> None:
        if 2 * count >= self.of(channel):
            self.room[channel] = min(PER_CHANNEL_MOST, 2 * self.of(channel))

    def refused(self, channel: str) -> None:
        self.room.pop(channel, None)


class Courier:
    """Delivers for one node; nodes share the outbox by row locks."""

    def __init__(self, node: Node, kinds: Mapping[str, Kind], base_dir: Path) -> None:
        self._node = node
        self._kinds = kinds
        self._sender = Sender(node, kinds, base_dir)
        self._wake = asyncio.Event()
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._pace = _Pace()
        self._under_way: dict[asyncio.Task[Leased | None], str] = {}
        self._ended = 0
        self._off = frozenset[str]()

    async def wake(self) -> None:
        """There is something in the outbox."""
        self.hint()

    def hint(self) -> None:
        """As `wake`, from the same loop."""
        self._wake.set()

    async def run(self, beat: Beat) -> None:
        """Deliver for ever. Raises when the database is away; leases bring the messages back."""
        self._under_way, self._pace = {}, _Pace()
        live = await self._take_back()
        with wire.keeping() as lines:
            try:
                while True:
                    beat()
                    self._wake.clear()
                    if live != self._node.live_ids:
                        live = await self._take_over()
                    for ready in await self._sender.prepare(await self._turn()):
                        task = asyncio.create_task(self._deliver(ready))
                        task.add_done_callback(self._end_of_one)
                        self._under_way[task] = ready.leased.channel
                    lines.tidy()
                    await self._rest()
            finally:
                await self._part()

    def _end_of_one(self, _: object) -> None:
        """Turn again at once where little is under way; else when enough has come together to be worth it."""
        self._ended += 1
        if self._ended >= len(self._under_way) // 4:
            self._wake.set()
        elif self._ended == 1:
            asyncio.get_running_loop().call_later(GATHER_S, self._wake.set)

    async def _turn(self) -> list[tuple[Leased, Channel | None]]:
        """Book what was taken and lease what may be sent now, in one transaction, while the rest goes on.

        Raises what ended a delivery by itself.
        """
        self._ended = 0
        finished = [task for task in self._under_way if task.done()]
        taken = [message for task in finished if (message := task.result()) is not None]
        under_way = Counter(self._under_way.values()) - Counter(self._under_way[task] for task in finished)
        async with self._node.database.transaction() as connection:
            if taken:
                await book_deliveries(connection, taken, self._node.clock.now())
            leased = await self._lease(connection, under_way)
        self._booked(finished, taken)
        return leased

    def _booked(self, finished: Sequence[asyncio.Task[Leased | None]], taken: Sequence[Leased]) -> None:
        for task in finished:
            del self._under_way[task]
        if taken:
            self._node.count("delivered", len(taken))
            self._node.pulse.mark("alerts", *(["outbox"] if any(each.probe for each in taken) else []))
            for channel, count in Counter(each.channel for each in taken).items():
                self._pace.took(channel, count)

    async def _part(self) -> None:
        """The end: stop what is under way, and book what was taken a moment ago, so that it is not sent again."""
        under_way = self._under_way
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        ended = [task for task in under_way if not task.cancelled() and task.exception() is None]
        taken = [message for task in ended if (message := task.result()) is not None]
        if not taken:
            return
        with contextlib.suppress(Exception):  # whoever comes next sends it again: no harm but a second copy
            async with asyncio.timeout(PART_S), self._node.database.transaction() as connection:
                await book_deliveries(connection, taken, self._node.clock.now())

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

    async def _lease(
        self, connection: Connection, under_way: Counter[str]
    ) -> list[tuple[Leased, Channel | None]]:
        """What may be delivered now. A channel that is slow leaves room for the others, one that fails is probed."""
        limit = AT_ONCE - under_way.total()
        if limit <= 0:
            return []
        node, pace = self._node, self._pace
        rooms = {name: max(0, pace.of(name) - under_way[name]) for name in {*under_way, *pace.room}}
        spared = await channels.open_channels(connection)
        off = await channels.switched_off(connection)
        if self._off.difference(off):  # one is on again
            await self._collapse(connection)
        self._off = frozenset(off)
        leased = await outbox.lease(
            connection, limit, LEASE_S, off, owner=node.id, open_=spared, rooms=rooms, room=PER_CHANNEL
        )
        due = await channels.due_for_a_probe(connection) if spared else {}
        due = {name: circuit for name, circuit in due.items() if name not in off}
        if due:
            await self._collapse(connection)
        for name, circuit in due.items():
            probe = await outbox.lease(connection, 1, LEASE_S, owner=node.id, only=name)
            if probe:
                await channels.save_probe(connection, name, begin_probe(circuit, node.clock.now(), LEASE_S))
                leased += probe
        known = await load_channels(connection) if leased else {}
        return [(message, known.get(message.channel)) for message in leased]

    async def _rest(self) -> None:
        """Wait until a message comes or a delivery ends; not for ever, because a hint may get lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()

    async def _deliver(self, ready: Ready) -> Leased | None:
        """The message if its receiver took it; what else happened is booked."""
        leased = ready.leased
        try:
            async with asyncio.timeout(LONGEST_S):
                return await self._sender.send(ready)
        except DeliveryError as error:
            if error.some and await self._is_settled(leased, ready.channel):
                log.warning("channel %s: %s", leased.channel, error)
                return replace(leased, remark=one_line(str(error), 500))
            failure = error
        except TimeoutError:
            failure = DeliveryError(f"no end after {LONGEST_S:.0f} s")
        except Exception as error:
            log.exception("channel %s failed by itself", leased.channel)
            failure = DeliveryError(one_line(f"{type(error).__name__}: {error}"))
        if not failure.some:
            self._pace.refused(leased.channel)
        await self._book_failure(leased, ready.channel, failure)
        return None

    async def _is_settled(self, leased: Leased, channel: Channel | None) -> bool:
        """Whether a message that some of its receivers have is not tried again for the others."""
        if leased.kind in (TEST, ALIVE) or leased.attempt >= SOME_MOST:
            return True
        if self._too_old(leased, channel, self._node.clock.now()):
            return True
        async with self._node.database.connection() as connection:
            return await outbox.is_waited_for(connection, leased.id)

    async def _book_failure(self, leased: Leased, channel: Channel | None, error: DeliveryError) -> None:
        now, test, alive = self._node.clock.now(), leased.kind == TEST, leased.kind == ALIVE
        usable = channel is not None and channel.enabled
        wish = min(error.retry_after or 0.0, LONGEST_WISH_S) if (error.retry_after or 0.0) > 0 else 0.0
        retry = None
        lasting = (
            error.permanent and not error.gone
        )  # to a receiver that is no more it is sent once there is another
        if not lasting and not test and not self._too_old(leased, channel, now):
            retry = min(max(self._pause(leased.attempt - 1), wish), LONGEST_WISH_S)
        if alive and usable:
            retry = ALIVE_RETRY_S  # the next one takes its place anyway
        failure = Failure(
            one_line(str(error)),
            retry,
            blames=usable and not (test or alive or error.some),
            works=error.some,
            gone=error.gone,
            wish_s=wish,
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
        return now - leased.since > patience
