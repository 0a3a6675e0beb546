"""Chains that run: one row per alert, with the chain frozen as it was when it began and where it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from watchfloor.domain.duty_boards import ChainRow, HeldRow
from watchfloor.domain.escalation import Chain, Progress, chain_of
from watchfloor.store.alerts import COLUMNS, StoredAlert, stored
from watchfloor.store.database import Connection, fetch_all, fetch_value
from watchfloor.store.jsonb import dumps


@dataclass(frozen=True, slots=True)
class Running:
    """A chain and where it is; ``ended_why`` empty: it was not ended, but may have come to its end."""

    alert_id: int
    chain: Chain
    progress: Progress
    ended_why: str = ""


async def of_alerts(connection: Connection, alert_ids: Sequence[int]) -> dict[int, Running]:
    """The chains of alerts, by alert. Who is about to change them has locked the alerts, and so the chains."""
    rows = await fetch_all(
        connection,
        "SELECT alert_id, chain::text AS chain, step, round, next_at, left_s, ended_why FROM escalations "
        "WHERE alert_id = ANY(%(ids)s)",
        {"ids": list(alert_ids)},
    )
    return {row.alert_id: _running(row) for row in rows}


async def lock_due(connection: Connection, now: datetime, limit: int) -> list[tuple[StoredAlert, Running]]:
    """Chains with a step that is due, the oldest first, with their alerts; those that others hold are left out."""
    columns = ", ".join(f"a.{each.strip()}" for each in COLUMNS.split(","))
    rows = await fetch_all(
        connection,
        f"SELECT {columns}, e.alert_id, e.chain::text AS chain, e.step, e.round, e.next_at, e.left_s, e.ended_why "
        "FROM escalations e JOIN alerts a ON a.id = e.alert_id WHERE e.next_at <= %(now)s ORDER BY e.next_at "
        "LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        {"now": now, "limit": limit},
    )
    return [(stored(row), _running(row)) for row in rows]


_WRONG = """
(e.next_at < %(before)s
 OR (e.next_at IS NOT NULL OR e.left_s IS NOT NULL) AND a.state IN ('acknowledged', 'resolved')
 OR (e.left_s IS NOT NULL OR e.ended_why <> '') AND a.state = 'firing' AND a.suppressed = '{}')
