"""Jobs for tests: made by hand or written as in a file, and what became of their runs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from support.engines import MemoryKinds, NoSettings
from support.sql import rows
from watchfloor.config.jobs import RetryKeys, ScheduleKeys
from watchfloor.config.kinds import Kind
from watchfloor.config.model import JobConfig
from watchfloor.payloads.contract import Attempt
from watchfloor.store.database import Database

Work = Callable[[Attempt], Awaitable[None]]


def schedule(**written: Any) -> dict[str, object]:
    """A schedule as a file would define it."""
    return dict(ScheduleKeys.model_validate(written).spec())


def job(
    name: str, *schedules: dict[str, object], retry: dict[str, Any] | None = None, **values: Any
) -> JobConfig:
    """A job of the kind ``fake``."""
    made = JobConfig(
        name=name, kind="fake", schedules=schedules, overlap="allow", slots=None, priority=5, at_most_once=False,
        timeout_s=30.0, deadline_s=None, retry=RetryKeys.model_validate(retry or {}).spec(), contact="",
        description="", runbook="", paused=False, raw={}, line=1,
    )  # fmt: skip
    return replace(made, **values)


@dataclass
class Labour:
    """What fake jobs do, and which attempts they were given."""

    does: dict[str, Work] = field(default_factory=dict)
    attempts: dict[str, list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    going_on: int = 0
    most_at_once: int = 0

    async def run(self, settings: NoSettings, attempt: Attempt) -> None:
        self.attempts[attempt.job].append(attempt)
        self.going_on += 1
        self.most_at_once = max(self.most_at_once, self.going_on)
        try:
            await self.does.get(attempt.job, _nothing)(attempt)
        finally:
            self.going_on -= 1

    @property
    def kinds(self) -> MemoryKinds:
        return MemoryKinds(Kind("fake", NoSettings, self.run))


async def _nothing(_: Attempt) -> None:
    return None


async def for_ever(_: Attempt) -> None:
    await asyncio.Event().wait()


async def states(database: Database, name: str) -> list[str]:
    """The states of the runs of a job, oldest first."""
    found = await rows(
        database,
        f"SELECT r.state FROM runs r JOIN jobs j ON j.id = r.job_id WHERE j.name = '{name}' ORDER BY r.id",
    )
    return [row[0] for row in found]


def now() -> datetime:
    return datetime.now(UTC)
