"""Keeps the output of one attempt: in batches, under the fence, with back-pressure on whoever prints too fast."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from watchfloor.domain.masking import Masker
from watchfloor.domain.run_output import OutputLine, RunOutput
from watchfloor.engine.node import Node
from watchfloor.engine.worker import Worker
from watchfloor.store import runs
from watchfloor.store.errors import is_away
from watchfloor.store.runs import Claimed

log = logging.getLogger(__name__)

BATCH = 200
GATHER_S = 0.1
AWAY_PAUSE_S = 0.5

Line = tuple[int, datetime, str, str]


class RunLog:
    """The log of one attempt."""

    def __init__(self, node: Node, run: Claimed, worker: Worker, masker: Masker) -> None:
        self._node = node
        self._run = run
        self._worker = worker
        self._output = RunOutput(masker)
        self._lines: list[Line] = []
        self._one_at_a_time = asyncio.Lock()
        self._later: asyncio.Task[None] | None = None

    async def output(self, stream: str, chunk: bytes) -> None:
        """Take a piece of output; waits while earlier lines are on their way to the database."""
        self._take(self._output.feed(stream, chunk))
        if len(self._lines) >= BATCH:
            await self._flush()
        elif self._lines and (self._later is None or self._later.done()):
            self._later = asyncio.create_task(self._flush_later())

    async def end(self) -> None:
        """Store what is left."""
        self._take(self._output.end())
        if self._later is not None:
            self._later.cancel()
            await asyncio.gather(self._later, return_exceptions=True)
        await self._flush()

    def _take(self, lines: list[OutputLine]) -> None:
        now = self._node.clock.now()
        self._lines += [(line.seq, now, line.stream, line.text) for line in lines]

    async def _flush_later(self) -> None:
        await asyncio.sleep(GATHER_S)
        await self._flush()

    async def _flush(self) -> None:
        async with self._one_at_a_time:
            while self._lines:
                batch = self._lines[:BATCH]
                if await self._stored(batch):
                    del self._lines[: len(batch)]
                elif not self._worker.leash.holds:
                    self._node.count("run_log_lines_lost", len(self._lines))
                    self._lines.clear()
                else:
                    await asyncio.sleep(AWAY_PAUSE_S)
        self._node.pulse.mark("jobs")

    async def _stored(self, batch: list[Line]) -> bool:
        try:
            async with self._node.database.transaction() as connection:
                await runs.append_log(connection, self._run.id, self._run.attempt, self._worker.id, batch)
        except Exception as error:
            if not is_away(error):
                raise
            return False
        return True
