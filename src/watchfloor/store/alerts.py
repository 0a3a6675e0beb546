"""Alerts: the rows, their immutable events, and what the alert screens read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from watchfloor.domain.alert import Alert, AlertState, Event, Suppression
from watchfloor.domain.boards import AlertDetail, AlertEventRow, AlertRow, DeliveryRow
from watchfloor.domain.severity import Severity
from watchfloor.store.database import Connection, fetch_all, fetch_one
from watchfloor.store.jsonb import dumps


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert with its place in the database; ``seq`` is the number of events it has."""

    id: int
    uuid: UUID
    subject: str
    fingerprint: str
    rule_id: int
    service_id: int | None
    title: str
    summary: str
    labels: Mapping[str, str]
    fire_at: datetime
    seq: int
    alert: Alert


@dataclass(frozen=True, slots=True)
class NewAlert:
    """An alert to insert, with its first events; ``fire_at`` is when a pending one fires."""

    uuid: UUID
    subject: str
    fingerprint: str
    rule_id: int
    service_id: int | None
    incident_id: int | None
    title: str
    summary: str
    labels: Mapping[str, str]
    fire_at: datetime
    alert: Alert
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class ChangedAlert:
    """What became of a stored alert: the alert after, the events to append, and its words where they changed."""

    stored: StoredAlert
    alert: Alert
    events: Sequence[Event]
    title: str | None = None
    summary: str | None = None


_COLUMNS = (
    "id, uuid, subject, fingerprint, rule_id, service_id, title, summary, labels, fire_at, seq, state, severity, "
    "active_at, fired_at, acked_by, acked_until, note, sticky, ended_at, resolved_at, reopen_count, held, suppressed"
)


def _stored(row: Any) -> StoredAlert:
    return StoredAlert(
        id=row.id,
        uuid=row.uuid,
        subject=row.subject,
        fingerprint=row.fingerprint,
        rule_id=row.rule_id,
        service_id=row.service_id,
        title=row.title,
        summary=row.summary,
        labels=row.labels,
        fire_at=row.fire_at,
        seq=row.seq,
        alert=Alert(
            state=AlertState(row.state),
            severity=Severity(row.severity),
            active_at=row.active_at,
            fired_at=row.fired_at,
            acked_by=row.acked_by,
            acked_until=row.acked_until,
            note=row.note,
            sticky=row.sticky,
            ended_at=row.ended_at,
            resolved_at=row.resolved_at,
            reopen_count=row.reopen_count,
            held=row.held,
            suppressed=frozenset(Suppression(reason) for reason in row.suppressed),
        ),
    )


async def lock_by_subject(
    connection: Connection, subjects: Sequence[str], resolved_since: datetime
) -> list[StoredAlert]:
    """Alerts of these subjects that are open, held, or resolved after ``resolved_since``; locked, newest last."""
    rows = await fetch_all(
        connection,
        f"SELECT {_COLUMNS} FROM alerts WHERE subject = ANY(%(subjects)s) "
        "AND (state <> 'resolved' OR held OR resolved_at > %(since)s) ORDER BY id FOR UPDATE",
        {"subjects": list(subjects), "since": resolved_since},
    )
    return [_stored(row) for row in rows]


async def lock(connection: Connection, alert_ids: Sequence[int]) -> list[StoredAlert]:
    """Alerts by id, locked until the transaction ends; ids that do not exist are left out."""
    rows = await fetch_all(
        connection,
        f"SELECT {_COLUMNS} FROM alerts WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE",
        {"ids": list(alert_ids)},
    )
    return [_stored(row) for row in rows]


async def lock_due(connection: Connection, now: datetime, limit: int = 500) -> list[StoredAlert]:
    """Pending alerts whose wait is over and acknowledged ones that ran out; locked, those locked by others skipped."""
    rows = await fetch_all(
        connection,
        f"SELECT {_COLUMNS} FROM alerts WHERE (state = 'pending' AND fire_at <= %(now)s) "
        "OR (state = 'acknowledged' AND acked_until <= %(now)s) ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        {"now": now, "limit": limit},
    )
    return [_stored(row) for row in rows]


