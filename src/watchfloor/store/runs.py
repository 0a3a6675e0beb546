"""Runs on their way: promotion, claim, end. Every transition is one statement whose WHERE names the old state.

What a worker writes about a run carries the fence (run, attempt, worker); a worker that was declared dead meanwhile
changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from watchfloor.domain.chains import OUTCOMES
from watchfloor.domain.lanes import Serves, parts_of
from watchfloor.domain.overlap import Overlap, Waiting, promote
from watchfloor.store import ends
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one
from watchfloor.store.ends import End, consequences

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
    upstream_id: int | None = None


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
WITH c AS (SELECT r.id FROM unnest(%(lanes)s::text[]) AS l(lane) CROSS JOIN LATERAL (
               SELECT id, priority, available_at FROM runs
               WHERE state = 'ready' AND lane = l.lane AND available_at <= clock_timestamp()
               ORDER BY priority, available_at, id LIMIT %(free)s FOR UPDATE SKIP LOCKED) r
           ORDER BY r.priority, r.available_at, r.id LIMIT %(free)s),
     u AS (UPDATE runs r SET state = 'running', worker_id = w.id, attempt = r.attempt + 1,
               started_at = clock_timestamp()
           FROM c, workers w WHERE r.id = c.id AND w.id = %(me)s AND w.state = 'up'
               AND w.lease_until > clock_timestamp()
           RETURNING r.*),
     a AS (INSERT INTO attempts (run_id, attempt, worker_id, started_at)
           SELECT id, attempt, worker_id, started_at FROM u)
SELECT u.id, u.uuid, u.job_id, u.attempt, u.used, u.origin, u.scheduled_for, u.started_at, u.deadline_at,
    j.name, j.kind,
    (j.settings || u.parameters) - ARRAY(SELECT key FROM jsonb_each(u.parameters) WHERE value = 'null'),
    j.timeout_ms, j.retry, j.at_most_once, u.upstream_id
FROM u JOIN jobs j ON j.id = u.job_id
"""


async def claim(connection: Connection, worker_id: int, free: int, lanes: Sequence[str]) -> list[Claimed]:
    """Take up to ``free`` ready runs of ``lanes``, the most urgent first. Nothing for a worker not trusted any more."""
    values = {"me": worker_id, "free": free, "lanes": list(lanes)}
    return [Claimed(*row) for row in await fetch_all(connection, _CLAIM, values)]


async def lanes(connection: Connection, serves: Serves) -> list[str]:
    """Every lane that a node of this kind takes runs of."""
    found = await fetch_column(
        connection,
        "SELECT lane FROM jobs GROUP BY lane UNION SELECT lane FROM runs WHERE state = 'ready' GROUP BY lane",
    )
    return sorted(lane for lane in found if serves.takes(lane))


_FINISH = (
    """
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
           RETURNING r.id, r.attempt, r.state, r.job_id, r.capped, r.error_class, r.parameters, f.reason),
     a AS (UPDATE attempts t SET finished_at = clock_timestamp(), exit_code = f.exit_code, signal = f.signal,
               error_class = f.error_class, error = f.error
           FROM u JOIN f USING (id) WHERE t.run_id = u.id AND t.attempt = u.attempt),
     d AS (INSERT INTO dead_letters (run_id, reason, died_at)
           SELECT id, reason, clock_timestamp() FROM u WHERE state = 'dead')
SELECT """
    + ends.FIELDS
)


async def finish(connection: Connection, finished: Sequence[Finished]) -> frozenset[int]:
    """Book the ends of attempts and let the next runs of their jobs in; returns the ids of those that were taken.

    The others were refused by the fence: their worker had been declared dead.
    """
    columns = {field: [getattr(each, field) for each in finished] for field in Finished.__slots__}
    found = [End(*row) for row in await fetch_all(connection, _FINISH, columns)]
    following = await consequences(connection, [end for end in found if end.state in OUTCOMES])
    await promote_jobs(connection, sorted({*following, *(end.job_id for end in found if end.capped)}))
    return frozenset(end.id for end in found)


_OVERDUE = (
    """
WITH u AS (UPDATE runs r SET state = 'dead', slot = NULL, finished_at = clock_timestamp(), error_class = 'deadline',
               error = 'no node took it before its deadline'
           WHERE r.id IN (SELECT id FROM runs WHERE state IN ('waiting', 'ready') AND deadline_at < clock_timestamp()
               ORDER BY deadline_at LIMIT 500 FOR UPDATE SKIP LOCKED)
           RETURNING r.*),
     d AS (INSERT INTO dead_letters (run_id, reason, died_at)
           SELECT id, 'its deadline passed while it waited', clock_timestamp() FROM u)
SELECT """
    + ends.FIELDS
)


async def end_overdue(connection: Connection) -> int:
    """End runs whose deadline passed while they waited; returns how many. Nothing waits for ever."""
    found = [End(*row) for row in await fetch_all(connection, _OVERDUE)]
    following = await consequences(connection, found)
    await promote_jobs(connection, sorted({*following, *(end.job_id for end in found if end.capped)}))
    return len(found)


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
    left = list(job_ids)
    while left:
        job_id = left.pop(0)
        job = await fetch_one(
            connection,
            "SELECT overlap, slots FROM jobs WHERE id = %(id)s AND slots IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED",
            {"id": job_id},
        )
        if job is not None:
            left += await _promote(connection, job_id, Overlap(job.overlap), job.slots)


