"""Lets time act on alerts: pending ones fire, acknowledgements run out."""

from __future__ import annotations

import asyncio

from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.ageing import age_alerts

EVERY_S = 1.0


async def run(node: Node, beat: Beat) -> None:
    """Look every second, for ever. Raises when the database is away."""
    while True:
        beat()
        if await age_alerts(node.database, node.clock.now()):
            node.pulse.mark("alerts", "health", "outbox")
        await asyncio.sleep(EVERY_S)
