"""Lets time act on alerts: pending ones fire, acknowledgements run out, silences end, groups are told of."""

from __future__ import annotations

import asyncio

from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.ageing import Mark, age_alerts, age_silences
from watchfloor.operations.grouping import tell_groups

EVERY_S = 1.0


async def run(node: Node, beat: Beat) -> None:
    """Look every second, for ever. Raises when the database is away."""
    mark: Mark | None = None
    while True:
        beat()
        now = node.clock.now()
        aged = await age_alerts(node.database, now)
        mark, moved = await age_silences(node.database, now, mark)
        told = await tell_groups(node.database, now)
        if aged or moved or told:
            node.outbox_filled()
            node.pulse.mark("alerts", "health", "outbox")
        await asyncio.sleep(EVERY_S)
