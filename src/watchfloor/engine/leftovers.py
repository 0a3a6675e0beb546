"""Ends what is left of jobs of dead nodes of this machine, before their runs are taken over or new ones begin."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection

from watchfloor.engine.supervisor import Beat
from watchfloor.payloads import leftovers

log = logging.getLogger(__name__)

GONE_S = 2.0
"""From the death of a process to the end of what its keepers kept: `payloads.keeper.LAST_GRACE_S` and some."""

LOOK_S = 0.1


async def cleared(beat: Beat) -> None:
    """Return when nothing is left of the nodes that were dead before; their keepers have the time to see to it."""
    until = time.monotonic() + GONE_S
    while dead := await asyncio.to_thread(leftovers.dead_nodes):
        beat()
        if time.monotonic() >= until:
            await end_left_by(dead)
            return
        await asyncio.sleep(LOOK_S)


async def end_left_by(nodes: Collection[tuple[int, str]]) -> None:
    """End what is left of these nodes, and say so."""
    ended = await asyncio.to_thread(leftovers.end_left_by, nodes)
    if ended:
        log.warning("ended %d processes that jobs of a dead node had left behind", ended)
