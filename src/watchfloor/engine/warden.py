"""Lets time act on the state of services: windows open and close, reasons for silence end, reachability is checked.

What a result changes the recorder does at once; the warden does what no result brings about. All of it may be done by
several nodes, in any order and twice; the database holds what was done.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import datetime

from watchfloor.domain.reach import Graph, Needs
from watchfloor.domain.windows import Window
from watchfloor.engine.node import Node
from watchfloor.engine.recorder import Recorder
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.planning import (
    Plan,
    by_service,
    current_plan,
    failures_awaited,
    keep_time,
    open_flexible,
    waiting_windows,
)
from watchfloor.operations.reaching import follow
from watchfloor.operations.suppressing import release, suppress
from watchfloor.store import reach
from watchfloor.store.services import Service

log = logging.getLogger(__name__)

EVERY_S = 1.0
ALL_ANEW_S = 60.0
"""Everything is worked out from the ground this often, whether anything seems to have changed or not."""


class Warden:
    """The passing of time for one node's view of all services."""

    def __init__(self, node: Node, recorder: Recorder) -> None:
        self._node = node
        self._recorder = recorder
        self._services: Mapping[int, Service] = {}
        self._waiting: tuple[Window, ...] = ()
        self._seen: tuple[object, ...] = ()
        self._anew_at = 0.0

    async def run(self, beat: Beat) -> None:
        """Look every second, for ever. Raises when the database is away."""
        while True:
            beat()
            await self.once(beat)
            await asyncio.sleep(EVERY_S)

    async def once(self, beat: Beat) -> None:
        """One look."""
        recorder, changed = self._recorder, False
        if recorder.services is not self._services:
            self._services, self._anew_at, self._waiting = recorder.services, 0.0, ()
        anew = time.monotonic() >= self._anew_at
        if anew:
            changed |= await self._from_the_ground()
            beat()
        changed |= await self._windows(anew)
        beat()
        async with self._node.database.transaction() as connection:
            changed |= bool(await release(connection, recorder.graph, self._node.clock.now()))
        if changed:
            self._node.pulse.mark("alerts", "health", "outbox")
        if anew:
            self._anew_at = time.monotonic() + ALL_ANEW_S

    async def _from_the_ground(self) -> bool:
        """Work out who is out of reach without regard to what was stored: definitions and pauses change it, too."""
        graph = self._recorder.graph
        async with self._node.database.transaction() as connection:
            await reach.lock(connection)
            related = {each for each in self._services if graph.needs(each).ids}
            related |= set(await reach.lost(connection))
            moved = await follow(connection, graph, related, self._node.clock.now()) if related else ()
            if moved:
                await suppress(connection, graph, moved, self._node.clock.now())
        return bool(moved)

    async def _windows(self, anew: bool) -> bool:
        recorder, now = self._recorder, self._node.clock.now()
        async with self._node.database.transaction() as connection:
            plan = await current_plan(connection, now)
            self._note_waiting(plan, now)
            if recorder.flexible and (opens := await failures_awaited(connection, recorder.flexible)):
                await reach.lock(connection)
                return await open_flexible(connection, recorder.graph, opens, self._services, now)
            open_now = [run for run in plan.runs if run.open_at(now)]
            seen = (plan.mark, tuple(open_now))
            if seen == self._seen and not anew:
                return False
            await reach.lock(connection)
            changed = await keep_time(connection, recorder.graph, self._services, plan, now)
        self._seen = seen
        return changed

    def _note_waiting(self, plan: Plan, now: datetime) -> None:
        """Tell the recorder which services' failures open a window; worked out anew only where it may have changed."""
        windows = waiting_windows(plan, now)
        if windows != self._waiting or not windows:
            self._waiting, self._recorder.flexible = windows, by_service(windows, self._services)


def graph_of(services: Mapping[int, Service]) -> Graph:
    """What depends on what, by id; a name that is not watched any more is left out."""
    ids = {service.name: each for each, service in services.items()}
    needs = {each: Needs() for each in services}
    for each, service in services.items():
        if service.depends_on or service.depends_on_any:
            groups = (tuple(ids[name] for name in group if name in ids) for group in service.depends_on_any)
            needs[each] = Needs(
                tuple(ids[name] for name in service.depends_on if name in ids),
                tuple(group for group in groups if group),
            )
    graph = Graph(needs)
    if graph.circular:
        log.error(
            "%d services depend on each other in a circle; they count as independent", len(graph.circular)
        )
    return graph