async def _promote(connection: Connection, job_id: int, overlap: Overlap, slots: int) -> list[int]:
    """Let in what may start of one job; returns jobs that may have something to let in because of that."""
    waiting = await fetch_all(
        connection,
        "SELECT id, origin <> 'schedule' OR attempt > 0 AS firm FROM runs WHERE job_id = %(job)s "
        "AND state = 'waiting' AND available_at <= clock_timestamp() ORDER BY available_at, id LIMIT %(limit)s "
        "FOR UPDATE",
        {"job": job_id, "limit": LINE},
    )
    if not waiting:
        return []
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
        return await _cancel_ready(connection, job_id)
    return []


_CANCEL_READY = (
    """
WITH u AS (UPDATE runs SET state = 'cancelled', slot = NULL, finished_at = clock_timestamp(),
               error = 'cancelled by ' || cancel_by
           WHERE job_id = %(job)s AND state = 'ready' AND cancel_requested_at IS NOT NULL RETURNING *)
SELECT """
    + ends.FIELDS
)


async def _cancel_ready(connection: Connection, job_id: int) -> list[int]:
    """End ready runs that are to end; returns the jobs that may have something to let in, its own among them."""
    over = [End(*row) for row in await fetch_all(connection, _CANCEL_READY, {"job": job_id})]
    return [*await consequences(connection, over), job_id] if over else []


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


@dataclass(frozen=True, slots=True)
class Unserved:
    """Ready runs of a lane that no live worker takes, and since when the oldest of them waits."""

    queue: str
    tags: tuple[str, ...]
    ready: int
    since: datetime


async def unserved(connection: Connection) -> list[Unserved]:
    """Lanes in which runs are ready that no worker takes: a queue or a tag that no node has."""
    rows = await fetch_all(
        connection,
        "SELECT lane, count(*), min(available_at) FROM runs WHERE state = 'ready' GROUP BY lane ORDER BY lane",
    )
    living = await fetch_all(connection, "SELECT queues, tags FROM workers WHERE state = 'up'")
    serving = [Serves(frozenset(row.queues), frozenset(row.tags)) for row in living]
    return [
        Unserved(*parts_of(lane), ready, since)
        for lane, ready, since in rows
        if not any(each.takes(lane) for each in serving)
    ]


async def by_fire_key(connection: Connection, job_id: int, fire_key: str) -> int:
    """The run that was made for an occasion."""
    row = await fetch_one(
        connection,
        "SELECT id FROM runs WHERE job_id = %(job)s AND fire_key = %(key)s",
        {"job": job_id, "key": fire_key},
    )
    return int(row.id)


_CANCEL = (
    """
WITH u AS (UPDATE runs SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
               cancel_by = %(actor)s, kill = kill OR %(at_once)s,
               state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,
               slot = CASE WHEN state = 'running' THEN slot END,
               finished_at = CASE WHEN state = 'running' THEN NULL ELSE clock_timestamp() END,
               error = CASE WHEN state = 'running' THEN error ELSE 'cancelled by ' || %(actor)s::text END
           WHERE id = %(id)s RETURNING *)
SELECT """
    + ends.FIELDS
)


async def cancel(connection: Connection, run_id: int, actor: str, *, at_once: bool = False) -> str | None:
    """Cancel a run that waits, ask for the end of one that goes on; returns its state before, None if it has ended.

    With ``at_once`` what it runs gets no time to clean up.
    """
    row = await fetch_one(
        connection,
        "SELECT state FROM runs WHERE id = %(id)s AND state IN ('waiting', 'ready', 'running') FOR UPDATE",
        {"id": run_id},
    )
    if row is None:
        return None
    found = await fetch_all(connection, _CANCEL, {"id": run_id, "actor": actor, "at_once": at_once})
    over = [End(*each) for each in found if each.state == "cancelled"]
    following = await consequences(connection, over)
    await promote_jobs(connection, sorted({*following, *(end.job_id for end in over if end.capped)}))
    return str(row.state)


async def parameters(connection: Connection, run_id: int) -> dict[str, Any]:
    """What a run was given beside the settings of its job."""
    row = await fetch_one(connection, "SELECT parameters FROM runs WHERE id = %(id)s", {"id": run_id})
    return {} if row is None else dict(row.parameters)


class Wish(IntEnum):
    """What somebody wants of a run that goes on."""

    NONE = 0
    CANCEL = 1
    KILL = 2


async def own(connection: Connection, worker_id: int) -> dict[int, tuple[Wish, str]]:
    """The running runs of a worker, what is wanted of each, and by whom."""
    rows = await fetch_all(
        connection,
        "SELECT id, (cancel_requested_at IS NOT NULL)::int + kill::int, cancel_by FROM runs "
        "WHERE state = 'running' AND worker_id = %(me)s",
        {"me": worker_id},
    )
    return {run: (Wish(wish), by) for run, wish, by in rows}
