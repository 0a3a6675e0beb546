"""Groups of alerts that are told of together, and the log of what was told of each.

The log changes only in the transaction that marks a message as delivered: what was not sent never counts as told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from watchfloor.domain.severity import Severity
from watchfloor.domain.telling import Log, Members, Reason
from watchfloor.domain.text import one_line
from watchfloor.store.alerts import COLUMNS, StoredAlert, stored
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_value
from watchfloor.store.errors import StoreError
from watchfloor.store.jsonb import dumps

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """A group that an alert belongs to; made if it is not there."""

    key: str
    channel: str
    labels: Mapping[str, str]
    wait_s: float
    interval_s: float
    repeat_s: float
    send_resolved: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A group as it is stored. ``outstanding`` is the message that was neither delivered nor given up yet."""

    id: int
    uuid: UUID
    channel: str
    labels: Mapping[str, str]
    interval_s: float
    repeat_s: float
    send_resolved: bool
    seq: int
    outstanding: UUID | None
    log: Log | None


async def ensure(
    connection: Connection, wanted: Sequence[Wanted], uuids: Sequence[UUID], now: datetime
) -> list[int]:
    """The ids of groups in the order of ``wanted``; new ones wait for ``wait_s`` before they are first told of.

    Raises `StoreError` where one is closed by others each time that it was there.
    """
    ids: dict[tuple[str, str], int] = {}
    for _ in range(_TRIES):  # a group that stands in the way may be closed by the time it is free
        missing = [
            (each, uuid)
            for each, uuid in zip(wanted, uuids, strict=True)
            if (each.key, each.channel) not in ids
        ]
        if not missing:
            break
        ids |= await _ensure(connection, missing, now)
    lost = [each for each in wanted if (each.key, each.channel) not in ids]
    if lost:
        name = f"{one_line(lost[0].key, 100)} on {one_line(lost[0].channel, 100)}"
        raise StoreError(f"the group {name} was closed {_TRIES} times while alerts were to join it")
    return [ids[each.key, each.channel] for each in wanted]


async def _ensure(
    connection: Connection, wanted: Sequence[tuple[Wanted, UUID]], now: datetime
) -> dict[tuple[str, str], int]:
    """The ids of groups by key and channel, locked; without those that were closed meanwhile."""
    keys = {
        "keys": [each.key for each, _ in wanted],
        "channels": [each.channel for each, _ in wanted],
    }
    await connection.execute(
        "INSERT INTO notice_groups (uuid, key, channel, labels, interval_s, repeat_s, send_resolved, next_at) "
        "SELECT v.uuid, v.key, v.channel, v.labels, v.interval_s, v.repeat_s, v.send_resolved, "
        "%(now)s + make_interval(secs => v.wait_s) FROM unnest(%(uuids)s::uuid[], %(keys)s::text[], "
        "%(channels)s::text[], %(labels)s::jsonb[], %(waits)s::float8[], %(intervals)s::float8[], "
        "%(repeats)s::float8[], %(resolved)s::boolean[]) "
        "AS v(uuid, key, channel, labels, wait_s, interval_s, repeat_s, send_resolved) ORDER BY v.key, v.channel "
        "ON CONFLICT (key, channel) WHERE closed_at IS NULL DO NOTHING",
        {
            **keys,
            "now": now,
            "uuids": [str(uuid) for _, uuid in wanted],
            "labels": [dumps(dict(each.labels)) for each, _ in wanted],
            "waits": [each.wait_s for each, _ in wanted],
            "intervals": [each.interval_s for each, _ in wanted],
            "repeats": [each.repeat_s for each, _ in wanted],
            "resolved": [each.send_resolved for each, _ in wanted],
        },
    )
    rows = await fetch_all(
        connection,
        "SELECT g.id, g.key, g.channel FROM notice_groups g JOIN unnest(%(keys)s::text[], %(channels)s::text[]) "
        "AS v(key, channel) USING (key, channel) WHERE g.closed_at IS NULL ORDER BY g.id FOR UPDATE OF g",
        keys,
    )
    return {(row.key, row.channel): row.id for row in rows}


