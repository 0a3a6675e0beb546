"""What leads from an alert to the run of a job that it is about, and from a run to its alert."""

from __future__ import annotations

from collections.abc import Collection

from watchfloor.store.database import Connection, fetch_all, fetch_value

JOB_OF_ALERT = (
    "CASE WHEN a.subject ~ '^rule:[0-9]+/job:[0-9]{1,9}$' THEN split_part(a.subject, '/job:', 2)::int END"
)
"""The id of the job that alert ``a`` is about; null for alerts about other things."""

HELP = "coalesce(a.labels ->> 'runbook', s.runbook, j.runbook, '') AS runbook, coalesce(j.contact, '') AS contact"
"""Where to read what to do about an alert ``a`` and whom to ask, of its rule, its service ``s`` or its job ``j``."""

_RUN = f"""
SELECT r.id FROM alerts a JOIN runs r ON r.job_id = {JOB_OF_ALERT}
WHERE a.id = %(id)s AND r.started_at <= coalesce(a.fired_at, a.active_at) ORDER BY r.id DESC LIMIT 1
"""

_ALERT = """
SELECT coalesce(
    (SELECT min(x.alert_id) FROM reaction_runs x WHERE x.run_id = r.id),
    (SELECT min(a.id) FROM alerts a WHERE a.subject = ANY(ARRAY(
            SELECT 'rule:' || u.id || '/job:' || r.job_id FROM rules u WHERE u.kind = 'jobs'))
        AND a.fired_at IS NOT NULL AND coalesce(a.resolved_at, 'infinity') >= r.started_at
        AND a.fired_at <= coalesce(r.finished_at, 'infinity') + interval '1 hour'))
FROM runs r WHERE r.id = %(id)s
"""


_RUNBOOKS = """
SELECT id, '' AS job, runbook FROM services WHERE id = ANY(%(services)s) AND runbook <> ''
UNION ALL SELECT 0, name, runbook FROM jobs WHERE name = ANY(%(jobs)s) AND retired_at IS NULL AND runbook <> ''
"""


async def runbooks(
    connection: Connection, services: Collection[int], jobs: Collection[str]
) -> tuple[dict[int, str], dict[str, str]]:
    """Where to read what to do about services, by id, and about jobs, by name; only those for which that is known."""
    rows = await fetch_all(connection, _RUNBOOKS, {"services": list(services), "jobs": list(jobs)})
    return {row.id: row.runbook for row in rows if row.id}, {row.job: row.runbook for row in rows if row.job}


async def run_of_alert(connection: Connection, alert_id: int) -> int | None:
    """The latest run of its job that had begun when an alert about a job fired; None for alerts about other things."""
    found: int | None = await fetch_value(connection, _RUN, {"id": alert_id})
    return found


async def alert_of_run(connection: Connection, run_id: int) -> int | None:
    """The alert that started a run by a reaction; else the first one about its job that fired while the run went on
    or within an hour of its end, or was open when it began."""
    found: int | None = await fetch_value(connection, _ALERT, {"id": run_id})
    return found
