"""What is to be done, and when: the definitions of jobs, who owns them, and their schedules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.catchup import CatchUp, Policy
from watchfloor.domain.retry import Retry
from watchfloor.domain.schedules import Dst, Schedule, next_fire
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one
from watchfloor.store.jsonb import dumps


@dataclass(frozen=True, slots=True)
class JobDefinition:
    """A job as a configuration defines it; ``settings`` hold references, never a resolved secret."""

    name: str
    kind: str
    settings: Mapping[str, object]
    priority: int
    overlap: str
    slots: int | None
    at_most_once: bool
    timeout_ms: int
    deadline_ms: int | None
    retry: Mapping[str, object]
    contact: str
    description: str
    runbook: str
    origin: str
    paused: bool
    schedules: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as operations need it."""

    id: int
    name: str
    priority: int
    capped: bool
    deadline_ms: int | None
    paused: bool

    def deadline_after(self, at: datetime) -> datetime | None:
        """When a run of it with this nominal time must have ended; None where it has all the time."""
        return None if self.deadline_ms is None else at + timedelta(milliseconds=self.deadline_ms)


def schedule_of(spec: Mapping[str, Any], anchor: datetime) -> Schedule:
    """A schedule from how it is stored; ``anchor`` is what intervals count from where the spec does not say."""
    moments = {key: spec.get(key) for key in ("start", "end", "anchor")}
    parsed = {key: None if at is None else datetime.fromisoformat(at) for key, at in moments.items()}
    return Schedule(
        kind=spec["kind"],
        expr=spec["expr"],
        tz=spec["tz"],
        anchor=parsed["anchor"] or anchor,
        start=parsed["start"],
        end=parsed["end"],
        dst=Dst(spec["dst"]),
        excluded=frozenset(spec["excluded"]),
    )


def policy_of(spec: Mapping[str, Any]) -> Policy:
    """What a schedule does about fires that were missed."""
    return Policy(
        CatchUp(spec["catch_up"]),
        timedelta(seconds=spec["grace_s"]),
        timedelta(seconds=spec["window_s"]),
        spec["most"],
    )


def retry_of(stored: Mapping[str, Any]) -> Retry:
    """A retry policy from how it is stored."""
    lists = {key: tuple(stored[key]) for key in ("only_on", "not_on")}
    return Retry(**{**stored, **lists})


_UPSERT = """
INSERT INTO jobs AS j (name, kind, settings, priority, overlap, slots, at_most_once, timeout_ms, deadline_ms, retry,
    contact, description, runbook, owner, origin, paused, paused_by_file)
SELECT d.name, d.kind, d.settings, d.priority, d.overlap, d.slots, d.at_most_once, d.timeout_ms, d.deadline_ms,
    d.retry, d.contact, d.description, d.runbook, 'file', d.origin, d.paused, d.paused
FROM jsonb_to_recordset(%(rows)s::jsonb) AS d(name text, kind text, settings jsonb, priority smallint, overlap text,
    slots smallint, at_most_once boolean, timeout_ms bigint, deadline_ms bigint, retry jsonb, contact text,
    description text, runbook text, origin text, paused boolean)
ORDER BY d.name
ON CONFLICT (name) DO UPDATE SET
    kind = EXCLUDED.kind, settings = EXCLUDED.settings, priority = EXCLUDED.priority, overlap = EXCLUDED.overlap,
    slots = EXCLUDED.slots, at_most_once = EXCLUDED.at_most_once, timeout_ms = EXCLUDED.timeout_ms,
    deadline_ms = EXCLUDED.deadline_ms, retry = EXCLUDED.retry, contact = EXCLUDED.contact,
    description = EXCLUDED.description, runbook = EXCLUDED.runbook, owner = EXCLUDED.owner, origin = EXCLUDED.origin,
    paused = CASE WHEN j.retired_at IS NULL AND j.paused_by_file = EXCLUDED.paused_by_file
        THEN j.paused ELSE EXCLUDED.paused END,
    paused_by_file = EXCLUDED.paused_by_file, retired_at = NULL, changed_at = now(), version = j.version + 1
WHERE (j.kind, j.settings, j.priority, j.overlap, j.slots, j.at_most_once, j.timeout_ms, j.deadline_ms, j.retry,
       j.contact, j.description, j.runbook, j.owner, j.origin, j.paused_by_file, j.retired_at)
   IS DISTINCT FROM
      (EXCLUDED.kind, EXCLUDED.settings, EXCLUDED.priority, EXCLUDED.overlap, EXCLUDED.slots, EXCLUDED.at_most_once,
       EXCLUDED.timeout_ms, EXCLUDED.deadline_ms, EXCLUDED.retry, EXCLUDED.contact, EXCLUDED.description,
       EXCLUDED.runbook, EXCLUDED.owner, EXCLUDED.origin, EXCLUDED.paused_by_file, NULL)
RETURNING j.name
"""

_RETIRE = """
UPDATE jobs SET retired_at = now(), changed_at = now(), version = version + 1
WHERE owner = 'file' AND retired_at IS NULL AND NOT name = ANY(%(names)s) RETURNING name
"""


