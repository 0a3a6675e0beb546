"""The pulse: "something changed in this area", from anybody to everybody on a database.

A pulse is a hint; the tables are the truth. Engines mark topics and send at most five times a second, outside
ingest transactions. People's operations pulse in their own transaction, so the hint arrives when the change is
visible. A listener that lost its connection reconnects, listens again and then reports every topic.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from psycopg import sql

from watchfloor.store.database import Connection, Database
from watchfloor.store.errors import explain, is_away

CHANNEL = "watchfloor_pulse"
TOPICS = frozenset(
    {
        "health",
        "alerts",
        "jobs",
        "logs",
        "settings",
        "nodes",
        "checks",
        "services",
        "outbox",
        "runs",
        "ready",
        "pings",
    }
)
GAP_S = 0.2
IDLE_S = 2.0
RECONNECT_S = 1.0
KEEPALIVE_S = 10.0

log = logging.getLogger(__name__)


async def pulse(connection: Connection, *topics: str) -> None:
    """Announce ``topics`` when the transaction of ``connection`` commits."""
    await connection.execute(
        "SELECT pg_notify(%(channel)s, %(topics)s)",
        {"channel": CHANNEL, "topics": ",".join(sorted(topics))},
    )


class Pulse:
    """Collects topics and sends them together, at most five times a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._marked: set[str] = set()
        self._wake = asyncio.Event()

    def mark(self, *topics: str) -> None:
        """Remember that ``topics`` changed; never waits."""
        self._marked.update(topics)
        self._wake.set()

    async def run(self, beat: Callable[[], None]) -> None:
        """Send marked topics for ever. Raises when the database is away; marks are kept."""
        while True:
            beat()
            if not self._wake.is_set():
                await self._wait()
                continue
            self._wake.clear()
            topics, self._marked = self._marked, set()
            try:
                async with self._database.transaction() as connection:
                    await pulse(connection, *topics)
            except BaseException:
                self.mark(*topics)
                raise
            await asyncio.sleep(GAP_S)

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S):
                await self._wake.wait()


async def _readable(connection: Connection, seconds: float) -> bool:
    """Sleep until the server sent something, at most so long. The driver's own waiting wakes ten times a second."""
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()
    loop.add_reader(connection.fileno(), heard.set)
    try:
        async with asyncio.timeout(seconds):
            await heard.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(connection.fileno())
    return True


async def listen(database: Database) -> AsyncIterator[frozenset[str]]:
    """Yield sets of changed topics for ever; every topic after each (re)connection."""
    while True:
        try:
            connection = await database.connect()
        except Exception as error:
            if not is_away(error):
                raise
            log.debug("listener waits: %s", explain(error))
            await asyncio.sleep(RECONNECT_S)
            continue
        try:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            yield TOPICS
            while True:
                topics: set[str] = set()
                async for notice in connection.notifies(timeout=0):
                    topics.update(notice.payload.split(","))
                if topics & TOPICS:
                    yield frozenset(topics & TOPICS)
                elif not await _readable(connection, KEEPALIVE_S):
                    await connection.execute("SELECT 1")  # notices a connection that died in silence
        except Exception as error:
            if not is_away(error):
                raise
            log.debug("listener reconnects: %s", explain(error))
            await asyncio.sleep(RECONNECT_S)
        finally:
            await connection.close()
