"""Reactions as the config file has them, and the runs that came of them lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchfloor.store.database import Connection, fetch_value
from watchfloor.store.jsonb import dumps

KEPT = timedelta(days=8)
"""Longer than the longest time in which runs are counted."""


async def apply_reactions(connection: Connection, specs: Sequence[Mapping[str, Any]]) -> None:
    """Make reactions those of the config file."""
    await connection.execute("UPDATE routing SET reactions = %(specs)s::jsonb", {"specs": dumps(list(specs))})


async def lock(connection: Connection, reaction: str) -> None:
    """Wait for others that count the runs of a reaction, and make them wait, until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('reaction ' || %(name)s, 0))", {"name": reaction}
    )


async def count_since(connection: Connection, reaction: str, since: datetime) -> int:
    """How many runs came of a reaction after ``since``."""
    found: int = await fetch_value(
        connection,
        "SELECT count(*) FROM reaction_runs WHERE reaction = %(reaction)s AND at > %(since)s",
        {"reaction": reaction, "since": since},
    )
    return found


async def note_runs(
    connection: Connection, reaction: str, made: Sequence[tuple[int, int]], now: datetime
) -> None:
    """Remember the runs that came of a reaction, after their alerts; what nobody counts any more is forgotten."""
    await connection.execute(
        "WITH old AS (DELETE FROM reaction_runs WHERE reaction = %(reaction)s AND at < %(old)s) "
        "INSERT INTO reaction_runs SELECT %(reaction)s, %(now)s, * "
        "FROM unnest(%(alerts)s::int[], %(runs)s::bigint[])",
        {
            "reaction": reaction,
            "alerts": [alert_id for alert_id, _ in made],
            "runs": [run_id for _, run_id in made],
            "now": now,
            "old": now - KEPT,
        },
    )
