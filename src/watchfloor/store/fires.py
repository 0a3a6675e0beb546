"""Schedules that are due, and the runs that come of them: written together, so neither exists without the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_value
from watchfloor.store.jobs import SPEC
from watchfloor.store.jsonb import dumps
from watchfloor.store.pulse import CHANNEL


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """A schedule whose next fire has come; its row is locked until the transaction ends."""

    id: int
    job_id: int
    spec: Mapping[str, Any]
    anchor: datetime
    planned: datetime
    priority: int
    capped: bool
    deadline_ms: int | None
    now: datetime


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to record. ``fire_key`` names the occasion: a second run for it is never made."""

    uuid: UUID
    job_id: int
    fire_key: str
    origin: str
    scheduled_for: datetime
    available_at: datetime
    priority: int
    capped: bool
    schedule_id: int | None = None
    asked_by: str = ""
    deadline_at: datetime | None = None
    missed: int = 0
    error: str = ""
    state: str = "waiting"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    upstream_id: int | None = None


async def due_schedules(connection: Connection, limit: int) -> list[DueSchedule]:
    """Lock and return schedules that are due; those that another node has in hand are passed over."""
    rows = await fetch_all(
        connection,
        f"SELECT s.id, s.job_id, {SPEC}, s.anchor, s.next_fire_at, j.priority, j.slots IS NOT NULL, j.deadline_ms, "
        "clock_timestamp() FROM schedules s JOIN jobs j ON j.id = s.job_id "
        "WHERE s.state = 'active' AND s.next_fire_at <= clock_timestamp() "
        "ORDER BY s.next_fire_at LIMIT %(limit)s FOR UPDATE OF s SKIP LOCKED",
        {"limit": limit},
    )
    return [DueSchedule(*row) for row in rows]


async def next_due(connection: Connection) -> datetime | None:
    """When the next schedule fires; None where none does."""
    found: datetime | None = await fetch_value(
        connection, "SELECT min(next_fire_at) FROM schedules WHERE state = 'active'"
    )
    return found


_RECORD = """
INSERT INTO runs (uuid, job_id, fire_key, origin, scheduled_for, available_at, priority, capped, schedule_id, asked_by,
    deadline_at, missed, error, parameters, upstream_id, lane, state, finished_at)
SELECT v.uuid, v.job_id, v.fire_key, v.origin, v.scheduled_for, v.available_at, v.priority, v.capped, v.schedule_id,
    v.asked_by, v.deadline_at, v.missed, v.error, v.parameters, v.upstream_id, j.lane,
    CASE WHEN v.state = 'waiting' AND NOT v.capped AND v.available_at <= clock_timestamp() THEN 'ready'
        ELSE v.state END,
    CASE WHEN v.state IN ('missed', 'skipped') THEN clock_timestamp() END
FROM unnest(%(uuid)s::uuid[], %(job_id)s::int[], %(fire_key)s::text[], %(origin)s::text[],
    %(scheduled_for)s::timestamptz[], %(available_at)s::timestamptz[], %(priority)s::smallint[],
    %(capped)s::boolean[], %(schedule_id)s::int[], %(asked_by)s::text[], %(deadline_at)s::timestamptz[],
    %(missed)s::int[], %(error)s::text[], %(state)s::text[], %(parameters)s::jsonb[], %(upstream_id)s::bigint[])
    WITH ORDINALITY AS v(uuid, job_id, fire_key, origin, scheduled_for, available_at, priority, capped, schedule_id,
    asked_by, deadline_at, missed, error, state, parameters, upstream_id, place)
JOIN jobs j ON j.id = v.job_id ORDER BY v.place
ON CONFLICT (job_id, fire_key) DO NOTHING RETURNING id
"""


_ASK = f"""
WITH made AS ({_RECORD}), noted AS (
    INSERT INTO audit (at, actor, action, object_kind, object_id, before, after)
    SELECT clock_timestamp(), %(actor)s::text, 'run', 'job', %(job)s::text, NULL,
        jsonb_build_object('run', id) || %(after)s::jsonb FROM made)
SELECT id, pg_notify(%(channel)s, %(topics)s) FROM made
"""


async def record(connection: Connection, runs: Sequence[NewRun]) -> list[int]:
    """Record runs; those whose occasion has one already are left out. Returns the ids of the new ones.

    A run without cap that may start at once is ready at once.
    """
    return await fetch_column(connection, _RECORD, _columns(runs)) if runs else []


async def of_occasions(connection: Connection, job_id: int, fire_keys: Sequence[str]) -> dict[str, int]:
    """The runs of a job that were made for these occasions; those that have none are left out."""
    rows = await fetch_all(
        connection,
        "SELECT fire_key, id FROM runs WHERE job_id = %(job)s AND fire_key = ANY(%(keys)s)",
        {"job": job_id, "keys": list(fire_keys)},
    )
    return {row.fire_key: row.id for row in rows}


async def ask(connection: Connection, run: NewRun, job: str, after: Mapping[str, object]) -> int | None:
    """Record a run that somebody asked for, with its line in the audit log, and announce it: all in one exchange.

    ``after`` is what the line says beside the run. Returns the run's id; None, and nothing is done, where its occasion
    has a run.
    """
    told = {
        "actor": run.asked_by,
        "job": job,
        "after": dumps(after),
        "channel": CHANNEL,
        "topics": "jobs,runs" if run.capped else "jobs,ready",
    }
    found: int | None = await fetch_value(connection, _ASK, {**_columns([run]), **told})
    return found


def _columns(runs: Sequence[NewRun]) -> dict[str, list[object]]:
    columns = {name: [getattr(run, name) for run in runs] for name in NewRun.__slots__}
    return {**columns, "parameters": [dumps(run.parameters) for run in runs]}


async def advance(
    connection: Connection, schedule_ids: Sequence[int], following: Sequence[datetime | None]
) -> None:
    """Set the next fires of schedules that were locked; None ends one."""
    await connection.execute(
        "UPDATE schedules s SET next_fire_at = v.at, state = CASE WHEN v.at IS NULL THEN 'ended' ELSE 'active' END "
        "FROM unnest(%(ids)s::int[], %(at)s::timestamptz[]) AS v(id, at) WHERE s.id = v.id",
        {"ids": list(schedule_ids), "at": list(following)},
    )