async def apply_jobs(
    connection: Connection, definitions: Iterable[JobDefinition], now: datetime
) -> tuple[list[str], list[str]]:
    """Make the jobs that a config file owns equal to ``definitions``; returns names changed and names retired.

    A schedule that did not change keeps its next fire; a new or changed one begins ``now``. A pause by an operator
    outlives a reload that leaves ``paused`` as it was. Runs of a retired job that have not begun are cancelled.
    """
    defined = list(definitions)
    fields = [name for name in JobDefinition.__slots__ if name != "schedules"]
    rows = [{field: getattr(job, field) for field in fields} for job in defined]
    changed = await fetch_column(connection, _UPSERT, {"rows": dumps(rows)})
    retired = await fetch_column(connection, _RETIRE, {"names": [job.name for job in defined]})
    await connection.execute(
        "UPDATE runs SET state = 'cancelled', slot = NULL, finished_at = clock_timestamp(), "
        "error = 'its job is no longer in the config file' "
        "WHERE state IN ('waiting', 'ready') AND job_id IN (SELECT id FROM jobs WHERE retired_at IS NOT NULL)"
    )
    ids = await _ids(connection)
    moved = False
    wanted = {
        (ids[job.name][0], dumps(spec)): (spec, ids[job.name][1]) for job in defined for spec in job.schedules
    }
    moved |= await _drop_others(connection, list(wanted))
    for (job_id, _), (spec, paused) in wanted.items():
        moved |= await _add_schedule(connection, job_id, spec, paused, now)
    await _pause_schedules(connection, now)
    return (changed or (["schedules"] if moved else [])), retired


async def _ids(connection: Connection) -> dict[str, tuple[int, bool]]:
    rows = await fetch_all(
        connection, "SELECT name, id, paused FROM jobs WHERE owner = 'file' AND retired_at IS NULL"
    )
    return {row.name: (row.id, row.paused) for row in rows}


async def _drop_others(connection: Connection, kept: Sequence[tuple[int, str]]) -> bool:
    dropped = await connection.execute(
        "DELETE FROM schedules s USING jobs j WHERE j.id = s.job_id AND j.owner = 'file' AND NOT EXISTS ("
        "SELECT FROM unnest(%(jobs)s::int[], %(specs)s::jsonb[]) AS k(job_id, spec) "
        "WHERE k.job_id = s.job_id AND k.spec = s.spec)",
        {"jobs": [job for job, _ in kept], "specs": [spec for _, spec in kept]},
    )
    return dropped.rowcount > 0


async def _add_schedule(
    connection: Connection, job_id: int, spec: Mapping[str, object], paused: bool, now: datetime
) -> bool:
    following = next_fire(schedule_of(spec, now), now)
    state = "ended" if following is None else "paused" if paused else "active"
    added = await connection.execute(
        "INSERT INTO schedules (job_id, spec, anchor, state, next_fire_at) VALUES (%(job)s, %(spec)s::jsonb, %(now)s, "
        "%(state)s, %(next)s) ON CONFLICT DO NOTHING",
        {"job": job_id, "spec": dumps(spec), "now": now, "state": state, "next": following},
    )
    return added.rowcount > 0


async def _pause_schedules(connection: Connection, now: datetime) -> None:
    """Make the schedules of jobs that a reload paused or resumed follow."""
    rows = await fetch_all(
        connection,
        "SELECT DISTINCT j.id, j.paused FROM jobs j JOIN schedules s ON s.job_id = j.id "
        "WHERE j.retired_at IS NULL AND s.state = CASE WHEN j.paused THEN 'active' ELSE 'paused' END",
    )
    for row in rows:
        await follow_pause(connection, row.id, row.paused, now)


async def follow_pause(connection: Connection, job_id: int, paused: bool, now: datetime) -> None:
    """Stop the schedules of a job, or let them go on from ``now``: what was due in between is not made up for."""
    if paused:
        await connection.execute(
            "UPDATE schedules SET state = 'paused' WHERE job_id = %(job)s AND state = 'active'",
            {"job": job_id},
        )
        return
    rows = await fetch_all(
        connection,
        "SELECT id, spec, anchor FROM schedules WHERE job_id = %(job)s AND state = 'paused' FOR UPDATE",
        {"job": job_id},
    )
    for row in rows:
        following = next_fire(schedule_of(row.spec, row.anchor), now)
        await connection.execute(
            "UPDATE schedules SET state = %(state)s, next_fire_at = %(next)s WHERE id = %(id)s",
            {"id": row.id, "state": "ended" if following is None else "active", "next": following},
        )


async def find_job(connection: Connection, name: str, *, lock: bool = False) -> Job | None:
    """One job by name, or None; ``lock`` holds its row until the transaction ends."""
    row = await fetch_one(
        connection,
        "SELECT id, name, priority, slots IS NOT NULL, deadline_ms, paused FROM jobs "
        "WHERE name = %(name)s AND retired_at IS NULL" + (" FOR NO KEY UPDATE" if lock else ""),
        {"name": name},
    )
    return None if row is None else Job(*row)


async def set_paused(connection: Connection, job_id: int, paused: bool, now: datetime) -> None:
    """Pause a job with its schedules, or let them go on."""
    await connection.execute(
        "UPDATE jobs SET paused = %(paused)s, changed_at = now(), version = version + 1 WHERE id = %(id)s",
        {"id": job_id, "paused": paused},
    )
    await follow_pause(connection, job_id, paused, now)