async def insert(connection: Connection, new: Sequence[NewAlert]) -> list[StoredAlert]:
    """Insert alerts with their events, in order."""
    if not new:
        return []
    rows = await fetch_all(
        connection,
        "INSERT INTO alerts (uuid, subject, fingerprint, rule_id, service_id, incident_id, title, summary, labels, "
        "  fire_at, state, severity, active_at, fired_at, seq) "
        "SELECT uuid, subject, fingerprint, rule_id, service_id, incident_id, title, summary, labels, fire_at, "
        "  state, severity, active_at, fired_at, seq "
        "FROM unnest(%(uuids)s::uuid[], %(subjects)s::text[], %(fingerprints)s::text[], "
        "  %(rules)s::int[], %(services)s::int[], %(incidents)s::int[], %(titles)s::text[], "
        "  %(summaries)s::text[], %(labels)s::jsonb[], %(fire_at)s::timestamptz[], "
        "  %(states)s::text[], %(severities)s::smallint[], %(active)s::timestamptz[], "
        "  %(fired)s::timestamptz[], %(seqs)s::int[]) WITH ORDINALITY "
        "  AS v(uuid, subject, fingerprint, rule_id, service_id, incident_id, title, summary, labels, "
        "  fire_at, state, severity, active_at, fired_at, seq, n) "
        f"ORDER BY n RETURNING {_COLUMNS}",
        {
            "uuids": [str(a.uuid) for a in new],
            "subjects": [a.subject for a in new],
            "fingerprints": [a.fingerprint for a in new],
            "rules": [a.rule_id for a in new],
            "services": [a.service_id for a in new],
            "incidents": [a.incident_id for a in new],
            "titles": [a.title for a in new],
            "summaries": [a.summary for a in new],
            "labels": [dumps(a.labels) for a in new],
            "fire_at": [a.fire_at for a in new],
            "states": [str(a.alert.state) for a in new],
            "severities": [int(a.alert.severity) for a in new],
            "active": [a.alert.active_at for a in new],
            "fired": [a.alert.fired_at for a in new],
            "seqs": [len(a.events) for a in new],
        },
    )
    by_uuid = {row.uuid: _stored(row) for row in rows}
    stored = [by_uuid[a.uuid] for a in new]
    await _append_events(
        connection,
        [
            (s.id, n, event, a.title)
            for s, a in zip(stored, new, strict=True)
            for n, event in enumerate(a.events)
        ],
    )
    return stored


_UPDATE = """
UPDATE alerts a SET state = v.state, severity = v.severity, fired_at = v.fired_at, acked_by = v.acked_by,
    acked_until = v.acked_until, note = v.note, sticky = v.sticky, ended_at = v.ended_at,
    resolved_at = v.resolved_at, reopen_count = v.reopen_count, held = v.held,
    suppressed = ARRAY(SELECT jsonb_array_elements_text(v.suppressed)),
    title = coalesce(v.title, a.title), summary = coalesce(v.summary, a.summary), seq = a.seq + v.added,
    changed_at = clock_timestamp()
FROM unnest(%(ids)s::int[], %(states)s::text[], %(severities)s::smallint[],
    %(fired)s::timestamptz[], %(acked_by)s::text[], %(acked_until)s::timestamptz[],
    %(notes)s::text[], %(sticky)s::boolean[], %(ended)s::timestamptz[],
    %(resolved)s::timestamptz[], %(reopened)s::int[], %(held)s::boolean[],
    %(suppressed)s::jsonb[], %(titles)s::text[], %(summaries)s::text[], %(added)s::int[])
    AS v(id, state, severity, fired_at, acked_by, acked_until, note, sticky, ended_at, resolved_at, reopen_count,
         held, suppressed, title, summary, added)
WHERE a.id = v.id
"""


async def update(connection: Connection, changed: Sequence[ChangedAlert]) -> None:
    """Store transitions: the rows become what their events lead to. Dropped alerts leave no trace."""
    dropped = [c.stored.id for c in changed if c.alert.dropped]
    if dropped:
        await connection.execute("DELETE FROM alerts WHERE id = ANY(%(ids)s)", {"ids": dropped})
    kept = [c for c in changed if not c.alert.dropped]
    if not kept:
        return
    await connection.execute(
        _UPDATE,
        {
            "ids": [c.stored.id for c in kept],
            "states": [str(c.alert.state) for c in kept],
            "severities": [int(c.alert.severity) for c in kept],
            "fired": [c.alert.fired_at for c in kept],
            "acked_by": [c.alert.acked_by for c in kept],
            "acked_until": [c.alert.acked_until for c in kept],
            "notes": [c.alert.note for c in kept],
            "sticky": [c.alert.sticky for c in kept],
            "ended": [c.alert.ended_at for c in kept],
            "resolved": [c.alert.resolved_at for c in kept],
            "reopened": [c.alert.reopen_count for c in kept],
            "held": [c.alert.held for c in kept],
            "suppressed": [dumps(sorted(c.alert.suppressed)) for c in kept],
            "titles": [c.title for c in kept],
            "summaries": [c.summary for c in kept],
            "added": [len(c.events) for c in kept],
        },
    )
    await _append_events(
        connection,
        [
            (c.stored.id, c.stored.seq + n, event, c.stored.title if c.title is None else c.title)
            for c in kept
            for n, event in enumerate(c.events)
        ],
    )


