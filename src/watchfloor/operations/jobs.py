"""What a person can do to jobs and runs: run now, cancel, kill, pause, requeue and discard dead letters."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any
from uuid import UUID

from watchfloor.config.problems import suggest
from watchfloor.domain.ids import uuid7
from watchfloor.domain.text import one_line
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.store import audit, dead_letters, fires, runs
from watchfloor.store import jobs as store
from watchfloor.store.database import Connection, Database
from watchfloor.store.fires import NewRun
from watchfloor.store.health import clock
from watchfloor.store.jobs import Job
from watchfloor.store.pulse import pulse
from watchfloor.store.written import find_written

if TYPE_CHECKING:
    from watchfloor.operations.judge import Judge


async def run_now(
    database: Database,
    actor: Actor,
    name: str,
    key: UUID,
    parameters: Mapping[str, Any] | None = None,
    judge: Judge | None = None,
) -> int:
    """Run a job out of turn and return the run's id; asked twice with the same ``key`` it runs once.

    ``parameters`` are settings of its kind that hold for this run only, None for one that it goes without; ``judge``
    is needed for them. Raises `Invalid` or `Refused`.
    """
    may_change(actor)
    changed = dict(parameters or {})
    async with database.connection() as connection:
        job = await _job(connection, name)
        if job.paused:
            raise Refused(f"{job.name} is paused; resume it first.")
        if changed:
            await _judge_parameters(connection, job, changed, judge)
        run = await _new(connection, job, "manual", f"m:{key}", actor, changed)
        # One statement is a transaction by itself; whoever asks for a run waits for as few exchanges as can be.
        async with connection.transaction() if job.capped else nullcontext():
            made = await fires.ask(connection, run, job.name, {"parameters": changed} if changed else {})
            if made is not None and job.capped:
                await runs.promote_jobs(connection, [job.id])
        return made if made is not None else await runs.by_fire_key(connection, job.id, run.fire_key)


async def _judge_parameters(
    connection: Connection, job: Job, changed: Mapping[str, Any], judge: Judge | None
) -> None:
    """Raises `Invalid` where the job could not run like that, `Refused` for what is no setting of its kind."""
    found = await find_written(connection, "jobs", job.name)
    if judge is None or found is None or found.kind not in judge.kinds:
        raise Refused(f"What {job.name} may be given is not known here.")
    own = judge.keys_of(found.kind)
    for key in changed:
        if key not in own:
            raise Refused(
                f"{one_line(key, 60)} is no setting of kind {found.kind}. {suggest(key, own)} "
                f"It has {', '.join(own)}."
            )
    kept = {key: value for key, value in found.written.items() if key not in changed}
    judge.job({**kept, **{key: value for key, value in changed.items() if value is not None}})


async def _new(
    connection: Connection, job: Job, origin: str, key: str, actor: Actor, parameters: Mapping[str, Any]
) -> NewRun:
    now = await clock(connection)
    return NewRun(
        uuid=uuid7(time.time_ns()),
        job_id=job.id,
        fire_key=key,
        origin=origin,
        scheduled_for=now,
        available_at=now,
        priority=job.priority,
        capped=job.capped,
        asked_by=actor.name,
        deadline_at=job.deadline_after(now),
        parameters=parameters,
    )


async def set_paused(database: Database, actor: Actor, name: str, paused: bool) -> bool:
    """Pause the schedules of a job, or let them go on from now; False when that is how it was. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        job = await _job(connection, name, lock=True)
        if job.paused == paused:
            return False
        await store.set_paused(connection, job.id, paused, await clock(connection))
        before, after = {"paused": job.paused}, {"paused": paused}
        line = audit.Line(actor.name, "pause" if paused else "resume", "job", job.name, before, after)
        await audit.record(connection, [line])
        await pulse(connection, "runs", "jobs")
    return True


async def cancel(database: Database, actor: Actor, run_id: int) -> None:
    """End a run that goes on, or never begin one that waits. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        before = await runs.cancel(connection, run_id, actor.name)
        if before is None:
            raise Refused(f"There is no run #{run_id}, or it has ended already.")
        await audit.record(
            connection, [audit.Line(actor.name, "cancel", "run", str(run_id), {"state": before})]
        )
        await pulse(connection, "runs", "jobs")


async def kill(database: Database, actor: Actor, run_id: int) -> None:
    """End a run at once, without the time to clean up that `cancel` gives it. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        before = await runs.cancel(connection, run_id, actor.name, at_once=True)
        if before is None:
            raise Refused(f"There is no run #{run_id}, or it has ended already.")
        line = audit.Line(actor.name, "kill", "run", str(run_id), {"state": before})
        await audit.record(connection, [line])
        await pulse(connection, "runs", "jobs")


async def requeue(database: Database, actor: Actor, run_id: int) -> int:
    """Run a dead letter once more, as a new run whose id is returned. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        name = await _dead(connection, run_id)
        job = await _job(connection, name)
        parameters = await runs.parameters(connection, run_id)
        again = await _new(connection, job, "requeue", f"r:{run_id}", actor, parameters)
        made = await fires.record(connection, [again])
        if not made:
            raise Refused(f"Run #{run_id} was requeued already.")
        if job.capped:
            await runs.promote_jobs(connection, [job.id])
        await pulse(connection, "runs" if job.capped else "ready", "jobs")
        await dead_letters.settle(connection, run_id, actor.name, made[0])
        await audit.record(
            connection, [audit.Line(actor.name, "requeue", "run", str(run_id), None, {"run": made[0]})]
        )
    return made[0]


async def discard(database: Database, actor: Actor, run_id: int) -> None:
    """Take a dead letter off the list for good. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        await _dead(connection, run_id)
        await dead_letters.settle(connection, run_id, actor.name, None)
        await audit.record(connection, [audit.Line(actor.name, "discard", "run", str(run_id))])
        await pulse(connection, "jobs")


async def _dead(connection: Connection, run_id: int) -> str:
    name = await dead_letters.lock_open(connection, run_id)
    if name is None:
        raise Refused(f"Run #{run_id} is no dead letter, or somebody settled it already.")
    return name


async def _job(connection: Connection, name: str, *, lock: bool = False) -> Job:
    job = await store.find_job(connection, name, lock=lock)
    if job is None:
        raise no_such_job(name, await store.names(connection))
    return job


def no_such_job(name: str, names: Sequence[str]) -> Refused:
    """The refusal of a name that none of the jobs called ``names`` has, with the one that is near."""
    return Refused(f"There is no job called {one_line(name, 100)}. {suggest(name, names)}".rstrip())
