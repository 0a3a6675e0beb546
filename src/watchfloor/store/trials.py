"""Trials: checks of services that are not saved yet, from whoever asks to the engine that answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.trial import TAKEN_WITHIN, Trial
from watchfloor.store.database import Connection, fetch_one
from watchfloor.store.jsonb import dumps

KEPT = "1 hour"


_EVIDENCE = frozenset({"told", "slow"})
"""What an outcome says only for the guards of the engine that made it."""


async def ask(
    connection: Connection,
    trial_id: UUID,
    actor: str,
    kind: str,
    settings: Mapping[str, object],
    timeout_ms: int,
) -> None:
    """Ask for a trial; ``settings`` hold references, never a resolved secret. Old ones are forgotten."""
    await connection.execute(f"DELETE FROM trials WHERE asked_at < clock_timestamp() - interval '{KEPT}'")
    await connection.execute(
        "INSERT INTO trials (id, asked_by, kind, settings, timeout_ms) "
        "VALUES (%(id)s, %(actor)s, %(kind)s, %(settings)s::jsonb, %(timeout)s)",
        {"id": trial_id, "actor": actor, "kind": kind, "settings": dumps(settings), "timeout": timeout_ms},
    )


async def take(connection: Connection, node_id: int) -> tuple[UUID, str, Mapping[str, Any], float] | None:
    """Take the oldest trial that nobody has and somebody still waits for: id, kind, settings, time-out in seconds."""
    row = await fetch_one(
        connection,
        "UPDATE trials SET node_id = %(node)s, began_at = clock_timestamp() WHERE id = ("
        "SELECT id FROM trials WHERE node_id IS NULL AND asked_at > clock_timestamp() - %(within)s "
        "ORDER BY asked_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, kind, settings, timeout_ms",
        {"node": node_id, "within": TAKEN_WITHIN},
    )
    return None if row is None else (row.id, row.kind, row.settings, row.timeout_ms / 1000)


async def answer(connection: Connection, trial_id: UUID, outcome: Outcome) -> None:
    """Say what was found."""
    found = {name: value for name, value in asdict(outcome).items() if name not in _EVIDENCE}
    found["status"] = outcome.status.word
    await connection.execute(
        "UPDATE trials SET ended_at = clock_timestamp(), outcome = %(outcome)s::jsonb WHERE id = %(id)s",
        {"id": trial_id, "outcome": dumps(found)},
    )


async def find(connection: Connection, trial_id: UUID) -> Trial | None:
    """One trial; None when it is gone."""
    row = await fetch_one(
        connection,
        "SELECT t.*, n.name AS node FROM trials t LEFT JOIN nodes n ON n.id = t.node_id WHERE t.id = %(id)s",
        {"id": trial_id},
    )
    if row is None:
        return None
    found = row.outcome
    outcome = None if found is None else Outcome(**{**found, "status": Status[found["status"].upper()]})
    return Trial(
        row.id,
        row.kind,
        row.timeout_ms / 1000,
        row.asked_at,
        row.node or "",
        row.began_at,
        row.ended_at,
        outcome,
    )
