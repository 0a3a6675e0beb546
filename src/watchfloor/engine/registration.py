"""How an engine becomes a node: its entry among the nodes, and the lock that says that it runs.

The lock belongs to a connection of its own. Where that connection is lost, the lock is taken anew, because nodes
without it count as dead. One name, one engine: whoever comes second is refused.
"""

from __future__ import annotations

import asyncio
import os
import platform
import time

import psycopg

from watchfloor import __version__
from watchfloor.config.model import NodeConfig
from watchfloor.domain.guards import JUMP_S
from watchfloor.engine.node import Node, steady_ns
from watchfloor.store import nodes, settings
from watchfloor.store import set_back as clocks
from watchfloor.store.database import Connection, Database
from watchfloor.store.errors import StoreError
from watchfloor.store.health import clock
from watchfloor.store.nodes import Entry, Registration
from watchfloor.store.partitions import ensure_partitions
from watchfloor.store.pulse import Pulse

PATIENCE_S = 3.0
"""How long the lock of an engine that just died may take to come free."""

LOOK_S = 0.1


class NameLock:
    """The lock on a node's name."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self.lost_ns: int | None = None
        """When the connection was found cut the last time, of `steady_ns`; None: never."""

    async def hold(self, node_id: int) -> bool:
        """Hold it, taking it anew where it was lost; False while another engine has it.

        Raises what `watchfloor.store.errors.is_away` knows when the database is away.
        """
        if self._connection is not None:
            try:
                await self._connection.execute("SELECT 1")
                return True
            except psycopg.Error:
                self.lost_ns = steady_ns()
                await self.close()
        connection = await self._database.connect()
        try:
            held = await nodes.hold(connection, node_id)
        except BaseException:
            await connection.close()
            raise
        if held:
            self._connection = connection
        else:
            await connection.close()
        return held

    async def close(self) -> None:
        """Let go of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def register(database: Database, who: NodeConfig, lock: NameLock) -> tuple[Node, Entry]:
    """Become a node. Raises `StoreError` where the name is taken."""
    async with database.transaction() as connection:
        known = await nodes.node_id_of(connection, who.name)
    if known is not None and not await _wait_for(lock, known):
        raise StoreError(
            f"node {who.name} is already running on this database; start this one with another --node"
        )
    async with database.transaction() as connection:
        back_s = clocks.how_far(await clocks.ahead(connection, JUMP_S), known)
        if back_s:  # while nobody ran
            await clocks.set_back(connection, back_s)
        await ensure_partitions(connection, (await clock(connection)).date())
        entry = await nodes.register(connection, _registration(who))
        values = await settings.values(connection)
    if not await lock.hold(entry.id):
        raise StoreError(
            f"node {who.name} was started twice at the same moment; start this one with another --node"
        )
    return Node(entry.id, who.name, database, Pulse(database), values), entry


async def _wait_for(lock: NameLock, node_id: int) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not (held := await lock.hold(node_id)) and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(LOOK_S)
    return held


def _registration(who: NodeConfig) -> Registration:
    return Registration(who.name, platform.node(), os.getpid(), __version__, who.environment, who.tags)
