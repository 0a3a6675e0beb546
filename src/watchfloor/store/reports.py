"""Named queries for reports: what services, alerts and jobs did in a time, as plain columns and rows.

Every query takes ``since`` and ``until`` and yields at most `MOST` rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watchfloor.store.database import Connection, fetch_all

MOST = 5000

_UPTIME = """
WITH booked AS (
    SELECT service_id, state, sum(extract(epoch FROM least(coalesce(ended, %(until)s), %(until)s)
        - greatest(began, %(since)s)))::float8 AS seconds
    FROM state_spans WHERE began < %(until)s AND (ended IS NULL OR ended > %(since)s) GROUP BY 1, 2),
spent AS (
    SELECT service_id, coalesce(sum(seconds) FILTER (WHERE state IN ('up', 'degraded')), 0) AS up,
        coalesce(sum(seconds) FILTER (WHERE state = 'down'), 0) AS down,
        coalesce(sum(seconds) FILTER (WHERE state = 'planned'), 0) AS planned
    FROM booked GROUP BY 1),
faults AS (
    SELECT service_id, count(*) AS incidents FROM incidents
    WHERE opened_at < %(until)s AND (closed_at IS NULL OR closed_at > %(since)s) GROUP BY 1)
SELECT s.name, s.group_name, round((100 * t.up / nullif(t.up + t.down, 0))::numeric, 3)::float8 AS ratio,
    round(t.down)::float8 AS down, round(t.planned)::float8 AS planned, coalesce(f.incidents, 0) AS incidents
FROM services s LEFT JOIN spent t ON t.service_id = s.id LEFT JOIN faults f ON f.service_id = s.id
WHERE s.retired_at IS NULL OR t.service_id IS NOT NULL
ORDER BY 3 NULLS LAST, s.name LIMIT %(most)s
"""

_INCIDENTS = """
SELECT s.name, i.opened_at, i.closed_at,
    round(extract(epoch FROM coalesce(i.closed_at, %(until)s) - i.opened_at))::float8 AS lasted, i.cause
FROM incidents i JOIN services s ON s.id = i.service_id
WHERE i.opened_at < %(until)s AND (i.closed_at IS NULL OR i.closed_at > %(since)s)
ORDER BY i.opened_at DESC LIMIT %(most)s
"""

_ALERTS = """
SELECT fired_at, CASE severity {severities} END AS severity, title, state, acked_by,
    round(extract(epoch FROM resolved_at - fired_at))::float8 AS lasted
FROM alerts WHERE fired_at >= %(since)s AND fired_at < %(until)s ORDER BY fired_at DESC LIMIT %(most)s
"""

_JOBS = """
SELECT j.name, count(*) AS runs, count(*) FILTER (WHERE r.state = 'succeeded') AS succeeded,
    count(*) FILTER (WHERE r.state = 'dead') AS dead,
    count(*) FILTER (WHERE r.state IN ('skipped', 'missed', 'cancelled')) AS not_run,
    round((percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM r.finished_at - r.started_at))
        FILTER (WHERE r.state = 'succeeded'))::numeric, 3)::float8 AS median, max(r.finished_at) AS last
FROM (SELECT job_id, state, started_at, finished_at FROM runs
    UNION ALL SELECT job_id, state, started_at, finished_at FROM run_archive) r JOIN jobs j ON j.id = r.job_id
WHERE r.finished_at >= %(since)s AND r.finished_at < %(until)s GROUP BY j.name ORDER BY 4 DESC, j.name LIMIT %(most)s
"""

_SEVERITIES = " ".join(
    f"WHEN {number} THEN '{word}'" for number, word in enumerate(("info", "warning", "critical", "emergency"))
)


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and the names of what it yields."""

    columns: tuple[str, ...]
    statement: str


QUERIES: Mapping[str, Query] = {
    "uptime": Query(
        ("Service", "Group", "Uptime %", "Down (s)", "Planned (s)", "Incidents"),
        _UPTIME,
    ),
    "incidents": Query(("Service", "Opened", "Closed", "Lasted (s)", "Cause"), _INCIDENTS),
    "alerts": Query(
        ("Fired", "Severity", "Alert", "State", "Acknowledged by", "Lasted (s)"),
        _ALERTS.format(severities=_SEVERITIES),
    ),
    "jobs": Query(
        ("Job", "Runs", "Succeeded", "Dead", "Not run", "Median (s)", "Last end"),
        _JOBS,
    ),
}


async def read(connection: Connection, name: str, since: datetime, until: datetime) -> list[tuple[Any, ...]]:
    """The rows of a named query. Raises `KeyError` where there is none of that name."""
    asked = {"since": since, "until": until, "most": MOST}
    return [tuple(row) for row in await fetch_all(connection, QUERIES[name].statement, asked)]
