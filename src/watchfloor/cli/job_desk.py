"""The part of the desk that has to do with jobs: boards, forms and operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from watchfloor.cli.form_desk import FormDesk
from watchfloor.domain.backfill import Again
from watchfloor.domain.calendar import CalendarFire
from watchfloor.domain.coming import Coming
from watchfloor.domain.job_boards import (
    JobDay,
    JobRow,
    QueuePoint,
    QueueRow,
    RunDetail,
    RunLine,
    RunRow,
    WorkerRow,
)
from watchfloor.operations.actor import Actor
from watchfloor.store import figures, health, job_boards, job_rooms
from watchfloor.store import jobs as store
from watchfloor.store.database import Database
from watchfloor.store.dead_letters import DeadLetter, Selection, open_letters
from watchfloor.store.written import Written, all_written

if TYPE_CHECKING:
    from watchfloor.operations.backfill import Backfill
    from watchfloor.operations.dead_letters import Settled
    from watchfloor.operations.job_edits import Imports


class JobDesk(FormDesk):
    """Reads boards of jobs and carries out operations on them for one actor."""

    def __init__(self, connect: Callable[[], Awaitable[Database]], actor: Actor) -> None:
        self._connect = connect
        self._actor = actor

    async def jobs(self) -> Sequence[JobRow]:
        """Every job, by name."""
        async with (await self._connect()).connection() as connection:
            return await job_boards.jobs(connection)

    async def job_day(self, job: str) -> JobDay:
        """How the runs of a job fared within the last day."""
        async with (await self._connect()).connection() as connection:
            return await figures.job_day(connection, job, await health.clock(connection))

    async def coming(self, job: str, count: int) -> Sequence[Coming]:
        """The next fires of a job, with how clocks in their zone show them. Raises `Refused` where there is none."""
        from watchfloor.operations.jobs import no_such_job

        async with (await self._connect()).connection() as connection:
            names = await store.names(connection)
            if job not in names:
                raise no_such_job(job, names)
            return await job_boards.coming(connection, job, await health.clock(connection), count)

    async def foresee(self, job: str, schedules: Sequence[Mapping[str, Any]], count: int) -> Sequence[Coming]:
        """The next fires of schedules as they are filled in; of those that have mistakes there are none.

        ``job`` is the one whose they are now, as intervals that stay go on counting from where they began.
        """
        specs = self._editors.jobs.specs(schedules)
        async with (await self._connect()).connection() as connection:
            return await job_boards.foreseen(connection, job, specs, await health.clock(connection), count)

    async def runs(
        self,
        job: str | None,
        *,
        dead: bool = False,
        limit: int = 200,
        state: str = "",
        before: int | None = None,
    ) -> Sequence[RunRow]:
        """Runs, newest first, next older than the run ``before``: of one job or all, in one state or any, or only
        open dead letters."""
        async with (await self._connect()).connection() as connection:
            return await job_boards.runs(connection, job, dead=dead, limit=limit, state=state, before=before)

    async def left_behind(self, job: str) -> str:
        """What starts a job and cannot once it is gone; empty where nothing does."""
        from watchfloor.operations import job_edits

        async with (await self._connect()).connection() as connection:
            return await job_edits.left_behind(connection, job)

    async def job_calendar(self, length: timedelta) -> Sequence[CalendarFire]:
        """What fires within ``length`` from now, soonest first."""
        async with (await self._connect()).connection() as connection:
            return await job_rooms.job_calendar(connection, await health.clock(connection), length)

    async def workers(self) -> Sequence[WorkerRow]:
        """What nodes do for jobs."""
        async with (await self._connect()).connection() as connection:
            return await job_rooms.workers(connection)

    async def queues(self) -> Sequence[QueueRow]:
        """How queues stand."""
        async with (await self._connect()).connection() as connection:
            return await job_rooms.queues(connection, await health.clock(connection))

    async def queue_course(self, queue: str, since: datetime) -> Sequence[QueuePoint]:
        """How a queue stood, minute by minute."""
        async with (await self._connect()).connection() as connection:
            return await job_rooms.queue_course(connection, queue, since)

    async def run(self, run_id: int) -> RunDetail | None:
        """One run; None when it is gone."""
        async with (await self._connect()).connection() as connection:
            return await job_boards.run_detail(connection, run_id)

    async def run_log(self, run_id: int, after: tuple[int, int] = (0, 0)) -> Sequence[RunLine]:
        """Lines of a run's log, later than the (attempt, number) ``after``; a page of them."""
        async with (await self._connect()).connection() as connection:
            return await job_boards.run_log(connection, run_id, after)

    async def run_now(self, job: str, key: UUID, parameters: Mapping[str, Any] | None = None) -> int:
        """Run a job out of turn, once for each ``key``; returns the run's id. Raises `Refused`."""
        from watchfloor.operations import jobs

        judge = self._editors.jobs.judge_of if parameters else None
        return await jobs.run_now(await self._connect(), self._actor, job, key, parameters, judge)

    async def kill_run(self, run_id: int) -> None:
        """End a run at once. Raises `Refused`."""
        from watchfloor.operations import jobs

        await jobs.kill(await self._connect(), self._actor, run_id)

    async def backfill(
        self,
        job: str,
        since: datetime,
        until: datetime,
        again: Again,
        *,
        rate: float = 0.0,
        dry_run: bool = False,
    ) -> Backfill:
        """Make runs for fires of the past. Raises `Refused`."""
        from watchfloor.operations import backfill

        return await backfill.backfill(
            await self._connect(), self._actor, job, since, until, again=again, rate=rate, dry_run=dry_run
        )

    async def backfill_plan(self, job: str, since: datetime, until: datetime, again: Again) -> Backfill:
        """What a backfill would make; nothing is changed. Raises `Refused`."""
        from watchfloor.operations import backfill

        return await backfill.plan(await self._connect(), job, since, until, again)

    async def settle_letters(
        self, selection: Selection, *, discard: bool, rate: float = 0.0, dry_run: bool = False
    ) -> Settled:
        """Requeue or discard dead letters, or only say which. Raises `Refused`."""
        from watchfloor.operations import dead_letters

        database = await self._connect()
        if discard:
            return await dead_letters.discard_many(database, self._actor, selection, dry_run=dry_run)
        return await dead_letters.requeue_many(database, self._actor, selection, rate=rate, dry_run=dry_run)

    async def dead_runs(self, selection: Selection) -> Sequence[DeadLetter]:
        """Dead letters that nobody settled, the oldest first."""
        async with (await self._connect()).connection() as connection:
            return await open_letters(connection, selection)

    async def import_jobs(self, entries: Sequence[Mapping[str, Any]], *, dry_run: bool) -> Imports:
        """Add jobs that were written elsewhere. Raises `Refused`."""
        from watchfloor.operations import job_edits

        return await job_edits.import_jobs(
            await self._connect(), self._actor, self._editors.jobs.judge_of, entries, dry_run=dry_run
        )

    async def written_jobs(self) -> Sequence[Written]:
        """Every job as it was written, by name."""
        async with (await self._connect()).connection() as connection:
            return await all_written(connection, "jobs")

    def in_order(self, job: Written) -> dict[str, Any]:
        """A job as it was written, its keys in the order of its form."""
        return self._editors.jobs.in_order(job)

    async def set_job_paused(self, job: str, paused: bool) -> bool:
        """Let a job rest, or go on; False when that is how it was. Raises `Refused`."""
        from watchfloor.operations import jobs

        return await jobs.set_paused(await self._connect(), self._actor, job, paused)

    async def cancel_run(self, run_id: int) -> None:
        """End a run, or never begin it. Raises `Refused`."""
        from watchfloor.operations import jobs

        await jobs.cancel(await self._connect(), self._actor, run_id)

    async def requeue(self, run_id: int) -> int:
        """Run a dead letter once more; returns the new run's id. Raises `Refused`."""
        from watchfloor.operations import jobs

        return await jobs.requeue(await self._connect(), self._actor, run_id)

    async def discard(self, run_id: int) -> None:
        """Take a dead letter off the list. Raises `Refused`."""
        from watchfloor.operations import jobs

        await jobs.discard(await self._connect(), self._actor, run_id)
