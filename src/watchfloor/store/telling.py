"""What was told of alerts, and when something about telling them is due: beside their state, not part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watchfloor.domain.severity import Severity
from watchfloor.domain.telling import HELD, OVER, PROBLEM, Told
from watchfloor.store.alerts import COLUMNS, StoredAlert, stored
from watchfloor.store.database import Connection, fetch_all, fetch_value


@dataclass(frozen=True, slots=True)
class Diary:
    """When an alert is told again by time alone: a reminder, or what its rule made wait; and how much that was."""

    remind_at: datetime | None
    hold_until: datetime | None
    unsaid: int


async def last_told(connection: Connection, alert_ids: Sequence[int]) -> dict[int, dict[str, Told]]:
    """By alert and channel, the latest message about the alert alone; its type is `HELD` where nobody got it yet.

    What quiet hours hold tells nothing new where the problem was told before, for somebody who was awake. What was
    tried and then taken back counts: a receiver that did not answer may have got it.
    """
    rows = await fetch_all(
        connection,
        "SELECT alert_id, channel, held, seq, kind, convert_from(payload, 'UTF8')::json #>> '{data,severity}' "
        "AS severity FROM (SELECT DISTINCT ON (alert_id, channel, held) alert_id, channel, held, seq, kind, payload "
        "FROM outbox CROSS JOIN LATERAL (SELECT held_until IS NOT NULL AND state = 'queued' AND attempt = 0 AS held) h "
        "WHERE alert_id = ANY(%(ids)s) AND (state <> 'cancelled' OR attempt > 0) "
        "ORDER BY alert_id, channel, held, seq DESC) latest ORDER BY alert_id, channel, held",
        {"ids": list(alert_ids)},
    )
    found: dict[int, dict[str, Told]] = {}
    before: dict[tuple[int, str], Any] = {}  # what is not held comes first
    for row in rows:
        known = found.setdefault(row.alert_id, {})
        known[row.channel] = _latest(row, before.get((row.alert_id, row.channel)))
        before[row.alert_id, row.channel] = row
    return found


def _latest(row: Any, heard: Any) -> Told:
    """The latest message of a channel: ``row``, or where that is before it ``heard``, which nothing holds."""
    said = Told(row.kind, Severity[row.severity.upper()])
    if not row.held:
        return said
    if heard is not None and (heard.seq > row.seq or (row.kind == PROBLEM and heard.kind != OVER)):
        return Told(heard.kind, Severity[heard.severity.upper()])
    return said if row.kind != PROBLEM else Told(HELD, said.severity)


async def told_from(connection: Connection, since: Mapping[int, int]) -> dict[int, list[str]]:
    """The channels on which alerts were told alone, and at once, of an event with this number or a later one."""
    rows = await fetch_all(
        connection,
        "SELECT o.alert_id, o.channel FROM unnest(%(ids)s::int[], %(seqs)s::int[]) AS v(id, seq) "
        "JOIN outbox o ON o.alert_id = v.id AND o.seq >= v.seq AND o.state <> 'cancelled' "
        "AND NOT (o.held_until IS NOT NULL AND o.state = 'queued')",
        {"ids": list(since), "seqs": list(since.values())},
    )
    found: dict[int, list[str]] = {}
    for row in rows:
        found.setdefault(row.alert_id, []).append(row.channel)
    return found


_ALONE = """
SELECT fingerprint, at FROM (
    SELECT a.fingerprint, o.created_at AS at, o.reason, row_number() OVER (PARTITION BY a.id ORDER BY o.seq) AS n
    FROM alerts a JOIN outbox o ON o.alert_id = a.id
    WHERE a.fingerprint = ANY(%(fingerprints)s) AND o.kind IN ('alert.firing', 'alert.reopened')
        AND o.state <> 'cancelled'
) m WHERE n = 1 OR reason IN ('fired', 'reopened', 'suppression_changed')
"""
_IN_GROUPS = """
SELECT a.fingerprint, min(o.created_at) AS at
FROM alerts a JOIN group_members m ON m.alert_id = a.id
JOIN group_messages g ON g.group_id = m.group_id AND a.id = ANY(g.open)
JOIN outbox o ON o.id = g.id AND o.state <> 'cancelled'
WHERE a.fingerprint = ANY(%(fingerprints)s) GROUP BY a.id, a.fingerprint
"""


async def told_since(connection: Connection, fingerprints: Sequence[str]) -> dict[str, datetime]:
    """When people were last told that a problem of this kind began, not that it goes on, alone or in a group."""
    rows = await fetch_all(
        connection,
        f"SELECT fingerprint, max(at) AS at FROM ({_ALONE} UNION ALL {_IN_GROUPS}) x GROUP BY fingerprint",
        {"fingerprints": list(fingerprints)},
    )
    return {row.fingerprint: row.at for row in rows}


async def any_quiet(connection: Connection, reasons: Sequence[str]) -> bool:
    """Whether any alert is kept quiet for one of these reasons."""
    found: bool = await fetch_value(
        connection,
        "SELECT EXISTS (SELECT FROM alerts WHERE suppressed <> '{}' AND suppressed && %(reasons)s::text[])",
        {"reasons": list(reasons)},
    )
    return found


async def write_diaries(connection: Connection, diaries: Mapping[int, Diary]) -> None:
    """Store when alerts are told again."""
    await connection.execute(
        "UPDATE alerts a SET remind_at = v.remind, hold_until = v.hold, unsaid = v.unsaid FROM unnest(%(ids)s::int[], "
        "%(remind)s::timestamptz[], %(hold)s::timestamptz[], %(unsaid)s::int[]) AS v(id, remind, hold, unsaid) "
        "WHERE a.id = v.id",
        {
            "ids": list(diaries),
            "remind": [each.remind_at for each in diaries.values()],
            "hold": [each.hold_until for each in diaries.values()],
            "unsaid": [each.unsaid for each in diaries.values()],
        },
    )


async def set_silenced_by(connection: Connection, silences: Mapping[int, Sequence[int]]) -> None:
    """Store, by alert, the silences that keep it quiet."""
    await connection.execute(
        "UPDATE alerts a SET silenced_by = ARRAY(SELECT jsonb_array_elements_text(v.silences)::int) "
        "FROM unnest(%(ids)s::int[], %(silences)s::jsonb[]) AS v(id, silences) WHERE a.id = v.id",
        {"ids": list(silences), "silences": [f"[{','.join(map(str, each))}]" for each in silences.values()]},
    )


@dataclass(frozen=True, slots=True)
class Open:
    """An open alert as inhibition sees it."""

    id: int
    rule_id: int
    severity: Severity
    labels: Mapping[str, str]


async def open_alerts(connection: Connection) -> list[Open]:
    """Every alert that fires or is acknowledged."""
    rows = await fetch_all(
        connection,
        "SELECT id, rule_id, severity, labels FROM alerts WHERE state IN ('firing', 'acknowledged') ORDER BY id",
    )
    return [Open(row.id, row.rule_id, Severity(row.severity), row.labels) for row in rows]


async def concerned(connection: Connection) -> list[StoredAlert]:
    """Alerts that are open or kept quiet, whatever for; not locked."""
    rows = await fetch_all(
        connection,
        f"SELECT {COLUMNS} FROM alerts WHERE state <> 'resolved' OR suppressed <> '{{}}' ORDER BY id",
    )
    return [stored(row) for row in rows]


async def newest_change(connection: Connection) -> datetime | None:
    """When any alert last changed."""
    found: datetime | None = await fetch_value(connection, "SELECT max(changed_at) FROM alerts")
    return found


_LOOKER = 0x5746_0011


async def only_one(connection: Connection) -> bool:
    """Whether this transaction is the only one that looks for silences and inhibitions that begin or end."""
    taken: bool = await fetch_value(connection, "SELECT pg_try_advisory_xact_lock(%(key)s)", {"key": _LOOKER})
    return taken


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pending alert about a service: since when its condition is true, and when it fires."""

    id: int
    service_id: int
    active_at: datetime
    fire_at: datetime


async def lock_pending(connection: Connection, service_ids: Sequence[int]) -> list[Waiting]:
    """The pending alerts about these services; locked."""
    rows = await fetch_all(
        connection,
        "SELECT id, service_id, active_at, fire_at FROM alerts WHERE state = 'pending' "
        "AND service_id = ANY(%(ids)s) ORDER BY id FOR UPDATE",
        {"ids": list(service_ids)},
    )
    return [Waiting(*row) for row in rows]


async def put_off(connection: Connection, until: Mapping[int, datetime]) -> None:
    """Let pending alerts fire at another time."""
    await connection.execute(
        "UPDATE alerts a SET fire_at = v.fire_at FROM unnest(%(ids)s::int[], %(fire)s::timestamptz[]) "
        "AS v(id, fire_at) WHERE a.id = v.id",
        {"ids": list(until), "fire": list(until.values())},
    )
