"""Dead letters: runs that ended without success and wait for a person to requeue or discard them."""

from __future__ import annotations

from watchfloor.store.database import Connection, fetch_value


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
    await connection.execute(
        "UPDATE dead_letters SET settled_at = clock_timestamp(), settled_by = %(actor)s, requeued_as = %(run)s "
        "WHERE run_id = %(id)s AND settled_at IS NULL",
        {"id": run_id, "actor": actor, "run": requeued_as},
    )
