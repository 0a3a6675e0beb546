"""Lets time act on alerts: pending ones fire, acknowledgements run out, silences end, groups are told of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.ageing import Mark, age_alerts, age_silences
from watchfloor.operations.grouping import tell_groups

EVERY_S = 1.0
ALL_ANEW_S = 60.0
"""Reasons for silence are looked at this often, whether anything seems to have changed or not: after a clock that was
set back, or beside a transaction that was long under way, what changed last does not show it."""


class Ager:
    """The passing of time for alerts, for one node; ``elapsed`` is a clock that nobody sets, in seconds."""

    def __init__(self, node: Node, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._elapsed = elapsed
        self._mark: Mark | None = None
        self._anew_at = 0.0

    async def run(self, beat: Beat) -> None:
        """Look every second, for ever. Raises when the database is away."""
        self._mark = None
        while True:
            beat()
            await self.once()
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """One look."""
        node, now = self._node, self._node.clock.now()
        if self._elapsed() >= self._anew_at:
            self._mark, self._anew_at = None, self._elapsed() + ALL_ANEW_S
        aged = await age_alerts(node.database, now)
        self._mark, moved = await age_silences(node.database, now, self._mark)
        told = await tell_groups(node.database, now)
        if aged or moved or told:
            node.outbox_filled()
            node.pulse.mark("alerts", "health", "outbox")
