"""What is to be done, and when: the definitions of jobs, who owns them, and their schedules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.catchup import CatchUp, Policy
from watchfloor.domain.lanes import DEFAULT_QUEUE
from watchfloor.domain.retry import Retry
from watchfloor.domain.schedules import Dst, Schedule, next_fire
from watchfloor.domain.text import one_line
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
    lane: str = DEFAULT_QUEUE
    chains: tuple[Mapping[str, object], ...] = ()
    pause_after: int | None = None
    belongs_to: str = ""
    role: str = ""
    written: Mapping[str, object] = field(default_factory=dict)


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


SPEC = (
    "CASE WHEN jsonb_array_length(coalesce(s.spec->'calendars', '[]')) = 0 THEN s.spec ELSE jsonb_set(s.spec, "
    "'{excluded}', (s.spec->'excluded') || (SELECT coalesce(jsonb_agg(d), '[]') FROM calendars c "
    "CROSS JOIN unnest(c.days) AS d WHERE s.spec->'calendars' ? c.name)) END"
)
"""SQL: what `schedule_of` takes, of schedule ``s``: its spec with the days of its calendars among the excluded."""


def schedule_of(spec: Mapping[str, Any], anchor: datetime) -> Schedule:
    """A schedule from what `SPEC` gives; ``anchor`` is what intervals count from where the spec does not say."""
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
    contact, description, runbook, owner, origin, paused, paused_by_file, lane, chains, pause_after, belongs_to, role,
    written, changed_by)
SELECT d.name, d.kind, d.settings, d.priority, d.overlap, d.slots, d.at_most_once, d.timeout_ms, d.deadline_ms,
    d.retry, d.contact, d.description, d.runbook, %(owner)s::text, d.origin, d.paused, d.paused,
    d.lane, d.chains, d.pause_after, d.belongs_to, d.role, d.written, %(by)s::text
FROM jsonb_to_recordset(%(rows)s::jsonb) AS d(name text, kind text, settings jsonb, priority smallint, overlap text,
    slots smallint, at_most_once boolean, timeout_ms bigint, deadline_ms bigint, retry jsonb, contact text,
    description text, runbook text, origin text, paused boolean, lane text, chains jsonb, pause_after smallint,
    belongs_to text, role text, written jsonb)
ORDER BY d.name
ON CONFLICT (name) DO UPDATE SET
    kind = EXCLUDED.kind, settings = EXCLUDED.settings, priority = EXCLUDED.priority, overlap = EXCLUDED.overlap,
    slots = EXCLUDED.slots, at_most_once = EXCLUDED.at_most_once, timeout_ms = EXCLUDED.timeout_ms,
    deadline_ms = EXCLUDED.deadline_ms, retry = EXCLUDED.retry, contact = EXCLUDED.contact,
    description = EXCLUDED.description, runbook = EXCLUDED.runbook, owner = EXCLUDED.owner, origin = EXCLUDED.origin,
    lane = EXCLUDED.lane, chains = EXCLUDED.chains, pause_after = EXCLUDED.pause_after,
    paused = CASE WHEN j.retired_at IS NULL AND j.paused_by_file = EXCLUDED.paused_by_file
        THEN j.paused ELSE EXCLUDED.paused END,
    belongs_to = EXCLUDED.belongs_to, role = EXCLUDED.role, written = EXCLUDED.written,
    changed_by = EXCLUDED.changed_by, paused_by_file = EXCLUDED.paused_by_file,
    retired_at = NULL, changed_at = now(), version = j.version + 1
WHERE (j.kind, j.settings, j.priority, j.overlap, j.slots, j.at_most_once, j.timeout_ms, j.deadline_ms, j.retry,
       j.contact, j.description, j.runbook, j.owner, j.origin, j.lane, j.chains, j.pause_after,
       j.belongs_to, j.role, j.written, j.paused_by_file, j.retired_at)
   IS DISTINCT FROM
      (EXCLUDED.kind, EXCLUDED.settings, EXCLUDED.priority, EXCLUDED.overlap, EXCLUDED.slots, EXCLUDED.at_most_once,
       EXCLUDED.timeout_ms, EXCLUDED.deadline_ms, EXCLUDED.retry, EXCLUDED.contact, EXCLUDED.description,
       EXCLUDED.runbook, EXCLUDED.owner, EXCLUDED.origin, EXCLUDED.lane, EXCLUDED.chains, EXCLUDED.pause_after,
       EXCLUDED.belongs_to, EXCLUDED.role, EXCLUDED.written,
       EXCLUDED.paused_by_file, NULL)
RETURNING j.name
"""

_RETIRE = """
UPDATE jobs SET retired_at = now(), changed_at = now(), version = version + 1
WHERE owner = 'file' AND retired_at IS NULL AND NOT name = ANY(%(names)s) RETURNING name
"""


