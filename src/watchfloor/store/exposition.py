"""What a collector of metrics is told: services, heartbeats, alerts, nodes, messages, jobs and queues as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from watchfloor.domain.lanes import parts_of
from watchfloor.store.database import Connection, fetch_all, fetch_value
from watchfloor.store.job_rooms import STANDING
from watchfloor.store.nodes import LIVE

_SERVICES = """
SELECT s.name, s.kind, s.group_name, s.paused, t.hard, t.latency_us,
    extract(epoch FROM h.last_ping)::float8 AS last_ping
FROM services s JOIN service_state t ON t.service_id = s.id LEFT JOIN heartbeats h ON h.service_id = s.id
WHERE s.retired_at IS NULL ORDER BY s.name
"""


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """One service; ``hard`` is a `watchfloor.domain.outcome.Status` or None, times are in seconds."""

    name: str
    kind: str
    group: str
    paused: bool
    hard: int | None
    latency_s: float | None
    last_ping: float | None


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """One node; ``stats`` as it last told them."""

    name: str
    live: bool
    stats: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class JobFigures:
    """One job; ``ended`` counts the runs of the last day by outcome."""

    name: str
    queue: str
    running: int
    ended: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One queue: its runs that did not end by state, and how long the oldest that is ready has waited."""

    name: str
    runs: Mapping[str, int]
    oldest_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything; alerts by severity and state, messages by state; dead letters that nobody settled."""

    services: list[ServiceFigures]
    nodes: list[NodeFigures]
    alerts: list[tuple[int, str, int]]
    messages: list[tuple[str, int]]
    jobs: list[JobFigures]
    queues: list[QueueFigures]
    dead_letters: int


async def figures(connection: Connection) -> Figures:
    """Read everything."""
    services = await fetch_all(connection, _SERVICES)
    nodes = await fetch_all(
        connection,
        f"SELECT n.name, {LIVE} AS live, n.stats FROM nodes n WHERE n.state <> 'stopped' ORDER BY n.name",
    )
    alerts = await fetch_all(
        connection,
        "SELECT severity, state, count(*) FROM alerts WHERE state IN ('pending', 'firing', 'acknowledged') "
        "GROUP BY 1, 2 ORDER BY 1, 2",
    )
    messages = await fetch_all(
        connection,
        "SELECT state, count(*) FROM outbox WHERE state IN ('queued', 'leased', 'dead') GROUP BY 1 ORDER BY 1",
    )
    return Figures(
        [
            ServiceFigures(
                row.name, row.kind, row.group_name, row.paused, row.hard,
                None if row.latency_us is None else row.latency_us / 1e6, row.last_ping,
            )
            for row in services
        ],
        [NodeFigures(row.name, row.live, row.stats) for row in nodes],
        [tuple(row) for row in alerts],
        [tuple(row) for row in messages],
        await _jobs(connection),
        await _queues(connection),
        await fetch_value(connection, "SELECT count(*) FROM dead_letters WHERE settled_at IS NULL"),
    )  # fmt: skip


OUTCOMES = ("succeeded", "dead", "cancelled", "skipped", "missed")
_JOBS = f"""
WITH day AS (
    SELECT job_id, {", ".join(f"sum({each})::int AS {each}" for each in OUTCOMES)} FROM job_hours
    WHERE hour >= clock_timestamp() - interval '1 day' GROUP BY 1),
going AS (SELECT job_id, count(*) AS running FROM runs WHERE state = 'running' GROUP BY 1)
SELECT j.name, j.lane, coalesce(g.running, 0) AS running, {", ".join(f"coalesce(d.{e}, 0) AS {e}" for e in OUTCOMES)}
FROM jobs j LEFT JOIN day d ON d.job_id = j.id LEFT JOIN going g ON g.job_id = j.id
WHERE j.retired_at IS NULL ORDER BY j.name
"""


async def _jobs(connection: Connection) -> list[JobFigures]:
    return [
        JobFigures(
            row.name, parts_of(row.lane)[0], row.running, {each: getattr(row, each) for each in OUTCOMES}
        )
        for row in await fetch_all(connection, _JOBS)
    ]


STATES = ("waiting", "ready", "running")
_QUEUES = f"""
WITH standing AS ({STANDING}),
queues AS (SELECT split_part(lane, E'\\x1f', 1) AS queue FROM jobs WHERE retired_at IS NULL
    UNION SELECT queue FROM standing)
SELECT q.queue, {", ".join(f"coalesce(s.{each}, 0) AS {each}" for each in STATES)},
    greatest(0, coalesce(s.oldest, 0)) AS oldest
FROM queues q LEFT JOIN standing s USING (queue) ORDER BY 1
"""


async def _queues(connection: Connection) -> list[QueueFigures]:
    return [
        QueueFigures(row.queue, {state: getattr(row, state) for state in STATES}, row.oldest)
        for row in await fetch_all(connection, _QUEUES)
    ]
