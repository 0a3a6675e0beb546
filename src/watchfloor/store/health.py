"""The read side of health: the board of services, the detail of one, the status line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.alert import EventKind
from watchfloor.domain.boards import (
    BEGUN,
    LATELY_S,
    Begun,
    ConfigProblem,
    HealthRow,
    IncidentRow,
    ResultPoint,
    ServiceDetail,
    StatusLine,
)
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity
from watchfloor.store.certificates import certificate_log
from watchfloor.store.database import Connection, fetch_all, fetch_one, fetch_value
from watchfloor.store.nodes import LIVE, config_files
from watchfloor.store.objectives import burns, objective_row
from watchfloor.store.services import find_service
from watchfloor.store.tree import service_tree
from watchfloor.store.uptime import spent_windows
from watchfloor.store.why import reasons

RESULTS_SHOWN = 240
INCIDENTS_SHOWN = 50
CHUNK = 200
"""Rows of the board that are made in one go; a key that is pressed meanwhile is answered before the next ones."""

_BOARD = """
SELECT s.id, s.name, s.kind, s.group_name, s.tags, t.hard, t.status, t.soft, t.attempt, s.max_attempts,
    t.latency_us, t.recent, t.since, t.last_ended, s.every_ms, s.paused, t.summary,
    a.id AS alert_id, coalesce(a.state = 'acknowledged', false) AS acknowledged, coalesce(root.name, '') AS root,
    coalesce(p.depth > 0, false) AS planned, t.flapping, s.environment, s.owner, s.origin
FROM services s JOIN service_state t ON t.service_id = s.id
LEFT JOIN service_reach r ON r.service_id = s.id AND r.root_id IS NOT NULL
LEFT JOIN services root ON root.id = r.root_id
LEFT JOIN service_planned p ON p.service_id = s.id
LEFT JOIN (
    SELECT DISTINCT ON (service_id) service_id, id, state FROM alerts WHERE state IN ('firing', 'acknowledged')
    ORDER BY service_id, severity DESC, id
) a ON a.service_id = s.id
WHERE s.retired_at IS NULL
"""

_CHANGED = """
AND s.id = ANY(ARRAY(
    SELECT service_id FROM service_state WHERE updated_at > %(since)s
    UNION SELECT service_id FROM alerts WHERE changed_at > %(since)s
    UNION SELECT service_id FROM service_reach WHERE changed_at > %(since)s
    UNION SELECT service_id FROM service_planned WHERE changed_at > %(since)s))
"""
"""As an array, so that it is looked up by number: whatever the planner thinks, most rows did not change."""

_UPTIME = """
SELECT service_id,
    sum(extract(epoch FROM least(coalesce(ended, %(now)s), %(now)s) - greatest(began, %(since)s)))
        FILTER (WHERE state IN ('up', 'degraded')) AS up,
    sum(extract(epoch FROM least(coalesce(ended, %(now)s), %(now)s) - greatest(began, %(since)s)))
        FILTER (WHERE state = 'down') AS down
FROM state_spans
WHERE (ended IS NULL OR ended > %(since)s) AND began < %(now)s
"""


_BEGINS = frozenset({
    EventKind.FIRED, EventKind.REOPENED, EventKind.UNACKNOWLEDGED, EventKind.ACK_EXPIRED, EventKind.ACK_BROKEN,
    EventKind.SEVERITY_CHANGED,
})  # fmt: skip
_BEGUN = f"""
SELECT a.id, told.seq, told.at, a.severity, a.title FROM (
    SELECT id, severity, title FROM alerts
    WHERE state = 'firing' AND changed_at > now() - interval '{LATELY_S} s'
    ORDER BY changed_at DESC LIMIT {10 * BEGUN}
) a CROSS JOIN LATERAL (
    SELECT seq, at FROM alert_events WHERE alert_id = a.id AND kind = ANY(%(kinds)s)
        AND (kind <> 'severity_changed' OR (data ->> 'severity')::int > (data ->> 'from')::int)
    ORDER BY seq DESC LIMIT 1
) e LEFT JOIN LATERAL (
    SELECT data -> 'reasons' <> '[]' AS quiet FROM alert_events
    WHERE alert_id = a.id AND kind = 'suppression_changed' AND at <= e.at
    ORDER BY seq DESC LIMIT 1
) s ON true CROSS JOIN LATERAL (
    SELECT seq, at FROM alert_events WHERE alert_id = a.id AND (
        CASE WHEN s.quiet THEN seq > e.seq AND kind = 'suppression_changed' AND data -> 'reasons' = '[]'
        ELSE seq = e.seq END)
    ORDER BY seq LIMIT 1
) told WHERE told.at > now() - interval '{LATELY_S} s' ORDER BY told.at DESC, a.id DESC LIMIT {BEGUN}
"""
"""What began while there was a reason for silence is told when the last reason goes, as people are told (by the one
transaction of both, or a later one); what people know already is not told again then."""


async def clock(connection: Connection) -> datetime:
    """The database's clock."""
    now: datetime = await fetch_value(connection, "SELECT clock_timestamp()")
    return now


