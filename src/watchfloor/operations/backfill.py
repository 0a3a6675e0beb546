"""Runs fires of the past: those that never got a run, those that failed, or all; a dry run says what would be."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from watchfloor.domain.backfill import Again, Fire, chosen
from watchfloor.domain.ids import uuid7
from watchfloor.domain.schedules import fires
from watchfloor.domain.text import one_line
from watchfloor.operations.actor import WATCHFLOOR, Actor, Refused, may_change
from watchfloor.operations.jobs import no_such_job
from watchfloor.store import audit, backfills, runs
from watchfloor.store.database import Connection, Database
from watchfloor.store.fires import NewRun, record
from watchfloor.store.health import clock
from watchfloor.store.jobs import Job, find_job, names, schedule_of
from watchfloor.store.pulse import pulse

MOST = 10_000
"""Fires that one backfill looks at."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """What was done, or would be: how many fires the stretch holds, those that get a run, and the runs made."""

    fires: int
    chosen: tuple[Fire, ...]
    runs: tuple[int, ...]
    lasts_s: float


async def backfill(
    database: Database,
    actor: Actor,
    name: str,
    since: datetime,
    until: datetime,
    *,
    again: Again = Again.MISSING,
    rate: float = 0.0,
    dry_run: bool = False,
) -> Backfill:
    """Make runs for fires of a job from ``since`` to ``until``, oldest first, at most ``rate`` a second (0: at once).

    None of them is skipped because another runs, and the same one asked for twice is made once. Raises `Refused`.
    """
    may_change(actor)
    if until < since:
        raise Refused("It ends before it begins.")
    if not 0 <= rate <= 10_000:
        raise Refused("The rate is a number of runs a second, from 0 (all at once) to 10,000.")
    async with database.transaction() as connection:
        job = await find_job(connection, name, lock=not dry_run)
        if job is None:
            raise no_such_job(name, await names(connection))
        now = await clock(connection)
        due = await _due(connection, job, since, min(until, now))
        wanted = chosen(due, again, await backfills.states(connection, job.id, since, until))
        made = [] if dry_run else await _make(connection, job, wanted, now, rate, actor)
        lasts = (len(wanted) - 1) / rate if rate and wanted else 0.0
    return Backfill(len(due), tuple(wanted), tuple(made), lasts)


async def plan(database: Database, name: str, since: datetime, until: datetime, again: Again) -> Backfill:
    """What `backfill` would make; to look is no change. Raises `Refused`."""
    return await backfill(database, WATCHFLOOR, name, since, until, again=again, dry_run=True)


async def _due(
    connection: Connection, job: Job, since: datetime, until: datetime
) -> list[tuple[int, datetime]]:
    """The fires of every schedule of a job from ``since`` to ``until``, both included."""
    found: list[tuple[int, datetime]] = []
    for schedule_id, spec, anchor in await backfills.schedules(connection, job.id):
        try:
            coming = fires(schedule_of(spec, anchor), since - timedelta(microseconds=1))
            left = MOST + 1 - len(found)
            found += [(schedule_id, at) for at in islice(takewhile(lambda at: at <= until, coming), left)]
        except ValueError as error:
            raise Refused(f"A schedule of {job.name} is out of service: {one_line(str(error))}.") from None
    if len(found) > MOST:
        raise Refused(f"More than {MOST:,} fires lie between these moments; take a shorter stretch.")
    return found


async def _make(
    connection: Connection, job: Job, wanted: list[Fire], now: datetime, rate: float, actor: Actor
) -> list[int]:
    made = await record(
        connection,
        [
            _run(job, fire, now + timedelta(seconds=place / rate if rate else 0.0), actor)
            for place, fire in enumerate(wanted)
        ],
    )
    if job.capped:
        await runs.promote_jobs(connection, [job.id])
    if made:
        after = {"runs": len(made), "first": wanted[0].at, "last": wanted[-1].at}
        await audit.record(connection, [audit.Line(actor.name, "backfill", "job", job.name, None, after)])
        await pulse(connection, "runs", "jobs")
    return made


def _run(job: Job, fire: Fire, available_at: datetime, actor: Actor) -> NewRun:
    return NewRun(
        uuid=uuid7(time.time_ns()),
        job_id=job.id,
        fire_key=fire.key,
        origin="backfill",
        scheduled_for=fire.at,
        available_at=available_at,
        priority=job.priority,
        capped=job.capped,
        schedule_id=fire.schedule_id,
        asked_by=actor.name,
        deadline_at=job.deadline_after(available_at),
    )
