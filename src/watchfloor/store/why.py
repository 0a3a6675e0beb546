"""What is stored about a service that is not ok, for `watchfloor.domain.why` to put into words.

Everything is read by key and bound: a problem of a month costs what one of an hour does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from watchfloor.domain.durations import format_duration
from watchfloor.domain.outcome import Status
from watchfloor.domain.settings import SETTINGS, shown
from watchfloor.domain.why import (
    BEFORE,
    NAMED,
    TOGETHER,
    Event,
    Findings,
    Good,
    Other,
    Reason,
    Told,
    Version,
    Vote,
    explain,
)
from watchfloor.store.database import Connection, fetch_all, fetch_one, fetch_value
from watchfloor.store.looks import Looked, looks_since
from watchfloor.store.nodes import live_node_ids

_PARENTS = 30
_VERSIONS = 10
_CERTIFICATES = 3
_SAME_EDIT = timedelta(seconds=10)
"""A line of the audit log and the version it led to are of one transaction; their clocks differ by its length."""

_EVER = datetime.max.replace(tzinfo=UTC)
"""Whatever is stored is known in the present."""

_WORD = "(ARRAY['ok', 'degraded', 'failing', 'unknown'])"

_STATE = f"""
SELECT s.id, s.name, s.group_name, s.paused, s.max_attempts, s.recover_attempts, s.every_ms, s.retry_every_ms,
    s.quorum, s.depends_on, s.depends_on_any,
    t.hard, t.status, t.soft, t.attempt, t.since, t.first_bad, t.summary, t.last_ended,
    t.unknown_since, t.latency_us, t.flapping, i.opened_at, i.confirmed_at, i.cause,
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
    looked = await looks_since(connection, row.id, began, _EVER) if began else Looked()
    named, more = await together(connection, row.id, began, _EVER) if began else ((), 0)
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
        looks=looked.looks,
        cut=looked.cut,
        kept_since=looked.kept_since,
        blind_since=row.unknown_since,
        quorum=row.quorum,
        votes=await _votes(connection, row.id) if row.quorum > 1 else (),
        good=await last_good(connection, row.id, began) if began else None,
        values=await fetch_value(
            connection, "SELECT metrics FROM service_facts WHERE service_id = %(id)s", {"id": row.id}
        ),
        versions=await versions(connection, row.id, began, _EVER) if began else (),
        events=await changes(connection, row.id, _needed(row), began, _EVER) if began else (),
        root=Other(row.root, row.root_state or "failing", row.root_since) if row.root else None,
        parents=await _parents(connection, row),
        together=named,
        together_more=more,
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


async def _votes(connection: Connection, service_id: int) -> list[Vote]:
    rows = await fetch_all(
        connection,
        "SELECT n.name, v.status, v.summary, v.at FROM service_votes v JOIN nodes n ON n.id = v.node_id "
        "WHERE v.service_id = %(id)s ORDER BY v.status DESC, n.name LIMIT 100",
        {"id": service_id},
    )
    return [Vote(row.name, Status(row.status).word, row.summary, row.at) for row in rows]


async def last_good(connection: Connection, service_id: int, began: datetime) -> Good | None:
    """The last check before ``began`` that was ok."""
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


async def versions(
    connection: Connection, service_id: int, began: datetime, until: datetime
) -> list[Version]:
    """How it was defined in the time before it began, and just before that; who changed it, where the log says so."""
    rows = await fetch_all(
        connection,
        "SELECT began, kind, group_name, tags, every_ms, max_attempts, paused FROM service_versions "
        "WHERE service_id = %(id)s AND began <= %(until)s ORDER BY began DESC LIMIT %(most)s",
        {"id": service_id, "until": min(until, began + TOGETHER), "most": _VERSIONS},
    )
    lines = await fetch_all(
        connection,
        "SELECT at, actor, before, after FROM audit WHERE object_kind = 'service' AND object_id IN "
        "(%(id)s::text, (SELECT name FROM services WHERE id = %(id)s)) AND at > %(since)s ORDER BY at LIMIT 100",
        {"id": service_id, "since": began - BEFORE - _SAME_EDIT},
    )
    oldest = len(rows) - 1 if len(rows) < _VERSIONS else None
    return [_version(rows[place], lines, place == oldest) for place in reversed(range(len(rows)))]