"""


async def lock_wrong(
    connection: Connection, before: datetime, limit: int
) -> list[tuple[StoredAlert, Running]]:
    """Chains that are not where they should be: late since ``before``, not ended with their alert, ended or standing
    still without a reason.
    """
    columns = ", ".join(f"a.{each.strip()}" for each in COLUMNS.split(","))
    rows = await fetch_all(
        connection,
        f"SELECT {columns}, e.alert_id, e.chain::text AS chain, e.step, e.round, e.next_at, e.left_s, e.ended_why "
        f"FROM escalations e JOIN alerts a ON a.id = e.alert_id WHERE {_WRONG} ORDER BY a.id "
        "LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        {"before": before, "limit": limit},
    )
    return [(stored(row), _running(row)) for row in rows]


async def count_overdue(connection: Connection, before: datetime) -> int:
    """How many steps were due before that moment and were not taken."""
    found: int = await fetch_value(
        connection, "SELECT count(*) FROM escalations WHERE next_at < %(before)s", {"before": before}
    )
    return found


async def next_due(connection: Connection) -> datetime | None:
    """When the next step of any chain is due."""
    found: datetime | None = await fetch_value(
        connection, "SELECT min(next_at) FROM escalations WHERE next_at IS NOT NULL"
    )
    return found


async def begin(
    connection: Connection,
    specs: Mapping[int, Mapping[str, Any]],
    moves: Mapping[int, Progress],
    now: datetime,
) -> None:
    """Freeze chains into alerts, by alert, and let them begin."""
    await connection.execute(
        "INSERT INTO escalations (alert_id, chain, step, round, next_at, left_s, begun_at) "
        "SELECT id, chain, step, round, next_at, left_s, %(now)s FROM unnest(%(ids)s::int[], %(chains)s::jsonb[], "
        "%(steps)s::int[], %(rounds)s::int[], %(next)s::timestamptz[], %(left)s::float8[]) "
        "AS v(id, chain, step, round, next_at, left_s) ON CONFLICT (alert_id) DO UPDATE SET chain = EXCLUDED.chain, "
        "step = EXCLUDED.step, round = EXCLUDED.round, next_at = EXCLUDED.next_at, left_s = EXCLUDED.left_s, "
        "begun_at = EXCLUDED.begun_at, ended_why = ''",
        {**_values(moves), "chains": [dumps(dict(specs[each])) for each in moves], "now": now},
    )


async def move(connection: Connection, moves: Mapping[int, Progress]) -> None:
    """Store where chains are, by alert."""
    if moves:
        await connection.execute(
            "UPDATE escalations e SET step = v.step, round = v.round, next_at = v.next_at, left_s = v.left_s, "
            "ended_why = '' FROM unnest(%(ids)s::int[], %(steps)s::int[], %(rounds)s::int[], "
            "%(next)s::timestamptz[], %(left)s::float8[]) AS v(id, step, round, next_at, left_s) WHERE alert_id = v.id",
            _values(moves),
        )


async def end(connection: Connection, why: Mapping[int, str]) -> None:
    """End chains, by alert, and say why."""
    if why:
        await connection.execute(
            "UPDATE escalations e SET next_at = NULL, left_s = NULL, ended_why = v.why "
            "FROM unnest(%(ids)s::int[], %(why)s::text[]) AS v(id, why) WHERE alert_id = v.id "
            "AND (next_at IS NOT NULL OR left_s IS NOT NULL)",
            {"ids": list(why), "why": list(why.values())},
        )


async def forget(connection: Connection, alert_id: int) -> None:
    """An alert came back as one that no chain is for; the one it had is of no use any more."""
    await connection.execute("DELETE FROM escalations WHERE alert_id = %(id)s", {"id": alert_id})


async def take_back_held(connection: Connection, told: Sequence[tuple[int, str]]) -> None:
    """What quiet hours hold of alerts on channels that are told now is not sent later as well; pairs of both.

    Nothing waits behind it there any more, and whoever it is for finds on that very channel what is told now.
    """
    if told:
        await connection.execute(
            "UPDATE outbox o SET state = 'cancelled', last_error = 'told again before the quiet hours ended' "
            "FROM unnest(%(ids)s::int[], %(channels)s::text[]) AS v(alert_id, channel) WHERE o.alert_id = v.alert_id "
            "AND o.channel = v.channel AND o.held_until IS NOT NULL AND o.state = 'queued' AND o.attempt = 0",
            {"ids": [alert_id for alert_id, _ in told], "channels": [channel for _, channel in told]},
        )


async def held_of(connection: Connection, alert_ids: Sequence[int]) -> list[tuple[int, str]]:
    """Whom quiet hours keep from hearing of alerts: alert and person."""
    rows = await fetch_all(
        connection,
        "SELECT DISTINCT alert_id, person FROM outbox WHERE alert_id = ANY(%(ids)s) AND held_until IS NOT NULL "
        "AND state = 'queued' AND person <> '' ORDER BY alert_id, person",
        {"ids": list(alert_ids)},
    )
    return [(row.alert_id, row.person) for row in rows]


async def let_go(connection: Connection, alert_id: int, person: str) -> None:
    """Send to a person at once what quiet hours held of an alert, with all that is held before it on those channels.

    It is as old as it has been free to go.
    """
    await connection.execute(
        "UPDATE outbox SET not_before = clock_timestamp(), created_at = clock_timestamp(), held_until = NULL "
        "WHERE alert_id = %(id)s AND held_until IS NOT NULL AND state = 'queued' AND channel IN (SELECT h.channel "
        "FROM outbox h WHERE h.alert_id = %(id)s AND h.person = %(person)s AND h.held_until IS NOT NULL "
        "AND h.state = 'queued')",
        {"id": alert_id, "person": person},
    )


async def board(connection: Connection, limit: int = 500) -> list[ChainRow]:
    """Chains that run or stand still; those whose next step is due first come first."""
    rows = await fetch_all(
        connection,
        "SELECT a.title, a.severity, e.alert_id, e.chain::text AS chain, e.step, e.round, e.next_at, e.left_s, "
        "e.ended_why FROM escalations e JOIN alerts a ON a.id = e.alert_id "
        "WHERE e.next_at IS NOT NULL OR e.left_s IS NOT NULL ORDER BY e.next_at, e.alert_id LIMIT %(limit)s",
        {"limit": limit},
    )
    found: list[ChainRow] = []
    for row in rows:
        running = _running(row)
        chain, at = running.chain, running.progress
        targets = ", ".join(map(str, chain.steps[at.step].targets))
        found.append(
            ChainRow(
                row.alert_id, row.title, row.severity, chain.name, at.step + 1, len(chain.steps), at.round + 1,
                at.next_at, targets,
            )
        )  # fmt: skip
    return found


async def held(connection: Connection, limit: int = 500) -> list[HeldRow]:
    """What quiet hours hold, the next to go first."""
    rows = await fetch_all(
        connection,
        "SELECT o.alert_id, a.title, o.person, o.channel, o.held_until FROM outbox o "
        "JOIN alerts a ON a.id = o.alert_id WHERE o.held_until IS NOT NULL AND o.state = 'queued' AND o.person <> '' "
        "ORDER BY o.held_until, o.alert_id LIMIT %(limit)s",
        {"limit": limit},
    )
    return [HeldRow(*row) for row in rows]


def _values(moves: Mapping[int, Progress]) -> dict[str, object]:
    return {
        "ids": list(moves),
        "steps": [each.step for each in moves.values()],
        "rounds": [each.round for each in moves.values()],
        "next": [each.next_at for each in moves.values()],
        "left": [each.left_s for each in moves.values()],
    }


def _running(row: Any) -> Running:
    progress = Progress(row.step, row.round, row.next_at, row.left_s)
    return Running(row.alert_id, _chain(row.chain), progress, row.ended_why)


@lru_cache(maxsize=256)
def _chain(text: str) -> Chain:
    return chain_of(_loads(text))


def _loads(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text)
    return found
