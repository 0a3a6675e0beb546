"""The output of attempts: appended by COPY, under the fence. A worker that was declared dead adds nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.errors import UniqueViolation

from watchfloor.store.database import Connection, Database, fetch_value
from watchfloor.store.results import copy_rows

Line = tuple[int, datetime, str, int, str]
"""Number, moment, stream, level, text."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Which attempt writes, and for whom."""

    run_id: int
    attempt: int
    worker_id: int


class _Refused(Exception):
    """The attempt is not this worker's any more."""


async def append(database: Database, fence: Fence, lines: Sequence[Line], *, instead_of: int = 0) -> bool:
    """Add lines, all or none of them; False where the fence refuses them.

    Lines from the number ``instead_of`` on that were stored before go (0: none). Lines that are there already, because
    the answer to their commit was lost, are left as they are.
    """
    try:
        async with database.transaction() as connection:
            if instead_of:
                await _forget(connection, fence, instead_of)
            await _copy(connection, fence, lines)
            await _require(connection, fence)
    except UniqueViolation:
        return True
    except _Refused:
        return False
    return True


async def replace(database: Database, fence: Fence, first: int, lines: Sequence[Line]) -> bool:
    """Store lines in the place of those from the number ``first`` on; False where the fence refuses them."""
    return await append(database, fence, lines, instead_of=first or lines[0][0])


async def _copy(connection: Connection, fence: Fence, lines: Sequence[Line]) -> None:
    await copy_rows(
        connection,
        "COPY run_logs (run_id, ts, attempt, seq, stream, level, line) FROM STDIN",
        (
            (fence.run_id, at, fence.attempt, seq, stream, level, text)
            for seq, at, stream, level, text in lines
        ),
    )


async def _forget(connection: Connection, fence: Fence, first: int) -> None:
    await connection.execute(
        "DELETE FROM run_logs WHERE run_id = %(run)s AND attempt = %(attempt)s AND seq >= %(first)s "
        "AND ts >= (SELECT started_at FROM attempts WHERE run_id = %(run)s AND attempt = %(attempt)s) "
        "- interval '5 minutes' AND EXISTS (SELECT FROM runs WHERE id = %(run)s AND state = 'running' "
        "AND attempt = %(attempt)s AND worker_id = %(worker)s)",
        {"run": fence.run_id, "attempt": fence.attempt, "worker": fence.worker_id, "first": first},
    )


async def _require(connection: Connection, fence: Fence) -> None:
    held = await fetch_value(
        connection,
        "SELECT true FROM runs WHERE id = %(run)s AND state = 'running' AND attempt = %(attempt)s "
        "AND worker_id = %(worker)s",
        {"run": fence.run_id, "attempt": fence.attempt, "worker": fence.worker_id},
    )
    if not held:
        raise _Refused