async def uptimes(
    connection: Connection, now: datetime, window: timedelta, service_id: int | None = None
) -> dict[int, float | None]:
    """Share of the observed time in ``window`` in which services were up; time-weighted, 0 to 1.

    Time that nobody observed is in neither the numerator nor the denominator (None: nothing was observed).
    """
    clause = " AND service_id = %(service_id)s" if service_id is not None else ""
    rows = await fetch_all(
        connection,
        _UPTIME + clause + " GROUP BY service_id",
        {"now": now, "since": now - window, "service_id": service_id},
    )
    result: dict[int, float | None] = {}
    for row in rows:
        up, down = float(row.up or 0), float(row.down or 0)
        result[row.service_id] = up / (up + down) if up + down > 0 else None
    return result


async def board(
    connection: Connection,
    now: datetime,
    uptime: dict[int, float | None],
    changed_since: datetime | None = None,
) -> list[HealthRow]:
    """Rows of the health board; with ``changed_since`` only services that changed, or whose alerts did, since then.

    ``uptime`` comes from `uptimes`: it moves slowly, so a board that is read again and again reads it seldom.
    """
    clause = "" if changed_since is None else _CHANGED
    cursor = await connection.execute(_BOARD + clause + " ORDER BY s.id", {"since": changed_since})
    rows: list[HealthRow] = []
    while chunk := await cursor.fetchmany(CHUNK):
        rows += [_health_row(row, uptime.get(row.id)) for row in chunk]
        await asyncio.sleep(0)
    return rows


def _health_row(row: Any, uptime: float | None) -> HealthRow:
    return HealthRow(
        id=row.id,
        name=row.name,
        kind=row.kind,
        group=row.group_name,
        tags=tuple(row.tags),
        hard=None if row.hard is None else Status(row.hard),
        status=None if row.status is None else Status(row.status),
        soft=row.soft,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        latency=None if row.latency_us is None else row.latency_us / 1e6,
        recent=bytes(row.recent),
        uptime_24h=uptime,
        since=row.since,
        checked_at=row.last_ended,
        every=row.every_ms / 1000,
        paused=row.paused,
        summary=row.summary,
        alert_id=row.alert_id,
        acknowledged=row.acknowledged,
        root=row.root,
        planned=row.planned,
        flapping=row.flapping,
        environment=row.environment,
        owner=row.owner,
        origin=row.origin,
    )


async def service_detail(connection: Connection, service_id: int, now: datetime) -> ServiceDetail | None:
    """Everything about one service, or None when it is gone."""
    row = await fetch_one(connection, _BOARD + " AND s.id = %(id)s", {"id": service_id})
    service = await find_service(connection, service_id)
    if row is None or service is None:
        return None
    spent = await spent_windows(connection, service_id, now)
    uptime = {name: window.ratio for name, window in spent.items()}
    latest = await fetch_one(
        connection, "SELECT facts, metrics FROM service_facts WHERE service_id = %(id)s", {"id": service_id}
    )
    return ServiceDetail(
        row=_health_row(row, uptime["24h"]),
        description=service.description,
        runbook=service.runbook,
        origin=service.origin,
        editable=service.owner != "file",
        settings=service.settings,
        results=tuple(await results(connection, service_id, now - timedelta(days=1), now, RESULTS_SHOWN)),
        incidents=tuple(await incidents(connection, service_id)),
        facts=latest.facts if latest else {},
        metrics=latest.metrics if latest else {},
        uptime=uptime,
        spent=spent,
        objectives=tuple(map(objective_row, await burns(connection, now, [service_id]))),
        certificates=tuple(await certificate_log(connection, service_id)),
        why=await reasons(connection, service_id),
        tree=await service_tree(connection, service_id),
    )


