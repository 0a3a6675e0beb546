"""Alerts as they were at a moment, replayed from their events.

An alert that ended before it fired leaves no trace, so it is not here either.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from watchfloor.domain.alert import AlertState, Event, EventKind, replay
from watchfloor.domain.alert_boards import AlertStory
from watchfloor.domain.boards import AlertDetail, AlertEventRow, AlertRow, DeliveryRow
from watchfloor.store.database import Connection, fetch_all, fetch_one
from watchfloor.store.job_links import HELP, JOB_OF_ALERT

RESOLVED_SHOWN = 200

_EVENTS = """
SELECT a.id, r.name AS rule, a.service_id, coalesce(s.name, '') AS service,
    e.at, e.kind, e.actor, e.note, e.data, e.title
FROM alerts a JOIN rules r ON r.id = a.rule_id LEFT JOIN services s ON s.id = a.service_id
JOIN alert_events e ON e.alert_id = a.id
WHERE a.id = ANY(%(ids)s) AND e.at <= %(at)s ORDER BY a.id, e.seq
"""

_NOT_OVER = """
SELECT id FROM alerts WHERE state <> 'resolved' AND active_at <= %(at)s
UNION ALL
SELECT id FROM alerts WHERE state = 'resolved' AND resolved_at > %(at)s AND active_at <= %(at)s
"""

_OVER = """
SELECT id FROM alerts WHERE state = 'resolved' AND resolved_at <= %(at)s
ORDER BY resolved_at DESC, id DESC LIMIT %(limit)s
"""


async def open_alerts(connection: Connection, at: datetime) -> list[AlertRow]:
    """Alerts that were not resolved at ``at``, by id."""
    rows = await _replayed(connection, _NOT_OVER, at)
    return [row for row in rows if row.state != AlertState.RESOLVED]


async def resolved_alerts(connection: Connection, at: datetime) -> list[AlertRow]:
    """Alerts that were resolved by ``at``, the latest first, as many as are shown of the present."""
    rows = [
        *await _replayed(connection, _OVER, at),
        *(row for row in await _replayed(connection, _NOT_OVER, at) if row.state == AlertState.RESOLVED),
    ]
    rows.sort(key=lambda row: (row.resolved_at or row.active_at, row.id), reverse=True)
    return rows[:RESOLVED_SHOWN]


async def _replayed(connection: Connection, ids: str, at: datetime) -> list[AlertRow]:
    found = await fetch_all(connection, ids, {"at": at, "limit": RESOLVED_SHOWN})
    events = await fetch_all(connection, _EVENTS, {"ids": [row.id for row in found], "at": at})
    return [_row(list(lines)) for _, lines in groupby(events, key=lambda line: line.id)]


def _row(lines: Sequence[Any]) -> AlertRow:
    alert = replay(Event(EventKind(line.kind), line.at, line.actor, line.note, line.data) for line in lines)
    last = lines[-1]
    return AlertRow(
        id=last.id,
        state=str(alert.state),
        severity=alert.severity,
        title=last.title,
        rule=last.rule,
        service_id=last.service_id,
        service=last.service,
        active_at=alert.active_at,
        fired_at=alert.fired_at,
        resolved_at=alert.resolved_at,
        acked_by=alert.acked_by,
        acked_until=alert.acked_until,
        note=alert.note,
        reopened=alert.reopen_count,
        quiet=tuple(sorted(alert.suppressed)),
    )


async def alert_detail(connection: Connection, alert_id: int, at: datetime) -> AlertDetail | None:
    """One alert as it was at ``at``, with the messages that had arrived by then; None when it was not there yet."""
    lines = await fetch_all(connection, _EVENTS, {"ids": [alert_id], "at": at})
    if not lines:
        return None
    alert = await fetch_one(
        connection,
        f"SELECT a.summary, a.labels, a.incident_id, {HELP} FROM alerts a LEFT JOIN services s "
        f"ON s.id = a.service_id LEFT JOIN jobs j ON j.id = {JOB_OF_ALERT} WHERE a.id = %(id)s",
        {"id": alert_id},
    )
    deliveries = await fetch_all(
        connection,
        "SELECT id::text, channel, kind, state, attempt, created_at, '' AS last_error, person, delivered_at "
        "FROM outbox WHERE alert_id = %(id)s AND delivered_at <= %(at)s ORDER BY seq, channel",
        {"id": alert_id, "at": at},
    )
    return AlertDetail(
        row=_row(lines),
        summary=alert.summary,
        runbook=alert.runbook,
        labels=alert.labels,
        events=tuple(
            AlertEventRow(seq, line.at, line.kind, line.actor, line.note, line.data)
            for seq, line in enumerate(lines)
        ),
        deliveries=tuple(DeliveryRow(*delivery) for delivery in deliveries),
        story=AlertStory(incident_id=alert.incident_id),
        contact=alert.contact,
    )