async def apply_jobs(
    connection: Connection,
    definitions: Iterable[JobDefinition],
    now: datetime,
    calendars: Mapping[str, Sequence[str]] | None = None,
) -> tuple[list[str], list[str]]:
    """Make the jobs that a config file owns equal to ``definitions``; returns names changed and names retired.

    A schedule that did not change keeps its next fire; a new or changed one begins ``now``. A pause by an operator
    outlives a reload that leaves ``paused`` as it was. Runs of a retired job that have not begun are cancelled.
    """
    defined = list(definitions)
    changed = await _write(connection, defined, "file", "")
    retired = await fetch_column(connection, _RETIRE, {"names": [job.name for job in defined]})
    await connection.execute(
        "UPDATE runs SET state = 'cancelled', slot = NULL, finished_at = clock_timestamp(), "
        "error = 'its job is no longer in the config file' "
        "WHERE state IN ('waiting', 'ready') AND job_id IN (SELECT id FROM jobs WHERE retired_at IS NOT NULL)"
    )
    await connection.execute(
        "UPDATE runs r SET lane = j.lane FROM jobs j "
        "WHERE j.id = r.job_id AND r.state IN ('waiting', 'ready') AND r.lane <> j.lane"
    )
    await _set_calendars(connection, calendars or {})
    ids = await _ids(connection)
    moved = False
    wanted = {
        (ids[job.name][0], dumps(spec)): (spec, ids[job.name][1]) for job in defined for spec in job.schedules
    }
    moved |= await _drop_others(connection, list(wanted))
    await recompute(connection, now)
    for (job_id, _), (spec, paused) in wanted.items():
        moved |= await _add_schedule(connection, job_id, spec, paused, now)
    await _pause_schedules(connection, now)
    return (changed or (["schedules"] if moved else [])), retired


async def _write(connection: Connection, defined: Sequence[JobDefinition], owner: str, by: str) -> list[str]:
    """Add or change jobs without their schedules; returns the names of those that were not so before."""
    columns = [each.name for each in fields(JobDefinition) if each.name != "schedules"]
    rows = [{name: getattr(job, name) for name in columns} for job in defined]
    return await fetch_column(connection, _UPSERT, {"rows": dumps(rows), "owner": owner, "by": by})


async def put_job(connection: Connection, job: JobDefinition, by: str, now: datetime) -> int:
    """Add a job that the console owns, or make it what ``job`` says; returns its id.

    Schedules that did not change keep their next fires; new ones begin ``now``.
    """
    await _write(connection, [job], "console", by)
    found = await fetch_one(
        connection, "SELECT id, paused FROM jobs WHERE name = %(name)s", {"name": job.name}
    )
    await connection.execute(
        "DELETE FROM schedules WHERE job_id = %(job)s AND NOT spec = ANY(%(specs)s::jsonb[])",
        {"job": found.id, "specs": [dumps(spec) for spec in job.schedules]},
    )
    await connection.execute(
        "UPDATE runs SET lane = %(lane)s WHERE job_id = %(job)s AND state IN ('waiting', 'ready') AND lane <> %(lane)s",
        {"job": found.id, "lane": job.lane},
    )
    for spec in job.schedules:
        await _add_schedule(connection, found.id, spec, found.paused, now)
    await follow_pause(connection, found.id, found.paused, now)
    return int(found.id)


async def links_of_all(connection: Connection) -> dict[str, list[str]]:
    """Every job that is not retired, with the names of those that it starts."""
    query = (
        "SELECT name, ARRAY(SELECT each->>'job' FROM jsonb_array_elements(chains) AS each) FROM jobs "
        "WHERE retired_at IS NULL ORDER BY name"
    )
    return {name: list(links) for name, links in await fetch_all(connection, query)}


async def started_by(connection: Connection, name: str) -> list[str]:
    """What starts the job of this name beside its schedules, in words: other jobs, then reactions."""
    query = (
        "SELECT 'job ' || name FROM jobs WHERE retired_at IS NULL AND name <> %(name)s "
        "AND chains @> jsonb_build_array(jsonb_build_object('job', %(name)s::text)) UNION ALL "
        "SELECT 'reaction ' || (each->>'name') FROM routing, jsonb_array_elements(reactions) AS each "
        "WHERE each->>'job' = %(name)s ORDER BY 1"
    )
    return await fetch_column(connection, query, {"name": name})


