"""What a backfill needs to know: the schedules of a job, and what became of their fires in a stretch of the past."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.jobs import SPEC


async def schedules(connection: Connection, job_id: int) -> list[tuple[int, Mapping[str, Any], datetime]]:
    """The schedules of a job: id, spec and anchor."""
    rows = await fetch_all(
        connection,
        f"SELECT s.id, {SPEC} AS spec, s.anchor FROM schedules s WHERE s.job_id = %(job)s ORDER BY s.id",
        {"job": job_id},
    )
    return [(row.id, row.spec, row.anchor) for row in rows]


_STATES = """
SELECT split_part(fire_key, ':b', 1) AS key, state FROM (
    SELECT id, fire_key, state FROM runs
    WHERE job_id = %(job)s AND scheduled_for BETWEEN %(since)s AND %(until)s AND starts_with(fire_key, 's:')
    UNION ALL SELECT id, fire_key, state FROM run_archive
    WHERE job_id = %(job)s AND scheduled_for BETWEEN %(since)s AND %(until)s AND starts_with(fire_key, 's:')
        AND finished_at >= %(since)s) r
ORDER BY id
"""


async def states(
    connection: Connection, job_id: int, since: datetime, until: datetime
) -> dict[str, list[str]]:
    """The states of the runs of fires between two moments, archived ones too, oldest first, by the key of the fire."""
    rows = await fetch_all(connection, _STATES, {"job": job_id, "since": since, "until": until})
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(row.state)
    return found
