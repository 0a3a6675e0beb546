"""The outbox: messages written in the transaction of what they tell, to be delivered at least once.

Order is kept per alert and channel: only the head of such a line is ever given out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from watchfloor.store.channels import IS_OFF
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_value
from watchfloor.store.nodes import LIVE

OFF = "the channel is switched off"
"""Why a message was left out."""

TAKEN = "somebody took charge before this could be sent"
"""Why one was taken back."""

_CALLS = "(reason IN ('escalated', 'reminded') OR reason = 'handed_over' AND person <> '')"
"""What calls for somebody to take charge, and is worth nothing once somebody did."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to queue; ``seq`` is the number of the event it tells, or of the message to its group.

    ``alert_id`` is None for one that tells of a group, or of none; ``reason`` is why it is sent. ``person`` is for whom
    it is, if for somebody in particular; ``held_until`` is when their quiet hours end.
    """

    id: UUID
    alert_id: int | None
    seq: int
    channel: str
    kind: str
    payload: bytes
    created_at: datetime
    reason: str = ""
    group_id: int | None = None
    person: str = ""
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Leased:
    """A message taken for delivery; ``attempt`` counts from 1.

    ``since`` is from when on it could be sent: neither quiet hours nor a channel that was off kept it back any more.
    ``thread`` is the first message about the same alert or group on this channel, ``rendered`` what an earlier attempt
    sent. ``grouped``: it tells of a group.
    ``probe``: its channel is failing, and this message finds out whether it still does. ``remark``: for whom its
    receiver did not take it, where it is for several.
    """

    id: UUID
    channel: str
    kind: str
    payload: bytes
    attempt: int
    created_at: datetime
    since: datetime
    thread: UUID
    rendered: bytes | None
    probe: bool = False
    grouped: bool = False
    remark: str = ""


async def put(connection: Connection, messages: Sequence[Message]) -> None:
    """Queue messages; one that is already there (same alert, event and channel) is left alone.

    What follows a message that quiet hours hold, about the same alert on the same channel, is held as long; whoever
    wants it sent takes back first what is held. What is for a channel that is off is left out, and says why; but the
    end of what it was told of waits until it is on again.
    """
    await connection.execute(
        "INSERT INTO outbox (id, alert_id, group_id, seq, channel, kind, reason, payload, created_at, person, "
        "held_until, not_before, state, last_error) SELECT v.id, v.alert_id, v.group_id, v.seq, v.channel, v.kind, "
        "v.reason, v.payload, v.at, v.person, greatest(v.held_until, h.until), greatest(now(), v.held_until, h.until), "
        "CASE WHEN x.left_out THEN 'cancelled' ELSE 'queued' END, CASE WHEN x.left_out THEN %(off)s ELSE '' END "
        "FROM unnest(%(ids)s::uuid[], %(alerts)s::int[], %(groups)s::int[], %(seqs)s::int[], %(channels)s::text[], "
        "%(kinds)s::text[], %(reasons)s::text[], %(payloads)s::bytea[], %(at)s::timestamptz[], %(persons)s::text[], "
        "%(held)s::timestamptz[]) AS v(id, alert_id, group_id, seq, channel, kind, reason, payload, at, person, "
        "held_until) LEFT JOIN LATERAL (SELECT max(o.held_until) AS until FROM outbox o WHERE o.alert_id = v.alert_id "
        "AND o.channel = v.channel AND o.held_until IS NOT NULL AND o.state = 'queued') h ON true "
        "LEFT JOIN channels c ON c.name = v.channel AND c.retired_at IS NULL AND NOT c.enabled CROSS JOIN LATERAL ("
        "SELECT c.name IS NOT NULL AND NOT (v.kind = 'alert.resolved' AND EXISTS (SELECT FROM outbox e "
        "WHERE e.alert_id = v.alert_id AND e.channel = v.channel AND (e.state <> 'cancelled' OR e.attempt > 0))) "
        "AS left_out) x ON CONFLICT DO NOTHING",
        {
            "off": OFF,
            "ids": [str(m.id) for m in messages],
            "alerts": [m.alert_id for m in messages],
            "seqs": [m.seq for m in messages],
            "channels": [m.channel for m in messages],
            "kinds": [m.kind for m in messages],
            "groups": [m.group_id for m in messages],
            "reasons": [m.reason for m in messages],
            "payloads": [m.payload for m in messages],
            "at": [m.created_at for m in messages],
            "persons": [m.person for m in messages],
            "held": [m.held_until for m in messages],
        },
    )


_LEASE = (
    """
