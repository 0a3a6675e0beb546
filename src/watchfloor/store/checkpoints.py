"""How far long jobs have got: one row per job, written only by the attempt that holds the run.

The fence (run, attempt, worker) is part of the statement and the run is locked by it, so that a worker which was
declared dead meanwhile writes nothing, however late it comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchfloor.store.database import Connection, fetch_value
from watchfloor.store.jsonb import dumps

_SAVE = """
WITH held AS (SELECT id, job_id, attempt FROM runs
    WHERE id = %(run)s AND state = 'running' AND worker_id = %(worker)s AND attempt = %(attempt)s FOR SHARE)
INSERT INTO checkpoints (job_id, value, run_id, attempt, saved_at)
SELECT job_id, %(value)s::jsonb, id, attempt, clock_timestamp() FROM held
ON CONFLICT (job_id) DO UPDATE SET value = excluded.value, run_id = excluded.run_id, attempt = excluded.attempt,
    saved_at = excluded.saved_at
RETURNING job_id
"""


async def load(connection: Connection, job_id: int) -> Mapping[str, Any] | None:
    """What was saved last for a job; None where nothing was."""
    found: Mapping[str, Any] | None = await fetch_value(
        connection, "SELECT value FROM checkpoints WHERE job_id = %(job)s", {"job": job_id}
    )
    return found


async def save(
    connection: Connection, run_id: int, attempt: int, worker_id: int, value: Mapping[str, Any]
) -> bool:
    """Keep how far an attempt is; False where the fence refuses it."""
    asked = {"run": run_id, "attempt": attempt, "worker": worker_id, "value": dumps(value)}
    return await fetch_value(connection, _SAVE, asked) is not None
