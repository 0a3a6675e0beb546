"""Says every minute, to a dead man's switch outside, that everything works; its silence raises the alarm there.

The message takes the way that alerts take: the outbox and the courier. It is queued only where the audit finds nothing,
so whichever loop dies, the switch hears nothing within two minutes: a loop that cannot be restarted, results that stay
away, messages that do not leave, a database that takes no writes, or this very loop. Every node answers for all that
run, so that those that are well do not speak over one that is not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from watchfloor.domain.component import LOOP
from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.auditing import audit

log = logging.getLogger(__name__)

EVERY_S = 60.0
BEAT_S = 2.0
FIRST_S = 5.0
"""Loops need a moment to be seen for the first time."""


class Alive:
    """The watchdog of one node."""

    def __init__(self, node: Node, loops: Callable[[], Sequence[str]], outside: Callable[[], bool]) -> None:
        """``loops`` are those that must run here; ``outside``: whether there is somebody outside to tell."""
        self._node = node
        self._loops = loops
        self._outside = outside
        self._found: list[str] = []

    async def run(self, beat: Beat) -> None:
        """Look every minute, for ever. Raises when the database is away."""
        due = asyncio.get_running_loop().time() + min(FIRST_S, EVERY_S)
        while True:
            beat()
            now = asyncio.get_running_loop().time()
            if now < due:
                await asyncio.sleep(min(BEAT_S, due - now))
                continue
            due = now + EVERY_S
            await self._look()

    async def _look(self) -> None:
        node = self._node
        async with node.database.transaction() as connection:
            found = await audit(
                connection, node.id, node.name, [LOOP, *self._loops()], self._outside(), node.clock.now()
            )
        if found and found != self._found:
            log.warning("the audit failed, so nobody outside is told that all is well: %s", "; ".join(found))
        elif self._found and not found:
            log.info("the audit passes again")
        self._found = found
        node.pulse.mark("outbox", "nodes")
