"""Makes runs of schedules that are due. Every node does so; row locks share the work, a unique key is the guarantee.

The runs of a fire and the next fire of its schedule are one transaction: a crash leaves both or neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from watchfloor.domain.backfill import fire_key, microseconds
from watchfloor.domain.catchup import COUNTED, Due, due
from watchfloor.domain.ids import uuid7
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count
from watchfloor.engine.node import Node
from watchfloor.engine.runner import Runner
from watchfloor.engine.supervisor import Beat
from watchfloor.store import fires
from watchfloor.store.database import Connection
from watchfloor.store.fires import DueSchedule, NewRun
from watchfloor.store.jobs import break_schedule, policy_of, schedule_of
from watchfloor.store.runs import promote_jobs

log = logging.getLogger(__name__)

LONGEST_SLEEP_S = 1.0
SHORTEST_SLEEP_S = 0.001
BATCH = 100


class Firer:
    """Fires for one node."""

    def __init__(self, node: Node, runner: Runner, chance: Callable[[], float] = random.random) -> None:
        """``runner`` takes what is ready at once, in the transaction that records it; ``chance``, from 0 to 1, says
        which part of its jitter a start is put off by."""
        self._node = node
        self._runner = runner
        self._wake = asyncio.Event()
        self._chance = chance

    def wake(self) -> None:
        """Schedules may have changed."""
        self._wake.set()

    async def run(self, beat: Beat) -> None:
        """Fire for ever. Raises when the database is away; what is due then is made up for as its schedule says."""
        while True:
            beat()
            self._wake.clear()
            pause = await self.once()
            if pause > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def once(self) -> float:
        """Fire what is due; returns how long to sleep."""
        new = 0
        with self._runner.taking() as taking:
            async with self._node.database.transaction() as connection:
                schedules = await fires.due_schedules(connection, BATCH)
                if schedules:
                    new = await self._fire(connection, schedules)
                    await taking.take(connection, new)
                coming = None if len(schedules) == BATCH else await fires.next_due(connection)
        if new:
            self._node.count("runs_fired", new)
            if new > len(taking.runs):
                self._runner.wake()
            self._node.pulse.mark("runs", "jobs")
        if len(schedules) == BATCH:
            return 0.0
        if coming is None:
            return LONGEST_SLEEP_S
        return min(LONGEST_SLEEP_S, max(SHORTEST_SLEEP_S, (coming - self._node.clock.now()).total_seconds()))

    async def _fire(self, connection: Connection, schedules: list[DueSchedule]) -> int:
        made: list[NewRun] = []
        ids: list[int] = []
        following: list[datetime | None] = []
        for schedule in schedules:
            try:
                found = due(
                    schedule_of(schedule.spec, schedule.anchor),
                    schedule.planned,
                    schedule.now,
                    policy_of(schedule.spec),
                )
            except ValueError as error:  # a zone that this machine does not know: no guess, no endless loop
                log.error("schedule %d is taken out of service: %s", schedule.id, error)
                await break_schedule(connection, schedule.id, one_line(str(error)))
                continue
            made += self._runs(schedule, found)
            ids.append(schedule.id)
            following.append(found.following)
        await fires.advance(connection, ids, following)
        new = await fires.record(connection, made)
        await promote_jobs(connection, sorted({run.job_id for run in made if run.capped}))
        return len(new)

    def _runs(self, schedule: DueSchedule, found: Due) -> list[NewRun]:
        made = [self._run(schedule, at, fire_key(schedule.id, at)) for at in found.runs]
        if found.missed and found.first_missed is not None:
            self._node.count("fires_missed", found.missed)
            more = " or more" if found.missed == COUNTED else ""
            words = f"{count(found.missed, 'fire')}{more} missed while no engine was there, {len(found.runs)} made"
            first = found.first_missed
            summary = self._run(schedule, first, f"g:{schedule.id}:{microseconds(first)}")
            made.append(_missed(summary, found.missed, words))
        return made

    def _run(self, schedule: DueSchedule, at: datetime, key: str) -> NewRun:
        jitter = float(schedule.spec["jitter_s"]) * self._chance()
        deadline = schedule.deadline_ms
        return NewRun(
            uuid=uuid7(time.time_ns()),
            job_id=schedule.job_id,
            fire_key=key,
            origin="schedule",
            scheduled_for=at,
            available_at=at + timedelta(seconds=jitter),
            priority=schedule.priority,
            capped=schedule.capped,
            schedule_id=schedule.id,
            deadline_at=None if deadline is None else at + timedelta(milliseconds=deadline),
        )


def _missed(run: NewRun, missed: int, words: str) -> NewRun:
    return replace(run, state="missed", missed=missed, error=words)
