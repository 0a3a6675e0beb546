"""Figures about jobs over time: how runs ended and how long they took, per hour; how queues stood, per minute.

They outlive the runs they were counted from. An hour is counted anew until it is over, so nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from watchfloor.domain.job_boards import JobDay
from watchfloor.store.database import Connection, fetch_all, fetch_value

_LOCK = 0x5746_0007  # one node counts at a time


@dataclass(frozen=True, slots=True)
class JobHour:
    """How the runs of a job that ended within an hour fared; times in milliseconds, None where there were none.

    ``lag`` is from the moment a run was due to the start of its first attempt.
    """

    hour: datetime
    succeeded: int
    dead: int
    cancelled: int
    skipped: int
    missed: int
    took_p50_ms: float | None
    took_p95_ms: float | None
    took_max_ms: float | None
    lag_p50_ms: float | None
    lag_p99_ms: float | None
    lag_max_ms: float | None


@dataclass(frozen=True, slots=True)
class QueueMinute:
    """How a queue stood at the end of a minute, and how late the runs were that began within it."""

    queue: str
    minute: datetime
    waiting: int
    ready: int
    running: int
    oldest_s: float
    started: int
    lag_p50_ms: float | None
    lag_p99_ms: float | None
    lag_max_ms: float | None


_HOURS = """
INSERT INTO job_hours AS h (job_id, hour, succeeded, dead, cancelled, skipped, missed, took_p50_ms, took_p95_ms,
    took_max_ms, lag_p50_ms, lag_p99_ms, lag_max_ms)
SELECT r.job_id, date_trunc('hour', r.finished_at, 'UTC'),
    count(*) FILTER (WHERE r.state = 'succeeded'), count(*) FILTER (WHERE r.state = 'dead'),
    count(*) FILTER (WHERE r.state = 'cancelled'), count(*) FILTER (WHERE r.state = 'skipped'),
    coalesce(sum(r.missed), 0),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY t.took), percentile_cont(0.95) WITHIN GROUP (ORDER BY t.took),
    max(t.took), percentile_cont(0.5) WITHIN GROUP (ORDER BY t.lag),
    percentile_cont(0.99) WITHIN GROUP (ORDER BY t.lag), max(t.lag)
FROM runs r CROSS JOIN LATERAL (SELECT
    CASE WHEN r.started_at IS NOT NULL AND r.state IN ('succeeded', 'dead')
        THEN 1000 * extract(epoch FROM r.finished_at - r.started_at)::float8 END AS took,
    CASE WHEN r.attempt = 1 THEN 1000 * extract(epoch FROM r.started_at - r.available_at)::float8 END AS lag) t
WHERE r.finished_at >= %(since)s AND r.finished_at < %(until)s
GROUP BY 1, 2
ON CONFLICT (job_id, hour) DO UPDATE SET succeeded = EXCLUDED.succeeded, dead = EXCLUDED.dead,
    cancelled = EXCLUDED.cancelled, skipped = EXCLUDED.skipped, missed = EXCLUDED.missed,
    took_p50_ms = EXCLUDED.took_p50_ms, took_p95_ms = EXCLUDED.took_p95_ms, took_max_ms = EXCLUDED.took_max_ms,
    lag_p50_ms = EXCLUDED.lag_p50_ms, lag_p99_ms = EXCLUDED.lag_p99_ms, lag_max_ms = EXCLUDED.lag_max_ms
"""


async def count_hours(connection: Connection, now: datetime) -> None:
    """Count the hours from the last one that was counted up to ``now``; nothing where another node is at it."""
    if not await fetch_value(connection, "SELECT pg_try_advisory_xact_lock(%(lock)s)", {"lock": _LOCK}):
        return
    since = await fetch_value(
        connection,
        "SELECT coalesce((SELECT max(hour) FROM job_hours), "
        "(SELECT date_trunc('hour', min(finished_at), 'UTC') FROM runs WHERE finished_at IS NOT NULL), %(now)s)",
        {"now": now},
    )
    await connection.execute(_HOURS, {"since": since, "until": now})


_MINUTE = """
WITH begun AS (
    SELECT split_part(lane, E'\\x1f', 1) AS queue, 1000 * extract(epoch FROM started_at - available_at)::float8 AS lag
    FROM runs WHERE attempt = 1 AND started_at >= %(minute)s AND started_at < %(minute)s + interval '1 minute'
        AND (state = 'running' OR finished_at >= %(minute)s)),
