"""The courses of metrics of many services, from single values and roll-ups, at most one reading a step.

A metric may be a pattern, in which a star stands for anything, as in ``disk_used_percent{mount=*}``: then every series
of a service that it matches is an instance of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from watchfloor.domain.questions.metric import LATENCY
from watchfloor.domain.questions.question import Instance, Reading, Watched
from watchfloor.domain.trend import Point
from watchfloor.store.database import Connection, fetch_all, fetch_column
from watchfloor.store.partitions import oldest_day
from watchfloor.store.rollups import HOUR, MINUTE, watermarks

FRESH_CHECKS = 3
"""A value counts for so many intervals of its service."""
LEAST_FRESH_S = 60.0
"""And for at least this long, so that a late check is no lack of data."""


MISSED_FOR = timedelta(days=1)
"""So long a series that a pattern matched is missed after its last value."""

_SERIES_KEY = re.compile(r"service:(\d+)/metric:(.*)", re.DOTALL)


def fresh_s(every_s: float) -> float:
    """How long a value counts that is measured every ``every_s`` seconds."""
    return max(FRESH_CHECKS * every_s, LEAST_FRESH_S)


_SCOPE = "service_id = ANY(%(ids)s) AND ts >= %({0})s AND ts < %({1})s"
_BIN = "floor(extract(epoch FROM ts) / %(step)s)"
_SERIES = " AND series_id IN (SELECT id FROM series WHERE name LIKE %(metric)s)"
_METRIC = {
    "raw": ("metric_raw", "v"),
    "minute": ("metric_1m", "last"),
    "hour": ("metric_1h", "last"),
}
_RESULTS = {
    "raw": ("check_results", "latency_us / 1000.0"),
    "minute": ("result_1m", "total_us / nullif(measured, 0) / 1000"),
    "hour": ("result_1h", "total_us / nullif(measured, 0) / 1000"),
}


Series = tuple[int, str]
"""A service, by its id, and the name of one of its metrics."""


def like(metric: str) -> str:
    """A name or pattern of a metric for LIKE."""
    return "".join(f"\\{sign}" if sign in "\\%_" else sign for sign in metric).replace("*", "%")


async def series_of(
    connection: Connection, metric: str, services: Sequence[Watched]
) -> list[tuple[Watched, str]]:
    """The series that a rule asks about: one of each service, or those that its checks report and a pattern matches."""
    if "*" not in metric:
        return [(each, metric) for each in services]
    rows = await fetch_all(
        connection,
        "SELECT service_id, name FROM service_facts, jsonb_object_keys(metrics) AS name "
        "WHERE service_id = ANY(%(ids)s) AND name LIKE %(metric)s ORDER BY service_id, name",
        {"ids": [each.id for each in services], "metric": like(metric)},
    )
    known = {each.id: each for each in services}
    return [(known[row.service_id], row.name) for row in rows]


async def vanished(
    connection: Connection, metric: str, services: Sequence[Watched], keys: Collection[str], now: datetime
) -> list[Reading]:
    """Readings without a value of series that a pattern matched, known by ``keys``, and that no check reports now.

    What had no value for a day is left out: a disk that was taken away is not missed for ever.
    """
    known = {each.id: each for each in services}
    missed = [
        (service_id, name)
        for key in keys
        if (found := _SERIES_KEY.fullmatch(key)) and (service_id := int(found[1])) in known
        for name in (found[2],)
    ]
    if not missed or "*" not in metric:
        return []
    rows = await fetch_all(
        connection,
        "SELECT v.id, v.name FROM unnest(%(ids)s::int[], %(names)s::text[]) AS v(id, name) "
        "JOIN series s ON s.name = v.name WHERE v.name LIKE %(metric)s AND EXISTS (SELECT FROM metric_raw m "
        "WHERE m.service_id = v.id AND m.series_id = s.id AND m.ts > %(since)s) ORDER BY v.id, v.name",
        {
            "ids": [service_id for service_id, _ in missed],
            "names": [name for _, name in missed],
            "metric": like(metric),
            "since": now - MISSED_FOR,
        },
    )
    return [Reading(instance(known[row.id], row.name, metric), None, known[row.id].paused) for row in rows]


def past_series(
    metric: str, services: Sequence[Watched], found: Collection[Series]
) -> list[tuple[Watched, str]]:
    """The same for a stretch of the past: what a pattern matches is what there was."""
    if "*" not in metric:
        return [(each, metric) for each in services]
    known = {each.id: each for each in services}
    return [(known[service_id], name) for service_id, name in sorted(found)]


def instance(service: Watched, name: str, metric: str) -> Instance:
    """The instance of a series called ``name`` where a rule asks about ``metric``."""
    return service.instance(f"metric:{name}" if "*" in metric else "", metric=name)


def _part(source: tuple[str, str], at: str, low: str, high: str, latency: bool) -> str:
    table, value = source
    series, which = ("NULL::int", "") if latency else ("series_id", _SERIES)
    scope = _SCOPE.format(low, high)
    return f"SELECT service_id, {series} AS series_id, {at} AS ts, {value} AS v FROM {table} WHERE {scope}{which}"


async def _rolled(connection: Connection, step: timedelta) -> list[tuple[str, timedelta, datetime]]:
    """The roll-ups that are as fine as ``step``, coarse first, and up to where each is made."""
    marks = await watermarks(connection)
    grains = (("hour", HOUR), ("minute", MINUTE))
    return [(name, length, marks[name]) for name, length in grains if step >= length and name in marks]


async def _raw_from(
    connection: Connection, table: str, since: datetime
) -> list[tuple[str, timedelta, datetime]]:
    """The roll-up that stands for what is no longer kept as single values."""
    oldest = await oldest_day(connection, table)
    return [] if oldest is None or oldest <= since else [("hour", HOUR, oldest)]


async def points(
    connection: Connection,
    metric: str,
    services: Sequence[Watched],
    since: datetime,
    until: datetime,
    step: timedelta,
    *,
    raw: bool = False,
    hour_of_day: int | None = None,
) -> Mapping[Series, list[Point]]:
    """The last reading of each step from ``since`` to ``until``, in order of time, by series.

    From roll-ups as far as they are as fine as ``step`` and made, from single values after that; with ``raw`` from
    single values as far as they are kept, from hours before. With ``hour_of_day`` only those of that hour (UTC). A
    value of a roll-up stands at its last microsecond.
    """
    latency = metric == LATENCY
    tables = _RESULTS if latency else _METRIC
    ends = await _raw_from(connection, tables["raw"][0], since) if raw else await _rolled(connection, step)
    parts, low = [], "since"
    values: dict[str, datetime] = {"since": since, "until": until + timedelta(microseconds=1)}
    for name, length, end in ends:
        values[name] = min(max(end, values[low]), values["until"])
        parts.append(
            _part(
                tables[name],
                f"ts + interval '{length.seconds} seconds' - interval '1 microsecond'",
                low,
                name,
                latency,
            )
        )
        low = name
    parts.append(_part(tables["raw"], "ts", low, "until", latency))
    rows = await fetch_all(
        connection,
        f"SELECT DISTINCT ON (service_id, series_id, {_BIN}) service_id, s.name, extract(epoch FROM ts)::float8 AS at, "
        f"v::float8 AS v FROM ({' UNION ALL '.join(parts)}) x LEFT JOIN series s ON s.id = series_id "
        "WHERE v IS NOT NULL AND (%(only)s::int IS NULL OR extract(hour FROM ts) = %(only)s) "
        f"ORDER BY service_id, series_id, {_BIN}, ts DESC",
        {
            **values,
            "metric": like(metric),
            "ids": [each.id for each in services],
            "step": step.total_seconds(),
            "only": hour_of_day,
        },
    )
    found: dict[Series, list[Point]] = {}
    for row in rows:
        found.setdefault((row.service_id, row.name or LATENCY), []).append((row.at, row.v))
    return found


async def metric_names(connection: Connection) -> list[str]:
    """The names of all metrics that any check ever reported, up to ten thousand of them."""
    return await fetch_column(connection, "SELECT name FROM series ORDER BY name LIMIT 10000")
