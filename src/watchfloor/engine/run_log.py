"""Keeps the output of one attempt: in batches, under the fence, with back-pressure on whoever prints too fast.

Of very much output only the head is stored at once; of what follows people see the latest lines about once a second,
until the tail takes their place at the end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime

from watchfloor.domain.masking import Masker
from watchfloor.domain.run_output import OutputLine, RunOutput
from watchfloor.engine.node import Node
from watchfloor.engine.worker import Worker
from watchfloor.store import run_logs
from watchfloor.store.errors import is_away
from watchfloor.store.run_logs import Fence, Line
from watchfloor.store.runs import Claimed

log = logging.getLogger(__name__)

BATCH = 200
MOST = 2000
"""Lines that are stored in one go where many are waiting."""

GATHER_S = 0.1
LATEST_S = 1.0
LATEST = 50
AWAY_PAUSE_S = 0.5


class RunLog:
    """The log of one attempt."""

    def __init__(self, node: Node, run: Claimed, worker: Worker, masker: Masker) -> None:
        self._node = node
        self._fence = Fence(run.id, run.attempt, worker.id)
        self._worker = worker
        self._output = RunOutput(masker)
        self._lines: list[Line] = []
        self._on_its_way = 0
        self._one_at_a_time = asyncio.Lock()
        self._later: asyncio.Task[None] | None = None
        self._shown_from = 0  # the first of the latest lines that are stored for now
        self._shown_at = 0.0

    async def output(self, stream: str, chunk: bytes) -> None:
        """Take a piece of output; waits while earlier lines are on their way to the database."""
        now = self._node.clock.now()
        self._take(self._output.feed(stream, chunk, now), now)
        if len(self._lines) >= BATCH:
            await self._flush()
        elif self._later is None or self._later.done():
            self._later = asyncio.create_task(self._flush_later())

    async def end(self) -> None:
        """Store what is left."""
        now = self._node.clock.now()
        if self._later is not None:
            async with self._one_at_a_time:  # what is on its way is stored: half a COPY costs a connection
                self._later.cancel()
            await asyncio.gather(self._later, return_exceptions=True)
        self._take(self._output.end(now), now)
        await self._flush()

    def _take(self, lines: list[OutputLine], now: datetime) -> None:
        self._lines += [(line.seq, line.at or now, line.stream, line.level, line.text) for line in lines]

    async def _flush_later(self) -> None:
        await asyncio.sleep(GATHER_S)
        await self._flush()
        if self._output.holds_back:
            await asyncio.sleep(max(0.0, self._shown_at + LATEST_S - time.monotonic()))
            await self._show_latest()

    async def _show_latest(self) -> None:
        """Store the latest lines of those that are kept back, in the place of those shown before."""
        lines = self._output.latest(LATEST)
        now, self._shown_at = self._node.clock.now(), time.monotonic()
        async with self._one_at_a_time:
            shown = [(line.seq, line.at or now, line.stream, line.level, line.text) for line in lines]
            try:
                await run_logs.replace(self._node.database, self._fence, self._shown_from, shown)
            except Exception as error:
                if not is_away(error):
                    raise
                return  # the tail comes at the end in any case
            self._shown_from = self._shown_from or lines[0].seq
        self._node.pulse.mark("jobs")

    async def _flush(self) -> None:
        async with self._one_at_a_time:
            if not self._lines:
                return
            while self._lines:
                batch = self._lines[: self._on_its_way or MOST]
                self._on_its_way = len(
                    batch
                )  # whatever becomes of it: the next try is for the very same lines
                if await self._stored(batch):
                    del self._lines[: len(batch)]
                    self._on_its_way = 0
                elif not self._worker.leash.holds:
                    self._node.count("run_log_lines_lost", len(self._lines))
                    self._lines.clear()
                    self._on_its_way = 0
                else:
                    await asyncio.sleep(AWAY_PAUSE_S)
        self._node.pulse.mark("jobs")

    async def _stored(self, batch: list[Line]) -> bool:
        shown_from = self._shown_from
        try:
            await run_logs.append(self._node.database, self._fence, batch, instead_of=shown_from)
        except Exception as error:
            if not is_away(error):
                raise
            return False
        self._shown_from = 0
        return True
