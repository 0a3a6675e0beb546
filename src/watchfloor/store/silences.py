"""Silences as they are stored. One that is edited while it is in force ends, and a new one replaces it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from watchfloor.domain.boards import SilenceRow
from watchfloor.domain.matchers import Matchers, parse_all
from watchfloor.domain.muting import Silence
from watchfloor.store.database import Connection, fetch_all, fetch_value

_COLUMNS = "id, replaces, matchers, starts_at, ends_at, until_resolved, author, comment, created_at, ended_by"


def _row(row: Any, now: datetime) -> SilenceRow:
    over = row.ends_at is not None and row.ends_at <= now
    return SilenceRow(
        id=row.id,
        state="over" if over else "active" if row.starts_at <= now else "planned",
        matchers=tuple(row.matchers),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        until_resolved=row.until_resolved,
        author=row.author,
        comment=row.comment,
        created_at=row.created_at,
        ended_by=row.ended_by,
        replaces=row.replaces,
        quiet=row.quiet,
    )


async def add(
    connection: Connection,
    matchers: Matchers,
    starts_at: datetime,
    ends_at: datetime | None,
    until_resolved: bool,
    author: str,
    comment: str,
    replaces: int | None = None,
) -> int:
    """Store a silence; returns its id."""
    made: int = await fetch_value(
        connection,
        "INSERT INTO silences (replaces, matchers, starts_at, ends_at, until_resolved, author, comment) VALUES "
        "(%(replaces)s, %(matchers)s, %(starts)s, %(ends)s, %(until)s, %(author)s, %(comment)s) RETURNING id",
        {
            "replaces": replaces,
            "matchers": [str(matcher) for matcher in matchers],
            "starts": starts_at,
            "ends": ends_at,
            "until": until_resolved,
            "author": author,
            "comment": comment,
        },
    )
    return made


async def lock(connection: Connection, silence_id: int) -> Silence | None:
    """One silence, locked until the transaction ends; None where there is none."""
    rows = await fetch_all(
        connection, f"SELECT {_COLUMNS} FROM silences WHERE id = %(id)s FOR UPDATE", {"id": silence_id}
    )
    return _silence(rows[0]) if rows else None


async def end(connection: Connection, silence_ids: Sequence[int], now: datetime, actor: str) -> None:
    """End silences now; those that have not begun never do."""
    await connection.execute(
        "UPDATE silences SET starts_at = least(starts_at, %(now)s), ends_at = %(now)s, ended_by = %(actor)s "
        "WHERE id = ANY(%(ids)s) AND (ends_at IS NULL OR ends_at > %(now)s)",
        {"ids": list(silence_ids), "now": now, "actor": actor},
    )


async def found(connection: Connection, silence_ids: Sequence[int]) -> dict[int, Silence]:
    """Silences by id, over or not."""
    rows = await fetch_all(
        connection, f"SELECT {_COLUMNS} FROM silences WHERE id = ANY(%(ids)s)", {"ids": list(silence_ids)}
    )
    return {row.id: _silence(row) for row in rows}


async def board(
    connection: Connection, now: datetime, *, over: bool = False, before: int | None = None, limit: int = 200
) -> list[SilenceRow]:
    """Silences, the newest first: those in force or to come, ``over``: all; page by passing the last id."""
    rows = await fetch_all(
        connection,
        f"SELECT {_COLUMNS}, (SELECT count(*) FROM alerts a WHERE a.suppressed <> '{{}}' "
        "  AND s.id = ANY(a.silenced_by))::int AS quiet FROM silences s "
        "WHERE (%(over)s OR ends_at IS NULL OR ends_at > %(now)s) AND (%(before)s::int IS NULL OR id < %(before)s) "
        "ORDER BY id DESC LIMIT %(limit)s",
        {"over": over, "now": now, "before": before, "limit": limit},
    )
    return [_row(row, now) for row in rows]


def _silence(row: Any) -> Silence:
    return Silence(
        row.id,
        parse_all(row.matchers),
        row.starts_at,
        row.ends_at,
        row.until_resolved,
        row.author,
        row.comment,
    )