async def join(connection: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """Add alerts to groups: pairs of group and alert."""
    await connection.execute(
        "INSERT INTO group_members SELECT * FROM unnest(%(groups)s::int[], %(alerts)s::int[]) ON CONFLICT DO NOTHING",
        {"groups": [group for group, _ in pairs], "alerts": [alert for _, alert in pairs]},
    )


async def memberships(connection: Connection, alert_ids: Sequence[int]) -> dict[int, list[tuple[int, str]]]:
    """The open groups, with their channels, that alerts belong to."""
    rows = await fetch_all(
        connection,
        "SELECT m.alert_id, g.id, g.channel FROM group_members m JOIN notice_groups g ON g.id = m.group_id "
        "WHERE m.alert_id = ANY(%(ids)s) AND g.closed_at IS NULL ORDER BY g.id",
        {"ids": list(alert_ids)},
    )
    found: dict[int, list[tuple[int, str]]] = {}
    for row in rows:
        found.setdefault(row.alert_id, []).append((row.id, row.channel))
    return found


async def touch(connection: Connection, group_ids: Sequence[int], now: datetime) -> None:
    """Something changed in these groups: they are looked at as soon as their interval allows."""
    await connection.execute(
        "UPDATE notice_groups g SET next_at = CASE WHEN g.sent_at IS NULL THEN coalesce(g.next_at, %(now)s) "
        "ELSE least(coalesce(g.next_at, 'infinity'), "
        "  greatest(%(now)s, g.sent_at + make_interval(secs => g.interval_s))) END "
        "FROM (SELECT id FROM notice_groups WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE) locked "
        "WHERE g.id = locked.id",
        {"ids": sorted(set(group_ids)), "now": now},
    )


async def lock_due(
    connection: Connection, now: datetime, limit: int, only: Sequence[int] | None = None
) -> list[Group]:
    """Groups (of ``only`` these) that should be looked at now, locked; those that others look at are left out."""
    rows = await fetch_all(
        connection,
        f"SELECT {_GROUP} FROM notice_groups WHERE next_at <= %(now)s "
        "AND (%(only)s::int[] IS NULL OR id = ANY(%(only)s)) ORDER BY next_at, id LIMIT %(limit)s "
        "FOR UPDATE SKIP LOCKED",
        {"now": now, "limit": limit, "only": None if only is None else list(only)},
    )
    return [_group(row) for row in rows]


async def alerts_of(connection: Connection, group: Group) -> list[StoredAlert]:
    """The alerts of a group that are not over, and those that were open when it was told of last.

    What was over before anybody heard of it is left out, and what was told to be over: of a group that is never
    empty those are more every day.
    """
    told = group.log.open if group.log is not None else frozenset[int]()
    rows = await fetch_all(
        connection,
        f"SELECT {COLUMNS} FROM alerts WHERE id IN (SELECT alert_id FROM group_members WHERE group_id = %(id)s) "
        "AND (state <> 'resolved' OR id = ANY(%(told)s))",
        {"id": group.id, "told": list(told)},
    )
    return [stored(row) for row in rows]


async def withdraw(connection: Connection, message: UUID, *, taken: bool) -> bool:
    """Take back a message about a group that was never tried; False where it was.

    Where somebody took charge of all of it (``taken``) a reminder is taken back also after it was tried in vain.
    """
    done = await connection.execute(
        "UPDATE outbox SET state = 'cancelled', last_error = 'a newer message says all of it' "
        "WHERE id = %(id)s AND state = 'queued' AND (attempt = 0 OR reason = %(repeat)s AND %(taken)s)",
        {"id": message, "repeat": str(Reason.REPEAT), "taken": taken},
    )
    await connection.execute(
        "UPDATE notice_groups g SET outstanding = NULL WHERE outstanding = %(id)s "
        "AND EXISTS (SELECT FROM outbox o WHERE o.id = g.outstanding AND o.state = 'cancelled')",
        {"id": message},
    )
    return done.rowcount == 1


async def take_back(connection: Connection, alert_ids: Sequence[int]) -> None:
    """Somebody took charge of alerts: groups in which none is left that calls for it are not reminded of now."""
    found = await fetch_column(
        connection,
        "SELECT g.outstanding FROM notice_groups g JOIN outbox o ON o.id = g.outstanding "
        "WHERE g.closed_at IS NULL AND o.reason = %(repeat)s AND o.state = 'queued' "
        "AND g.id IN (SELECT group_id FROM group_members WHERE alert_id = ANY(%(ids)s)) "
        "AND NOT EXISTS (SELECT FROM group_members m JOIN alerts a ON a.id = m.alert_id "
        "WHERE m.group_id = g.id AND a.state = 'firing') ORDER BY g.id FOR UPDATE OF g",
        {"ids": list(alert_ids), "repeat": str(Reason.REPEAT)},
    )
    for message in found:
        await withdraw(connection, message, taken=True)


async def told(connection: Connection, group: Group, message: UUID, members: Members, now: datetime) -> None:
    """A message about a group was queued."""
    await connection.execute(
        "INSERT INTO group_messages VALUES (%(id)s, %(group)s, %(seq)s, %(open)s, %(acknowledged)s, %(resolved)s, "
        "%(severity)s)",
        {
            "id": message,
            "group": group.id,
            "seq": group.seq + 1,
            "open": sorted(members.firing | members.acknowledged),
            "acknowledged": sorted(members.acknowledged),
            "resolved": sorted(members.resolved),
            "severity": int(members.severity),
        },
    )
    await connection.execute(
        "UPDATE notice_groups SET seq = seq + 1, sent_at = %(now)s, outstanding = %(message)s, next_at = NULL "
        "WHERE id = %(id)s",
        {"id": group.id, "now": now, "message": message},
    )


async def rest(
    connection: Connection, group_id: int, until: datetime | None, close_at: datetime | None
) -> None:
    """Look at a group again at ``until`` (None: when something happens); ``close_at``: it has come to its end."""
    await connection.execute(
        "UPDATE notice_groups SET next_at = %(until)s, closed_at = %(close)s WHERE id = %(id)s",
        {"id": group_id, "until": until, "close": close_at},
    )


async def settle(connection: Connection, messages: Sequence[UUID], delivered: bool) -> None:
    """Messages about groups were delivered, or given up; the groups are looked at again.

    What was given up is said again with the next change, or as a reminder.
    """
    if delivered:
        await connection.execute(
            "UPDATE notice_groups g SET log_seq = m.seq, log_at = clock_timestamp(), log_open = m.open, "
            "log_acknowledged = m.acknowledged, log_resolved = m.resolved, log_severity = m.severity "
            "FROM group_messages m WHERE m.id = ANY(%(ids)s::uuid[]) AND g.id = m.group_id AND m.seq > g.log_seq",
            {"ids": [str(each) for each in messages]},
        )
    await connection.execute(
        "UPDATE notice_groups SET outstanding = NULL, next_at = greatest(clock_timestamp(), sent_at + make_interval("
        "secs => CASE WHEN %(delivered)s THEN interval_s ELSE repeat_s END)) "
        "WHERE outstanding = ANY(%(ids)s::uuid[])",
        {"ids": [str(each) for each in messages], "delivered": delivered},
    )


async def lock_of(connection: Connection, messages: Sequence[UUID]) -> None:
    """Lock the groups of messages, in the order in which everybody does, before their messages are."""
    await connection.execute(
        "SELECT FROM notice_groups WHERE id IN (SELECT group_id FROM group_messages WHERE id = ANY(%(ids)s::uuid[])) "
        "ORDER BY id FOR UPDATE",
        {"ids": [str(each) for each in messages]},
    )


async def recent(connection: Connection, channel: str, since: datetime, most: int) -> int:
    """How many messages about single alerts were made for a channel since then; counts no further than ``most``."""
    found: int = await fetch_value(
        connection,
        "SELECT count(*) FROM (SELECT FROM outbox WHERE channel = %(channel)s AND created_at > %(since)s "
        "AND alert_id IS NOT NULL AND kind IN ('alert.firing', 'alert.reopened') LIMIT %(most)s) AS found",
        {"channel": channel, "since": since, "most": most},
    )
    return found


_GROUP = (
    "id, uuid, channel, labels, interval_s, repeat_s, send_resolved, seq, outstanding, log_at, log_open, "
    "log_acknowledged, log_resolved, log_severity"
)


def _group(row: Any) -> Group:
    log = None
    if row.log_at is not None:
        log = Log(
            row.log_at,
            frozenset(row.log_open),
            frozenset(row.log_acknowledged),
            frozenset(row.log_resolved),
            Severity(row.log_severity),
        )
    return Group(
        row.id,
        row.uuid,
        row.channel,
        row.labels,
        row.interval_s,
        row.repeat_s,
        row.send_resolved,
        row.seq,
        row.outstanding,
        log,
    )
