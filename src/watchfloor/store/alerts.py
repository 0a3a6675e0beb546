"""Alerts: the rows and their immutable events. What the screens about them read is in `alert_rooms`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from watchfloor.domain.alert import Alert, AlertState, Event, Suppression
from watchfloor.domain.boards import AlertEventRow
from watchfloor.domain.outcome import Status
from watchfloor.domain.restore import SHORTEST
from watchfloor.domain.severity import Severity
from watchfloor.store.database import Connection, fetch_all, fetch_column
from watchfloor.store.jsonb import dumps


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert with its place in the database; ``seq`` is the number of events it has.

    ``root_id`` is the service whose failure put this one out of reach, while that lasts. ``silenced_by`` are the
    silences that keep it quiet, ``unsaid`` is how often it fired without being told because its rule wants a pause.
    """

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
    root_id: int | None = None
    silenced_by: tuple[int, ...] = ()
    unsaid: int = 0


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
    root_id: int | None = None


@dataclass(frozen=True, slots=True)
class ChangedAlert:
    """What became of a stored alert: the alert after, the events to append, and its words where they changed."""

    stored: StoredAlert
    alert: Alert
    events: Sequence[Event]
    title: str | None = None
    summary: str | None = None


COLUMNS = (
    "id, uuid, subject, fingerprint, rule_id, service_id, title, summary, labels, fire_at, seq, state, severity, "
    "active_at, fired_at, acked_by, acked_until, note, sticky, ended_at, resolved_at, reopen_count, held, suppressed, "
    "root_id, warn_at, silenced_by, unsaid"
)


def stored(row: Any) -> StoredAlert:
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
            warn_at=row.warn_at,
            note=row.note,
            sticky=row.sticky,
            ended_at=row.ended_at,
            resolved_at=row.resolved_at,
            reopen_count=row.reopen_count,
            held=row.held,
            suppressed=frozenset(Suppression(reason) for reason in row.suppressed),
        ),
        root_id=row.root_id,
        silenced_by=tuple(row.silenced_by),
        unsaid=row.unsaid,
    )


async def lock_by_subject(
    connection: Connection, subjects: Sequence[str], resolved_since: datetime
) -> list[StoredAlert]:
    """Alerts of these subjects that are open, held, or resolved after ``resolved_since``; locked, newest last."""
    rows = await fetch_all(
        connection,
        f"SELECT {COLUMNS} FROM alerts WHERE subject = ANY(%(subjects)s) "
        "AND (state <> 'resolved' OR held OR resolved_at > %(since)s) ORDER BY id FOR UPDATE",
        {"subjects": list(subjects), "since": resolved_since},
    )
    return [stored(row) for row in rows]


async def lock(connection: Connection, alert_ids: Sequence[int]) -> list[StoredAlert]:
    """Alerts by id, locked until the transaction ends; ids that do not exist are left out."""
    rows = await fetch_all(
        connection,
        f"SELECT {COLUMNS} FROM alerts WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE",
        {"ids": list(alert_ids)},
    )
    return [stored(row) for row in rows]


async def lock_by_service(connection: Connection, service_ids: Collection[int]) -> list[StoredAlert]:
    """Alerts of services that are open or kept quiet for some reason; locked, the oldest first."""
    rows = await fetch_all(
        connection,
        f"SELECT {COLUMNS} FROM alerts WHERE service_id = ANY(%(ids)s) "
        "AND (state <> 'resolved' OR suppressed <> '{}') ORDER BY id FOR UPDATE",
        {"ids": list(service_ids)},
    )
    return [stored(row) for row in rows]


async def with_reasons_that_ended(connection: Connection) -> list[int]:
    """Services with alerts that carry a reason for silence whose cause, in the service itself, is over."""
    return await fetch_column(
        connection,
        "SELECT DISTINCT a.service_id FROM alerts a JOIN service_state t ON t.service_id = a.service_id "
        "LEFT JOIN service_reach r ON r.service_id = a.service_id "
        "LEFT JOIN service_planned p ON p.service_id = a.service_id WHERE a.suppressed <> '{}' AND ("
        "'dependency' = ANY(a.suppressed) AND r.root_id IS NULL "
        "OR 'maintenance' = ANY(a.suppressed) AND coalesce(p.depth, 0) = 0 "
        "OR 'flapping' = ANY(a.suppressed) AND NOT t.flapping)",
    )


async def set_roots(connection: Connection, roots: Mapping[int, int | None]) -> None:
    """Store, by alert, the service whose failure put its service out of reach."""
    if roots:
        await connection.execute(
            "UPDATE alerts a SET root_id = v.root, changed_at = clock_timestamp() "
            "FROM unnest(%(ids)s::int[], %(roots)s::int[]) AS v(id, root) WHERE a.id = v.id",
            {"ids": list(roots), "roots": list(roots.values())},
        )


