"""Finds chains that are not where they should be, puts them right, and says so: nothing that should have been told is
missed because a loop died, an engine was away or somebody wrote to the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from watchfloor.domain import escalation as chains
from watchfloor.domain.words import count
from watchfloor.operations.escalating import ENDS, take, with_behind
from watchfloor.store import duty
from watchfloor.store import escalations as store
from watchfloor.store.alerts import StoredAlert
from watchfloor.store.database import Connection, Database

OVERDUE = timedelta(seconds=60)
AT_ONCE = 200


async def find(connection: Connection, now: datetime) -> Sequence[str]:
    """What is wrong with the chains that run, as sentences: for the audit behind the dead man's switch."""
    late = await store.count_overdue(connection, now - OVERDUE)
    return [f"{count(late, 'step')} of escalations overdue"] if late else []


async def repair(database: Database, now: datetime) -> int:
    """Put right what is wrong, and take the steps that were missed; returns how many chains that were."""
    total = 0
    while True:
        async with database.transaction() as connection:
            wrong = await store.lock_wrong(connection, now - OVERDUE, AT_ONCE)
            directory = await duty.load_directory(connection, now)
            missed: list[tuple[StoredAlert, store.Running]] = []
            for stored, running in wrong:
                progress = running.progress
                if stored.alert.state in ENDS:
                    await store.end(connection, {stored.id: ENDS[stored.alert.state]})
                    continue
                if running.ended_why:
                    progress = chains.begin(running.chain, now)
                elif progress.left_s is not None:
                    progress = chains.resume(progress, now)
                if progress != running.progress:
                    await store.move(connection, {stored.id: progress})
                if progress.next_at is not None and progress.next_at <= now:
                    running = store.Running(stored.id, running.chain, progress)
                    missed.append((stored, running))
            for each in await with_behind(connection, missed):
                await take(connection, directory, each, now)
        total += len(wrong)
        if len(wrong) < AT_ONCE:
            return total
