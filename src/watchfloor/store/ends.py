"""What the end of a run brings about, in the same transaction: the jobs that follow it, the circuit of its own job."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from watchfloor.domain.alert import SYSTEM
from watchfloor.domain.chains import Link, follows, parameters_of
from watchfloor.domain.ids import uuid7
from watchfloor.store import audit
from watchfloor.store.database import Connection, fetch_all, fetch_one
from watchfloor.store.fires import NewRun, record
from watchfloor.store.health import clock


@dataclass(frozen=True, slots=True)
class End:
    """A run in its final state, with what its job says about that."""

    id: int
    job_id: int
    capped: bool
    state: str
    error_class: str
    parameters: Mapping[str, Any]
    chains: Sequence[Mapping[str, Any]]
    pause_after: int | None
    failures: int


FIELDS = (
    "u.id, u.job_id, u.capped, u.state, u.error_class, u.parameters, j.chains, j.pause_after, j.failures "
    "FROM u JOIN jobs j ON j.id = u.job_id"
)
"""SQL: the fields of an `End`, of runs ``u``."""


async def consequences(connection: Connection, ends: Sequence[End]) -> list[int]:
    """Record the runs that follow and open circuits; returns the jobs that may have something to let in."""
    wanted = [
        (end, link)
        for end in ends
        for link in (Link(**each) for each in end.chains)
        if follows(link, end.state, end.error_class)
    ]
    capped = await _follow(connection, wanted) if wanted else []
    for end in sorted(ends, key=lambda end: (end.job_id, end.id)):
        if end.pause_after is not None and (
            end.state == "dead" or (end.state == "succeeded" and end.failures)
        ):
            await _count(connection, end)
    return capped


async def _follow(connection: Connection, wanted: Sequence[tuple[End, Link]]) -> list[int]:
    """One run for each link; the end of a run starts a job once, however often it is booked."""
    rows = await fetch_all(
        connection,
        "SELECT id, name, priority, slots IS NOT NULL AS capped, deadline_ms, paused FROM jobs "
        "WHERE name = ANY(%(names)s) AND retired_at IS NULL",
        {"names": sorted({link.job for _, link in wanted})},
    )
    jobs = {row.name: row for row in rows}
    now = await clock(connection)
    made = []
    for end, link in wanted:
        job = jobs.get(link.job)
        if job is None:  # it was retired, and a link to nothing starts nothing
            continue
        deadline = None if job.deadline_ms is None else now + timedelta(milliseconds=job.deadline_ms)
        run = NewRun(
            uuid=uuid7(time.time_ns()),
            job_id=job.id,
            fire_key=f"c:{end.id}",
            origin="chain",
            scheduled_for=now,
            available_at=now,
            priority=job.priority,
            capped=job.capped,
            deadline_at=deadline,
            state="skipped" if job.paused else "waiting",
            error="its job is paused" if job.paused else "",
            parameters=parameters_of(link, end.parameters),
            upstream_id=end.id,
        )
        made.append(run)
    await record(connection, made)
    return [run.job_id for run in made if run.capped]


async def _count(connection: Connection, end: End) -> None:
    """Count dead runs in a row; at the limit of its job the circuit opens: the job is paused, and said to be."""
    if end.state == "succeeded":
        await connection.execute("UPDATE jobs SET failures = 0 WHERE id = %(id)s", {"id": end.job_id})
        return
    row = await fetch_one(
        connection,
        "UPDATE jobs SET failures = failures + 1, "
        "tripped_at = CASE WHEN failures + 1 >= pause_after AND NOT paused THEN clock_timestamp() "
        "    ELSE tripped_at END, "
        "paused = paused OR failures + 1 >= pause_after WHERE id = %(id)s RETURNING name, failures, pause_after, "
        "tripped_at IS NOT NULL AND failures = pause_after AS opened",
        {"id": end.job_id},
    )
    if not row.opened:
        return
    await connection.execute(
        "UPDATE schedules SET state = 'paused' WHERE job_id = %(id)s AND state = 'active'", {"id": end.job_id}
    )
    after = {"paused": True, "paused_by_failure": True, "dead_runs": row.failures}
    await audit.record(connection, [audit.Line(SYSTEM, "pause", "job", row.name, {"paused": False}, after)])
