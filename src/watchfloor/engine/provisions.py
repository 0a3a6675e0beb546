"""What a payload is handed of the database: its checkpoint, under the fence of the attempt, and records to read.

Payloads know nothing of the store. While the database is away they wait here, for as long as the node is trusted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from watchfloor.engine.node import Node
from watchfloor.engine.worker import Worker
from watchfloor.payloads.contract import PayloadError, Records
from watchfloor.store import checkpoints, reports
from watchfloor.store.database import Connection
from watchfloor.store.errors import is_away
from watchfloor.store.runs import Claimed

AWAY_PAUSE_S = 0.5

Answer = TypeVar("Answer")


class Provisions:
    """The checkpoint and the reader of one attempt."""

    def __init__(self, node: Node, run: Claimed, worker: Worker) -> None:
        self._node = node
        self._run = run
        self._worker = worker

    async def load(self) -> Mapping[str, Any] | None:
        """What the last attempt of the job that got anywhere saved."""
        return await self._insist(lambda connection: checkpoints.load(connection, self._run.job_id))

    async def save(self, value: Mapping[str, Any]) -> None:
        """Keep how far the attempt is. Raises `PayloadError` where the fence refuses it."""
        run, worker = self._run, self._worker
        if not await self._insist(
            lambda connection: checkpoints.save(connection, run.id, run.attempt, worker.id, value)
        ):
            self._node.count("fenced_writes")
            raise PayloadError("worker.lost", "the run is another's by now: its checkpoint was refused")

    async def read(self, name: str, since: datetime, until: datetime) -> Records:
        """Rows of a named query of `watchfloor.store.reports`."""
        query = reports.QUERIES.get(name)
        if query is None:
            raise PayloadError("config.settings", f"there are no records called {name!r}")
        rows = await self._insist(lambda connection: reports.read(connection, name, since, until))
        return Records(query.columns, rows)

    async def _insist(self, work: Callable[[Connection], Awaitable[Answer]]) -> Answer:
        while True:
            try:
                async with self._node.database.transaction() as connection:
                    return await work(connection)
            except Exception as error:
                if not is_away(error):
                    raise
            if not self._worker.leash.holds:
                raise PayloadError("worker.lost", "this node lost the database for too long")
            await asyncio.sleep(AWAY_PAUSE_S)
