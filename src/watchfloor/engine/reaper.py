"""Finds workers that are dead, takes their runs over, lets waiting runs in. Every node does so.

A worker is dead when its lease ran out, or when its process on this machine is seen to be gone and its keepers had
the time to end what it ran; what is left of keepers that were killed as well is ended first. It must never bury a
worker on any weaker sign: its processes may still be at work.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from watchfloor.engine.carrying import lost
from watchfloor.engine.leftovers import GONE_S, cleared, end_left_by
from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.engine.worker import process_place
from watchfloor.payloads.leftovers import born
from watchfloor.store import runs, workers

log = logging.getLogger(__name__)

EVERY_S = 1.0
LOOK_S = 0.2
"""How often it is seen whether the processes of this machine's workers are still there; it asks the kernel alone."""

AGE_S = 300.0
BATCH = 200


class Reaper:
    """Reaps for one node."""

    def __init__(self, node: Node, ready: Callable[[], None]) -> None:
        """``ready`` hears that runs may have become ready."""
        self._node = node
        self._ready = ready
        self._place, _ = process_place()
        self._neighbours: list[workers.Neighbour] = []
        self._gone: dict[int, float] = {}

    async def run(self, beat: Beat) -> None:
        """Reap for ever. Raises when the database is away."""
        await cleared(beat)
        while True:
            beat()
            await self.once()
            await self._rest()

    async def once(self) -> None:
        """One round."""
        async with self._node.database.transaction() as connection:
            self._neighbours = await workers.neighbours(connection, self._place) if self._place else []
            gone = self._long_gone()
            if gone:
                await end_left_by({(each.pid, each.born) for each in gone})
            dead = await workers.declare_dead(connection, [each.id for each in gone])
        for worker in dead:
            log.warning("worker %d is dead; its runs are taken over", worker)
        self._node.count("workers_buried", len(dead))
        async with self._node.database.transaction() as connection:
            orphans = await workers.orphans(connection, BATCH)
            now = self._node.clock.now()
            if orphans:
                await runs.finish(connection, [lost(orphan, now) for orphan in orphans])
            overdue = await runs.end_overdue(connection)
            await runs.promote_due(connection)
            await runs.age(connection, AGE_S)
        self._node.count("runs_overdue", overdue)
        if orphans:
            self._node.count("runs_taken_over", len(orphans))
            self._node.pulse.mark("jobs", "runs")
        self._ready()

    async def _rest(self) -> None:
        """Until the next round, which is at once where somebody has been gone for long enough."""
        until = time.monotonic() + EVERY_S
        while not self._long_gone() and time.monotonic() < until:  # noqa: ASYNC110 - no process says it is gone
            await asyncio.sleep(LOOK_S)

    def _long_gone(self) -> list[workers.Neighbour]:
        now = time.monotonic()
        seen = {
            each: self._gone.get(each.id, now) for each in self._neighbours if born(each.pid) != each.born
        }
        self._gone = {each.id: since for each, since in seen.items()}
        return [each for each, since in seen.items() if now - since >= GONE_S]
