"""Runs that ended long ago: out of the table that nodes work on, into daily partitions that retention drops whole.

A run is in one of the two tables, never in both and never in none. Open dead letters stay where they are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from watchfloor.domain.job_boards import AttemptRow, RunDetail, RunRow
from watchfloor.store.database import Connection, fetch_all, fetch_one, fetch_value
from watchfloor.store.partitions import ensure_days

BATCH = 1_000

_SETTLED = (
    "r.finished_at < %(before)s AND NOT EXISTS "
    "(SELECT FROM dead_letters d WHERE d.run_id = r.id AND d.settled_at IS NULL)"
)

_MOVE = f"""
WITH old AS (SELECT r.id FROM runs r WHERE {_SETTLED} AND r.finished_at < %(until)s
             ORDER BY r.finished_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED),
     kept AS (INSERT INTO run_archive (id, finished_at, uuid, job_id, job, kind, fire_key, origin, asked_by, state,
                  scheduled_for, started_at, attempt, exit_code, signal, error_class, error, node, missed, upstream_id,
                  parameters, attempts)
              SELECT r.id, r.finished_at, r.uuid, r.job_id, j.name, j.kind, r.fire_key, r.origin, r.asked_by, r.state,
                  r.scheduled_for, r.started_at, r.attempt, r.exit_code, r.signal, r.error_class, r.error,
                  coalesce(n.name, ''), r.missed, r.upstream_id, r.parameters,
                  (SELECT coalesce(jsonb_agg(jsonb_build_object('attempt', a.attempt, 'node', coalesce(m.name, ''),
                       'started_at', a.started_at, 'finished_at', a.finished_at, 'exit_code', a.exit_code,
                       'signal', a.signal, 'error_class', a.error_class, 'error', a.error) ORDER BY a.attempt), '[]')
                   FROM attempts a LEFT JOIN workers v ON v.id = a.worker_id LEFT JOIN nodes m ON m.id = v.node_id
                   WHERE a.run_id = r.id)
              FROM old JOIN runs r ON r.id = old.id JOIN jobs j ON j.id = r.job_id
              LEFT JOIN workers w ON w.id = r.worker_id LEFT JOIN nodes n ON n.id = w.node_id
              RETURNING id)
DELETE FROM runs WHERE id IN (SELECT id FROM kept)
"""


async def move_batch(connection: Connection, before: datetime) -> int:
    """Move up to `BATCH` runs of one day that ended before ``before``, the oldest first; returns how many."""
    oldest: datetime | None = await fetch_value(
        connection, f"SELECT min(r.finished_at) FROM runs r WHERE {_SETTLED}", {"before": before}
    )
    if oldest is None:
        return 0
    day = oldest.astimezone(UTC).date()
    await ensure_days(connection, "run_archive", [day])
    until = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    done = await connection.execute(_MOVE, {"before": before, "until": until, "batch": BATCH})
    return done.rowcount


_ROW = (
    "SELECT r.id, r.job, r.kind, r.origin, r.asked_by, r.state, r.scheduled_for, r.started_at, r.finished_at, "
    "r.attempt, r.exit_code, r.signal, r.error_class, r.error, r.node, '' AS reason, false AS open "
)


async def runs(
    connection: Connection, job: str | None, before: int | None, limit: int, state: str = ""
) -> list[RunRow]:
    """Archived runs, newest first: of one job or all, in one state or any; older than the run ``before``."""
    rows = await fetch_all(
        connection,
        f"{_ROW} FROM run_archive r WHERE (%(job)s::text IS NULL OR r.job_id = (SELECT id FROM jobs "
        "WHERE name = %(job)s)) AND (%(before)s::bigint IS NULL OR r.id < %(before)s) "
        "AND (%(state)s = '' OR r.state = %(state)s) "
        "ORDER BY r.id DESC LIMIT %(limit)s",
        {"job": job, "before": before, "limit": limit, "state": state},
    )
    return [RunRow(*row) for row in rows]


async def run_detail(connection: Connection, run_id: int) -> RunDetail | None:
    """One archived run with its attempts, what it was given and what it followed; None where there is none."""
    row = await fetch_one(
        connection,
        f"{_ROW}, r.attempts, r.parameters, r.upstream_id FROM run_archive r WHERE r.id = %(id)s",
        {"id": run_id},
    )
    if row is None:
        return None
    *plain, attempts, parameters, upstream = row
    return RunDetail(
        RunRow(*plain), tuple(_attempt(each) for each in attempts), parameters=parameters, upstream=upstream
    )


def _attempt(stored: dict[str, Any]) -> AttemptRow:
    moments = {
        key: stored[key] and datetime.fromisoformat(stored[key]) for key in ("started_at", "finished_at")
    }
    return AttemptRow(**{**stored, **moments})
