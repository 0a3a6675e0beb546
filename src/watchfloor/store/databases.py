"""What is known of the watched databases: where they are, their latest figures, how their checks of a week fared.

The week is counted from roll-ups: days, hours at its beginning and after the last day, minutes and single results
after those. So a thousand databases cost some ten thousand rows, however often they are checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from watchfloor.domain.databases import KINDS, Known
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.rollups import DAY, HOUR, watermarks

WEEK = timedelta(days=7)
_MOST_MINUTES = timedelta(days=2)
_MOST_RAW = HOUR

_FIGURES = (
    "connections_used",
    "connections_max",
    "clients",
    "clients_max",
    "replication_lag_seconds",
)

_KNOWN = """
SELECT s.id, s.settings, s.depends_on, s.depends_on_any, f.metrics
FROM services s LEFT JOIN service_facts f ON f.service_id = s.id
WHERE s.retired_at IS NULL AND s.kind = ANY(%(kinds)s)
"""

_COUNTED = "SELECT service_id, n, degraded, failing, unknown FROM {0} WHERE service_id = ANY(%(ids)s)"
_WEEK = f"""
SELECT service_id, sum(n - unknown)::bigint AS judged,
    sum(n - unknown - degraded - failing)::bigint AS succeeded
FROM (
    {_COUNTED.format("result_1h")} AND ts >= %(start)s AND ts < %(first_hours)s
    UNION ALL {_COUNTED.format("result_1d")} AND ts >= %(midnight)s AND ts < %(days)s
    UNION ALL {_COUNTED.format("result_1h")} AND ts >= %(after_days)s AND ts < %(hours)s
    UNION ALL {_COUNTED.format("result_1m")} AND ts >= %(after_hours)s AND ts < %(minutes)s
    UNION ALL SELECT service_id, 1, (status = 1)::int, (status = 2)::int, (status = 3)::int FROM check_results
        WHERE service_id = ANY(%(ids)s) AND ts >= %(after_minutes)s AND ts <= %(now)s
) x GROUP BY service_id
"""

Week = Mapping[int, tuple[int, int]]
"""Of each service its checks of 7 days: how many were ok, of how many that found something out."""


async def known_databases(connection: Connection, week: Week) -> dict[int, Known]:
    """What is known of every service that watches a database."""
    found: dict[int, Known] = {}
    for row in await fetch_all(connection, _KNOWN, {"kinds": list(KINDS)}):
        metrics = row.metrics or {}
        succeeded, judged = week.get(row.id, (0, 0))
        found[row.id] = Known(
            settings=row.settings,
            needs=(*row.depends_on, *(name for group in row.depends_on_any for name in group)),
            metrics={name: metrics[name] for name in _FIGURES if isinstance(metrics.get(name), int | float)},
            succeeded=succeeded,
            judged=judged,
        )
    return found


async def database_week(connection: Connection, now: datetime) -> Week:
    """How the checks of every watched database fared in the 7 days before ``now``; its first hour counts whole."""
    ids = [
        row.id
        for row in await fetch_all(
            connection,
            "SELECT id FROM services WHERE retired_at IS NULL AND kind = ANY(%(kinds)s)",
            {"kinds": list(KINDS)},
        )
    ]
    if not ids:
        return {}
    asked = {"ids": ids, "now": now, **_stretches(now, await watermarks(connection))}
    rows = await fetch_all(connection, _WEEK, asked)
    return {row.service_id: (row.succeeded, row.judged) for row in rows}


def _stretches(now: datetime, marks: Mapping[str, datetime]) -> dict[str, datetime]:
    """Which grain is read from where to where; each only as far as it is rolled up."""
    start = (now.astimezone(UTC) - WEEK).replace(minute=0, second=0, microsecond=0)
    midnight = start.replace(hour=0) + (DAY if start.hour else timedelta())
    minutes = max(marks.get("minute", start), start)
    hours = max(marks.get("hour", start), start)
    days = max(marks.get("day", midnight), midnight)
    return {
        "start": start,
        "first_hours": min(midnight, hours),
        "midnight": midnight,
        "days": days,
        "after_days": max(midnight, days),
        "hours": hours,
        "after_hours": max(hours, now - _MOST_MINUTES),
        "minutes": minutes,
        "after_minutes": max(minutes, now - _MOST_RAW),
    }
