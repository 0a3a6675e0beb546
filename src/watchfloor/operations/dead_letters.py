"""Many dead letters at once: run them again at a bearable rate, or discard them; a dry run says what would be."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.domain.ids import uuid7
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.store import audit, dead_letters, fires, runs
from watchfloor.store.database import Connection, Database
from watchfloor.store.dead_letters import DeadLetter, Selection
from watchfloor.store.fires import NewRun
from watchfloor.store.health import clock
from watchfloor.store.pulse import pulse


@dataclass(frozen=True, slots=True)
class Settled:
    """What was done, or would be: ``letters`` in their order, the runs made for them, when the last of those begins.

    ``left_out`` are dead letters of jobs that no longer exist: they can only be discarded.
    """

    letters: tuple[DeadLetter, ...]
    runs: tuple[int, ...]
    lasts_s: float
    left_out: int


async def requeue_many(
    database: Database, actor: Actor, selection: Selection, *, rate: float = 0.0, dry_run: bool = False
) -> Settled:
    """Run dead letters once more, the oldest first, at most ``rate`` of them a second (0: all at once).

    With ``dry_run`` nothing is changed. Raises `Refused`.
    """
    may_change(actor)
    if not 0 <= rate <= 10_000:
        raise Refused("The rate is a number of runs a second, from 0 (all at once) to 10,000.")
    async with database.transaction() as connection:
        found = await dead_letters.open_letters(connection, selection, lock=not dry_run)
        usable = [letter for letter in found if not letter.retired]
        lasts = (len(usable) - 1) / rate if rate and usable else 0.0
        made = [] if dry_run else await _requeue(connection, usable, rate, actor)
        return Settled(tuple(usable), tuple(made), lasts, len(found) - len(usable))


async def discard_many(
    database: Database, actor: Actor, selection: Selection, *, dry_run: bool = False
) -> Settled:
    """Take dead letters off the list for good. With ``dry_run`` nothing is changed. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        found = await dead_letters.open_letters(connection, selection, lock=not dry_run)
        if found and not dry_run:
            await dead_letters.settle_all(connection, [(each.run_id, None) for each in found], actor.name)
            lines = [audit.Line(actor.name, "discard", "run", str(each.run_id)) for each in found]
            await audit.record(connection, lines)
            await pulse(connection, "jobs")
        return Settled(tuple(found), (), 0.0, 0)


async def _requeue(connection: Connection, letters: list[DeadLetter], rate: float, actor: Actor) -> list[int]:
    now = await clock(connection)
    await fires.record(connection, [_again(each, at, now, rate, actor) for at, each in enumerate(letters)])
    new = await dead_letters.requeued(connection, [each.run_id for each in letters])
    await dead_letters.settle_all(
        connection, [(each.run_id, new[each.run_id]) for each in letters], actor.name
    )
    await audit.record(
        connection,
        [
            audit.Line(actor.name, "requeue", "run", str(each.run_id), None, {"run": new[each.run_id]})
            for each in letters
        ],
    )
    await runs.promote_jobs(connection, sorted({each.job_id for each in letters if each.capped}))
    await pulse(connection, "runs", "jobs")
    return [new[each.run_id] for each in letters]


def _again(letter: DeadLetter, place: int, now: datetime, rate: float, actor: Actor) -> NewRun:
    at = now + timedelta(seconds=place / rate if rate else 0.0)
    return NewRun(
        uuid=uuid7(time.time_ns()),
        job_id=letter.job_id,
        fire_key=f"r:{letter.run_id}",
        origin="requeue",
        scheduled_for=at,
        available_at=at,
        priority=letter.priority,
        capped=letter.capped,
        asked_by=actor.name,
        deadline_at=letter.deadline_after(at),
        parameters=letter.parameters,
    )