def _version(row: Any, lines: Sequence[Any], first: bool) -> Version:
    line = min(lines, key=lambda each: abs(each.at - row.began), default=None)
    if line is not None and abs(line.at - row.began) > _SAME_EDIT:
        line = None
    written = None if line is None or line.before is None or line.after is None else (line.before, line.after)
    held = {
        "kind": row.kind,
        "group": row.group_name or "none",
        "tags": ", ".join(row.tags) or "none",
        "every": format_duration(row.every_ms / 1000),
        "attempts": row.max_attempts,
        "paused": "yes" if row.paused else "no",
    }
    return Version(row.began, held, "" if line is None else line.actor, written, first)


async def changes(
    connection: Connection, service_id: int, needed: Sequence[str], began: datetime, until: datetime
) -> list[Event]:
    """What else happened about the time it began: certificates, files, settings, nodes, and what it needs."""
    values = {
        "id": service_id,
        "since": began - BEFORE,
        "until": min(until, began + TOGETHER),
        "names": list(needed),
        "certificates": _CERTIFICATES,
    }
    rows = await fetch_all(
        connection,
        "(SELECT h.at, 'it showed another certificate: ' || c.subject AS words FROM certificate_changes h "
        "JOIN certificates c USING (service_id, fingerprint) WHERE h.service_id = %(id)s "
        "AND h.at BETWEEN %(since)s AND %(until)s AND EXISTS (SELECT FROM certificate_changes e "
        "  WHERE e.service_id = h.service_id AND e.at < h.at) ORDER BY h.at DESC LIMIT %(certificates)s) "
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
    return [*(Event(each.at, each.words) for each in rows), *await _settings_changed(connection, values)]


async def _settings_changed(connection: Connection, values: Mapping[str, object]) -> list[Event]:
    """Settings of the program that somebody changed: who, which, from what to what."""
    rows = await fetch_all(
        connection,
        "SELECT at, actor, object_id, before->'value' AS old, after->'value' AS new FROM audit "
        "WHERE object_kind = 'setting' AND at BETWEEN %(since)s AND %(until)s ORDER BY at DESC LIMIT 50",
        values,
    )
    return [
        Event(
            row.at,
            f"the setting {row.object_id} was changed by {row.actor}: "
            f"{_setting(row.object_id, row.old)} → {_setting(row.object_id, row.new)}",
        )
        for row in rows
    ]


def _setting(key: str, value: Any) -> str:
    """A value as people write it, None as the default; as it is stored where the setting is none any more.

    >>> _setting("probes.max_in_flight", 200), _setting("gone", True)
    ('200', 'True')
    """
    known = next((each for each in SETTINGS if each.key == key), None)
    try:
        return str(value) if known is None else shown(known, known.default if value is None else value)
    except (TypeError, ValueError):
        return str(value)  # stored when it was a setting of another kind


def _needed(row: Any) -> list[str]:
    """The names of what a service needs, those of groups too."""
    return [*row.depends_on, *(name for group in row.depends_on_any for name in group)]


async def _parents(connection: Connection, row: Any) -> list[Other]:
    names = _needed(row)
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


async def together(
    connection: Connection, service_id: int, began: datetime, at: datetime
) -> tuple[tuple[str, ...], int]:
    """Other services with a problem at ``at`` that began at about the same time: names, and how many more."""
    rows = await fetch_all(
        connection,
        "SELECT s.name, count(*) OVER () AS number FROM incidents i JOIN services s ON s.id = i.service_id "
        "WHERE (i.closed_at IS NULL OR i.closed_at > %(at)s) AND i.service_id <> %(id)s "
        "AND i.opened_at BETWEEN %(since)s AND %(until)s "
        "ORDER BY s.group_name = (SELECT group_name FROM services WHERE id = %(id)s) DESC, i.opened_at, s.name "
        "LIMIT %(named)s",
        {
            "id": service_id,
            "at": at,
            "since": began - TOGETHER,
            "until": min(at, began + TOGETHER),
            "named": NAMED,
        },
    )
    return tuple(row.name for row in rows), rows[0].number - len(rows) if rows else 0


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
