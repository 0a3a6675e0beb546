"""How jobs stand, for whoever tells their owners: what alerts about jobs are raised from. It tells nobody itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from watchfloor.store.database import Connection, fetch_all


@dataclass(frozen=True, slots=True)
class JobStanding:
    """How a job stands, for whoever tells its owner: what alerts of jobs are raised from.

    ``subject`` names it among the subjects of alerts. ``failures``: runs in a row that died, ``since`` the first of
    them ended; both of nothing where its latest run succeeded.
    """

    subject: str
    job_id: int
    name: str
    belongs_to: str
    role: str
    contact: str
    runbook: str
    tripped: bool
    broken: str  # why a schedule of it is out of service
    failures: int
    since: datetime | None
    last_run: int | None
    last_error: str


def job_subject(job_id: int) -> str:
    """The subject of alerts about a job."""
    return f"job:{job_id}"


_JOB_STANDING = """
SELECT j.id, j.name, j.belongs_to, j.role, j.contact, j.runbook, j.tripped_at IS NOT NULL AND j.paused AS tripped,
    coalesce((SELECT string_agg(s.error, '; ') FROM schedules s WHERE s.job_id = j.id AND s.state = 'error'), '')
        AS broken,
    coalesce(f.failures, 0) AS failures, f.since, f.last_run, coalesce(f.last_error, '') AS last_error
FROM jobs j LEFT JOIN LATERAL (
    SELECT count(*) AS failures, min(x.finished_at) AS since, max(x.id) AS last_run,
        (array_agg(x.error ORDER BY x.id DESC))[1] AS last_error
    FROM (SELECT id, finished_at, error FROM runs r WHERE r.job_id = j.id AND r.state = 'dead' AND r.id > coalesce(
        (SELECT max(s.id) FROM runs s WHERE s.job_id = j.id AND s.state = 'succeeded'), 0) ORDER BY id DESC LIMIT 100) x
) f ON true
WHERE j.retired_at IS NULL ORDER BY j.id
"""


async def standing(connection: Connection) -> list[JobStanding]:
    """How every job stands."""
    return [JobStanding(job_subject(row.id), *row) for row in await fetch_all(connection, _JOB_STANDING)]
