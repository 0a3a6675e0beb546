"""Periodic upkeep: partitions ahead, retention, the self-check. Every run leaves a row in the task history."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from watchfloor.domain.text import one_line
from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.store.errors import explain, is_away
from watchfloor.store.tasks import TaskRun, save_task_run

log = logging.getLogger(__name__)

BEAT_S = 2.0
AWAY_PAUSE_S = 2.0

Work = Callable[[Node], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Task:
    """A periodic task: its name, its work, its cadence in seconds. Every task also runs once at start."""

    name: str
    work: Work
    every_s: float


class Housekeeper:
    """Runs tasks at their cadences on the engine's loop."""

    def __init__(self, node: Node, tasks: list[Task]) -> None:
        self._node = node
        self._tasks = tasks

    async def run(self, beat: Beat) -> None:
        """Keep house for ever."""
        scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
        scheduler.add_listener(self._skipped, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        for task in self._tasks:
            scheduler.add_job(
                self._run_task,
                IntervalTrigger(seconds=int(task.every_s)),
                args=(task,),
                id=task.name,
                next_run_time=datetime.now(scheduler.timezone),
                misfire_grace_time=int(task.every_s),
            )
        scheduler.start()
        try:
            while True:
                beat()
                await asyncio.sleep(BEAT_S)
        finally:
            scheduler.shutdown(wait=False)

    def _skipped(self, event: JobEvent) -> None:
        self._node.count("tasks_skipped")
        log.warning(
            "task %s was skipped: its previous run was not over, or its time had passed", event.job_id
        )

    async def _run_task(self, task: Task) -> None:
        started, began = self._node.clock.now(), time.monotonic()
        outcome, error = "ok", ""
        try:
            await task.work(self._node)
        except Exception as caught:
            outcome = "failed"
            error = one_line(explain(caught) if is_away(caught) else f"{type(caught).__name__}: {caught}")
            log.error("task %s failed: %s", task.name, error, exc_info=not is_away(caught))
        duration_ms = int((time.monotonic() - began) * 1000)
        await self._book(task, started, duration_ms, outcome, error)

    async def _book(self, task: Task, started: datetime, duration_ms: int, outcome: str, error: str) -> None:
        run = TaskRun(
            self._node.id,
            task.name,
            started,
            duration_ms,
            outcome,
            error,
            started + timedelta(seconds=task.every_s),
        )
        while True:
            try:
                async with self._node.database.transaction() as connection:
                    await save_task_run(connection, run)
                break
            except Exception as caught:
                if not is_away(caught):
                    raise
                await asyncio.sleep(AWAY_PAUSE_S)
        self._node.pulse.mark("jobs")
