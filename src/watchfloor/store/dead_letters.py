"""Dead letters: runs that ended without success and wait for a person to requeue or discard them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchfloor.store.database import Connection, fetch_all, fetch_value

MOST = 10_000
"""Dead letters that are settled in one go."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which open dead letters: what is left out selects all. ``error_class`` may hold ``*``."""

    job: str = ""
    error_class: str = ""
    since: datetime | None = None
    until: datetime | None = None
    run_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An open dead letter with what a new run for it needs."""

    run_id: int
    job_id: int
    job: str
    error_class: str
    reason: str
    died_at: datetime
    parameters: Mapping[str, Any]
    priority: int
    capped: bool
    deadline_ms: int | None
    retired: bool

    def deadline_after(self, at: datetime) -> datetime | None:
        """When a new run for it must have ended; None where it has all the time."""
        return None if self.deadline_ms is None else at + timedelta(milliseconds=self.deadline_ms)


_OPEN = """
SELECT d.run_id, r.job_id, j.name, r.error_class, d.reason, d.died_at, r.parameters, j.priority,
    j.slots IS NOT NULL AS capped, j.deadline_ms, j.retired_at IS NOT NULL AS retired
FROM dead_letters d JOIN runs r ON r.id = d.run_id JOIN jobs j ON j.id = r.job_id
WHERE d.settled_at IS NULL AND (%(job)s = '' OR j.name = %(job)s)
    AND (%(error_class)s = '' OR r.error_class LIKE %(error_class)s)
    AND (%(since)s::timestamptz IS NULL OR d.died_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR d.died_at < %(until)s)
    AND (%(run_ids)s::bigint[] = '{}' OR d.run_id = ANY(%(run_ids)s))
ORDER BY d.died_at, d.run_id LIMIT %(limit)s
"""


async def open_letters(
    connection: Connection, selection: Selection, *, lock: bool = False, limit: int = MOST
) -> list[DeadLetter]:
    """Open dead letters, the oldest first; ``lock`` holds them and leaves out those that somebody else has in hand."""
    rows = await fetch_all(
        connection,
        _OPEN + ("FOR UPDATE OF d SKIP LOCKED" if lock else ""),
        {
            "job": selection.job,
            "error_class": _pattern(selection.error_class),
            "since": selection.since,
            "until": selection.until,
            "run_ids": list(selection.run_ids),
            "limit": limit,
        },
    )
    return [DeadLetter(*row) for row in rows]


def _pattern(error_class: str) -> str:
    plain = error_class.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return plain.replace("*", "%")


async def lock_open(connection: Connection, run_id: int) -> str | None:
    """Hold an open dead letter until the transaction ends; returns the name of its job, None where there is none."""
    found: str | None = await fetch_value(
        connection,
        "SELECT j.name FROM dead_letters d JOIN runs r ON r.id = d.run_id JOIN jobs j ON j.id = r.job_id "
        "WHERE d.run_id = %(id)s AND d.settled_at IS NULL FOR UPDATE OF d",
        {"id": run_id},
    )
    return found


async def settle(connection: Connection, run_id: int, actor: str, requeued_as: int | None) -> None:
    """Book what became of an open dead letter: a new run, or nothing."""
    await settle_all(connection, [(run_id, requeued_as)], actor)


async def settle_all(connection: Connection, settled: Sequence[tuple[int, int | None]], actor: str) -> None:
    """As `settle`, for many: pairs of a dead run and the run that takes its place."""
    await connection.execute(
        "UPDATE dead_letters d SET settled_at = clock_timestamp(), settled_by = %(actor)s, requeued_as = v.requeued "
        "FROM unnest(%(runs)s::bigint[], %(new)s::bigint[]) AS v(run_id, requeued) "
        "WHERE d.run_id = v.run_id AND d.settled_at IS NULL",
        {"actor": actor, "runs": [run for run, _ in settled], "new": [new for _, new in settled]},
    )


async def requeued(connection: Connection, run_ids: Sequence[int]) -> dict[int, int]:
    """The runs that were made for dead runs, by the run they take the place of."""
    rows = await fetch_all(
        connection,
        "SELECT v.run_id, r.id FROM unnest(%(runs)s::bigint[]) AS v(run_id) "
        "JOIN runs d ON d.id = v.run_id JOIN runs r ON r.job_id = d.job_id AND r.fire_key = 'r:' || v.run_id",
        {"runs": list(run_ids)},
    )
    return {row[0]: row[1] for row in rows}
