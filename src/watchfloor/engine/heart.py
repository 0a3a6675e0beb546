"""The node's heart: renews the lease, keeps the lock, measures the database's clock, learns who else is live."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from watchfloor.domain.alert import SYSTEM
from watchfloor.domain.guards import JUMP_S
from watchfloor.engine.node import Node, steady_ns
from watchfloor.engine.registration import NameLock
from watchfloor.engine.supervisor import Beat
from watchfloor.store import audit
from watchfloor.store import nodes as store
from watchfloor.store import set_back as clocks
from watchfloor.store.errors import StoreError
from watchfloor.store.nodes import Entry

log = logging.getLogger(__name__)

BEAT_S = 2.0


class Heart:
    """Beats for one node."""

    def __init__(
        self,
        node: Node,
        entry: Entry,
        lock: NameLock,
        stats: Callable[[], Mapping[str, float]],
        shared_anew: Callable[[], None],
    ) -> None:
        """``stats`` gives the node's figures; ``shared_anew`` hears that the set of live nodes changed."""
        self._node = node
        self._entry = entry
        self._lock = lock
        self._stats = stats
        self._shared_anew = shared_anew

    async def run(self, beat: Beat) -> None:
        """Beat for ever. Raises when the database is away, `StoreError` when another engine took the name."""
        while True:
            beat()
            await self.once("running")
            await asyncio.sleep(BEAT_S)

    async def once(self, state: str) -> None:
        """One beat."""
        if not await self._lock.hold(self._node.id):
            log.warning("another connection holds the lock of node %s; trying again", self._node.name)
        async with self._node.database.transaction() as connection:
            ahead = await clocks.ahead(connection, JUMP_S)
            asked, believed = steady_ns(), self._node.clock.now()
            database_now = await store.beat(connection, self._entry, state, self._stats())
            answered = steady_ns()
            if database_now is None:
                raise StoreError(f"another engine runs as node {self._node.name} now; this one gives way")
            self._node.clock.measured(
                database_now, asked, answered
            )  # before anything is set back: else it were due
            jump = (database_now - believed).total_seconds()
            back_s = clocks.how_far(ahead, self._node.id, -jump)
            if back_s:
                await clocks.set_back(connection, back_s)
            live = await store.live_nodes(connection)
        if back_s:
            log.warning(
                "the database's clock was set back by %.1f s; what waits goes on waiting as before", back_s
            )
        if abs(jump) > JUMP_S + (answered - asked) / 1e9:
            self._node.count("clock_jumps")
            await self._tell_jump(jump, database_now)
            log.warning("the database's clock jumped by %.1f s; following it", jump)
        self._follow(live)

    async def look(self) -> None:
        """A node came or is about to go: see who shares the work now, without waiting for the next beat."""
        async with self._node.database.connection() as connection:
            self._follow(await store.live_nodes(connection))

    def _follow(self, live: Mapping[int, tuple[str, ...]]) -> None:
        if live != self._node.live:
            self._node.live = live
            self._shared_anew()

    async def _tell_jump(self, jump: float, now: datetime) -> None:
        """Note in the audit that the clock by which everything is booked jumped: times before it may be wrong."""
        after = {"seconds": round(jump, 3), "clock": now.isoformat()}
        line = audit.Line(SYSTEM, "clock_jumped", "node", str(self._node.id), None, after)
        async with self._node.database.transaction() as connection:
            await audit.record(connection, [line])