late AS (
    SELECT queue, count(*) AS started, percentile_cont(0.5) WITHIN GROUP (ORDER BY lag) AS p50,
        percentile_cont(0.99) WITHIN GROUP (ORDER BY lag) AS p99, max(lag) AS worst FROM begun GROUP BY queue),
standing AS (
    SELECT split_part(lane, E'\\x1f', 1) AS queue, count(*) FILTER (WHERE state = 'waiting') AS waiting,
        count(*) FILTER (WHERE state = 'ready') AS ready, count(*) FILTER (WHERE state = 'running') AS running,
        coalesce(extract(epoch FROM clock_timestamp() - min(available_at) FILTER (WHERE state = 'ready')), 0)::float8
            AS oldest
    FROM runs WHERE state IN ('waiting', 'ready', 'running') GROUP BY 1),
queues AS (SELECT DISTINCT split_part(lane, E'\\x1f', 1) AS queue FROM jobs WHERE retired_at IS NULL
    UNION SELECT queue FROM standing UNION SELECT queue FROM late)
INSERT INTO queue_minutes (queue, minute, waiting, ready, running, oldest_s, started, lag_p50_ms, lag_p99_ms,
    lag_max_ms)
SELECT q.queue, %(minute)s, coalesce(s.waiting, 0), coalesce(s.ready, 0), coalesce(s.running, 0),
    greatest(0, coalesce(s.oldest, 0)), coalesce(l.started, 0), l.p50, l.p99, l.worst
FROM queues q LEFT JOIN standing s USING (queue) LEFT JOIN late l USING (queue)
ON CONFLICT (queue, minute) DO NOTHING
"""


async def sample_queues(connection: Connection, minute: datetime) -> None:
    """Keep how every queue stands, at the end of a ``minute``; the first node to do so counts."""
    await connection.execute(_MINUTE, {"minute": minute})


async def job_hours(connection: Connection, job_id: int, since: datetime) -> list[JobHour]:
    """The hours of a job since a moment, in order; hours without a run are left out."""
    rows = await fetch_all(
        connection,
        "SELECT hour, succeeded, dead, cancelled, skipped, missed, took_p50_ms, took_p95_ms, took_max_ms, lag_p50_ms, "
        "lag_p99_ms, lag_max_ms FROM job_hours WHERE job_id = %(job)s AND hour >= %(since)s ORDER BY hour",
        {"job": job_id, "since": since},
    )
    return [JobHour(*row) for row in rows]


async def job_day(connection: Connection, job: str, now: datetime) -> JobDay:
    """How the runs of a job fared within the day before ``now``, as of the hours counted so far."""
    job_id = await fetch_value(connection, "SELECT id FROM jobs WHERE name = %(name)s", {"name": job})
    hours = [] if job_id is None else await job_hours(connection, job_id, now - timedelta(days=1))
    return JobDay(
        succeeded=sum(each.succeeded for each in hours),
        dead=sum(each.dead for each in hours),
        cancelled=sum(each.cancelled for each in hours),
        skipped=sum(each.skipped for each in hours),
        missed=sum(each.missed for each in hours),
        took_p50=_together([(each.took_p50_ms, each) for each in hours], 0.5),
        took_p95=_together([(each.took_p95_ms, each) for each in hours], 0.95),
        late_p50=_together([(each.lag_p50_ms, each) for each in hours], 0.5),
        late_p99=_together([(each.lag_p99_ms, each) for each in hours], 0.99),
    )


def _together(hours: Sequence[tuple[float | None, JobHour]], share: float) -> float | None:
    """The least value, in seconds, that hours with this ``share`` of the runs do not exceed; None where none ran."""
    found = sorted((value, max(1, hour.succeeded + hour.dead)) for value, hour in hours if value is not None)
    wanted = share * sum(weight for _, weight in found)
    reached = accumulate(weight for _, weight in found)
    return next(
        (value / 1000 for (value, _), sum_ in zip(found, reached, strict=True) if sum_ >= wanted), None
    )


async def queue_minutes(
    connection: Connection, since: datetime, queue: str | None = None
) -> list[QueueMinute]:
    """The minutes of one queue or all of them since a moment, in order."""
    rows = await fetch_all(
        connection,
        "SELECT queue, minute, waiting, ready, running, oldest_s, started, lag_p50_ms, lag_p99_ms, lag_max_ms "
        "FROM queue_minutes WHERE minute >= %(since)s AND (%(queue)s::text IS NULL OR queue = %(queue)s) "
        "ORDER BY minute, queue",
        {"since": since, "queue": queue},
    )
    return [QueueMinute(*row) for row in rows]
