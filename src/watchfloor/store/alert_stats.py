"""Alerts that fired in a stretch of time, for statistics: read from their immutable events."""

from __future__ import annotations

from datetime import datetime

from watchfloor.domain.alert_stats import FiredAlert
from watchfloor.store.database import Connection, fetch_all

_FIRED = """
WITH fired AS (
    SELECT alert_id, min(at) FILTER (WHERE kind = 'fired') AS fired_at,
        min(at) FILTER (WHERE kind = 'acknowledged') AS acked_at
    FROM alert_events WHERE alert_id IN (
        SELECT id FROM alerts WHERE active_at < %(end)s AND (resolved_at IS NULL OR resolved_at >= %(start)s)
    ) GROUP BY alert_id
)
SELECT r.name AS rule, coalesce(s.name, '') AS service, f.fired_at, f.acked_at, a.resolved_at, a.reopen_count
FROM fired f JOIN alerts a ON a.id = f.alert_id JOIN rules r ON r.id = a.rule_id
LEFT JOIN services s ON s.id = a.service_id
WHERE f.fired_at >= %(start)s AND f.fired_at < %(end)s ORDER BY f.fired_at, f.alert_id
"""


async def fired_alerts(connection: Connection, start: datetime, end: datetime) -> list[FiredAlert]:
    """The alerts that first fired from ``start`` to before ``end``, oldest first, as they stand now."""
    rows = await fetch_all(connection, _FIRED, {"start": start, "end": end})
    return [FiredAlert(*row) for row in rows]
