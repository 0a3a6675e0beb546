"""The course of a service's latency, phases and metrics, cut into slices by the database.

A short stretch is read from single results, a longer one from roll-ups, whatever its length: a few thousand rows.
What is not rolled up yet is taken from the next finer grain, so that every chart reaches up to now.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.histogram import middle
from watchfloor.domain.history import SLICES, Course, Figures, Grain, History, Sample, grain_for
from watchfloor.domain.outcome import PHASES, Status
from watchfloor.domain.packed import PackedResult
from watchfloor.store import pieces
from watchfloor.store.database import Connection, fetch_all, fetch_one, fetch_value
from watchfloor.store.packing import packed_results
from watchfloor.store.partitions import oldest_day
from watchfloor.store.rollups import RAW_PHASE, watermarks

METRICS_SHOWN = 60
_BADNESS = (Status.OK, Status.UNKNOWN, Status.DEGRADED, Status.FAILING)
_RANK = "(ARRAY[{}])[status + 1]".format(",".join(str(_BADNESS.index(Status(n))) for n in range(len(Status))))
_FIGURES = (
    "ARRAY[min({0}), avg({0}), percentile_cont(0.95) WITHIN GROUP (ORDER BY {0}), max({0}), "
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY {0}), percentile_cont(0.99) WITHIN GROUP (ORDER BY {0})"
    "]::float8[] AS {1}"
)
_CHECKS = "FROM check_results WHERE service_id = %(id)s AND ts >= %(start)s AND ts <= %(end)s"
_LEAST = timedelta(milliseconds=1)
_US = 1e-6


async def history(connection: Connection, service_id: int, start: datetime, end: datetime) -> History:
    """What was measured of a service from `start` to `end`."""
    every_ms = await fetch_value(
        connection, "SELECT every_ms FROM services WHERE id = %(id)s", {"id": service_id}
    )
    raw_since = await oldest_day(connection, "check_results")
    grain = grain_for(start, end, (every_ms or 1) / 1000, start if raw_since is None else raw_since)
    step = max((end - start) / SLICES, grain.length, _LEAST)
    asked: dict[str, Any] = {"id": service_id, "start": start, "end": end, "step": step}
    if grain is Grain.RAW:
        latency, phases = await _checks(connection, asked)
        return History(start, end, latency, phases, await _metrics(connection, asked), grain)
    marks = await watermarks(connection)
    coarse = Grain.HOUR if grain is Grain.PACKED else grain
    if grain is Grain.PACKED:
        results = packed_results(connection, service_id, start, end)
        latency = _sliced([result async for result in results], start, step)
    else:
        latency = await _rolled_latency(connection, asked, grain, marks)
    phases = await _rolled_phases(connection, asked, coarse, marks)
    return History(
        start, end, latency, phases, await _rolled_metrics(connection, asked, coarse, marks), grain
    )


async def _checks(connection: Connection, asked: dict[str, Any]) -> tuple[Course, dict[str, Course]]:
    means = ", ".join(f"avg({RAW_PHASE.format(n)})" for n in range(1, len(PHASES) + 1))
    slices = await fetch_all(
        connection,
        "SELECT date_bin(%(step)s, ts, %(start)s) AS at, avg(latency_us) AS mean, max(latency_us) AS peak, "
        "percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_us) AS p95, "
        f"max({_RANK}) AS worst, ARRAY[{means}]::float8[] AS phases {_CHECKS} GROUP BY 1 ORDER BY 1",
        asked,
    )
    whole = ", ".join(_FIGURES.format(RAW_PHASE.format(n), name) for n, name in enumerate(PHASES, 1))
    figures = await fetch_one(
        connection, f"SELECT {_FIGURES.format('latency_us', 'latency')}, {whole} {_CHECKS}", asked
    )
    latency = Course(
        tuple(
            Sample(row.at, _seconds(row.mean), _BADNESS[row.worst], _seconds(row.peak), _seconds(row.p95))
            for row in slices
        ),
        _figures(figures.latency, _US),
    )
    phases = {
        name: Course(
            tuple(Sample(row.at, _seconds(row.phases[n])) for row in slices), _figures(measured, _US)
        )
        for n, name in enumerate(PHASES)
        if (measured := getattr(figures, name))[0] is not None
    }
    return latency, phases


def _seconds(microseconds: Any) -> float | None:
    return None if microseconds is None else float(microseconds) * _US


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


def _sliced(results: Iterable[PackedResult], start: datetime, step: timedelta) -> Course:
    """Packed results in slices as the database makes them of those that are kept in full."""
    slices: dict[int, list[PackedResult]] = {}
    for result in results:
        slices.setdefault((result.slot - start) // step, []).append(result)
    samples, everything = [], []
    for place, inside in sorted(slices.items()):
        values = sorted(each.latency_us * _US for each in inside if each.latency_us is not None)
        everything += values
        worst = max((each.status for each in inside), key=_BADNESS.index)
        mean = sum(values) / len(values) if values else None
        samples.append(
            Sample(start + step * place, mean, worst, values[-1] if values else None, _share(values, 0.95))
        )
    everything.sort()
    if not everything:
        return Course(tuple(samples))
    mean = sum(everything) / len(everything)
    p50, p95, p99 = (_share(everything, share) for share in (0.5, 0.95, 0.99))
    return Course(tuple(samples), Figures(everything[0], mean, p95, everything[-1], p50, p99))


def _share(ordered: list[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def _estimate(place: int | None, least: float, most: float) -> float | None:
    """The value of a percentile's bucket, within what is known exactly."""
    return None if place is None else min(max(middle(place), least), most)


