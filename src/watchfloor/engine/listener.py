"""Hears the pulse for the engine and tells the loops that care."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.store.pulse import listen

IDLE_S = 2.0


async def run(node: Node, on: Mapping[str, Callable[[], Awaitable[None]]], beat: Beat) -> None:
    """Call what is registered for a topic whenever that topic changed; after a reconnection, everything."""
    topics = listen(node.database)
    waiting: asyncio.Future[frozenset[str]] | None = None
    try:
        while True:
            beat()
            waiting = waiting or asyncio.ensure_future(anext(topics))
            done, _ = await asyncio.wait({waiting}, timeout=IDLE_S)
            if not done:
                continue
            changed, waiting = waiting.result(), None
            for call in dict.fromkeys(on[topic] for topic in sorted(changed & on.keys())):
                await call()
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await topics.aclose()  # type: ignore[attr-defined]
