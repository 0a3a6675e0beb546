"""The node's heart: renews the lease, keeps the lock, measures the database's clock, learns who else is live."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from watchfloor.domain.alert import SYSTEM
from watchfloor.domain.guards import JUMP_S
from watchfloor.engine.node import NS, Node, steady_ns
from watchfloor.engine.registration import NameLock
from watchfloor.engine.supervisor import Beat
from watchfloor.store import audit, sharing
from watchfloor.store import nodes as store
from watchfloor.store import set_back as clocks
from watchfloor.store.database import Connection
from watchfloor.store.errors import StoreError, is_away
from watchfloor.store.nodes import LEASE_S, Entry
from watchfloor.store.pulse import pulse
from watchfloor.store.sharing import Peer

log = logging.getLogger(__name__)

BEAT_S = 2.0
GRACE_S = 6.0
"""So long this node declares nobody lost after it was away itself, or the database was, or the clock jumped: the others
come back, too, and renew their leases by the clock as it is now."""

HOLD_S = 3.0
"""The longest that this node waits for peers that live to let go of what is its own."""

LONGEST_TRY_S = 20.0
"""A beat that failed later than this did not wait for the database all the time: the process stood still."""


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
        self._one_at_a_time = asyncio.Lock()
        self._beat_ns: int | None = None  # when the latest beat that succeeded began, of `steady_ns`
        self._grace_ns = 0  # until then nobody is declared lost
        self._hold_ns = 0  # until then this node waits for its peers

    async def run(self, beat: Beat) -> None:
        """Beat for ever. Raises when the database is away, `StoreError` when another engine took the name."""
        while True:
            beat()
            await self.once("running")
            await asyncio.sleep(BEAT_S)

    async def once(self, state: str) -> None:
        """One beat."""
        began_ns, trusted = steady_ns(), self._node.trusted
        if state == "starting":
            self._hold()  # until it is ready, and the others have seen that
        try:
            async with self._one_at_a_time:
                await self._beat(state)
        except Exception as error:
            self._grace_ns = steady_ns() + int(GRACE_S * NS)
            if trusted and is_away(error) and steady_ns() - began_ns < LONGEST_TRY_S * NS:
                # nobody was seen to take over: checks go on while the database is away
                self._node.trusted_until_ns = steady_ns() + LONGEST_TRY_S * NS
            raise

    async def _beat(self, state: str) -> None:
        node = self._node
        if not await self._lock.hold(node.id):
            log.warning("another connection holds the lock of node %s; trying again", node.name)
        async with node.database.transaction() as connection:
            ahead = await clocks.ahead(connection, JUMP_S)
            asked, believed = steady_ns(), node.clock.now()
            beaten = await store.beat(
                connection, self._entry, state, self._stats(), node.sees, node.let_go_at
            )
            answered = steady_ns()
            node.round_trips.append((answered - asked) / 1e6)
            if beaten is None:
                raise StoreError(f"another engine runs as node {node.name} now; this one gives way")
            node.clock.measured(beaten.at, asked, answered)  # before anything is set back: else it were due
            jump = (beaten.at - believed).total_seconds()
            jumped = abs(jump) > JUMP_S + (answered - asked) / 1e9
            if jumped:
                self._grace_ns = max(self._grace_ns, answered + int(GRACE_S * NS))
            back_s = clocks.how_far(ahead, node.id, -jump)
            if back_s:
                await clocks.set_back(connection, back_s)
            if beaten.lost:
                log.warning("the others took this node for lost; it waits until they have let go")
                self._hold()
            if not self._was_away(asked):
                for lost in await sharing.declare_lost(connection, node.id):
                    log.warning("node #%d gives no sign of life; its work is taken over", lost)
            found = await self._look(connection)
            if node.held and state == "running":
                await pulse(connection, "nodes")  # whoever is to let go
        self._beat_ns = asked
        node.trusted_until_ns = asked + LEASE_S * NS
        if back_s:
            log.warning(
                "the database's clock was set back by %.1f s; what waits goes on waiting as before", back_s
            )
        if jumped:
            node.count("clock_jumps")
            await self._tell_jump(jump, beaten.at)
            log.warning("the database's clock jumped by %.1f s; following it", jump)
        self._follow(found)

    async def look(self) -> None:
        """A node came or is about to go: see who shares the work now, without waiting for the next beat."""
        async with self._one_at_a_time:
            async with self._node.database.connection() as connection:
                found = await self._look(connection)
            self._follow(found)

    async def _look(self, connection: Connection) -> list[Peer]:
        """Who shares the work; this node no longer sees whoever is gone before it takes anything over."""
        node = self._node
        found = await sharing.peers(connection)
        still = node.sees & {peer.id for peer in found if peer.shares}
        if still != node.sees:
            await sharing.say_seen(connection, node.id, still, node.let_go_at)
            node.sees = still
        return found

    def _was_away(self, now_ns: int) -> bool:
        """Whether something was away or jumped a moment ago, so that silence of others means nothing yet."""
        cut_ns = self._lock.lost_ns
        late = self._beat_ns is not None and now_ns - self._beat_ns > LEASE_S * NS
        if late:
            self._grace_ns = max(self._grace_ns, now_ns + int(GRACE_S * NS))
        if cut_ns is not None:
            self._grace_ns = max(self._grace_ns, cut_ns + int(GRACE_S * NS))
        return now_ns < self._grace_ns

    def _hold(self) -> None:
        self._node.held = True
        self._hold_ns = steady_ns() + int(HOLD_S * NS)
        self._shared_anew()

    def _follow(self, found: Sequence[Peer]) -> None:
        node = self._node
        node.peers = {peer.id: peer for peer in found}
        live = {peer.id: peer.tags for peer in found if peer.shares}
        if live != node.live:
            if node.held and node.id in live and node.id not in node.live:
                self._hold_ns = steady_ns() + int(HOLD_S * NS)
            node.live = live
            self._shared_anew()
        others = [peer for peer in found if peer.shares and peer.id != node.id]
        if (
            node.held
            and node.id in live
            and (steady_ns() > self._hold_ns or all(node.id in peer.sees for peer in others))
        ):
            node.held = False
            self._shared_anew()

    async def _tell_jump(self, jump: float, now: datetime) -> None:
        """Note in the audit that the clock by which everything is booked jumped: times before it may be wrong."""
        after = {"seconds": round(jump, 3), "clock": now.isoformat()}
        line = audit.Line(SYSTEM, "clock_jumped", "node", str(self._node.id), None, after)
        async with self._node.database.transaction() as connection:
            await audit.record(connection, [line])
