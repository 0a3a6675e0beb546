"""Keeps the program's own log records: from any thread, through a bounded buffer, into the database.

Never blocks the thread that logs. What does not fit is dropped and counted, and the count is itself a record.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from watchfloor.domain.ids import TimeOrderedIds
from watchfloor.domain.text import clean, one_line
from watchfloor.engine.days import Days
from watchfloor.engine.node import Node, steady_ns
from watchfloor.engine.supervisor import Beat
from watchfloor.store.errors import is_away
from watchfloor.store.logs import LogRecord, append

log = logging.getLogger(__name__)

BUFFER = 10_000
BATCH = 1_000
EVERY_S = 0.5
LONGEST_MESSAGE = 8_000
LONGEST_NAME = 200

_SEVERITIES = ((50, 21), (40, 17), (30, 13), (20, 9))  # Python level -> OpenTelemetry number
_LOWEST = 5


@dataclass(slots=True)
class _Waiting:
    """A record on its way; its moment is by this machine's wall clock until the database's is known."""

    steady_ns: int
    record: LogRecord
    stamped: bool = False


class LogBuffer(logging.Handler):
    """Collects records of this process until an engine stores them."""

    def __init__(self, level: int = logging.INFO) -> None:
        super().__init__(level)
        self._ids = TimeOrderedIds()
        self._waiting: deque[_Waiting] = deque()
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; never raises, never waits."""
        if len(self._waiting) >= BUFFER:
            self._dropped += 1
            return
        try:
            message = clean(self.format(record), LONGEST_MESSAGE)
        except Exception:
            self.handleError(record)
            return
        now = datetime.now(UTC)
        self._waiting.append(
            _Waiting(
                steady_ns(),
                LogRecord(
                    source_id=0,
                    ts=now,
                    id=self._ids.next(int(now.timestamp() * 1e9)),
                    sev=next((number for level, number in _SEVERITIES if record.levelno >= level), _LOWEST),
                    channel=one_line(record.name, LONGEST_NAME),
                    msg=message,
                    attrs={"thread": record.threadName or ""},
                ),
            )
        )

    def head(self, node: Node) -> list[LogRecord]:
        """The oldest records as ``node`` stores them, at the same moments however often they are asked for."""
        now, now_ns = node.clock.now(), steady_ns()
        batch = [self._waiting[at] for at in range(min(BATCH, len(self._waiting)))]
        for waiting in batch:
            if not waiting.stamped:
                age = timedelta(microseconds=max(0, now_ns - waiting.steady_ns) // 1000)
                waiting.record = replace(waiting.record, source_id=node.id, ts=now - age)
                waiting.stamped = True
        return [waiting.record for waiting in batch]

    def forget(self, count: int) -> None:
        """Let go of the oldest ``count`` records."""
        for _ in range(count):
            self._waiting.popleft()

    def take_dropped(self) -> int:
        """How many records did not fit since this was last asked."""
        dropped, self._dropped = self._dropped, 0
        return dropped


class Intake:
    """Stores what one buffer collects, for one node."""

    def __init__(self, node: Node, buffer: LogBuffer) -> None:
        self._node = node
        self._buffer = buffer
        self._days = Days(node, "retention.logs")

    async def run(self, beat: Beat) -> None:
        """Store what the buffer holds, for ever. Raises when the database is away; the buffer keeps its records."""
        while True:
            beat()
            if await self.flush():
                self._node.pulse.mark("logs")
            await asyncio.sleep(EVERY_S)

    async def flush(self) -> int:
        """Store everything that is buffered now; returns how many records that was."""
        stored = 0
        dropped = self._buffer.take_dropped()
        if dropped:
            self._node.count("log_records_dropped", dropped)
            log.warning("%d log records did not fit and were dropped", dropped)
        for _ in range(len(self._buffer) // BATCH + 1):
            batch = self._buffer.head(self._node)
            if batch:
                await self._store(batch)
                self._buffer.forget(len(batch))
                stored += len(batch)
        return stored

    async def _store(self, batch: Sequence[LogRecord]) -> None:
        """Store a batch; where it is refused, record by record without those that are refused."""
        await self._days.ensure(record.ts for record in batch)
        try:
            await self._append(batch)
            return
        except Exception as error:
            if is_away(error):
                raise
        for record in batch:
            try:
                await self._append([record])
            except Exception as error:
                if is_away(error):
                    raise
                self._node.count("log_records_dropped")

    async def _append(self, records: Sequence[LogRecord]) -> None:
        async with self._node.database.transaction() as connection:
            await append(connection, records)
