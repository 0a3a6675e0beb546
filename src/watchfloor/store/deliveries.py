"""The history of deliveries: what was sent to whom, why, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from watchfloor.domain.boards import SentRow
from watchfloor.store.database import Connection, fetch_all, fetch_one

STATES = ("queued", "leased", "delivered", "dead", "cancelled")


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which messages are asked for; what is None asks for all. ``text`` is looked for in titles and errors."""

    channel: str | None = None
    state: str | None = None
    kind: str | None = None
    alert_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


_ROWS = """
SELECT o.id::text, o.channel, o.kind, o.reason, o.state, o.alert_id,
    coalesce(a.title, (SELECT n.many || CASE WHEN n.many = 1 THEN ' alert' ELSE ' alerts' END FROM group_messages m
                       CROSS JOIN LATERAL (SELECT cardinality(m.open) + cardinality(m.resolved) AS many) n
                       WHERE m.id = o.id), '') AS title,
    o.attempt, o.created_at, o.delivered_at,
    CASE WHEN o.state IN ('queued', 'leased') THEN o.not_before END AS next_try_at, o.last_error
FROM outbox o LEFT JOIN alerts a ON a.id = o.alert_id
"""

_QUERY = f"""{_ROWS}
WHERE (%(channel)s::text IS NULL OR o.channel = %(channel)s) AND (%(state)s::text IS NULL OR o.state = %(state)s)
    AND (%(kind)s::text IS NULL OR o.kind = %(kind)s)
    AND (%(alert)s::int IS NULL OR o.alert_id = %(alert)s
         OR o.group_id IN (SELECT group_id FROM group_members WHERE alert_id = %(alert)s))
    AND (%(since)s::timestamptz IS NULL OR o.created_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR o.created_at < %(until)s)
    AND (%(text)s::text IS NULL OR strpos(lower(a.title), lower(%(text)s)) > 0
         OR strpos(lower(o.last_error), lower(%(text)s)) > 0)
    AND (%(at)s::timestamptz IS NULL OR (o.created_at, o.id) < (%(at)s, %(id)s::uuid))
ORDER BY o.created_at DESC, o.id DESC LIMIT %(limit)s
"""


async def history(
    connection: Connection,
    wanted: DeliveryFilter,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 200,
) -> list[SentRow]:
    """Messages, the newest first; page by passing the key ``(created_at, id)`` of the last row."""
    at, last = before if before is not None else (None, None)
    rows = await fetch_all(
        connection,
        _QUERY,
        {
            "channel": wanted.channel, "state": wanted.state, "kind": wanted.kind, "alert": wanted.alert_id,
            "since": wanted.since, "until": wanted.until, "text": wanted.text, "at": at,
            "id": None if last is None else str(last), "limit": limit,
        },
    )  # fmt: skip
    return [SentRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as the outbox holds it; ``rendered`` is what an attempt sent where a channel has words."""

    row: SentRow
    person: str
    payload: bytes
    rendered: bytes | None


async def sent(connection: Connection, message: UUID) -> Sent | None:
    """One message, or None when there is none."""
    asked = {"id": str(message)}
    row = await fetch_one(connection, f"{_ROWS} WHERE o.id = %(id)s", asked)
    held = await fetch_one(
        connection, "SELECT person, payload, rendered FROM outbox WHERE id = %(id)s", asked
    )
    if row is None or held is None:
        return None
    rendered = None if held.rendered is None else bytes(held.rendered)
    return Sent(SentRow(*row), held.person, bytes(held.payload), rendered)
