"""Workers: one life of a node that runs jobs. A worker's id is never used again, so its writes can be told apart.

A worker lives on its lease. The lease is the only ground on which another machine takes its runs over; on the same
machine a process that is seen to be gone is as good (`watchfloor.engine.reaper`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watchfloor.domain.lanes import Serves
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_value

EVERYTHING = Serves()

LEASE_S = 10.0
"""How long a worker is trusted after a beat."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A worker of the same machine, and how its process is known."""

    id: int
    pid: int
    born: str


@dataclass(frozen=True, slots=True)
class Orphan:
    """A run whose worker is dead, with what decides about it; its row is locked."""

    id: int
    attempt: int
    worker_id: int
    used: int
    retry: Mapping[str, Any]
    at_most_once: bool
    deadline_at: datetime | None


async def register(
    connection: Connection,
    node_id: int,
    place: str,
    pid: int,
    born: str,
    serves: Serves = EVERYTHING,
    at_once: int | None = None,
) -> int:
    """A new worker; ``place``, ``pid`` and ``born`` name its process on its machine."""
    found: int = await fetch_value(
        connection,
        "INSERT INTO workers (node_id, place, pid, born, state, queues, tags, at_once, lease_until) VALUES (%(node)s, "
        "%(place)s, %(pid)s, %(born)s, 'up', %(queues)s, %(tags)s, %(at_once)s, "
        "clock_timestamp() + make_interval(secs => %(lease)s)) RETURNING id",
        {
            "node": node_id,
            "place": place,
            "pid": pid,
            "born": born,
            "queues": sorted(serves.queues),
            "tags": sorted(serves.tags),
            "at_once": at_once,
            "lease": LEASE_S,
        },
    )
    return found


BEAT = (
    "UPDATE workers SET beat_at = clock_timestamp(), "
    f"lease_until = clock_timestamp() + make_interval(secs => {LEASE_S}) "
    "WHERE id = %s AND state IN ('up', 'draining') RETURNING id"
)
"""Renews the lease of a worker; no row: it was declared dead. Text, because a thread with a connection of its own
sends it."""


async def leave(connection: Connection, worker_id: int, state: str) -> None:
    """Book that a worker takes no more runs (``draining``) or has ended (``stopped``)."""
    await connection.execute(
        "UPDATE workers SET state = %(state)s WHERE id = %(id)s AND state IN ('up', 'draining')",
        {"id": worker_id, "state": state},
    )


async def neighbours(connection: Connection, place: str) -> list[Neighbour]:
    """Workers of one machine that count as alive."""
    rows = await fetch_all(
        connection,
        "SELECT id, pid, born FROM workers WHERE state IN ('up', 'draining') AND place = %(place)s",
        {"place": place},
    )
    return [Neighbour(*row) for row in rows]


async def declare_dead(connection: Connection, gone: Sequence[int]) -> list[int]:
    """Bury the workers ``gone`` and those whose lease ran out; returns their ids.

    After a restart of the server leases count only when every worker had the time of one to come back. A server that
    started in the future has had its clock set back since.
    """
    return await fetch_column(
        connection,
        "UPDATE workers SET state = 'dead' WHERE id IN (SELECT id FROM workers WHERE state IN ('up', 'draining') "
        "AND (id = ANY(%(gone)s) OR lease_until < clock_timestamp() AND "
        "pg_postmaster_start_time() NOT BETWEEN clock_timestamp() - make_interval(secs => %(lease)s) "
        "AND clock_timestamp()) "
        "FOR UPDATE SKIP LOCKED) RETURNING id",
        {"gone": list(gone), "lease": LEASE_S},
    )


_ORPHANS = (
    "SELECT r.id, r.attempt, r.worker_id, r.used, j.retry, j.at_most_once, r.deadline_at "
    "FROM runs r JOIN jobs j ON j.id = r.job_id JOIN workers w ON w.id = r.worker_id WHERE r.state = 'running' "
)


async def orphans(connection: Connection, limit: int) -> list[Orphan]:
    """Lock and return runs whose workers are dead or have stopped."""
    rows = await fetch_all(
        connection,
        f"{_ORPHANS} AND w.state IN ('dead', 'stopped') LIMIT %(limit)s FOR UPDATE OF r SKIP LOCKED",
        {"limit": limit},
    )
    return [Orphan(*row) for row in rows]


async def strays(connection: Connection, worker_id: int, run_ids: Sequence[int]) -> list[Orphan]:
    """Lock and return runs that a worker claimed without hearing of it: the answer of its claim was lost."""
    rows = await fetch_all(
        connection,
        f"{_ORPHANS} AND r.worker_id = %(me)s AND r.id = ANY(%(ids)s) FOR UPDATE OF r",
        {"me": worker_id, "ids": list(run_ids)},
    )
    return [Orphan(*row) for row in rows]
