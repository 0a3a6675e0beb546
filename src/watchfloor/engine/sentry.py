"""Watches the node's own link: addresses far apart, of which one at least answers while the link is there.

A bad result waits for a look that began after it, so that the first check after a cut is not believed either. One look
serves all that wait. While none answers, one alert says so about the node, and none is raised about what it watches.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from watchfloor.engine.node import NS, Node, steady_ns
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.cut_off import report_link
from watchfloor.probes.checking import Fault
from watchfloor.probes.resolve import current

log = logging.getLogger(__name__)

EVERY_S = 5.0
SPACING_S = 1.0
"""Looks are no closer together, however much fails."""

PATIENCE_S = 2.0
"""A sentinel that takes longer does not answer."""

AGAIN_S = 0.9
"""A connection that takes longer came about at a second attempt (RFC 6298: after a second): its first was lost."""


class Sentry:
    """The link of one node. Without sentinels it is always there."""

    def __init__(self, node: Node, sentinels: Sequence[str]) -> None:
        self._node = node
        self._sentinels = [_split(sentinel) for sentinel in sentinels]
        self._one_at_a_time = asyncio.Lock()
        self._looked_ns = 0  # when the latest look began
        self._offline_ns = 0  # when the latest look ended that found no link
        self._back_ns = 0  # when the look ended that found the link again
        self._offline = False
        self._told: bool | None = None

    async def run(self, beat: Beat) -> None:
        """Look every few seconds, for ever. Raises when the database is away."""
        while True:
            beat()
            if self._sentinels:
                await self.look(steady_ns() - int(EVERY_S * NS))
                beat()
                await self._tell()
            await asyncio.sleep(EVERY_S if not self._sentinels else SPACING_S)

    async def cut_off(self, began_ns: int) -> bool:
        """Whether the link was away at some time since ``began_ns``; looks again first.

        What began before the link was seen to be back may have failed before it was.
        """
        if not self._sentinels:
            return False
        await self.look(steady_ns())
        return self._offline or began_ns <= max(self._offline_ns, self._back_ns)

    async def look(self, not_before_ns: int) -> None:
        """Ask the sentinels, unless somebody did that began at ``not_before_ns`` or later."""
        async with self._one_at_a_time:
            if self._looked_ns >= not_before_ns:
                return
            wait_s = SPACING_S - (steady_ns() - self._looked_ns) / NS
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            was_offline, self._looked_ns = self._offline, steady_ns()
            self._offline = not await self._any_answers()
            ended_ns = steady_ns()
            if self._offline:
                self._offline_ns = ended_ns
            elif was_offline or ended_ns - self._looked_ns > AGAIN_S * NS:
                self._back_ns = ended_ns  # it may have come back at any moment of this look

    async def _any_answers(self) -> bool:
        asking = [asyncio.ensure_future(_answers(*sentinel)) for sentinel in self._sentinels]
        try:
            for answer in asyncio.as_completed(asking):
                if await answer:
                    return True
            return False
        finally:
            for each in asking:
                each.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def _tell(self) -> None:
        """Raise or resolve the alert about the link, once for each change."""
        offline = self._offline
        if offline is self._told:
            return
        if offline:
            log.error("no sentinel answers: this node is cut off; what fails now is unknown")
        node = self._node
        async with node.database.transaction() as connection:
            changed = await report_link(connection, node.name, offline, node.clock.now())
        self._told = offline
        if changed:
            node.pulse.mark("alerts", "outbox")


async def _answers(host: str, port: int) -> bool:
    """Whether a connection comes about."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            for address in await current().addresses(host, PATIENCE_S):
                try:
                    _, writer = await asyncio.open_connection(address, port)
                except OSError:
                    continue
                writer.transport.abort()
                return True
    except (Fault, OSError):  # among them the time-out
        return False
    return False


def _split(sentinel: str) -> tuple[str, int]:
    host, _, port = sentinel.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)
