"""Runs on their way: promotion, claim, end. Every transition is one statement whose WHERE names the old state.

What a worker writes about a run carries the fence (run, attempt, worker); a worker that was declared dead meanwhile
changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from watchfloor.domain.overlap import Overlap, Waiting, promote
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one

LINE = 200
"""Waiting runs of one job that are looked at in one go."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that this worker is to carry out, with what it needs of its job."""

    id: int
    uuid: UUID
    job_id: int
    attempt: int
    used: int
    origin: str
    scheduled_for: datetime
    started_at: datetime
    deadline_at: datetime | None
    job: str
    kind: str
    settings: Mapping[str, Any]
    timeout_ms: int
    retry: Mapping[str, Any]
    at_most_once: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an attempt under its fence; ``state`` is what becomes of the run."""

    id: int
    attempt: int
    worker_id: int
    state: str
    delay_s: float = 0.0
    counts: bool = True
    reason: str = ""
    exit_code: int | None = None
    signal: int | None = None
    error_class: str = ""
    error: str = ""


_CLAIM = """
WITH c AS (SELECT id FROM runs WHERE state = 'ready' AND available_at <= clock_timestamp()
           ORDER BY priority, available_at, id LIMIT %(free)s FOR UPDATE SKIP LOCKED),
     u AS (UPDATE runs r SET state = 'running', worker_id = w.id, attempt = r.attempt + 1,
               started_at = clock_timestamp()
           FROM c, workers w WHERE r.id = c.id AND w.id = %(me)s AND w.state = 'up'
               AND w.lease_until > clock_timestamp()
           RETURNING r.*),
     a AS (INSERT INTO attempts (run_id, attempt, worker_id, started_at)
           SELECT id, attempt, worker_id, started_at FROM u)
SELECT u.id, u.uuid, u.job_id, u.attempt, u.used, u.origin, u.scheduled_for, u.started_at, u.deadline_at,
    j.name, j.kind, j.settings, j.timeout_ms, j.retry, j.at_most_once
FROM u JOIN jobs j ON j.id = u.job_id
"""


async def claim(connection: Connection, worker_id: int, free: int) -> list[Claimed]:
    """Take up to ``free`` ready runs, the most urgent first. Nothing for a worker that is not trusted any more."""
    return [Claimed(*row) for row in await fetch_all(connection, _CLAIM, {"me": worker_id, "free": free})]


_FINISH = """
WITH f AS (SELECT * FROM unnest(%(id)s::bigint[], %(attempt)s::int[], %(worker_id)s::bigint[], %(state)s::text[],
        %(delay_s)s::float8[], %(counts)s::boolean[], %(reason)s::text[], %(exit_code)s::int[], %(signal)s::int[],
        %(error_class)s::text[], %(error)s::text[])
        AS f(id, attempt, worker_id, state, delay_s, counts, reason, exit_code, signal, error_class, error)),
     u AS (UPDATE runs r SET slot = NULL, exit_code = f.exit_code, signal = f.signal,
               error_class = f.error_class, error = f.error, used = r.used + f.counts::int,
               state = CASE WHEN f.state = 'waiting' AND r.cancel_requested_at IS NOT NULL THEN 'cancelled'
                   ELSE f.state END,
               finished_at = CASE WHEN f.state = 'waiting' AND r.cancel_requested_at IS NULL THEN NULL
                   ELSE clock_timestamp() END,
               available_at = CASE WHEN f.state = 'waiting'
                   THEN clock_timestamp() + make_interval(secs => f.delay_s) ELSE r.available_at END
           FROM f WHERE r.id = f.id AND r.state = 'running' AND r.worker_id = f.worker_id AND r.attempt = f.attempt
           RETURNING r.id, r.attempt, r.state, r.job_id, r.capped, f.reason),
     a AS (UPDATE attempts t SET finished_at = clock_timestamp(), exit_code = f.exit_code, signal = f.signal,
               error_class = f.error_class, error = f.error
           FROM u JOIN f USING (id) WHERE t.run_id = u.id AND t.attempt = u.attempt),
     d AS (INSERT INTO dead_letters (run_id, reason, died_at)
           SELECT id, reason, clock_timestamp() FROM u WHERE state = 'dead')
