"""The course of a service's latency, phases and metrics, cut into slices by the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.history import SLICES, Course, Figures, History, Sample
from watchfloor.domain.outcome import PHASES, Status
from watchfloor.store.database import Connection, fetch_all, fetch_one

METRICS_SHOWN = 60
_BADNESS = (Status.OK, Status.UNKNOWN, Status.DEGRADED, Status.FAILING)
_RANK = "(ARRAY[{}])[status + 1]".format(",".join(str(_BADNESS.index(Status(n))) for n in range(len(Status))))
_FIGURES = (
    "ARRAY[min({0}), avg({0}), percentile_cont(0.95) WITHIN GROUP (ORDER BY {0}), max({0})]::float8[] AS {1}"
)
_CHECKS = "FROM check_results WHERE service_id = %(id)s AND ts >= %(start)s AND ts <= %(end)s"
_LEAST = timedelta(milliseconds=1)


async def history(connection: Connection, service_id: int, start: datetime, end: datetime) -> History:
    """What was measured of a service from `start` to `end`."""
    asked = {"id": service_id, "start": start, "end": end, "step": max((end - start) / SLICES, _LEAST)}
    latency, phases = await _checks(connection, asked)
    return History(start, end, latency, phases, await _metrics(connection, asked))


async def _checks(connection: Connection, asked: dict[str, Any]) -> tuple[Course, dict[str, Course]]:
    means = ", ".join(f"avg(phases[{n}])" for n in range(1, len(PHASES) + 1))
    slices = await fetch_all(
        connection,
        "SELECT date_bin(%(step)s, ts, %(start)s) AS at, avg(latency_us) AS mean, max(latency_us) AS peak, "
        f"max({_RANK}) AS worst, ARRAY[{means}]::float8[] AS phases {_CHECKS} GROUP BY 1 ORDER BY 1",
        asked,
    )
    whole = ", ".join(_FIGURES.format(f"phases[{n}]", name) for n, name in enumerate(PHASES, 1))
    figures = await fetch_one(
        connection, f"SELECT {_FIGURES.format('latency_us', 'latency')}, {whole} {_CHECKS}", asked
    )
    latency = Course(
        tuple(Sample(row.at, _seconds(row.mean), _BADNESS[row.worst], _seconds(row.peak)) for row in slices),
        _figures(figures.latency, 1e-6),
    )
    phases = {
        name: Course(
            tuple(Sample(row.at, _seconds(row.phases[n])) for row in slices), _figures(measured, 1e-6)
        )
        for n, name in enumerate(PHASES)
        if (measured := getattr(figures, name))[0] is not None
    }
    return latency, phases


def _seconds(microseconds: Any) -> float | None:
    return None if microseconds is None else float(microseconds) / 1e6


def _figures(row: Any, unit: float = 1.0) -> Figures | None:
    return None if row[0] is None else Figures(*(float(value) * unit for value in row))


async def _metrics(connection: Connection, asked: dict[str, Any]) -> dict[str, Course]:
    rows = await fetch_all(
        connection,
        "SELECT s.name, date_bin(%(step)s, m.ts, %(start)s) AS at, "
        f"max(m.v) AS peak, {_FIGURES.format('m.v', 'figures')} FROM metric_raw m JOIN series s ON s.id = m.series_id "
        "WHERE m.service_id = %(id)s AND m.ts >= %(start)s AND m.ts <= %(end)s AND m.v BETWEEN -1e300 AND 1e300 "
        "GROUP BY GROUPING SETS ((1, 2), (1)) ORDER BY 1, 2 NULLS FIRST",
        asked,
    )
    found: dict[str, Course] = {}
    samples: dict[str, list[Sample]] = {}
    for row in rows:
        if row.at is None:
            if len(found) == METRICS_SHOWN:
                break
            found[row.name], samples[row.name] = Course((), _figures(row.figures)), []
        else:
            samples[row.name].append(Sample(row.at, row.figures[1], peak=row.peak))
    return {name: Course(tuple(samples[name]), course.figures) for name, course in found.items()}
