"""What the room of jobs shows beside jobs and runs: the calendar, the nodes, the queues, and how jobs stand."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median

from watchfloor.domain.calendar import CalendarFire, Plan, calendar
from watchfloor.domain.job_boards import QueuePoint, QueueRow, WorkerRow
from watchfloor.domain.lanes import Serves, parts_of
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.figures import QueueMinute, queue_minutes
from watchfloor.store.job_boards import schedule_words
from watchfloor.store.jobs import SPEC, schedule_of

HOUR = timedelta(hours=1)

_PLANS = f"""
SELECT j.name, {SPEC} AS spec, s.anchor, j.lane, (SELECT array_agg(x.took) FROM (
    SELECT extract(epoch FROM finished_at - started_at)::float8 AS took FROM (SELECT state, started_at, finished_at
        FROM runs r WHERE r.job_id = j.id AND r.state IN ('succeeded', 'dead') ORDER BY r.id DESC LIMIT 20) y
    WHERE state = 'succeeded') x) AS took
FROM schedules s JOIN jobs j ON j.id = s.job_id
WHERE s.state = 'active' AND j.retired_at IS NULL AND s.next_fire_at <= %(end)s
"""


async def job_calendar(connection: Connection, now: datetime, length: timedelta) -> list[CalendarFire]:
    """What fires within ``length``, soonest first."""
    rows = await fetch_all(connection, _PLANS, {"end": now + length})
    plans = [
        Plan(
            row.name,
            schedule_words(row.spec),
            schedule_of(row.spec, row.anchor),
            median(row.took) if row.took else None,
            parts_of(row.lane)[0],
        )
        for row in rows
    ]
    return calendar(plans, now, length)


_WORKERS = """
SELECT w.id, n.name, w.state, w.lease_until > clock_timestamp() AS trusted, w.at_once, w.queues, w.tags, w.started_at,
    w.beat_at, coalesce(r.running, 0) AS running
FROM workers w JOIN nodes n ON n.id = w.node_id
LEFT JOIN (SELECT worker_id, count(*) AS running FROM runs WHERE state = 'running' GROUP BY worker_id) r
    ON r.worker_id = w.id
WHERE w.state IN ('up', 'draining') OR w.id = (SELECT max(x.id) FROM workers x WHERE x.node_id = w.node_id)
    OR r.running > 0
ORDER BY n.name, w.id
"""


async def workers(connection: Connection) -> list[WorkerRow]:
    """The workers that live, and of nodes without one the latest."""
    ready = await fetch_all(
        connection, "SELECT lane, count(*) AS ready FROM runs WHERE state = 'ready' GROUP BY lane"
    )
    found = []
    for row in await fetch_all(connection, _WORKERS):
        serves = Serves(frozenset(row.queues), frozenset(row.tags))
        queued = sum(lane.ready for lane in ready if serves.takes(lane.lane)) if row.state == "up" else 0
        found.append(
            WorkerRow(
                id=row.id,
                node=row.name,
                state=row.state,
                trusted=row.trusted,
                running=row.running,
                queued=queued,
                at_once=row.at_once,
                queues=tuple(row.queues),
                tags=tuple(row.tags),
                started_at=row.started_at,
                beat_at=row.beat_at,
            )
        )
    return found


STANDING = """
SELECT split_part(lane, E'\\x1f', 1) AS queue, count(*) FILTER (WHERE state = 'waiting') AS waiting,
    count(*) FILTER (WHERE state = 'ready') AS ready, count(*) FILTER (WHERE state = 'running') AS running,
    coalesce(extract(epoch FROM clock_timestamp() - min(available_at) FILTER (WHERE state = 'ready')), 0)::float8
        AS oldest
FROM runs WHERE state IN ('waiting', 'ready', 'running') GROUP BY 1
"""
"""SQL: the runs of each queue that did not end, and how long the oldest that is ready has waited."""


async def queues(connection: Connection, now: datetime) -> list[QueueRow]:
    """Every queue that a job names or that was used within the last hour."""
    standing = {row.queue: row for row in await fetch_all(connection, STANDING)}
    named = await fetch_all(
        connection,
        "SELECT DISTINCT split_part(lane, E'\\x1f', 1) AS queue FROM jobs WHERE retired_at IS NULL",
    )
    past: dict[str, list[QueueMinute]] = {}
    for minute in await queue_minutes(connection, now - HOUR):
        past.setdefault(minute.queue, []).append(minute)
    nodes = [Serves(frozenset(each.queues)) for each in await workers(connection) if each.state == "up"]
    found = []
    for name in sorted({*standing, *past, *(row.queue for row in named)}):
        here, minutes = standing.get(name), past.get(name, [])
        lags = [(each.lag_p50_ms, each.lag_p99_ms) for each in minutes if each.lag_p50_ms is not None]
        found.append(
            QueueRow(
                name=name,
                waiting=here.waiting if here else 0,
                ready=here.ready if here else 0,
                running=here.running if here else 0,
                oldest_s=max(0.0, here.oldest) if here else 0.0,
                nodes=sum(each.takes(name) for each in nodes),
                started=sum(each.started for each in minutes),
                lag_p50=median(p50 for p50, _ in lags if p50 is not None) / 1000 if lags else None,
                lag_p99=max(p99 for _, p99 in lags if p99 is not None) / 1000 if lags else None,
                depth=tuple(each.waiting + each.ready for each in minutes),
            )
        )
    return found


async def queue_course(connection: Connection, queue: str, since: datetime) -> list[QueuePoint]:
    """How a queue stood, minute by minute."""
    return [
        QueuePoint(
            each.minute,
            each.waiting + each.ready,
            each.running,
            each.started,
            None if each.lag_p50_ms is None else each.lag_p50_ms / 1000,
            None if each.lag_p99_ms is None else each.lag_p99_ms / 1000,
        )
        for each in await queue_minutes(connection, since, queue)
    ]
