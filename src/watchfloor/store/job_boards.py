"""Boards of jobs: what is to be done and how it went, the runs, one run with its attempts and its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.coming import Coming
from watchfloor.domain.coming import coming as coming_fires
from watchfloor.domain.durations import format_duration
from watchfloor.domain.job_boards import (
    AttemptRow,
    JobRow,
    RunDetail,
    RunLine,
    RunRow,
)
from watchfloor.domain.lanes import parts_of
from watchfloor.store import archive
from watchfloor.store.database import Connection, fetch_all, fetch_one
from watchfloor.store.health import clock
from watchfloor.store.job_links import alert_of_run
from watchfloor.store.job_outlook import with_outlook
from watchfloor.store.jobs import SPEC, schedule_of
from watchfloor.store.jsonb import dumps

RECENT = 20
"""Runs of a job whose outcomes the list shows."""

_NEVER_ARCHIVED = timedelta(days=1)
"""Runs that ended within the shortest retention: a page of them need not look into the archive."""

LOG_MARGIN = timedelta(minutes=5)
"""How far a line may be stamped from the run it belongs to: clocks of nodes follow the database's only so well."""

_JOBS = """
SELECT j.id, j.name, j.kind, j.contact, j.description, j.paused,
    (SELECT array_agg(s.spec ORDER BY s.id) FROM schedules s WHERE s.job_id = j.id) AS specs,
    (SELECT min(s.next_fire_at) FROM schedules s WHERE s.job_id = j.id AND s.state = 'active') AS next_fire_at,
    (SELECT string_agg(s.error, '; ') FROM schedules s WHERE s.job_id = j.id AND s.state = 'error') AS broken,
    l.id AS last_run, l.state AS last_state, l.finished_at AS last_at, l.error AS last_error,
    extract(epoch FROM l.finished_at - l.started_at)::float8 AS last_took,
    h.states AS recent, h.took, j.lane, j.belongs_to, j.role, j.owner, j.origin, j.changed_by,
    j.tripped_at IS NOT NULL AND j.paused AS tripped,
    coalesce(o.running, 0) AS running, coalesce(o.waiting, 0) AS waiting
FROM jobs j
LEFT JOIN LATERAL (SELECT * FROM runs r WHERE r.job_id = j.id AND r.state IN ('succeeded', 'cancelled', 'dead')
    ORDER BY r.id DESC LIMIT 1) l ON true
LEFT JOIN LATERAL (SELECT array_agg(state ORDER BY id) AS states,
    array_agg(extract(epoch FROM finished_at - started_at)::float8 ORDER BY id)
        FILTER (WHERE state = 'succeeded') AS took
    FROM (SELECT id, state, started_at, finished_at FROM runs r WHERE r.job_id = j.id
        AND r.state IN ('succeeded', 'cancelled', 'dead', 'skipped', 'missed') ORDER BY id DESC LIMIT %(recent)s) x)
    h ON true
LEFT JOIN (SELECT job_id, count(*) FILTER (WHERE state = 'running') AS running,
    count(*) FILTER (WHERE state IN ('waiting', 'ready')) AS waiting
    FROM runs WHERE state IN ('running', 'ready', 'waiting') GROUP BY job_id) o ON o.job_id = j.id
WHERE j.retired_at IS NULL ORDER BY j.name
"""


async def jobs(connection: Connection) -> list[JobRow]:
    """Every job that is not retired, by name."""
    return [
        JobRow(
            id=row.id,
            name=row.name,
            kind=row.kind,
            contact=row.contact,
            description=row.description,
            paused=row.paused,
            schedules=tuple(schedule_words(spec) for spec in row.specs or ()),
            next_fire_at=row.next_fire_at,
            broken=row.broken or "",
            last_run=row.last_run,
            last_state=row.last_state or "",
            last_at=row.last_at,
            last_took=row.last_took,
            last_error=row.last_error or "",
            recent=tuple(row.recent or ()),
            running=row.running,
            waiting=row.waiting,
            queue=parts_of(row.lane)[0],
            belongs_to=row.belongs_to,
            role=row.role,
            owner=row.owner,
            origin=row.origin,
            tripped=row.tripped,
            took=tuple(took for took in row.took or () if took is not None),
            changed_by=row.changed_by,
        )
        for row in await fetch_all(connection, _JOBS, {"recent": RECENT})
    ]


async def coming(connection: Connection, name: str, now: datetime, count: int) -> list[Coming]:
    """The next fires of a job with their moment as clocks in the zone of their schedule show it, soonest first."""
    rows = await fetch_all(
        connection,
        f"SELECT {SPEC} AS spec, s.anchor FROM schedules s JOIN jobs j ON j.id = s.job_id "
        "WHERE j.name = %(name)s AND j.retired_at IS NULL AND s.state IN ('active', 'paused')",
        {"name": name},
    )
    return coming_fires([schedule_of(row.spec, row.anchor) for row in rows], now, count)


