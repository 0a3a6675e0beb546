"""The audit log: who did what to what, with before and after. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.jsonb import dumps


@dataclass(frozen=True, slots=True)
class Line:
    """One line: ``actor`` did ``action`` to the object ``object_id`` of ``kind``."""

    actor: str
    action: str
    kind: str
    object_id: str
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One line as it is kept: who did what to what, and what it was before and after."""

    id: int
    at: datetime
    actor: str
    action: str
    kind: str  # job, run, alert, service, setting, …
    object_id: str  # its name or number
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None


async def record(connection: Connection, lines: Sequence[Line]) -> None:
    """Add lines, in the transaction of the changes they speak of."""
    await connection.execute(
        "INSERT INTO audit (at, actor, action, object_kind, object_id, before, after) "
        "SELECT clock_timestamp(), v.* FROM unnest(%(actors)s::text[], %(actions)s::text[], "
        "%(kinds)s::text[], %(ids)s::text[], %(before)s::jsonb[], %(after)s::jsonb[]) AS v",
        {
            "actors": [line.actor for line in lines],
            "actions": [line.action for line in lines],
            "kinds": [line.kind for line in lines],
            "ids": [line.object_id for line in lines],
            "before": [None if line.before is None else dumps(line.before) for line in lines],
            "after": [None if line.after is None else dumps(line.after) for line in lines],
        },
    )


async def latest(
    connection: Connection, kind: str = "", object_id: str = "", actor: str = "", limit: int = 50
) -> list[AuditRow]:
    """The latest lines, the newest first: of a kind, of one object of it, by one actor; empty is any."""
    rows = await fetch_all(
        connection,
        "SELECT id, at, actor, action, object_kind, object_id, before, after FROM audit "
        "WHERE (%(kind)s = '' OR object_kind = %(kind)s) AND (%(object)s = '' OR object_id = %(object)s) "
        "AND (%(actor)s = '' OR actor = %(actor)s) ORDER BY id DESC LIMIT %(limit)s",
        {"kind": kind, "object": object_id, "actor": actor, "limit": limit},
    )
    return [AuditRow(*row) for row in rows]
