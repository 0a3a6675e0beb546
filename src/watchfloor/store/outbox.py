"""The outbox: messages written in the transaction of what they tell, to be delivered at least once.

Order is kept per alert and channel: only the head of such a line is ever given out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from watchfloor.store.database import Connection, fetch_all, fetch_value


@dataclass(frozen=True, slots=True)
class Message:
    """A message to queue; ``seq`` is the number of the event it tells."""

    id: UUID
    alert_id: int
    seq: int
    channel: str
    kind: str
    payload: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Leased:
    """A message taken for delivery; ``attempt`` counts from 1."""

    id: UUID
    channel: str
    kind: str
    payload: bytes
    attempt: int
    created_at: datetime


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
UPDATE outbox o SET state = 'leased', attempt = o.attempt + 1,
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM (
    SELECT h.id FROM outbox h
    WHERE h.state IN ('queued', 'leased') AND h.not_before <= clock_timestamp()
      AND (h.state = 'queued' OR h.lease_until < clock_timestamp())
      AND NOT h.channel = ANY(%(but)s)
      AND NOT EXISTS (SELECT FROM outbox e WHERE e.alert_id = h.alert_id AND e.channel = h.channel
                      AND e.seq < h.seq AND e.state IN ('queued', 'leased'))
    ORDER BY h.not_before LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) due WHERE o.id = due.id
RETURNING o.id, o.channel, o.kind, o.payload, o.attempt, o.created_at
"""


async def lease(connection: Connection, limit: int, lease_s: float, but: Sequence[str] = ()) -> list[Leased]:
    """Take messages that are due, the head of each alert's line per channel only, for ``lease_s`` seconds.

    Nothing is taken for the channels ``but``: they have enough to do.
    """
    rows = await fetch_all(connection, _LEASE, {"limit": limit, "lease": lease_s, "but": list(but)})
    return [Leased(r.id, r.channel, r.kind, bytes(r.payload), r.attempt, r.created_at) for r in rows]


async def delivered(connection: Connection, message: Leased) -> None:
    """The receiver took it, whoever holds the lease by now."""
    await connection.execute(
        "UPDATE outbox SET state = 'delivered', delivered_at = clock_timestamp(), lease_until = NULL, "
        "last_error = '' WHERE id = %(id)s AND state <> 'delivered'",
        {"id": message.id},
    )


async def failed(connection: Connection, message: Leased, error: str, retry_in_s: float | None) -> None:
    """The receiver did not take it; try again in ``retry_in_s`` seconds, or never (None: a dead letter).

    Says nothing where the lease ran out and another attempt has begun: that one decides.
    """
    await connection.execute(
        "UPDATE outbox SET state = CASE WHEN %(retry)s::float8 IS NULL THEN 'dead' ELSE 'queued' END, "
        "not_before = clock_timestamp() + make_interval(secs => coalesce(%(retry)s::float8, 0)), "
        "lease_until = NULL, last_error = %(error)s WHERE id = %(id)s AND state = 'leased' AND attempt = %(attempt)s",
        {"id": message.id, "attempt": message.attempt, "retry": retry_in_s, "error": error},
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