WITH RECURSIVE names AS (  -- from channel to channel by the index, past however much waits in between
    (SELECT o.channel FROM outbox o WHERE o.state IN ('queued', 'leased')
        AND (%(only)s::text IS NULL OR o.channel = %(only)s) ORDER BY o.channel LIMIT 1)
    UNION ALL
    SELECT (SELECT o.channel FROM outbox o WHERE o.state IN ('queued', 'leased') AND o.channel > n.channel
        AND %(only)s::text IS NULL ORDER BY o.channel LIMIT 1) FROM names n WHERE n.channel IS NOT NULL
), room AS (
    SELECT n.channel, coalesce(r.room, %(usual)s) AS room, n.channel = ANY(%(open)s) AS open FROM names n
    LEFT JOIN unnest(%(channels)s::text[], %(rooms)s::int[]) AS r(channel, room) USING (channel)
    WHERE n.channel IS NOT NULL
), due AS (
    SELECT d.id FROM room CROSS JOIN LATERAL (
        SELECT h.id FROM outbox h
        WHERE NOT room.open AND h.channel = room.channel AND h.state IN ('queued', 'leased')
          AND h.not_before <= statement_timestamp() AND (h.state = 'queued' OR h.lease_until < statement_timestamp())
          AND NOT EXISTS (SELECT FROM outbox e WHERE e.alert_id = h.alert_id AND e.seq < h.seq
                          AND e.channel || '' = h.channel  -- keeps the planner from looking through the channel
                          AND e.state IN ('queued', 'leased'))
          AND NOT EXISTS (SELECT FROM outbox e WHERE e.group_id = h.group_id AND e.seq < h.seq
                          AND e.state IN ('queued', 'leased'))
        ORDER BY h.not_before LIMIT room.room FOR UPDATE SKIP LOCKED) d
    UNION ALL
    SELECT t.id FROM room CROSS JOIN LATERAL (
        SELECT h.id FROM outbox h
        WHERE room.open AND h.channel = room.channel AND h.state IN ('queued', 'leased')
          AND h.kind = 'channel.test' AND h.not_before <= statement_timestamp()
          AND (h.state = 'queued' OR h.lease_until < statement_timestamp())
        LIMIT room.room FOR UPDATE SKIP LOCKED) t
    LIMIT %(limit)s
), taken AS (  -- charge, while an attempt was under way
    SELECT o.id FROM outbox o JOIN due USING (id) JOIN alerts a ON a.id = o.alert_id
    WHERE o.attempt > 0 AND a.state = 'acknowledged' AND """
    + _CALLS
    + """
), back AS (
    UPDATE outbox o SET state = 'cancelled', last_error = %(why)s, leased_by = NULL, lease_until = NULL
    FROM taken WHERE o.id = taken.id
)
UPDATE outbox o SET state = 'leased', attempt = o.attempt + 1, leased_by = %(owner)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM due WHERE o.id = due.id AND NOT EXISTS (SELECT FROM taken WHERE taken.id = o.id)
RETURNING o.id, o.channel, o.kind, o.payload, o.attempt, o.created_at, o.rendered, o.group_id,
    greatest(o.created_at, o.held_until,
             (SELECT c.on_since FROM channels c WHERE c.name = o.channel)) AS since,
    coalesce((SELECT f.id FROM outbox f WHERE f.alert_id = o.alert_id AND f.channel = o.channel
              ORDER BY f.seq LIMIT 1),
             (SELECT f.id FROM outbox f WHERE f.group_id = o.group_id ORDER BY f.seq LIMIT 1), o.id) AS thread