async def foreseen(
    connection: Connection, job: str, specs: Sequence[Mapping[str, Any]], now: datetime, count: int
) -> list[Coming]:
    """The next fires that schedules of these specs would have, if they were those of a job from now on."""
    rows = await fetch_all(
        connection,
        f"SELECT {SPEC} AS spec, (SELECT x.anchor FROM schedules x JOIN jobs j ON j.id = x.job_id "
        "WHERE j.name = %(job)s AND j.retired_at IS NULL AND x.spec = s.spec) AS anchor "
        "FROM unnest(%(specs)s::jsonb[]) AS s(spec)",
        {"job": job, "specs": [dumps(each) for each in specs]},
    )
    return coming_fires([schedule_of(row.spec, row.anchor or now) for row in rows], now, count)


def schedule_words(spec: Mapping[str, Any]) -> str:
    """A schedule as people say it."""
    match spec["kind"]:
        case "cron":
            return f"{spec['expr']} {spec['tz']}"
        case "interval":
            return f"every {format_duration(float(spec['expr']))}"
        case _:
            return f"once at {spec['anchor']}"


_RUNS = (
    "SELECT r.id, j.name, j.kind, r.origin, r.asked_by, r.state, r.scheduled_for, r.started_at, r.finished_at, "
    "r.attempt, r.exit_code, r.signal, r.error_class, r.error, coalesce(n.name, '') AS node, "
    "coalesce(d.reason, '') AS reason, d.run_id IS NOT NULL AND d.settled_at IS NULL AS open "
    "FROM runs r JOIN jobs j ON j.id = r.job_id LEFT JOIN workers w ON w.id = r.worker_id "
    "LEFT JOIN nodes n ON n.id = w.node_id LEFT JOIN dead_letters d ON d.run_id = r.id "
)


async def runs(
    connection: Connection,
    job: str | None,
    *,
    dead: bool,
    before: int | None = None,
    limit: int = 200,
    state: str = "",
) -> list[RunRow]:
    """Runs, newest first: of one job or all, in one state or any, or only open dead letters; older than ``before``."""
    rows = await fetch_all(
        connection,
        f"{_RUNS} WHERE (%(job)s::text IS NULL OR r.job_id = (SELECT id FROM jobs WHERE name = %(job)s)) "
        "AND (NOT %(dead)s OR r.id = ANY(ARRAY(SELECT run_id FROM dead_letters WHERE settled_at IS NULL))) "
        "AND (%(state)s = '' OR r.state = %(state)s) "
        "AND (%(before)s::bigint IS NULL OR r.id < %(before)s) ORDER BY r.id DESC LIMIT %(limit)s",
        {"job": job, "dead": dead, "before": before, "limit": limit, "state": state},
    )
    found = [RunRow(*row) for row in rows]
    if not dead and (
        len(found) < limit or found[-1].scheduled_for < await clock(connection) - _NEVER_ARCHIVED
    ):
        found += await archive.runs(connection, job, before, limit, state)
        found = sorted(found, key=lambda row: -row.id)[:limit]
    return found


async def run_detail(connection: Connection, run_id: int) -> RunDetail | None:
    """One run with its attempts; None where there is none."""
    row = await fetch_one(connection, f"{_RUNS} WHERE r.id = %(id)s", {"id": run_id})
    if row is None:
        return await archive.run_detail(connection, run_id)
    attempts = await fetch_all(
        connection,
        "SELECT a.attempt, coalesce(n.name, '') AS node, a.started_at, a.finished_at, a.exit_code, a.signal, "
        "a.error_class, a.error FROM attempts a LEFT JOIN workers w ON w.id = a.worker_id "
        "LEFT JOIN nodes n ON n.id = w.node_id WHERE a.run_id = %(id)s ORDER BY a.attempt",
        {"id": run_id},
    )
    found = RunDetail(
        RunRow(*row),
        tuple(AttemptRow(*attempt) for attempt in attempts),
        alert_id=await alert_of_run(connection, run_id),
    )
    return await with_outlook(connection, found)


async def run_log(
    connection: Connection, run_id: int, after: tuple[int, int] = (0, 0), limit: int = 1000
) -> list[RunLine]:
    """Lines of the log of a run in their order, later than the (attempt, number) ``after``."""
    rows = await fetch_all(
        connection,
        "SELECT l.attempt, l.seq, l.ts, l.stream, l.line, l.level FROM run_logs l WHERE l.run_id = %(id)s "
        "AND l.ts >= coalesce((SELECT min(started_at) FROM attempts WHERE run_id = %(id)s), "
        "(SELECT min((a->>'started_at')::timestamptz) FROM run_archive, jsonb_array_elements(attempts) AS a "
        "WHERE id = %(id)s)) - %(margin)s "
        "AND (l.attempt, l.seq) > (%(attempt)s, %(seq)s) ORDER BY l.attempt, l.seq LIMIT %(limit)s",
        {"id": run_id, "margin": LOG_MARGIN, "attempt": after[0], "seq": after[1], "limit": limit},
    )
    return [RunLine(*row) for row in rows]