async def _rolled_latency(
    connection: Connection, asked: dict[str, Any], grain: Grain, marks: dict[str, datetime]
) -> Course:
    query, values = pieces.latency(grain, marks, asked["end"])
    samples, figures = [], None
    for row in await fetch_all(connection, query, {**asked, **values}):
        if row.least is None:
            samples.append(Sample(row.at, None, _worst(row)))
            continue
        p50, p95, p99 = (_estimate(place, row.least, row.most) for place in (row.p50, row.p95, row.p99))
        if row.at is None:
            figures = Figures(
                row.least * _US,
                row.mean * _US,
                _seconds(p95),
                row.most * _US,
                _seconds(p50),
                _seconds(p99),
            )
        else:
            samples.append(Sample(row.at, row.mean * _US, _worst(row), row.most * _US, _seconds(p95)))
    return Course(tuple(sample for sample in samples if sample.at is not None), figures)


def _worst(row: Any) -> Status:
    if row.failing:
        return Status.FAILING
    return Status.DEGRADED if row.degraded else Status.UNKNOWN if row.unknown else Status.OK


async def _rolled_phases(
    connection: Connection, asked: dict[str, Any], grain: Grain, marks: dict[str, datetime]
) -> dict[str, Course]:
    """The means of the phases; of single values nothing is known here."""
    query, values = pieces.phases(grain, marks, asked["end"], len(PHASES))
    rows = await fetch_all(connection, query, {**asked, **values})
    whole = next((row.phases for row in rows if row.at is None), None)
    if whole is None:
        return {}
    return {
        name: Course(
            tuple(Sample(row.at, _seconds(row.phases[n])) for row in rows if row.at is not None),
            Figures(None, whole[n] * _US, None, None),
        )
        for n, name in enumerate(PHASES)
        if whole[n] is not None
    }


async def _rolled_metrics(
    connection: Connection, asked: dict[str, Any], grain: Grain, marks: dict[str, datetime]
) -> dict[str, Course]:
    query, values = pieces.metrics(grain, marks, asked["end"], METRICS_SHOWN)
    found: dict[str, tuple[list[Sample], list[Figures]]] = {}
    for row in await fetch_all(connection, query, {**asked, **values}):
        samples, figures = found.setdefault(row.name, ([], []))
        if row.at is not None:
            samples.append(Sample(row.at, row.mean, peak=row.most))
            continue
        p50, p95, p99 = (_estimate(place, row.least, row.most) for place in (row.p50, row.p95, row.p99))
        figures.append(Figures(row.least, row.mean, p95, row.most, p50, p99))
    return {name: Course(tuple(samples), figures[0]) for name, (samples, figures) in found.items()}
