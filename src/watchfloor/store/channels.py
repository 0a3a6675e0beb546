"""How channels do: the state of their circuit breakers, and what became of their messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from watchfloor.domain.channel_boards import ChannelRow, DeadLetterRow
from watchfloor.domain.circuit import CLOSED, Circuit
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one, fetch_value

STATISTICS_DAYS = 7

IS_OFF = "coalesce(c.retired_at IS NULL AND NOT c.enabled, false)"
"""Whether the channel ``c`` of a message is there and switched off, so that the message waits on purpose."""

_CIRCUIT = "failures, opened_at, probes, probe_at"
_TOOK = "extract(epoch FROM o.delivered_at - o.created_at)::float8"


async def circuit(connection: Connection, channel: str) -> Circuit:
    """The circuit of a channel, locked until the transaction ends."""
    row = await fetch_one(
        connection,
        f"SELECT {_CIRCUIT} FROM channel_health WHERE channel = %(channel)s FOR UPDATE",
        {"channel": channel},
    )
    return CLOSED if row is None else Circuit(*row)


async def save_circuit(
    connection: Connection, channel: str, after: Circuit, error: str, now: datetime
) -> None:
    """Store the circuit of a channel after a failure."""
    await connection.execute(
        f"INSERT INTO channel_health (channel, {_CIRCUIT}, last_error, failed_at) VALUES (%(channel)s, "
        "%(failures)s, %(opened_at)s, %(probes)s, %(probe_at)s, %(error)s, %(now)s) ON CONFLICT (channel) DO UPDATE "
        "SET failures = EXCLUDED.failures, opened_at = EXCLUDED.opened_at, probes = EXCLUDED.probes, "
        "probe_at = EXCLUDED.probe_at, last_error = EXCLUDED.last_error, failed_at = EXCLUDED.failed_at",
        {
            "channel": channel,
            "failures": after.failures,
            "opened_at": after.opened_at,
            "probes": after.probes,
            "probe_at": after.probe_at,
            "error": error,
            "now": now,
        },
    )


async def recovered(connection: Connection, delivered: Sequence[str]) -> list[str]:
    """Close the circuits of channels that delivered; returns those, nearly always none, that had failed."""
    return await fetch_column(
        connection,
        "DELETE FROM channel_health WHERE channel = ANY(%(channels)s) RETURNING channel",
        {"channels": sorted(delivered)},
    )


async def open_channels(connection: Connection) -> list[str]:
    """Channels whose messages wait."""
    return await fetch_column(connection, "SELECT channel FROM channel_health WHERE opened_at IS NOT NULL")


async def due_for_a_probe(connection: Connection) -> dict[str, Circuit]:
    """Open channels that may be tried now, locked; those that another courier tries are left out."""
    rows = await fetch_all(
        connection,
        f"SELECT channel, {_CIRCUIT} FROM channel_health WHERE probe_at <= clock_timestamp() "
        "ORDER BY channel FOR UPDATE SKIP LOCKED",
    )
    return {row.channel: Circuit(*row[1:]) for row in rows}


async def save_probe(connection: Connection, channel: str, after: Circuit) -> None:
    """Note that a probe of a channel is under way."""
    await connection.execute(
        "UPDATE channel_health SET probe_at = %(at)s WHERE channel = %(channel)s",
        {"channel": channel, "at": after.probe_at},
    )


async def try_soon(connection: Connection, channel: str | None = None) -> None:
    """Let an open channel (None: all of them) be tried at once, because something about it changed."""
    await connection.execute(
        "UPDATE channel_health SET probe_at = clock_timestamp() WHERE opened_at IS NOT NULL "
        "AND (%(channel)s::text IS NULL OR channel = %(channel)s)",
        {"channel": channel},
    )


async def exists(connection: Connection, channel: str) -> bool:
    """Whether there is a channel of this name that is switched on."""
    found = await fetch_value(
        connection,
        "SELECT true FROM channels WHERE name = %(name)s AND retired_at IS NULL AND enabled",
        {"name": channel},
    )
    return found is True


async def switched_off(connection: Connection) -> list[str]:
    """Channels that are there and off."""
    return await fetch_column(
        connection, "SELECT name FROM channels WHERE retired_at IS NULL AND NOT enabled ORDER BY name"
    )


async def is_on(connection: Connection, channel: str) -> bool | None:
    """Whether a channel is on, locked until the transaction ends; None: there is none of this name."""
    found: bool | None = await fetch_value(
        connection,
        "SELECT enabled FROM channels WHERE name = %(name)s AND retired_at IS NULL FOR UPDATE",
        {"name": channel},
    )
    return found


async def switch(connection: Connection, channel: str, enabled: bool) -> None:
    """Switch a channel on or off."""
    await connection.execute(
        "UPDATE channels SET enabled = %(enabled)s, on_since = CASE WHEN enabled OR NOT %(enabled)s THEN on_since "
        "ELSE clock_timestamp() END WHERE name = %(name)s",
        {"name": channel, "enabled": enabled},
    )


async def board(connection: Connection) -> list[ChannelRow]:
    """Every channel with its health and the statistics of the last days, in one query."""
    rows = await fetch_all(
        connection,
        "SELECT c.name, c.kind, c.enabled, coalesce(h.failures, 0) AS failures, h.opened_at, h.probe_at, "
        "coalesce(h.last_error, '') AS last_error, s.delivered, s.waiting, s.dead, s.attempts, s.p50, s.p95, "
        "s.last_delivered, s.left_out "
        "FROM channels c LEFT JOIN channel_health h ON h.channel = c.name CROSS JOIN LATERAL ("
        "  SELECT count(*) FILTER (WHERE o.state = 'delivered') AS delivered, "
        "    count(*) FILTER (WHERE o.state IN ('queued', 'leased')) AS waiting, "
        "    count(*) FILTER (WHERE o.state = 'dead') AS dead, "
        "    count(*) FILTER (WHERE o.state = 'cancelled') AS left_out, coalesce(sum(o.attempt), 0) AS attempts, "
        f"    percentile_cont(0.5) WITHIN GROUP (ORDER BY {_TOOK}) AS p50, "
        f"    percentile_cont(0.95) WITHIN GROUP (ORDER BY {_TOOK}) AS p95, "
        "    max(o.delivered_at) AS last_delivered FROM outbox o "
        "  WHERE o.channel = c.name AND o.created_at > now() - make_interval(days => %(days)s)) s "
        "WHERE c.retired_at IS NULL ORDER BY c.name",
        {"days": STATISTICS_DAYS},
    )
    return [
        ChannelRow(
            name=row.name,
            kind=row.kind,
            enabled=row.enabled,
            failures=row.failures,
            open_since=row.opened_at,
            next_try_at=row.probe_at,
            last_error=row.last_error,
            delivered=row.delivered,
            waiting=row.waiting,
            dead=row.dead,
            attempts=row.attempts,
            p50=row.p50,
            p95=row.p95,
            last_delivered_at=row.last_delivered,
            left_out=row.left_out,
        )
        for row in rows
    ]


async def dead_letters(
    connection: Connection, channel: str | None = None, limit: int = 200
) -> list[DeadLetterRow]:
    """Messages that were given up, the newest first."""
    rows: Sequence[tuple[object, ...]] = await fetch_all(
        connection,
        "SELECT o.id::text, o.channel, o.kind, o.alert_id, coalesce(a.title, ''), o.attempt, o.created_at, "
        "o.last_error FROM outbox o LEFT JOIN alerts a ON a.id = o.alert_id WHERE o.state = 'dead' "
        "AND (%(channel)s::text IS NULL OR o.channel = %(channel)s) ORDER BY o.created_at DESC, o.id LIMIT %(limit)s",
        {"channel": channel, "limit": limit},
    )
    return [DeadLetterRow(*row) for row in rows]  # type: ignore[arg-type]


async def delivery(connection: Connection, message: UUID) -> tuple[str, str]:
    """What became of a message: its state and its last error."""
    row = await fetch_one(
        connection, "SELECT state, last_error FROM outbox WHERE id = %(id)s", {"id": message}
    )
    return ("cancelled", "the message is gone") if row is None else (row.state, row.last_error)
