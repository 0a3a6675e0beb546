"""The latest runs of jobs, as many as the measure of a rule needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.lanes import parts_of
from watchfloor.domain.questions.jobs import JobRun, Jobs, Measure
from watchfloor.domain.questions.question import Course, Instance, Reading, Watched
from watchfloor.domain.text import one_line
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.readings.asked import TooMuch, chosen

MOST_RUNS = 100
"""Runs of a job that one evaluation looks at."""
NEWEST = 10
"""A job none of whose newest runs died has no failures in a row: no more of it is looked at."""
LONGEST_ERROR = 300
"""Characters of the error of a run that an alert says."""
MOST_PAST = 100_000
"""Runs that a rehearsal looks at."""

_SEEN = (
    "r.state IN ('succeeded', 'dead', 'running') "
    "AND (r.started_at IS NOT NULL OR r.state = 'dead' AND %(measure)s <> 'duration')"
)
_STARTED = "coalesce(r.started_at, r.finished_at) AS started_at"
"""A run may die without having begun: its deadline passed while it waited."""
_DISCARDED = (
    "EXISTS (SELECT FROM dead_letters l WHERE l.run_id = r.id "
    "AND l.settled_at IS NOT NULL AND l.requeued_as IS NULL)"
)
"""Somebody looked at the run that died and let it be."""
_STATES = {
    Measure.FAILURES: ("succeeded", "dead"),
    Measure.SHARE: ("succeeded", "dead"),
    Measure.UNSUCCESSFUL: ("succeeded",),
    Measure.DURATION: ("succeeded", "dead", "running"),
}
_ONE = (Measure.UNSUCCESSFUL, Measure.DURATION)

_LATEST = f"""
SELECT j.id, r.started_at, r.finished_at, r.state FROM unnest(%(ids)s::int[]) AS j(id) CROSS JOIN LATERAL (
    SELECT {_STARTED}, finished_at, state FROM runs r WHERE r.job_id = j.id AND {_SEEN}
        AND r.state = ANY(%(states)s) AND (r.finished_at IS NULL OR r.finished_at >= %(since)s)
        AND (%(measure)s <> 'failures' OR r.state <> 'dead' OR NOT {_DISCARDED})
    ORDER BY r.id DESC LIMIT %(most)s) r
"""
_DEAD = f"""
SELECT j.id, d.run, d.error FROM unnest(%(ids)s::int[]) AS j(id) CROSS JOIN LATERAL (
    SELECT n.id AS run, n.error FROM (SELECT r.id, r.state, r.error, r.finished_at FROM runs r WHERE r.job_id = j.id
        AND (r.state = 'succeeded' OR r.state = 'dead' AND NOT {_DISCARDED}) ORDER BY r.id DESC LIMIT {NEWEST}) n
    WHERE n.state = 'dead' ORDER BY n.finished_at DESC LIMIT 1) d
"""
_SUCCESSES = """
SELECT job_id, max(hour) AS hour FROM job_hours WHERE job_id = ANY(%(ids)s) AND succeeded > 0 GROUP BY 1
"""
_PAST = f"""
SELECT r.job_id AS id, {_STARTED}, r.finished_at, r.state FROM runs r
WHERE r.job_id = ANY(%(ids)s) AND {_SEEN} AND coalesce(r.started_at, r.finished_at) <= %(until)s
    AND (r.finished_at IS NULL OR r.finished_at >= %(since)s) ORDER BY r.id LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class _Job:
    id: int
    name: str
    paused: bool
    made: float
    labels: Mapping[str, str]

    @property
    def instance(self) -> Instance:
        return Instance(f"job:{self.id}", self.name, self.labels)


async def read(
    connection: Connection, asks: Jobs, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """The measure of every job now."""
    jobs = await _jobs(connection, asks)
    ids = [each.id for each in jobs]
    deaths = await _deaths(connection, ids) if asks.measure == Measure.FAILURES else {}
    long_ago = now - timedelta(days=36_500)
    rows = await fetch_all(
        connection,
        _LATEST,
        {
            "ids": list(deaths) if asks.measure == Measure.FAILURES else ids,
            "measure": str(asks.measure),
            "states": list(_STATES[Measure(asks.measure)]),
            "since": now - timedelta(seconds=asks.window_s) if asks.measure == Measure.SHARE else long_ago,
            "most": 1 if asks.measure in _ONE else MOST_RUNS,
        },
    )
    runs: dict[int, list[JobRun]] = {}
    for row in rows:
        runs.setdefault(row.id, []).append(_run(row.started_at, row.finished_at, row.state))
    if asks.measure in (Measure.UNSUCCESSFUL, Measure.FAILURES):  # its last success may be in the archive
        for row in await fetch_all(connection, _SUCCESSES, {"ids": ids}):
            runs.setdefault(row.job_id, []).append(_run(row.hour, row.hour, "succeeded"))
    at = now.timestamp()
    found = []
    for each in jobs:
        value = asks.value(runs.get(each.id, ()), at, each.made)
        found.append(
            Reading(each.instance, value, each.paused, note=deaths.get(each.id, "") if value else "")
        )
    return found


async def _deaths(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """The latest death among the newest runs of each job that has one, in words."""
    return {
        row.id: f"#{row.run} {one_line(row.error, LONGEST_ERROR)}".strip()
        for row in await fetch_all(connection, _DEAD, {"ids": list(ids)})
    }


async def course(
    connection: Connection, asks: Jobs, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """The measure of every job at each moment."""
    jobs = await _jobs(connection, asks)
    if len(jobs) > asks.most:
        raise TooMuch(
            f"{len(jobs):,} jobs are selected; a rehearsal looks at {asks.most} at most: name fewer"
        )
    back = timedelta(seconds=max(asks.window_s, 7 * 86_400.0))
    rows = await fetch_all(
        connection,
        _PAST,
        {
            "ids": [each.id for each in jobs],
            "measure": str(asks.measure),
            "since": moments[0] - back,
            "until": moments[-1],
            "most": MOST_PAST + 1,
        },
    )
    if len(rows) > MOST_PAST:
        raise TooMuch(f"more than {MOST_PAST:,} runs to look through: name fewer jobs, or a shorter time")
    runs: dict[int, list[JobRun]] = {}
    for row in rows:
        runs.setdefault(row.id, []).append(_run(row.started_at, row.finished_at, row.state))
    return [
        Course(
            each.instance,
            [asks.value(runs.get(each.id, ()), moment.timestamp(), each.made) for moment in moments],
        )
        for each in jobs
    ]


async def _jobs(connection: Connection, asks: Jobs) -> list[_Job]:
    rows = await fetch_all(
        connection,
        "SELECT id, name, paused AND tripped_at IS NULL AS rests, created_at, belongs_to, role, lane FROM jobs "
        "WHERE retired_at IS NULL ORDER BY id",
    )
    return [
        _Job(row.id, row.name, row.rests, row.created_at.timestamp(), _labels(row))
        for row in rows
        if chosen(row.name, asks.jobs)
    ]


def _labels(row: Any) -> dict[str, str]:
    """What routes and silences can ask of a job; a person and a role only where it has them."""
    found = {"job": row.name, "owner": row.belongs_to, "role": row.role, "queue": parts_of(row.lane)[0]}
    return {label: value for label, value in found.items() if value}


def _run(started: datetime, finished: datetime | None, state: str) -> JobRun:
    ended = None if finished is None or state == "running" else finished.timestamp()
    return JobRun(started.timestamp(), ended, state == "succeeded")
