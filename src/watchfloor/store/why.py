"""What is stored about a service that is not ok, for `watchfloor.domain.why` to put into words.

Everything is read by key and bound: a problem of a month costs what one of an hour does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.durations import format_duration
from watchfloor.domain.outcome import Status
from watchfloor.domain.why import (
    BEFORE,
    COUNTED,
    TOGETHER,
    Event,
    Findings,
    Good,
    Looks,
    Other,
    Reason,
    Told,
    Version,
    Vote,
    explain,
)
from watchfloor.store.database import Connection, fetch_all, fetch_one, fetch_value
from watchfloor.store.nodes import live_node_ids

_PARENTS = 30
_SAME_EDIT = timedelta(seconds=2)
"""A line of the audit log and the version it led to are of one transaction; their clocks differ by its length."""

_WORD = "(ARRAY['ok', 'degraded', 'failing', 'unknown'])"

_STATE = f"""
SELECT s.id, s.name, s.group_name, s.paused, s.max_attempts, s.recover_attempts, s.every_ms, s.retry_every_ms,
    s.quorum, s.depends_on, s.depends_on_any,
    t.hard, t.status, t.soft, t.attempt, t.since, t.first_bad, t.summary, t.last_ended,
    t.latency_us, t.flapping, i.opened_at, i.confirmed_at, i.cause,
    root.name AS root, {_WORD}[rt.hard + 1] AS root_state, rt.since AS root_since