async def lock_due(connection: Connection, now: datetime, limit: int = 500) -> list[StoredAlert]:
    """Alerts that time alone changes by ``now``; locked, those locked by others skipped.

    Pending ones whose wait is over, unless it is not known whether their condition still holds: the last result of
    their service found nothing out, or should long have been followed by another. Acknowledged ones that run out or
    will soon; firing ones of which it is time to be reminded or, after a pause, to be told.
    """
    rows = await fetch_all(
        connection,
        f"SELECT {COLUMNS} FROM alerts WHERE (state = 'pending' AND fire_at <= %(now)s AND NOT EXISTS (SELECT "
        "  FROM service_state t JOIN services s ON s.id = t.service_id WHERE t.service_id = alerts.service_id "
        "  AND (t.status = %(unknown)s OR t.last_ended < %(now)s - greatest(%(shortest)s, "
        "  make_interval(secs => 2 * (s.every_ms::float8 + s.timeout_ms) / 1000))))) "
        "OR (state = 'acknowledged' AND (acked_until <= %(now)s OR warn_at <= %(now)s)) "
        "OR (state = 'firing' AND suppressed = '{}' AND (remind_at <= %(now)s OR hold_until <= %(now)s)) "
        "ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        {"now": now, "limit": limit, "unknown": int(Status.UNKNOWN), "shortest": SHORTEST},
    )
    return [stored(row) for row in rows]


async def insert(connection: Connection, new: Sequence[NewAlert]) -> list[StoredAlert]:
    """Insert alerts with their events, in order."""
    if not new:
        return []
    rows = await fetch_all(
        connection,
        "INSERT INTO alerts (uuid, subject, fingerprint, rule_id, service_id, incident_id, title, summary, labels, "
        "  fire_at, state, severity, active_at, fired_at, seq, suppressed, root_id) "
        "SELECT uuid, subject, fingerprint, rule_id, service_id, incident_id, title, summary, labels, fire_at, "
        "  state, severity, active_at, fired_at, seq, ARRAY(SELECT jsonb_array_elements_text(suppressed)), root_id "
        "FROM unnest(%(uuids)s::uuid[], %(subjects)s::text[], %(fingerprints)s::text[], "
        "  %(rules)s::int[], %(services)s::int[], %(incidents)s::int[], %(titles)s::text[], "
        "  %(summaries)s::text[], %(labels)s::jsonb[], %(fire_at)s::timestamptz[], "
        "  %(states)s::text[], %(severities)s::smallint[], %(active)s::timestamptz[], "
        "  %(fired)s::timestamptz[], %(seqs)s::int[], %(suppressed)s::jsonb[], %(roots)s::int[]) WITH ORDINALITY "
        "  AS v(uuid, subject, fingerprint, rule_id, service_id, incident_id, title, summary, labels, "
        "  fire_at, state, severity, active_at, fired_at, seq, suppressed, root_id, n) "
        f"ORDER BY n RETURNING {COLUMNS}",
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
            "suppressed": [dumps(sorted(a.alert.suppressed)) for a in new],
            "roots": [a.root_id for a in new],
        },
    )
    by_uuid = {row.uuid: stored(row) for row in rows}
    inserted = [by_uuid[a.uuid] for a in new]
    await _append_events(
        connection,
        [
            (s.id, n, event, a.title)
            for s, a in zip(inserted, new, strict=True)
            for n, event in enumerate(a.events)
        ],
    )
    return inserted


_UPDATE = """
UPDATE alerts a SET state = v.state, severity = v.severity, fired_at = v.fired_at, acked_by = v.acked_by,
    acked_until = v.acked_until, warn_at = v.warn_at, note = v.note, sticky = v.sticky, ended_at = v.ended_at,
    resolved_at = v.resolved_at, reopen_count = v.reopen_count, held = v.held,
    suppressed = ARRAY(SELECT jsonb_array_elements_text(v.suppressed)),
    title = coalesce(v.title, a.title), summary = coalesce(v.summary, a.summary), seq = a.seq + v.added,
    changed_at = clock_timestamp()
FROM unnest(%(ids)s::int[], %(states)s::text[], %(severities)s::smallint[],
    %(fired)s::timestamptz[], %(acked_by)s::text[], %(acked_until)s::timestamptz[],
    %(notes)s::text[], %(sticky)s::boolean[], %(ended)s::timestamptz[],
    %(resolved)s::timestamptz[], %(reopened)s::int[], %(held)s::boolean[],
    %(suppressed)s::jsonb[], %(titles)s::text[], %(summaries)s::text[], %(added)s::int[],
    %(warn_at)s::timestamptz[])
    AS v(id, state, severity, fired_at, acked_by, acked_until, note, sticky, ended_at, resolved_at, reopen_count,
         held, suppressed, title, summary, added, warn_at)
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
            "warn_at": [c.alert.warn_at for c in kept],
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
