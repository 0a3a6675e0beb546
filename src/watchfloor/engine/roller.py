"""Rolls results, metrics and uptime up, and packs the results of closed hours: one node at a time, whichever holds
the lock of this work.

Everything is done in small statements on a connection of its own, with pauses between them, so that results go on
being stored meanwhile. Whatever is cut off is done again: buckets are overwritten, and a watermark moves only with
the last of them. Results that came late have their hours made anew.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.store import packing, rollups, uptime
from watchfloor.store.database import Connection, fetch_value
from watchfloor.store.health import clock
from watchfloor.store.partitions import ensure_partitions, oldest_day
from watchfloor.store.rollups import DAY, GRAINS, HOUR, SETTLE, Grain
from watchfloor.store.tasks import TaskRun, save_task_run

log = logging.getLogger(__name__)

EVERY_S = 5.0
STANDBY_S = 5.0
CHUNK = 500
"""Services in one statement."""
PAUSE_S = 0.02
"""Between statements: nobody who stores results waits long behind a roll-up."""
MOST_BUCKETS = 60
"""Of one step so many buckets are made in one go, when there is much to catch up on."""
LATE_AT_ONCE = 2_000
MOST_STEPS = 200
"""So many steps in one round; the next one goes on from there."""

_LOCK = 0x5746_0005
_SESSION = (
    "SET statement_timeout = '30s'",
    "SET lock_timeout = '5s'",
    "SET synchronous_commit = off",  # what is lost with the server is made again
    "SET enable_seqscan = off",  # it takes a little of each service; statistics of today's leaf know nothing yet
    "SET max_parallel_workers_per_gather = 0",  # the other processors have checks to run
    "SET jit = off",
)


@dataclass(slots=True)
class Done:
    """What one round came to."""

    buckets: int = 0
    blocks: int = 0
    late: int = 0
    days: int = 0

    def __bool__(self) -> bool:
        return bool(self.buckets or self.blocks or self.late or self.days)


class Roller:
    """Rolls up for one node, while no other does."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._beat: Beat = lambda: None
        self._days: set[date] = set()

    async def run(self, beat: Beat) -> None:
        """Roll up for ever. Raises when the database is away."""
        self._beat = beat
        connection = await self._node.database.connect()
        try:
            for statement in _SESSION:
                await connection.execute(statement)
            while True:
                beat()
                locked = await fetch_value(connection, "SELECT pg_try_advisory_lock(%(key)s)", {"key": _LOCK})
                if locked:
                    await self._lead(connection)
                await asyncio.sleep(STANDBY_S)
        finally:
            await connection.close()

    async def _lead(self, connection: Connection) -> None:
        """Hold the lock for as long as this connection lives."""
        while True:
            self._beat()
            started, began = self._node.clock.now(), time.monotonic()
            done = await self.once(connection, await clock(connection))
            if done:
                await self._book(started, time.monotonic() - began, done)
            await asyncio.sleep(EVERY_S)

    async def _book(self, started: datetime, took_s: float, done: Done) -> None:
        node = self._node
        node.count("rolled_up", done.buckets)
        node.count("packed_blocks", done.blocks)
        node.count("rolled_up_late", done.late)
        log.debug(
            "rolled up %d buckets, %d of them late, packed %d blocks", done.buckets, done.late, done.blocks
        )
        run = TaskRun(node.id, "roll up", started, int(took_s * 1000), "ok", "", started + rollups.MINUTE)
        async with node.database.transaction() as connection:
            await save_task_run(connection, run)
        node.pulse.mark("jobs")

    async def once(self, connection: Connection, now: datetime) -> Done:
        """Do everything that is due at ``now``."""
        done = Done()
        marks = await rollups.watermarks(connection)
        if "minute" not in marks:
            marks = await self._begin(connection, now)
        await self._late(connection, marks, done)
        ceiling = now - SETTLE
        for grain in GRAINS:
            ceiling = await self._advance(connection, grain, marks[grain.name], ceiling, done)
            if grain.length == HOUR:
                await self._pack(connection, marks["pack"], ceiling, done)
        await self._uptime(connection, marks.get("uptime"), now - SETTLE, done)
        return done

    async def _begin(self, connection: Connection, now: datetime) -> dict[str, datetime]:
        """Start where the oldest results are kept."""
        oldest = [await oldest_day(connection, table) for table in ("check_results", "metric_raw")]
        start = min((day for day in oldest if day is not None), default=_floor(now, DAY))
        marks = dict.fromkeys(("minute", "hour", "day", "pack"), min(start, _floor(now, DAY)))
        async with connection.transaction():
            for name, until in marks.items():
                await rollups.move_watermark(connection, name, until)
        return marks

    async def _advance(
        self, connection: Connection, grain: Grain, mark: datetime, ceiling: datetime, done: Done
    ) -> datetime:
        """Make the closed buckets of one grain; returns up to where it is done."""
        closed = _floor(ceiling, grain.length)
        for _ in range(MOST_STEPS):
            if mark >= closed:
                break
            end = min(closed, mark + grain.length * MOST_BUCKETS)
            ids = await rollups.rolled_services(connection, mark)
            start = mark

            async def step(some: list[int], start: datetime = start, end: datetime = end) -> None:
                done.buckets += await rollups.roll(connection, grain, some, start, end)

            await self._in_chunks(connection, ids, (start, end), step, (grain.name, end))
            mark = end
        return mark

    async def _pack(self, connection: Connection, mark: datetime, ceiling: datetime, done: Done) -> None:
        closed = _floor(ceiling, HOUR)
        for _ in range(MOST_STEPS):
            if mark >= closed:
                return
            end = mark + HOUR
            ids = await rollups.rolled_services(connection, mark)

            async def step(some: list[int], end: datetime = end) -> None:
                done.blocks += await packing.pack(connection, some, end)

            await self._in_chunks(connection, ids, (mark - packing.LONGEST, end), step, ("pack", end))
            mark = end

    async def _in_chunks(
        self,
        connection: Connection,
        ids: list[int],
        stretch: tuple[datetime, datetime],
        step: Callable[[list[int]], Awaitable[None]],
        mark: tuple[str, datetime] | None,
    ) -> None:
        """Take a step for some services at a time; the watermark moves with the last of them."""
        await self._ensure_days(stretch)
        for place in range(0, max(1, len(ids)), CHUNK):
            self._beat()
            async with connection.transaction():
                await step(ids[place : place + CHUNK])
                if mark is not None and place + CHUNK >= len(ids):
                    await rollups.move_watermark(connection, *mark)
            await asyncio.sleep(PAUSE_S)

    async def _ensure_days(self, stretch: tuple[datetime, datetime]) -> None:
        for day in {stretch[0].date(), stretch[1].date()} - self._days:
            async with self._node.database.transaction() as connection:
                await ensure_partitions(connection, day, ahead=1)
            self._days.add(day)

    async def _late(self, connection: Connection, marks: dict[str, datetime], done: Done) -> None:
        """Make anew what is below a watermark and got results since."""
        while True:
            self._beat()
            async with connection.transaction():
                found = await rollups.take_late(connection, LATE_AT_ONCE)
                for hour, ids in found.items():
                    done.late += await self._again(connection, marks, hour, ids)
            if sum(map(len, found.values())) < LATE_AT_ONCE:
                return

    async def _again(
        self, connection: Connection, marks: dict[str, datetime], hour: datetime, ids: list[int]
    ) -> int:
        await self._ensure_days((hour, hour))
        made = 0
        for grain in GRAINS:
            start = _floor(hour, max(grain.length, HOUR))
            end = min(start + max(grain.length, HOUR), marks[grain.name])
            if start < end:
                made += await rollups.roll(connection, grain, ids, start, end)
        await packing.pack_again(connection, ids, hour, marks["pack"])
        return made

    async def _uptime(
        self, connection: Connection, mark: datetime | None, ceiling: datetime, done: Done
    ) -> None:
        """Carry the totals of uptime on to the last midnight; where spans of the past changed, from there on."""
        last = _floor(ceiling, DAY)
        if mark is None:
            first = await uptime.first_day(connection)
            if first is None:
                return
            mark = first - DAY
        ids = await uptime.spanned_services(connection)
        while mark < last:
            day = mark + DAY

            async def step(some: list[int], day: datetime = day) -> None:
                done.days += await uptime.roll_day(connection, some, day)

            await self._in_chunks(connection, ids, (day, day), step, ("uptime", day))
            mark = day
        await self._uptime_again(connection, last, done)

    async def _uptime_again(self, connection: Connection, last: datetime, done: Done) -> None:
        while True:
            self._beat()
            async with connection.transaction():
                found = await uptime.take_late(connection, CHUNK)
                for day, ids in _by_day(found.items(), last):
                    self._beat()
                    done.days += await uptime.roll_day(connection, ids, day)
            if len(found) < CHUNK:
                return


def _by_day(late: Iterable[tuple[int, datetime]], last: datetime) -> list[tuple[datetime, list[int]]]:
    """The midnights after each service's change up to the last one, in order, with the services of each."""
    days: dict[datetime, list[int]] = {}
    for service_id, since in late:
        day = _floor(since - timedelta(microseconds=1), DAY) + DAY
        while day <= last:
            days.setdefault(day, []).append(service_id)
            day += DAY
    return sorted(days.items())


def _floor(moment: datetime, length: timedelta) -> datetime:
    """The start of the bucket that holds a moment."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // length * length