"""
)


async def lease(
    connection: Connection,
    limit: int,
    lease_s: float,
    but: Sequence[str] = (),
    *,
    owner: int | None = None,
    open_: Sequence[str] = (),
    only: str | None = None,
    rooms: Mapping[str, int] = MappingProxyType({}),
    room: int = 16,
) -> list[Leased]:
    """Take messages that are due, the head of each alert's line per channel only, for ``lease_s`` seconds.

    Nothing is taken for the channels ``but``: they have enough to do; for others not more than their ``rooms``, or
    ``room`` of a channel that is not there. Channels that are ``open_`` get nothing but tests. With ``only`` a
    message is a probe of that channel. ``owner`` is the node that delivers. What calls for somebody to take charge is
    not tried again where somebody did: nobody else sees that of a message that was under way at that moment.
    """
    wanted = {**rooms, **dict.fromkeys(but, 0)}
    values = {
        "limit": limit, "lease": lease_s, "owner": owner, "open": list(open_), "only": only, "usual": room,
        "channels": list(wanted), "rooms": list(wanted.values()), "why": TAKEN,
    }  # fmt: skip
    return [
        Leased(
            id=row.id,
            channel=row.channel,
            kind=row.kind,
            payload=bytes(row.payload),
            attempt=row.attempt,
            created_at=row.created_at,
            since=row.since,
            thread=row.thread,
            rendered=None if row.rendered is None else bytes(row.rendered),
            probe=only is not None,
            grouped=row.group_id is not None,
        )
        for row in await fetch_all(connection, _LEASE, values)
    ]


async def collapse(connection: Connection, after_s: float, kinds: Sequence[str]) -> int:
    """Leave out what nobody needs to hear any more; returns how many messages that were.

    Of an alert that is over, on channels of these ``kinds``, only the last word is sent when what came before was
    never tried and has waited for ``after_s`` seconds: it tells from when to when.
    """
    done = await connection.execute(
        "UPDATE outbox o SET state = 'cancelled', last_error = 'it was over before this could be sent' "
        "FROM channels c WHERE c.name = o.channel AND c.kind = ANY(%(kinds)s) AND o.state = 'queued' "
        "AND o.attempt = 0 AND o.kind <> 'alert.resolved' "
        "AND o.created_at < clock_timestamp() - make_interval(secs => %(after)s) "
        "AND EXISTS (SELECT FROM outbox r WHERE r.alert_id = o.alert_id AND r.channel = o.channel AND r.seq > o.seq "
        "AND r.kind = 'alert.resolved' AND r.state = 'queued')",
        {"kinds": list(kinds), "after": after_s},
    )
    return done.rowcount


async def take_back(connection: Connection, alert_ids: Sequence[int]) -> None:
    """Somebody took charge of alerts: what calls for that is not sent any more, whether or not it was tried.

    What is under way is left alone; `failed` takes it back where it does not arrive, else `lease`.
    """
    await connection.execute(
        "UPDATE outbox SET state = 'cancelled', last_error = %(why)s WHERE alert_id = ANY(%(ids)s) "
        f"AND {_CALLS} AND state = 'queued'",
        {"ids": list(alert_ids), "why": TAKEN},
    )


async def only_the_end(connection: Connection, alert_ids: Sequence[int]) -> None:
    """Of what quiet hours hold of alerts that are over, send only the last word: it tells from when to when."""
    await connection.execute(
        "UPDATE outbox o SET state = 'cancelled', last_error = 'it was over before the quiet hours ended' "
        "WHERE o.alert_id = ANY(%(ids)s) AND o.held_until IS NOT NULL AND o.state = 'queued' AND o.attempt = 0 "
        "AND EXISTS (SELECT FROM outbox r WHERE r.alert_id = o.alert_id AND r.channel = o.channel AND r.seq > o.seq "
        "AND r.held_until IS NOT NULL AND r.kind = 'alert.resolved' AND r.state = 'queued')",
        {"ids": list(alert_ids)},
    )


async def keep_rendered(connection: Connection, made: Mapping[UUID, bytes]) -> dict[UUID, bytes]:
    """Store what is sent before it is sent for the first time; returns what counts, an earlier one if there is one."""
    rows = await fetch_all(
        connection,
        "UPDATE outbox o SET rendered = coalesce(o.rendered, v.rendered) "
        "FROM unnest(%(ids)s::uuid[], %(rendered)s::bytea[]) AS v(id, rendered) WHERE o.id = v.id "
        "RETURNING o.id, o.rendered",
        {"ids": [str(each) for each in made], "rendered": list(made.values())},
    )
    return {**made, **{row.id: bytes(row.rendered) for row in rows}}


async def release(connection: Connection, node_id: int) -> int:
    """Give back what a node holds that delivers nothing now; returns how many messages that were."""
    done = await connection.execute(f"{_RELEASE} AND leased_by = %(node)s", {"node": node_id})
    return done.rowcount


async def release_dead(connection: Connection) -> int:
    """Give back what nodes hold that are not live any more; returns how many messages that were."""
    done = await connection.execute(
        f"{_RELEASE} AND leased_by IS NOT NULL AND leased_by NOT IN (SELECT n.id FROM nodes n WHERE {LIVE})"
    )
    return done.rowcount


_RELEASE = "UPDATE outbox SET state = 'queued', lease_until = NULL, leased_by = NULL WHERE state = 'leased'"


async def delivered(connection: Connection, messages: Sequence[Leased]) -> None:
    """Their receivers took them, whoever holds the leases by now."""
    await connection.execute(
        "UPDATE outbox o SET state = 'delivered', delivered_at = clock_timestamp(), lease_until = NULL, "
        "leased_by = NULL, last_error = v.remark FROM unnest(%(ids)s::uuid[], %(remarks)s::text[]) AS v(id, remark) "
        "WHERE o.id = v.id AND state <> 'delivered'",
        {"ids": [str(each.id) for each in messages], "remarks": [each.remark for each in messages]},
    )


async def failed(connection: Connection, message: Leased, error: str, retry_in_s: float | None) -> bool:
    """The receiver did not take it; try again in ``retry_in_s`` seconds, or never (None: a dead letter).

    What calls for somebody to take charge is taken back instead of tried again where somebody did meanwhile. False, and
    nothing changed, where the lease ran out and another attempt has begun: that one decides.
    """
    done = await connection.execute(
        "UPDATE outbox o SET state = CASE WHEN %(retry)s::float8 IS NULL THEN 'dead' WHEN c.taken THEN 'cancelled' "
        "ELSE 'queued' END, last_error = CASE WHEN c.taken AND %(retry)s::float8 IS NOT NULL THEN %(why)s "
        "ELSE %(error)s END, not_before = clock_timestamp() + make_interval(secs => coalesce(%(retry)s::float8, 0)), "
        f"leased_by = NULL, lease_until = NULL FROM (SELECT m.id, {_CALLS} AND EXISTS (SELECT FROM alerts a "
        "WHERE a.id = m.alert_id AND a.state = 'acknowledged') AS taken FROM outbox m WHERE m.id = %(id)s) c "
        "WHERE o.id = c.id AND o.state = 'leased' AND o.attempt = %(attempt)s",
        {"id": message.id, "attempt": message.attempt, "retry": retry_in_s, "error": error, "why": TAKEN},
    )
    return done.rowcount == 1


async def is_waited_for(connection: Connection, message_id: UUID) -> bool:
    """Whether a later message of the same line waits until this one is settled."""
    found: bool = await fetch_value(
        connection,
        f"SELECT EXISTS (SELECT FROM outbox o JOIN outbox l ON {_LATER} AND l.state = 'queued' WHERE o.id = %(id)s)",
        {"id": message_id},
    )
    return found


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A dead letter that is too late: of its alert or group a later message arrived (None: it is under way now)."""

    id: UUID
    channel: str
    alert_id: int | None
    kind: str
    later: str  # the type of the later message
    delivered_at: datetime | None


