"""Takes the steps of chains when they are due. Every node does so; row locks share the work, a step is taken once."""

from __future__ import annotations

import asyncio
import contextlib

from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.escalating import AT_ONCE, take_steps

LONGEST_SLEEP_S = 1.0
SHORTEST_SLEEP_S = 0.001


class Escalator:
    """Escalates for one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._wake = asyncio.Event()

    async def wake(self) -> None:
        """Chains may have begun or moved."""
        self._wake.set()

    async def run(self, beat: Beat) -> None:
        """Take steps for ever. Raises when the database is away; what is due by then is done afterwards."""
        while True:
            beat()
            self._wake.clear()
            pause = await self.once()
            if pause > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def once(self) -> float:
        """Take the steps that are due; returns how long to sleep."""
        taken, coming = await take_steps(self._node.database, self._node.clock.now())
        if taken:
            self._node.count("escalation_steps", taken)
            self._node.outbox_filled()
            self._node.pulse.mark("alerts", "outbox")
        if taken == AT_ONCE:
            return 0.0
        if coming is None:
            return LONGEST_SLEEP_S
        return min(LONGEST_SLEEP_S, max(SHORTEST_SLEEP_S, (coming - self._node.clock.now()).total_seconds()))