async def _append_events(connection: Connection, events: Sequence[tuple[int, int, Event, str]]) -> None:
    """Append ``(alert_id, seq, event, title)``: the title is what the alert says from this event on."""
    await connection.execute(
        "INSERT INTO alert_events (alert_id, seq, at, kind, actor, note, data, title) SELECT * FROM unnest("
        "%(ids)s::int[], %(seqs)s::int[], %(at)s::timestamptz[], %(kinds)s::text[], "
        "%(actors)s::text[], %(notes)s::text[], %(data)s::jsonb[], %(titles)s::text[])",
        {
            "ids": [id_ for id_, _, _, _ in events],
            "seqs": [seq for _, seq, _, _ in events],
            "at": [event.at for _, _, event, _ in events],
            "kinds": [str(event.kind) for _, _, event, _ in events],
            "actors": [event.actor for _, _, event, _ in events],
            "notes": [event.note for _, _, event, _ in events],
            "data": [dumps(dict(event.data)) for _, _, event, _ in events],
            "titles": [title for _, _, _, title in events],
        },
    )


async def events(connection: Connection, alert_id: int) -> list[AlertEventRow]:
    """The history of one alert, oldest first."""
    rows = await fetch_all(
        connection,
        "SELECT seq, at, kind, actor, note, data FROM alert_events WHERE alert_id = %(id)s ORDER BY seq",
        {"id": alert_id},
    )
    return [AlertEventRow(*row) for row in rows]


_ROW = (
    "SELECT a.id, a.state, a.severity, a.title, r.name AS rule, a.service_id, coalesce(s.name, '') AS service, "
    "a.active_at, a.fired_at, a.resolved_at, a.acked_by, a.acked_until, a.note, a.reopen_count, a.summary, a.labels, "
    "coalesce(s.runbook, '') AS runbook FROM alerts a JOIN rules r ON r.id = a.rule_id "
    "LEFT JOIN services s ON s.id = a.service_id "
)


def _row(row: Any) -> AlertRow:
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
    )


async def active(connection: Connection, limit: int = 2000) -> list[AlertRow]:
    """Alerts that are not resolved: firing first, the most severe and then the newest first."""
    rows = await fetch_all(
        connection,
        (
            _ROW
            + "WHERE a.state <> 'resolved' ORDER BY array_position(ARRAY['firing', 'acknowledged', 'pending'], "
            "a.state), a.severity DESC, coalesce(a.fired_at, a.active_at) DESC, a.id DESC LIMIT %(limit)s"
        ),
        {"limit": limit},
    )
    return [_row(row) for row in rows]


async def resolved(
    connection: Connection, before: AlertRow | None = None, limit: int = 200
) -> list[AlertRow]:
    """Resolved alerts, the latest first, older than ``before``; page by passing the last row."""
    clause = "" if before is None else "AND (a.resolved_at, a.id) < (%(at)s, %(id)s) "
    rows = await fetch_all(
        connection,
        f"{_ROW} WHERE a.state = 'resolved' {clause} ORDER BY a.resolved_at DESC, a.id DESC LIMIT %(limit)s",
        {
            "at": None if before is None else before.resolved_at,
            "id": None if before is None else before.id,
            "limit": limit,
        },
    )
    return [_row(row) for row in rows]


async def detail(connection: Connection, alert_id: int) -> AlertDetail | None:
    """One alert with its history and its deliveries, or None when it does not exist."""
    row = await fetch_one(connection, _ROW + "WHERE a.id = %(id)s", {"id": alert_id})
    if row is None:
        return None
    deliveries = await fetch_all(
        connection,
        "SELECT id::text, channel, kind, state, attempt, created_at, last_error FROM outbox "
        "WHERE alert_id = %(id)s ORDER BY seq, channel",
        {"id": alert_id},
    )
    return AlertDetail(
        row=_row(row),
        summary=row.summary,
        runbook=row.runbook,
        labels=row.labels,
        events=tuple(await events(connection, alert_id)),
        deliveries=tuple(DeliveryRow(*delivery) for delivery in deliveries),
    )