_WANTED = (
    "o.state = 'dead' AND (o.id = ANY(%(ids)s::uuid[]) OR (o.channel = %(channel)s::text "
    "AND (%(since)s::timestamptz IS NULL OR o.created_at >= %(since)s)))"
)
_LATER = (
    "(l.alert_id = o.alert_id AND l.channel || '' = o.channel OR l.group_id = o.group_id) AND l.seq > o.seq"
)


async def replay(
    connection: Connection,
    ids: Sequence[UUID] = (),
    channel: str | None = None,
    since: datetime | None = None,
) -> tuple[list[UUID], list[Overtaken]]:
    """Queue dead letters again: those of ``ids``, or all of a channel that were made after ``since``.

    Those that were overtaken stay: a problem that is told after its end would be a new outage that never ends.
    """
    values = {"ids": [str(each) for each in ids], "channel": channel, "since": since}
    await connection.execute(  # what waits behind them is not begun meanwhile: `lease` passes over what is locked
        "SELECT FROM outbox w WHERE w.state = 'queued' AND w.id IN (SELECT b.id FROM outbox o CROSS JOIN LATERAL "
        f"(SELECT l.id FROM outbox l WHERE {_LATER} AND l.state = 'queued' OFFSET 0) b WHERE {_WANTED}) "
        "ORDER BY w.id FOR UPDATE",
        values,
    )
    late = await fetch_all(
        connection,
        "SELECT o.id, o.channel, o.alert_id, o.kind, t.kind AS later, t.delivered_at FROM outbox o "
        f"CROSS JOIN LATERAL (SELECT l.kind, l.delivered_at FROM outbox l WHERE {_LATER} "
        "AND l.state IN ('delivered', 'leased') ORDER BY l.seq DESC LIMIT 1) t "
        f"WHERE {_WANTED} ORDER BY o.created_at, o.id",
        values,
    )
    queued = await fetch_column(
        connection,
        "UPDATE outbox o SET state = 'queued', not_before = clock_timestamp(), created_at = clock_timestamp() "
        f"WHERE {_WANTED} AND o.id <> ALL(%(late)s::uuid[]) RETURNING o.id",
        {**values, "late": [str(row.id) for row in late]},
    )
    return queued, [Overtaken(*row) for row in late]


