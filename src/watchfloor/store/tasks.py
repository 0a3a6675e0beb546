"""History of the program's own periodic tasks: one row per run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.domain.boards import TaskRunRow
from watchfloor.store.database import Connection, fetch_all


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One run of a periodic task, as it is stored."""

    node_id: int
    task: str
    started_at: datetime
    duration_ms: int
    outcome: str
    error: str
    next_run_at: datetime | None


async def save_task_run(connection: Connection, run: TaskRun) -> None:
    """Append one run; one that is there already, because a commit's answer was lost, is left alone."""
    await connection.execute(
        "INSERT INTO task_runs (node_id, started_at, task, duration_ms, outcome, error, next_run_at) "
        "VALUES (%(node_id)s, %(started_at)s, %(task)s, %(duration_ms)s, %(outcome)s, %(error)s, %(next_run_at)s) "
        "ON CONFLICT DO NOTHING",
        {field: getattr(run, field) for field in TaskRun.__slots__},
    )


async def task_runs(
    connection: Connection, now: datetime, before: TaskRunRow | None = None, limit: int = 200
) -> list[TaskRunRow]:
    """Runs of the last seven days, newest first, older than ``before``; page by passing the last row."""
    rows = await fetch_all(
        connection,
        "SELECT v.* FROM (SELECT coalesce(n.name, '#' || r.node_id) AS node, r.task, r.started_at, "
        "  r.duration_ms / 1000.0, r.outcome, r.error, r.next_run_at "
        "  FROM task_runs r LEFT JOIN nodes n ON n.id = r.node_id "
        "  WHERE r.started_at >= %(since)s AND r.started_at <= %(until)s) v "
        "WHERE (v.started_at, v.task, v.node) < (%(until)s, %(task)s, %(node)s) OR %(first)s "
        "ORDER BY v.started_at DESC, v.task DESC, v.node DESC LIMIT %(limit)s",
        {
            "since": now - timedelta(days=7),
            "until": now + timedelta(days=1) if before is None else before.started_at,
            "task": "" if before is None else before.task,
            "node": "" if before is None else before.node,
            "first": before is None,
            "limit": limit,
        },
    )
    return [TaskRunRow(r[0], r[1], r[2], float(r[3]), *r[4:]) for r in rows]
