"""The outbox: messages written in the transaction of what they tell, to be delivered at least once.

Order is kept per alert and channel: only the head of such a line is ever given out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from watchfloor.domain.notice import TEST
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_value
from watchfloor.store.nodes import LIVE


@dataclass(frozen=True, slots=True)
class Message:
    """A message to queue; ``seq`` is the number of the event it tells, ``alert_id`` None for one that tells of none."""

    id: UUID
    alert_id: int | None
    seq: int
    channel: str
    kind: str
    payload: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Leased:
    """A message taken for delivery; ``attempt`` counts from 1.

    ``thread`` is the first message about the same alert on this channel, ``rendered`` what an earlier attempt sent.
    ``probe``: its channel is failing, and this message finds out whether it still does.
    """

    id: UUID
    channel: str
    kind: str
    payload: bytes
    attempt: int
    created_at: datetime
    thread: UUID
    rendered: bytes | None
    probe: bool = False


async def put(connection: Connection, messages: Sequence[Message]) -> None:
    """Queue messages; one that is already there (same alert, event and channel) is left alone."""
    await connection.execute(
        "INSERT INTO outbox (id, alert_id, seq, channel, kind, payload, created_at, not_before) "
        "SELECT id, alert_id, seq, channel, kind, payload, at, now() FROM unnest(%(ids)s::uuid[], "
        "%(alerts)s::int[], %(seqs)s::int[], %(channels)s::text[], %(kinds)s::text[], "
        "%(payloads)s::bytea[], %(at)s::timestamptz[]) "
        "AS v(id, alert_id, seq, channel, kind, payload, at) ON CONFLICT DO NOTHING",
        {
            "ids": [str(m.id) for m in messages],
            "alerts": [m.alert_id for m in messages],
            "seqs": [m.seq for m in messages],
            "channels": [m.channel for m in messages],
            "kinds": [m.kind for m in messages],
            "payloads": [m.payload for m in messages],
            "at": [m.created_at for m in messages],
        },
    )


_LEASE = """
UPDATE outbox o SET state = 'leased', attempt = o.attempt + 1, leased_by = %(owner)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM (
    SELECT h.id FROM outbox h
    WHERE h.state IN ('queued', 'leased') AND h.not_before <= statement_timestamp()
      AND (h.state = 'queued' OR h.lease_until < statement_timestamp())
      AND (%(only)s::text IS NULL OR h.channel = %(only)s)
      AND NOT h.channel = ANY(%(but)s) AND (NOT h.channel = ANY(%(open)s) OR h.kind = %(test)s)
      AND NOT EXISTS (SELECT FROM outbox e WHERE e.alert_id = h.alert_id AND e.channel = h.channel
                      AND e.seq < h.seq AND e.state IN ('queued', 'leased'))
    ORDER BY h.not_before LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) due WHERE o.id = due.id
RETURNING o.id, o.channel, o.kind, o.payload, o.attempt, o.created_at, o.rendered,
    coalesce((SELECT f.id FROM outbox f WHERE f.alert_id = o.alert_id AND f.channel = o.channel
              ORDER BY f.seq LIMIT 1), o.id) AS thread
"""


async def lease(
    connection: Connection,
    limit: int,
    lease_s: float,
    but: Sequence[str] = (),
    *,
    owner: int | None = None,
    open_: Sequence[str] = (),
    only: str | None = None,
) -> list[Leased]:
    """Take messages that are due, the head of each alert's line per channel only, for ``lease_s`` seconds.

    Nothing is taken for the channels ``but``: they have enough to do. Channels that are ``open_`` get nothing but
    tests. With ``only`` a message is a probe of that channel. ``owner`` is the node that delivers.
    """
    values = {
        "limit": limit, "lease": lease_s, "but": list(but), "owner": owner, "open": list(open_), "only": only,
        "test": TEST,
    }  # fmt: skip
    return [
        Leased(
            id=row.id,
            channel=row.channel,
            kind=row.kind,
            payload=bytes(row.payload),
            attempt=row.attempt,
            created_at=row.created_at,
            thread=row.thread,
            rendered=None if row.rendered is None else bytes(row.rendered),
            probe=only is not None,
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


async def keep_rendered(connection: Connection, message: Leased, rendered: bytes) -> bytes:
    """Store what is sent before it is sent for the first time; returns what counts, an earlier one if there is one."""
    kept: bytes | None = await fetch_value(
        connection,
        "UPDATE outbox SET rendered = coalesce(rendered, %(rendered)s) WHERE id = %(id)s RETURNING rendered",
        {"id": message.id, "rendered": rendered},
    )
    return rendered if kept is None else bytes(kept)


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
        "UPDATE outbox SET state = 'delivered', delivered_at = clock_timestamp(), lease_until = NULL, "
        "leased_by = NULL, last_error = '' WHERE id = ANY(%(ids)s::uuid[]) AND state <> 'delivered'",
        {"ids": [str(message.id) for message in messages]},
    )


async def failed(connection: Connection, message: Leased, error: str, retry_in_s: float | None) -> bool:
    """The receiver did not take it; try again in ``retry_in_s`` seconds, or never (None: a dead letter).

    False, and nothing changed, where the lease ran out and another attempt has begun: that one decides.
    """
    done = await connection.execute(
        "UPDATE outbox SET state = CASE WHEN %(retry)s::float8 IS NULL THEN 'dead' ELSE 'queued' END, "
        "not_before = clock_timestamp() + make_interval(secs => coalesce(%(retry)s::float8, 0)), leased_by = NULL, "
        "lease_until = NULL, last_error = %(error)s WHERE id = %(id)s AND state = 'leased' AND attempt = %(attempt)s",
        {"id": message.id, "attempt": message.attempt, "retry": retry_in_s, "error": error},
    )
    return done.rowcount == 1


async def replay(
    connection: Connection,
    ids: Sequence[UUID] = (),
    channel: str | None = None,
    since: datetime | None = None,
) -> list[UUID]:
    """Queue dead letters again: those of ``ids``, or all of a channel that were made after ``since``."""
    return await fetch_column(
        connection,
        "UPDATE outbox SET state = 'queued', not_before = clock_timestamp(), created_at = clock_timestamp() "
        "WHERE state = 'dead' AND (id = ANY(%(ids)s::uuid[]) OR (channel = %(channel)s::text "
        "AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s))) RETURNING id",
        {"ids": [str(each) for each in ids], "channel": channel, "since": since},
    )


async def oldest_due_s(connection: Connection) -> float | None:
    """Age in seconds of the oldest message that is due and not delivered; None when there is none."""
    found = await fetch_value(
        connection,
        "SELECT extract(epoch FROM clock_timestamp() - min(not_before)) FROM outbox "
        "WHERE state IN ('queued', 'leased') AND not_before <= clock_timestamp()",
    )
    age = found
    return None if age is None else float(age)