async def discard(connection: Connection, ids: Sequence[UUID], actor: str) -> list[UUID]:
    """Take dead letters off the list for good; their rows and what went wrong stay. Returns those that were dead."""
    return await fetch_column(
        connection,
        "UPDATE outbox SET state = 'cancelled', last_error = 'discarded by ' || %(actor)s || ': ' || last_error "
        "WHERE state = 'dead' AND id = ANY(%(ids)s::uuid[]) RETURNING id",
        {"ids": [str(each) for each in ids], "actor": actor},
    )


async def tell_after_all(connection: Connection, channel: str) -> int:
    """Queue what a channel was not told while it was off, as far as it is so to this day; returns how much that is.

    That is the latest message about each alert that fires and that nothing keeps quiet. Its groups are looked at again.
    """
    done = await connection.execute(
        "UPDATE outbox o SET state = 'queued', last_error = '', not_before = clock_timestamp(), "
        "created_at = clock_timestamp() FROM (SELECT DISTINCT ON (m.alert_id) m.id, m.state, m.kind, m.last_error "
        "  FROM outbox m JOIN alerts a ON a.id = m.alert_id WHERE m.channel = %(channel)s AND a.state = 'firing' "
        "  AND a.suppressed = '{}' ORDER BY m.alert_id, m.seq DESC) latest "
        "WHERE o.id = latest.id AND latest.state = 'cancelled' AND latest.last_error = %(off)s "
        "AND latest.kind <> 'alert.resolved'",
        {"channel": channel, "off": OFF},
    )
    await connection.execute(
        "UPDATE notice_groups SET next_at = clock_timestamp() WHERE channel = %(channel)s AND closed_at IS NULL "
        "AND outstanding IS NULL",
        {"channel": channel},
    )
    return done.rowcount


async def oldest_due_s(connection: Connection) -> float | None:
    """Age in seconds of the oldest message that is due and not delivered; None when there is none.

    What waits for a channel that is not tried by itself, or is switched off, is not late.
    """
    found = await fetch_value(
        connection,
        "SELECT extract(epoch FROM clock_timestamp() - min(greatest(o.not_before, c.on_since))) FROM outbox o "
        "LEFT JOIN channels c ON c.name = o.channel WHERE o.state IN ('queued', 'leased') "
        f"AND o.not_before <= clock_timestamp() AND NOT {IS_OFF} AND NOT EXISTS (SELECT FROM channel_health h "
        "WHERE h.channel = o.channel AND h.opened_at IS NOT NULL AND h.probe_at IS NULL)",
    )
    return None if found is None else float(found)