SELECT id, job_id, capped FROM u
"""


async def finish(connection: Connection, finished: Sequence[Finished]) -> frozenset[int]:
    """Book the ends of attempts and let the next runs of their jobs in; returns the ids of those that were taken.

    The others were refused by the fence: their worker had been declared dead.
    """
    columns = {field: [getattr(each, field) for each in finished] for field in Finished.__slots__}
    rows = await fetch_all(connection, _FINISH, columns)
    await promote_jobs(connection, sorted({row.job_id for row in rows if row.capped}))
    return frozenset(row.id for row in rows)


_PROMOTE_UNCAPPED = """
UPDATE runs SET state = 'ready' WHERE id IN (
    SELECT id FROM runs WHERE state = 'waiting' AND NOT capped AND available_at <= clock_timestamp()
    ORDER BY available_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""


async def promote_due(connection: Connection) -> None:
    """Let every run in whose time has come and for which there is a slot."""
    await connection.execute(_PROMOTE_UNCAPPED)
    jobs = await fetch_column(
        connection,
        "SELECT DISTINCT job_id FROM runs WHERE state = 'waiting' AND capped AND available_at <= clock_timestamp() "
        "ORDER BY job_id",
    )
    await promote_jobs(connection, jobs)


async def promote_jobs(connection: Connection, job_ids: Sequence[int]) -> None:
    """Let in what may start of jobs that have a cap. A job that another node has in hand is left to it."""
    for job_id in job_ids:
        job = await fetch_one(
            connection,
            "SELECT overlap, slots FROM jobs WHERE id = %(id)s AND slots IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED",
            {"id": job_id},
        )
        if job is not None:
            await _promote(connection, job_id, Overlap(job.overlap), job.slots)


async def _promote(connection: Connection, job_id: int, overlap: Overlap, slots: int) -> None:
    waiting = await fetch_all(
        connection,
        "SELECT id, origin <> 'schedule' OR attempt > 0 AS firm FROM runs WHERE job_id = %(job)s "
        "AND state = 'waiting' AND available_at <= clock_timestamp() ORDER BY available_at, id LIMIT %(limit)s "
        "FOR UPDATE",
        {"job": job_id, "limit": LINE},
    )
    if not waiting:
        return
    taken = await fetch_all(
        connection,
        "SELECT id, slot FROM runs WHERE job_id = %(job)s AND state IN ('ready', 'running') AND slot IS NOT NULL",
        {"job": job_id},
    )
    decided = promote(overlap, slots, [row.slot for row in taken], [Waiting(*row) for row in waiting])
    if decided.start:
        await connection.execute(
            "UPDATE runs r SET state = 'ready', slot = v.slot FROM unnest(%(ids)s::bigint[], %(slots)s::smallint[]) "
            "AS v(id, slot) WHERE r.id = v.id AND r.state = 'waiting'",
            {"ids": [run for run, _ in decided.start], "slots": [slot for _, slot in decided.start]},
        )
    if decided.skip:
        await connection.execute(
            "UPDATE runs SET state = 'skipped', finished_at = clock_timestamp(), error = %(why)s "
            "WHERE id = ANY(%(ids)s) AND state = 'waiting'",
            {"ids": list(decided.skip), "why": _why_skipped(overlap, [row.id for row in taken])},
        )
    if decided.cancel_running:
        await connection.execute(
            "UPDATE runs SET cancel_requested_at = clock_timestamp(), cancel_by = 'a newer run' "
            "WHERE job_id = %(job)s AND state IN ('ready', 'running') AND cancel_requested_at IS NULL",
            {"job": job_id},
        )
        await _cancel_ready(connection, job_id)


async def _cancel_ready(connection: Connection, job_id: int) -> None:
    await connection.execute(
        "UPDATE runs SET state = 'cancelled', slot = NULL, finished_at = clock_timestamp() "
        "WHERE job_id = %(job)s AND state = 'ready' AND cancel_requested_at IS NOT NULL",
        {"job": job_id},
    )


def _why_skipped(overlap: Overlap, holders: Sequence[int]) -> str:
    if overlap is Overlap.CANCEL_PREVIOUS:
        return "a newer run took its place"
    shown = ", ".join(f"#{run}" for run in holders[:3]) or "another run"
    return f"{shown} had not ended"


async def age(connection: Connection, every_s: float) -> int:
    """Raise the urgency of ready runs by one for each ``every_s`` seconds of waiting, so that none starves."""
    done = await connection.execute(
        "UPDATE runs SET priority = priority - 1, aged_at = clock_timestamp() WHERE id IN ("
        "SELECT id FROM runs WHERE state = 'ready' AND priority > 1 "
        "AND greatest(aged_at, available_at) < clock_timestamp() - make_interval(secs => %(every)s) "
        "LIMIT 500 FOR UPDATE SKIP LOCKED)",
        {"every": every_s},
    )
    return done.rowcount


async def by_fire_key(connection: Connection, job_id: int, fire_key: str) -> int:
    """The run that was made for an occasion."""
    row = await fetch_one(
        connection,
        "SELECT id FROM runs WHERE job_id = %(job)s AND fire_key = %(key)s",
        {"job": job_id, "key": fire_key},
    )
    return int(row.id)


async def cancel(connection: Connection, run_id: int, actor: str) -> str | None:
    """Cancel a run that waits, ask for the end of one that goes on; returns its state before, None if it has ended."""
    row = await fetch_one(
        connection,
        "SELECT state FROM runs WHERE id = %(id)s AND state IN ('waiting', 'ready', 'running') FOR UPDATE",
        {"id": run_id},
    )
    if row is None:
        return None
    await connection.execute(
        "UPDATE runs SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()), "
        "cancel_by = %(actor)s, "
        "state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END, "
        "slot = CASE WHEN state = 'running' THEN slot END, "
        "finished_at = CASE WHEN state = 'running' THEN NULL ELSE clock_timestamp() END WHERE id = %(id)s",
        {"id": run_id, "actor": actor},
    )
    return str(row.state)


async def own(connection: Connection, worker_id: int) -> dict[int, bool]:
    """The running runs of a worker, and whether somebody wants each cancelled."""
    rows = await fetch_all(
        connection,
        "SELECT id, cancel_requested_at IS NOT NULL FROM runs WHERE state = 'running' AND worker_id = %(me)s",
        {"me": worker_id},
    )
    return {row[0]: row[1] for row in rows}


async def append_log(
    connection: Connection,
    run_id: int,
    attempt: int,
    worker_id: int,
    lines: Sequence[tuple[int, datetime, str, str]],
) -> None:
    """Add lines (number, moment, stream, text) to the log of an attempt, unless the fence refuses them."""
    await connection.execute(
        "INSERT INTO run_logs (run_id, ts, attempt, seq, stream, line) "
        "SELECT %(run)s, v.ts, %(attempt)s, v.seq, v.stream, v.line FROM unnest(%(seqs)s::bigint[], "
        "%(at)s::timestamptz[], %(streams)s::text[], %(texts)s::text[]) AS v(seq, ts, stream, line) "
        "WHERE EXISTS (SELECT FROM runs WHERE id = %(run)s AND state = 'running' AND attempt = %(attempt)s "
        "AND worker_id = %(worker)s) ON CONFLICT DO NOTHING",
        {
            "run": run_id,
            "attempt": attempt,
            "worker": worker_id,
            "seqs": [line[0] for line in lines],
            "at": [line[1] for line in lines],
            "streams": [line[2] for line in lines],
            "texts": [line[3] for line in lines],
        },
    )