FROM services s JOIN service_state t ON t.service_id = s.id
LEFT JOIN incidents i ON i.service_id = s.id AND i.closed_at IS NULL
LEFT JOIN service_reach r ON r.service_id = s.id AND r.root_id IS NOT NULL
LEFT JOIN services root ON root.id = r.root_id
LEFT JOIN service_state rt ON rt.service_id = r.root_id
WHERE s.id = %(id)s AND s.retired_at IS NULL
"""


async def reasons(connection: Connection, service_id: int) -> tuple[Reason, ...]:
    """Why a service is not ok; nothing where it is, or is gone."""
    row = await fetch_one(connection, _STATE, {"id": service_id})
    if row is None or not _troubled(row):
        return ()
    return explain(await _findings(connection, row))


def _troubled(row: Any) -> bool:
    fine = row.hard == Status.OK and row.status == Status.OK
    return row.paused or row.status is None or not fine


async def _findings(connection: Connection, row: Any) -> Findings:
    began = row.opened_at or row.first_bad or (row.since if row.hard != Status.OK else None)
    paused = await _paused_by(connection, row.id) if row.paused else ("", None)
    looks, cut = await _looks(connection, row.id, began) if began else ((), False)
    state = "paused" if row.paused else "pending" if row.hard is None else Status(row.hard).word
    return Findings(
        state=state,
        latest="" if row.status is None else Status(row.status).word,
        soft=row.soft,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        recover_attempts=row.recover_attempts,
        every_s=row.every_ms / 1000,
        retry_every_s=row.retry_every_ms / 1000,
        summary=row.summary,
        checked_at=row.last_ended,
        latency=None if row.latency_us is None else row.latency_us / 1e6,
        began=began,
        confirmed_at=row.confirmed_at,
        first_said=row.cause or "",
        looks=looks,
        cut=cut,
        quorum=row.quorum,
        votes=await _votes(connection, row.id) if row.quorum > 1 else (),
        good=await _good(connection, row.id, began) if began else None,
        values=await fetch_value(
            connection, "SELECT metrics FROM service_facts WHERE service_id = %(id)s", {"id": row.id}
        ),
        versions=await _versions(connection, row, began) if began else (),
        events=await _events(connection, row, began) if began else (),
        root=Other(row.root, row.root_state or "failing", row.root_since) if row.root else None,
        parents=await _parents(connection, row),
        together=await _together(connection, row, began) if began else 0,
        group=row.group_name,
        flapping=row.flapping,
        paused_by=paused[0],
        paused_at=paused[1],
        live_nodes=len(await live_node_ids(connection)),
        told=await _told(connection, row.id),
    )


async def _paused_by(connection: Connection, service_id: int) -> tuple[str, datetime | None]:
    row = await fetch_one(
        connection,
        "SELECT actor, at FROM audit WHERE object_kind = 'service' AND object_id = %(id)s AND action = 'pause' "
        "ORDER BY at DESC LIMIT 1",
        {"id": str(service_id)},
    )
    return ("", None) if row is None else (row.actor, row.at)


async def _looks(connection: Connection, service_id: int, began: datetime) -> tuple[tuple[Looks, ...], bool]:
    """What each node found since ``began``, and whether there were more checks than are counted."""
    rows = await fetch_all(
        connection,
        "SELECT coalesce(n.name, '') AS node, count(*) AS checks, count(*) FILTER (WHERE r.status <> 0) AS bad FROM ("
        "SELECT node_id, status FROM check_results WHERE service_id = %(id)s AND ts >= %(began)s "
        "ORDER BY ts DESC LIMIT %(most)s) r LEFT JOIN nodes n ON n.id = r.node_id GROUP BY 1 ORDER BY 2 DESC, 1",
        {"id": service_id, "began": began, "most": COUNTED},
    )
    looks = tuple(Looks(row.node, row.checks, row.bad) for row in rows)
    return looks, sum(each.checks for each in looks) == COUNTED


async def _votes(connection: Connection, service_id: int) -> list[Vote]:
    rows = await fetch_all(
        connection,
        "SELECT n.name, v.status, v.summary, v.at FROM service_votes v JOIN nodes n ON n.id = v.node_id "
        "WHERE v.service_id = %(id)s ORDER BY v.status DESC, n.name LIMIT 100",
        {"id": service_id},
    )
    return [Vote(row.name, Status(row.status).word, row.summary, row.at) for row in rows]


async def _good(connection: Connection, service_id: int, began: datetime) -> Good | None:
    row = await fetch_one(
        connection,
        "SELECT ts, latency_us FROM check_results WHERE service_id = %(id)s AND ts < %(began)s AND ts > %(since)s "
        "AND status = 0 ORDER BY ts DESC LIMIT 1",
        {"id": service_id, "began": began, "since": began - BEFORE},
    )
    if row is None:
        return None
    values = await fetch_all(
        connection,
        "SELECT s.name, m.v FROM metric_raw m JOIN series s ON s.id = m.series_id "
        "WHERE m.service_id = %(id)s AND m.ts >= %(at)s AND m.ts < %(until)s LIMIT 200",
        {"id": service_id, "at": row.ts, "until": row.ts + timedelta(seconds=1)},
    )
    latency = None if row.latency_us is None else row.latency_us / 1e6
    return Good(row.ts, latency, {each.name: each.v for each in values})


async def _versions(connection: Connection, row: Any, began: datetime) -> list[Version]:
    """How it was defined in the time before it began, and just before that; who changed it, where the log says so."""
    rows = await fetch_all(
        connection,
        "SELECT began, kind, group_name, tags, every_ms, max_attempts, paused FROM service_versions "
        "WHERE service_id = %(id)s AND began <= %(until)s ORDER BY began DESC LIMIT 10",
        {"id": row.id, "until": began + TOGETHER},
    )
    lines = await fetch_all(
        connection,
        "SELECT at, actor FROM audit WHERE object_kind = 'service' AND object_id IN (%(id)s, %(name)s) "
        "AND at > %(since)s ORDER BY at",
        {"id": str(row.id), "name": row.name, "since": began - BEFORE - _SAME_EDIT},
    )
    return [_version(each, lines) for each in reversed(rows)]


def _version(row: Any, lines: Sequence[Any]) -> Version:
    by = next((line.actor for line in lines if abs(line.at - row.began) < _SAME_EDIT), "")
    held = {
        "kind": row.kind,
        "group": row.group_name or "none",
        "tags": ", ".join(row.tags) or "none",
        "every": format_duration(row.every_ms / 1000),
        "attempts": row.max_attempts,
        "paused": "yes" if row.paused else "no",
    }
    return Version(row.began, held, by)


async def _events(connection: Connection, row: Any, began: datetime) -> list[Event]:
    """What else happened about the time it began: certificates, files, nodes, and what it needs."""
    values = {
        "id": row.id,
        "since": began - BEFORE,
        "until": began + TOGETHER,
        "names": [*row.depends_on, *(name for group in row.depends_on_any for name in group)],
    }
    rows = await fetch_all(
        connection,
        "SELECT h.at, 'it showed another certificate: ' || c.subject AS words FROM certificate_changes h "
        "JOIN certificates c USING (service_id, fingerprint) WHERE h.service_id = %(id)s "
        "AND h.at BETWEEN %(since)s AND %(until)s AND EXISTS (SELECT FROM certificate_changes e "
        "  WHERE e.service_id = h.service_id AND e.at < h.at) "
        "UNION ALL SELECT (config->>'loaded_at')::timestamptz, "
        "  'the config file ' || (config->>'path') || ' was taken into force by ' || name FROM nodes "
        "WHERE (config->>'loaded_at')::timestamptz BETWEEN %(since)s AND %(until)s "
        "UNION ALL SELECT started_at, 'the engine ' || name || ' started' FROM nodes "
        "WHERE started_at BETWEEN %(since)s AND %(until)s "
        "UNION ALL SELECT i.opened_at, s.name || ', which it needs, stopped being ok: ' || i.cause "
        "FROM incidents i JOIN services s ON s.id = i.service_id WHERE s.name = ANY(%(names)s) "
        "AND i.opened_at BETWEEN %(since)s AND %(until)s "
        "UNION ALL SELECT i.closed_at, s.name || ', which it needs, was ok again' "
        "FROM incidents i JOIN services s ON s.id = i.service_id WHERE s.name = ANY(%(names)s) "
        "AND i.closed_at BETWEEN %(since)s AND %(until)s "
        "ORDER BY 1 DESC LIMIT 50",
        values,
    )
    return [Event(each.at, each.words) for each in rows]


async def _parents(connection: Connection, row: Any) -> list[Other]:
    names = [*row.depends_on, *(name for group in row.depends_on_any for name in group)]
    if not names:
        return []
    rows = await fetch_all(
        connection,
        f"SELECT s.name, CASE WHEN s.paused THEN 'paused' ELSE coalesce({_WORD}[t.hard + 1], 'pending') END AS state, "
        "t.since FROM services s JOIN service_state t ON t.service_id = s.id "
        "WHERE s.name = ANY(%(names)s) AND s.retired_at IS NULL ORDER BY s.name LIMIT %(most)s",
        {"names": names, "most": _PARENTS},
    )
    return [Other(*each) for each in rows]


async def _together(connection: Connection, row: Any, began: datetime) -> int:
    """How many other services of its group have a problem that began at about the same time."""
    found: int = await fetch_value(
        connection,
        "SELECT count(*) FROM incidents i JOIN services s ON s.id = i.service_id WHERE i.closed_at IS NULL "
        "AND i.service_id <> %(id)s AND s.group_name = %(group)s AND s.retired_at IS NULL "
        "AND i.opened_at BETWEEN %(since)s AND %(until)s",
        {"id": row.id, "group": row.group_name, "since": began - TOGETHER, "until": began + TOGETHER},
    )
    return found


async def _told(connection: Connection, service_id: int) -> Told | None:
    alert = await fetch_one(
        connection,
        "SELECT id, state, acked_by, suppressed FROM alerts WHERE service_id = %(id)s AND state <> 'resolved' "
        "ORDER BY array_position(ARRAY['firing', 'acknowledged', 'pending'], state), severity DESC, id LIMIT 1",
        {"id": service_id},
    )
    if alert is None:
        return None
    rows = await fetch_all(
        connection,
        "SELECT channel || ' ' || state AS what, count(*) AS n, max(created_at) AS at FROM outbox "
        "WHERE alert_id = %(id)s OR group_id IN (SELECT group_id FROM group_members WHERE alert_id = %(id)s) "
        "GROUP BY 1 ORDER BY 3 DESC LIMIT 20",
        {"id": alert.id},
    )
    messages = {row.what: (row.n, row.at) for row in rows}
    return Told(alert.id, alert.state, alert.acked_by, tuple(alert.suppressed), messages)
