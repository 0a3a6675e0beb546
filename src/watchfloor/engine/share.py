"""This node's share of the services: read from the database, handed to the prober and the recorder.

A reload costs little more than what changed, because it happens at every pulse about services and checks go on
meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from watchfloor.config.kinds import Kind
from watchfloor.domain.heartbeats import KIND
from watchfloor.domain.outcome import Status
from watchfloor.engine.handover import TakenOver, left_undone
from watchfloor.engine.heartbeats import Heartbeats
from watchfloor.engine.node import Node
from watchfloor.engine.prober import Prober
from watchfloor.engine.recorder import Recorder
from watchfloor.engine.supervisor import Beat
from watchfloor.engine.warden import graph_of
from watchfloor.engine.watches import Watch, make_watch, watch_of
from watchfloor.store import settings
from watchfloor.store.database import Connection
from watchfloor.store.pulse import pulse
from watchfloor.store.rules import load_rules
from watchfloor.store.services import (
    Service,
    definitions_mark,
    last_checks,
    load_services,
    never_checked,
    not_ok,
    take_check_requests,
)
from watchfloor.store.sharing import say_seen
from watchfloor.store.votes import take_asks

IDLE_S = 2.0
CHUNK = 100
"""Services prepared in one go; between two such chunks checks may start."""


class Share:
    """What one node watches."""

    def __init__(
        self,
        node: Node,
        probes: Mapping[str, Kind],
        base_dir: Path,
        prober: Prober,
        recorder: Recorder,
        heartbeats: Heartbeats,
    ) -> None:
        """``base_dir`` is where relative references to files start."""
        self._node = node
        self._probes = probes
        self.base_dir = base_dir
        self._prober = prober
        self._recorder = recorder
        self.heartbeats = heartbeats
        self._known: Sequence[Service] = ()
        self._mark: tuple[object, ...] = ()  # of what is known
        self._watches: dict[int, Watch] = {}
        self._ids: set[int] = set()  # of the services that are this node's
        self._view: Mapping[int, tuple[str, ...]] | None = (
            None  # the nodes it shares with; None: it owns nothing
        )
        self._values: Mapping[str, object] = {}
        self._one_at_a_time = asyncio.Lock()
        self._stale = asyncio.Event()

    def shared_anew(self) -> None:
        """The set of live nodes changed."""
        self._stale.set()

    async def run(self, beat: Beat) -> None:
        """Take over what other nodes left, give away what new ones take, for ever. Raises when the database is away."""
        while True:
            beat()
            if not self._stale.is_set():
                await self._wait()
                continue
            await self.reload()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S):
                await self._stale.wait()

    async def reload(self, *, anew: bool = False) -> None:
        """Take services, rules and settings from the database; ``anew``: what references lead to may have changed."""
        async with self._one_at_a_time:
            self._stale.clear()
            try:
                await self._reload(anew)
            except BaseException:
                self._stale.set()  # whoever runs next does it
                raise

    async def _reload(self, anew: bool) -> None:
        node, view = self._node, None if self._node.held else self._node.live
        async with node.database.transaction() as connection:
            services = await self._services(connection)
            rules = await load_rules(connection)
            values = await settings.values(connection)
            new = await never_checked(connection)
        if anew or values != self._values:
            self._watches = {}
        mine = [] if view is None else await self._mine(services, values)
        taken_over = await self._taken_over(mine)
        confirmed = await self._confirmed(mine)
        self._watches = {watch.service.id: watch for watch in mine}
        self._values = node.settings = values
        by_id = {service.id: service for service in services}
        self._recorder.know(by_id, graph_of(by_id), rules, confirmed)
        if view is not self._view:
            node.let_go_at = self._prober.begun()
        self._prober.assign([watch for watch in mine if not _reports_itself(watch)], new, taken_over)
        self.heartbeats.assign(filter(_reports_itself, mine))
        self._ids = set(self._watches)
        await self._say_seen(view)
        await self.take_requests()  # what was asked of it before it was its own

    async def _services(self, connection: Connection) -> Sequence[Service]:
        """Every service; read again only where any of them changed, since there may be thousands."""
        now = await definitions_mark(connection)
        if now != self._mark:
            self._known, self._mark = await load_services(connection), now
        return self._known

    async def _mine(self, services: Sequence[Service], values: Mapping[str, object]) -> list[Watch]:
        node = self._node
        mine: list[Watch] = []
        for number, service in enumerate(services):
            watchers = node.watchers(service)
            if node.id in watchers:
                mine.append(self._watch(service, values))
            elif not watchers and node.speaks_for(service):
                mine.append(make_watch(service, None, None, _nobody_may(service)))
            if number % CHUNK == CHUNK - 1:
                await asyncio.sleep(0)
        return mine

    async def _taken_over(self, mine: Sequence[Watch]) -> dict[int, TakenOver]:
        """What other nodes left undone of what this one gains; nothing, where there was no other."""
        node = self._node
        before = self._view
        if before is None:  # it comes to those that are there
            before = {each: tags for each, tags in node.live.items() if each != node.id}
        gained = [watch.service for watch in mine if watch.service.id not in self._ids]
        if not before or not gained:
            return {}
        async with node.database.connection() as connection:
            last = await last_checks(connection, [service.id for service in gained])
        now_ns = node.clock.now_ns()
        found = {
            service.id: left_undone(service, before, node.peers, node.id, last[service.id], now_ns)
            for service in gained
            if service.id in last
        }
        return {service_id: left for service_id, left in found.items() if left is not None}

    async def _confirmed(self, mine: Sequence[Watch]) -> dict[int, Status | None]:
        """What is confirmed of the services that this node books from now on, where they are not ok."""
        async with self._node.database.connection() as connection:
            found = await not_ok(connection)
        booked = (watch.service for watch in mine if watch.service.id in found)
        return {each.id: found[each.id] for each in booked if each.quorum == 1 or self._node.speaks_for(each)}

    async def _say_seen(self, view: Mapping[int, tuple[str, ...]] | None) -> None:
        """Tell the others that what is theirs was left to them; where they changed meanwhile, the next turn does."""
        node = self._node
        self._view = view
        if view is not (None if node.held else node.live):
            return
        sees = frozenset(node.live)
        if sees != node.sees:
            node.sees = sees
            async with node.database.transaction() as connection:
                await say_seen(connection, node.id, sees, node.let_go_at)
                await pulse(connection, "nodes")

    def _watch(self, service: Service, values: Mapping[str, object]) -> Watch:
        known = self._watches.get(service.id)
        if known is not None and (known.service is service or known.service == service) and not known.broken:
            return known
        return watch_of(service, self._probes, self.base_dir, values)

    async def take_requests(self) -> None:
        """Check at once what operators asked for."""
        async with self._node.database.transaction() as connection:
            mine = [*self._prober.service_ids, *self.heartbeats.service_ids]
            wanted = await take_check_requests(connection, mine)
            asks = await take_asks(connection, self._node.id, mine)
        self.look_at(wanted)
        for each in asks:
            self._prober.vote(each.service_id, each.since, each.anew)

    def look_at(self, service_ids: Collection[int]) -> None:
        """Look at these at once, as far as they are this node's."""
        self._prober.check_now(service_ids)
        self.heartbeats.check_now(service_ids)


def _nobody_may(service: Service) -> str:
    return (
        f"no live node has the tags {', '.join(service.on_nodes)}, which on_nodes asks for: nobody checks it"
    )


def _reports_itself(watch: Watch) -> bool:
    """Whether it is a heartbeat; one whose settings are no good here is left to the prober, which says so."""
    return watch.service.kind == KIND and watch.settings is not None
