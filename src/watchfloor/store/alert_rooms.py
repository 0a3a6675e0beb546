"""What the screens about alerts read: the list, what is over, and one alert. Nothing here changes an alert."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from watchfloor.domain.boards import AlertDetail, AlertRow, DeliveryRow
from watchfloor.domain.severity import Severity
from watchfloor.store.alert_story import story
from watchfloor.store.alerts import events
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one, fetch_value
from watchfloor.store.job_links import HELP, JOB_OF_ALERT

MOST_OPEN = 10_000

_FROM = """
FROM alerts a JOIN rules r ON r.id = a.rule_id LEFT JOIN services s ON s.id = a.service_id
    LEFT JOIN services root ON root.id = a.root_id
"""

_ROW = """
SELECT a.id, a.state, a.severity, a.title, r.name AS rule, a.service_id, coalesce(s.name, '') AS service,
    a.active_at, a.fired_at, a.resolved_at, a.acked_by, a.acked_until, a.note, a.reopen_count,
    a.suppressed, coalesce(root.name, '') AS root
"""

_LOST = """
LEFT JOIN (SELECT l.root_id, count(*)::int AS many FROM service_reach l JOIN services t ON t.id = l.service_id
    WHERE l.root_id IS NOT NULL AND t.retired_at IS NULL GROUP BY l.root_id) lost ON lost.root_id = a.service_id
    AND a.subject = 'service:' || a.service_id AND a.state <> 'resolved'
"""

_BEHIND = "coalesce(lost.many, 0) AS behind"

_VIEW = "LEFT JOIN alert_views v ON v.alert_id = a.id AND v.operator = %(operator)s"

_UNREAD = "(%(operator)s <> '' AND a.seq > coalesce(v.seq, 0)) AS unread"

_ACTIVE = f"""
{_ROW}, {_UNREAD}, {_BEHIND}
{_FROM} {_VIEW} {_LOST}
WHERE a.id IN (SELECT id FROM alerts WHERE state <> 'resolved' ORDER BY suppressed <> '{{}}' OR state = 'acknowledged',
    severity DESC, coalesce(fired_at, active_at) DESC, id DESC LIMIT %(limit)s)
ORDER BY a.suppressed <> '{{}}', a.severity DESC, coalesce(a.fired_at, a.active_at) DESC, a.id DESC
"""


async def active(connection: Connection, operator: str = "", limit: int = MOST_OPEN) -> list[AlertRow]:
    """Alerts that are not resolved: those that nobody is told of last, then the most severe first, then the newest.
    Of more than ``limit`` those come first that call for somebody: what is taken care of never hides what is not.

    Those are unread that changed since ``operator`` looked at them last; without one, none is.
    """
    rows = await fetch_all(connection, _ACTIVE, {"operator": operator, "limit": limit})
    return [_row(row, unread=row.unread, behind=row.behind) for row in rows]


async def resolved(
    connection: Connection, before: tuple[datetime, int] | None = None, limit: int = 200
) -> list[AlertRow]:
    """Resolved alerts, the latest first; page by passing the key ``(resolved_at, id)`` of the last row."""
    at, last = before if before is not None else (None, None)
    clause = "" if before is None else "AND (a.resolved_at, a.id) < (%(at)s, %(id)s) "
    rows = await fetch_all(
        connection,
        f"{_ROW} {_FROM} WHERE a.state = 'resolved' {clause} "
        "ORDER BY a.resolved_at DESC, a.id DESC LIMIT %(limit)s",
        {"at": at, "id": last, "limit": limit},
    )
    return [_row(row) for row in rows]


_NOTES = """
SELECT e.note FROM (SELECT id, rule_id FROM alerts ORDER BY id DESC LIMIT 500) a
JOIN alert_events e ON e.alert_id = a.id AND e.kind = 'acknowledged' AND e.note <> ''
GROUP BY e.note
ORDER BY max((e.actor = %(operator)s)::int
    + 2 * (a.rule_id IN (SELECT rule_id FROM alerts WHERE id = ANY(%(ids)s)))::int) DESC, max(e.at) DESC LIMIT %(limit)s
"""


async def written_notes(
    connection: Connection, operator: str, alert_ids: Sequence[int], limit: int = 5
) -> list[str]:
    """Notes of acknowledgements among the latest alerts: of these rules, then of ``operator``, then the latest."""
    return await fetch_column(
        connection, _NOTES, {"operator": operator, "ids": list(alert_ids), "limit": limit}
    )


async def look(connection: Connection, operator: str, alert_ids: Sequence[int]) -> None:
    """Keep that ``operator`` has seen these alerts as they are now."""
    await connection.execute(
        "INSERT INTO alert_views (operator, alert_id, seq) SELECT %(operator)s, id, seq FROM alerts "
        "WHERE id = ANY(%(ids)s) ON CONFLICT (operator, alert_id) DO UPDATE SET seq = excluded.seq "
        "WHERE alert_views.seq < excluded.seq",
        {"operator": operator, "ids": list(alert_ids)},
    )


MESSAGES = 200
"""So many of the messages about an alert are in its detail, the latest."""

_ABOUT = "(alert_id = %(id)s OR group_id IN (SELECT group_id FROM group_members WHERE alert_id = %(id)s))"


async def detail(connection: Connection, alert_id: int, operator: str = "") -> AlertDetail | None:
    """One alert with its history and its deliveries, or None when it does not exist; unread as in `active`."""
    row = await fetch_one(
        connection,
        f"{_ROW}, a.summary, a.labels, {HELP}, {_UNREAD}, {_BEHIND} "
        f"{_FROM} LEFT JOIN jobs j ON j.id = {JOB_OF_ALERT} {_VIEW} {_LOST} WHERE a.id = %(id)s",
        {"id": alert_id, "operator": operator},
    )
    if row is None:
        return None
    deliveries = await fetch_all(
        connection,
        "SELECT id::text, channel, kind, state, attempt, created_at, last_error, person, delivered_at FROM ("
        f"SELECT * FROM outbox WHERE {_ABOUT} ORDER BY created_at DESC, seq DESC, channel DESC LIMIT %(most)s) newest "
        "ORDER BY created_at, seq, channel",
        {"id": alert_id, "most": MESSAGES},
    )
    messages = len(deliveries)
    if messages == MESSAGES:
        messages = await fetch_value(
            connection, f"SELECT count(*) FROM outbox WHERE {_ABOUT}", {"id": alert_id}
        )
    return AlertDetail(
        row=_row(row, unread=row.unread, behind=row.behind),
        summary=row.summary,
        runbook=row.runbook,
        labels=row.labels,
        events=tuple(await events(connection, alert_id)),
        deliveries=tuple(DeliveryRow(*delivery) for delivery in deliveries),
        story=await story(connection, alert_id),
        messages=messages,
        contact=row.contact,
    )


def _row(row: Any, *, unread: bool = False, behind: int = 0) -> AlertRow:
    return AlertRow(
        id=row.id,
        state=row.state,
        severity=Severity(row.severity),
        title=row.title,
        rule=row.rule,
        service_id=row.service_id,
        service=row.service,
        active_at=row.active_at,
        fired_at=row.fired_at,
        resolved_at=row.resolved_at,
        acked_by=row.acked_by,
        acked_until=row.acked_until,
        note=row.note,
        reopened=row.reopen_count,
        unread=unread,
        quiet=tuple(sorted(row.suppressed)),
        root=row.root,
        behind=behind,
    )
