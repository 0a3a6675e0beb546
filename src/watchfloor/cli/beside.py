"""Runs what takes long in a thread of its own, with a loop and a connection of its own: the console goes on meanwhile.

Whoever waits and gives up ends it, with the query that it waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from watchfloor.store.database import Database

T = TypeVar("T")

PATIENCE_S = 20.0
"""No single query may take longer."""


async def beside(database: Database, work: Callable[[Database], Awaitable[T]], name: str) -> T:
    """What ``work`` comes to, given another access to the same database; ``name`` is shown there."""
    other: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []
    given_up = False

    async def done() -> T:
        apart = database.apart(name=name, statement_timeout=PATIENCE_S)
        try:
            return await work(apart)
        finally:
            await apart.close()

    async def main() -> T:
        task = asyncio.ensure_future(done())
        other.append((asyncio.get_running_loop(), task))
        if given_up:
            task.cancel()
        return await task

    ended = asyncio.get_running_loop().run_in_executor(None, lambda: asyncio.run(main()))
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        given_up = True
        for loop, task in other:
            if not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)
        ended.add_done_callback(lambda future: future.cancelled() or future.exception())
        raise