async def results(
    connection: Connection, service_id: int, since: datetime, until: datetime, limit: int
) -> list[ResultPoint]:
    """Stored checks of a service in ``[since, until]``, newest first."""
    rows = await fetch_all(
        connection,
        "SELECT ts, status, latency_us, phases, summary, lag_us FROM check_results "
        "WHERE service_id = %(id)s AND ts >= %(since)s AND ts <= %(until)s ORDER BY ts DESC LIMIT %(limit)s",
        {"id": service_id, "since": since, "until": until, "limit": limit},
    )
    return [point(row) for row in rows]


def point(row: Any) -> ResultPoint:
    """A stored check."""
    return ResultPoint(
        at=row.ts,
        status=Status(row.status),
        latency=None if row.latency_us is None else row.latency_us / 1e6,
        phases=tuple(us / 1e6 if us else None for us in row.phases or ()),
        summary=row.summary or "",
        lag=row.lag_us / 1e6,
    )


async def incidents(connection: Connection, service_id: int) -> list[IncidentRow]:
    """The newest incidents of a service."""
    rows = await fetch_all(
        connection,
        "SELECT i.id, i.service_id, s.name, i.opened_at, i.closed_at, i.worst, i.cause "
        "FROM incidents i JOIN services s ON s.id = i.service_id WHERE i.service_id = %(id)s "
        "ORDER BY i.opened_at DESC LIMIT %(limit)s",
        {"id": service_id, "limit": INCIDENTS_SHOWN},
    )
    return [replace(IncidentRow(*row), worst=Status(row.worst)) for row in rows]


async def status_line(connection: Connection, database: str) -> StatusLine:
    """What the status bar shows; ``database`` is how the caller names its database."""
    nodes = await fetch_one(
        connection,
        "SELECT clock_timestamp() AS at, current_setting('transaction_read_only') AS read_only, "
        f"count(*) FILTER (WHERE {LIVE}) AS live, "
        f"min(n.name) FILTER (WHERE {LIVE}) AS name, "
        "extract(epoch FROM clock_timestamp() - max(n.beat_at)) AS age, "
        f"(SELECT count(*) FROM component_health c JOIN nodes n ON n.id = c.node_id "
        f"  WHERE c.state IN ('restarting', 'stuck') AND {LIVE}) AS bad FROM nodes n",
    )
    services = await fetch_all(
        connection,
        "SELECT CASE WHEN p.id IS NOT NULL THEN 'paused' WHEN t.hard IS NULL THEN 'pending' "
        "ELSE (ARRAY['ok', 'degraded', 'failing', 'unknown'])[t.hard + 1] END AS word, count(*) AS n "
        "FROM service_state t LEFT JOIN services p ON p.id = t.service_id AND p.paused GROUP BY 1",
    )
    alerts = await fetch_all(
        connection,
        "SELECT state, severity, count(*) AS n, count(*) FILTER (WHERE suppressed <> '{}') AS quiet "
        "FROM alerts WHERE state <> 'resolved' GROUP BY 1, 2",
    )
    begun = await fetch_all(connection, _BEGUN, {"kinds": sorted(_BEGINS)}) if alerts else []
    files = await config_files(connection)
    return StatusLine(
        at=nodes.at,
        database=f"{database}, read-only" if nodes.read_only == "on" else database,
        node=nodes.name or "",
        nodes_live=nodes.live,
        newest_beat_age=None if nodes.age is None else float(nodes.age),
        components_bad=nodes.bad,
        services={row.word: row.n for row in services},
        firing={Severity(row.severity).word: row.n for row in alerts if row.state == "firing"},
        quiet={
            Severity(row.severity).word: row.quiet for row in alerts if row.state == "firing" and row.quiet
        },
        acknowledged=_count(alerts, "acknowledged"),
        pending=_count(alerts, "pending"),
        trouble="The database is read-only: point to the primary." if nodes.read_only == "on" else "",
        config_problems=tuple(ConfigProblem(file.node, text_) for file in files for text_ in file.problems),
        begun=tuple(Begun(row.id, row.seq, row.at, Severity(row.severity), row.title) for row in begun),
    )


def _count(alerts: Sequence[Any], state: str) -> int:
    return sum(row.n for row in alerts if row.state == state)