async def retire_job(connection: Connection, job_id: int, by: str) -> None:
    """Take a job away; its history stays, runs that have not begun are cancelled, those that go on are told to end."""
    await connection.execute(
        "UPDATE jobs SET retired_at = now(), changed_at = now(), changed_by = %(by)s, version = version + 1 "
        "WHERE id = %(id)s",
        {"id": job_id, "by": by},
    )
    await connection.execute("DELETE FROM schedules WHERE job_id = %(id)s", {"id": job_id})
    await connection.execute(
        "UPDATE runs SET cancel_requested_at = clock_timestamp(), cancel_by = %(by)s, "
        "state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END, "
        "slot = CASE WHEN state = 'running' THEN slot END, "
        "finished_at = CASE WHEN state = 'running' THEN NULL ELSE clock_timestamp() END, "
        "error = CASE WHEN state = 'running' THEN error ELSE 'its job was deleted' END "
        "WHERE job_id = %(id)s AND state IN ('waiting', 'ready', 'running')",
        {"id": job_id, "by": by},
    )


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
    """Add a schedule that is not there yet. It begins ``now``, or after what the one in whose place it comes has
    fired meanwhile: no occasion has two runs because somebody edits a schedule."""
    added = await fetch_one(
        connection,
        "INSERT INTO schedules AS s (job_id, spec, anchor, state) VALUES (%(job)s, %(spec)s::jsonb, %(now)s, 'paused') "
        f"ON CONFLICT DO NOTHING RETURNING id, {SPEC} AS spec, (SELECT max(r.scheduled_for) FROM runs r "
        "WHERE r.job_id = s.job_id AND r.origin = 'schedule' AND r.scheduled_for > %(now)s) AS fired",
        {"job": job_id, "spec": dumps(spec), "now": now},
    )
    if added is not None:
        following = next_fire(schedule_of(added.spec, now), added.fired or now)
        state = "ended" if following is None else "paused" if paused else "active"
        await _plan(connection, added.id, following, state)
    return added is not None


async def _plan(connection: Connection, schedule_id: int, following: datetime | None, state: str) -> None:
    await connection.execute(
        "UPDATE schedules SET state = %(state)s, next_fire_at = %(next)s, error = '' WHERE id = %(id)s",
        {"id": schedule_id, "state": state, "next": following},
    )


async def _set_calendars(connection: Connection, calendars: Mapping[str, Sequence[str]]) -> None:
    await connection.execute(
        "DELETE FROM calendars WHERE NOT name = ANY(%(names)s)", {"names": list(calendars)}
    )
    await connection.execute(
        "INSERT INTO calendars AS c (name, days) SELECT k.name, array(SELECT jsonb_array_elements_text(k.days)) "
        "FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(name text, days jsonb) "
        "ON CONFLICT (name) DO UPDATE SET days = EXCLUDED.days, changed_at = now() WHERE c.days <> EXCLUDED.days",
        {"rows": dumps([{"name": name, "days": list(days)} for name, days in calendars.items()])},
    )


async def recompute(connection: Connection, now: datetime) -> int:
    """Plan the coming fires anew where calendars, or the rules of a time zone, have changed; returns how many moved.

    What is due already stays due. A schedule that was out of service because its zone was unknown is tried again.
    """
    rows = await fetch_all(
        connection,
        f"SELECT s.id, {SPEC} AS spec, s.anchor, s.next_fire_at, s.state FROM schedules s "
        "WHERE s.state = 'error' OR s.state = 'active' AND s.next_fire_at > %(now)s "
        "AND (s.spec->>'kind' = 'cron' OR jsonb_array_length(coalesce(s.spec->'calendars', '[]')) > 0) "
        "ORDER BY s.id FOR UPDATE OF s SKIP LOCKED",
        {"now": now},
    )
    moved = 0
    for row in rows:
        try:
            following = next_fire(schedule_of(row.spec, row.anchor), now)
        except ValueError as error:
            await break_schedule(connection, row.id, one_line(str(error)))
            continue
        if following != row.next_fire_at or row.state == "error":
            await _plan(connection, row.id, following, "ended" if following is None else "active")
            moved += 1
    return moved


async def break_schedule(connection: Connection, schedule_id: int, error: str) -> None:
    """Take a schedule that cannot be computed out of the way, with its reason."""
    await connection.execute(
        "UPDATE schedules SET state = 'error', error = %(error)s WHERE id = %(id)s",
        {"id": schedule_id, "error": error},
    )


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
        f"SELECT s.id, {SPEC} AS spec, s.anchor FROM schedules s WHERE s.job_id = %(job)s AND s.state = 'paused' "
        "ORDER BY s.id FOR UPDATE OF s",
        {"job": job_id},
    )
    for row in rows:
        following = next_fire(schedule_of(row.spec, row.anchor), now)
        await _plan(connection, row.id, following, "ended" if following is None else "active")


async def names(connection: Connection) -> list[str]:
    """The names of all jobs that are not retired."""
    return await fetch_column(connection, "SELECT name FROM jobs WHERE retired_at IS NULL ORDER BY name")


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
    """Pause a job with its schedules, or let them go on, with a circuit that is closed again."""
    await connection.execute(
        "UPDATE jobs SET paused = %(paused)s, failures = 0, tripped_at = NULL, changed_at = now(), "
        "version = version + 1 WHERE id = %(id)s",
        {"id": job_id, "paused": paused},
    )
    await follow_pause(connection, job_id, paused, now)
