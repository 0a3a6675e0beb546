"""What nodes measured of themselves, minute by minute."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta

from watchfloor.domain.history import SLICES, Course, Figures, Sample
from watchfloor.domain.node import MEASURED, NodeCourse
from watchfloor.store.database import Connection, fetch_all, fetch_one
from watchfloor.store.nodes import Entry


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of a node; None where there was no check."""

    minute: datetime
    services: int  # that it watched at its end
    checks: int  # that ended in it
    missed: int  # slots that nobody used
    lag_p50_ms: float | None
    lag_p99_ms: float | None
    lag_max_ms: float | None
    waiting: int  # results that waited to be stored, at its end
    runs: int  # of jobs that went on, at its end
    loop_ms: float  # the most by which the engine's loop turned too late
    cpu_pct: float  # of one processor
    rss_bytes: int
    database_ms: float  # one statement, there and back


_NAMES = tuple(field.name for field in fields(Minute))
_SAVE = (
    f"INSERT INTO node_minutes (node_id, {', '.join(_NAMES)}) "
    f"SELECT n.id, {', '.join(f'%({name})s' for name in _NAMES)} FROM nodes n "
    "WHERE n.id = %(id)s AND n.started_at = %(started_at)s AND n.state IN ('starting', 'running') "
    "AND n.lost_at IS NULL AND n.lease_until > clock_timestamp() ON CONFLICT (node_id, minute) DO NOTHING"
)


async def save_minute(connection: Connection, entry: Entry, measured: Minute) -> bool:
    """Keep a minute of a node; False where the node is not live any more, or the minute is kept already."""
    values = {**asdict(measured), "id": entry.id, "started_at": entry.started_at}
    return (await connection.execute(_SAVE, values)).rowcount == 1


_COURSE = "FROM node_minutes WHERE node_id = %(id)s AND minute >= %(start)s AND minute <= %(end)s"


async def node_course(connection: Connection, node_id: int, start: datetime, end: datetime) -> NodeCourse:
    """How the figures of a node went between two moments, in as many slices as a chart can show."""
    step = max(timedelta(minutes=1), (end - start) / SLICES)
    asked = {"id": node_id, "start": start, "end": end, "step": step}
    means = ", ".join(f"avg({each.column})::float8, max({each.peak})::float8" for each in MEASURED.values())
    slices = await fetch_all(
        connection,
        f"SELECT ARRAY[{means}] AS found, date_bin(%(step)s, minute, %(start)s) AS at {_COURSE} "
        "GROUP BY at ORDER BY at",
        asked,
    )
    whole = ", ".join(
        f"min({each.column})::float8, avg({each.column})::float8, "
        f"percentile_cont(0.95) WITHIN GROUP (ORDER BY {each.column})::float8, max({each.peak})::float8"
        for each in MEASURED.values()
    )
    figures = await fetch_one(
        connection, f"SELECT ARRAY[{whole}] AS found, count(*) AS minutes {_COURSE}", asked
    )
    known = await fetch_one(
        connection, "SELECT min(minute) AS since FROM node_minutes WHERE node_id = %(id)s", asked
    )
    courses = {
        name: Course(
            tuple(_sample(row.at, row.found[2 * n : 2 * n + 2], each.factor) for row in slices),
            _figures(figures.found[4 * n : 4 * n + 4], each.factor),
        )
        for n, (name, each) in enumerate(MEASURED.items())
    }
    return NodeCourse(start, end, known.since, figures.minutes, courses)


def _sample(at: datetime, found: list[float | None], factor: float) -> Sample:
    mean, peak = (_times(each, factor) for each in found)
    return Sample(at, mean, peak=peak)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _figures(found: list[float | None], factor: float) -> Figures | None:
    least, mean, p95, most = (_times(each, factor) for each in found)
    return None if mean is None else Figures(least, mean, p95, most)
