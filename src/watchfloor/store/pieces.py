"""The queries that put a stretch of time together from roll-ups: the coarse ones as far as they are made, finer ones
after them, single values at the end.

How much of each is read is bounded, also where rolling up has fallen behind. Percentiles come from merged histograms:
the queries give the bucket that a percentile falls into, `watchfloor.domain.histogram` its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.history import Grain
from watchfloor.store.rollups import WEIGHED

MOST_RAW = timedelta(hours=1)
_MOST_TAIL = {
    Grain.MINUTE: timedelta(days=2),
    Grain.HOUR: timedelta(days=92),
    Grain.DAY: timedelta(days=4000),
}
_CHAINS = {
    Grain.MINUTE: (Grain.MINUTE,),
    Grain.HOUR: (Grain.HOUR, Grain.MINUTE),
    Grain.DAY: (Grain.DAY, Grain.HOUR, Grain.MINUTE),
}
_SUFFIX = {Grain.MINUTE: "1m", Grain.HOUR: "1h", Grain.DAY: "1d"}
_SLICE = "date_bin(%(step)s, ts, %(start)s)"
_SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))

Query = tuple[str, dict[str, Any]]


def _sections(
    chain: tuple[Grain, ...], marks: Mapping[str, datetime], end: datetime
) -> tuple[list[tuple[Grain, str, str]], dict[str, Any]]:
    """Which grain is read from where to where: names of parameters, and their values."""
    sections, values, low = [], {}, "start"
    for grain in chain:
        name = f"{grain}_mark"
        values[name] = marks.get(grain, datetime.min.replace(tzinfo=end.tzinfo))
        values[f"{grain}_least"] = end - _MOST_TAIL[grain]
        sections.append(
            (grain, f"greatest(%({low})s::timestamptz, %({grain}_least)s::timestamptz)", f"%({name})s")
        )
        low = name
    values["raw_least"] = end - MOST_RAW
    sections.append(
        (Grain.RAW, f"greatest(%(start)s::timestamptz, %({low})s::timestamptz, %(raw_least)s)", "%(end)s")
    )
    return sections, values


def _union(
    table: str, rolled: str, raw_table: str, raw: str, sections: list[tuple[Grain, str, str]], also: str = ""
) -> str:
    parts = []
    for grain, low, high in sections:
        source = raw_table if grain is Grain.RAW else f"{table}_{_SUFFIX[grain]}"
        columns = raw if grain is Grain.RAW else rolled
        extra = also if grain is Grain.RAW else ""
        parts.append(
            f"SELECT {columns} FROM {source} WHERE service_id = %(id)s "
            f"AND ts >= %(start)s AND ts <= %(end)s AND ts >= {low} AND ts < {high}{extra}"
        )
    return " UNION ALL ".join(parts)


def _percentile_places(keys: str) -> str:
    """For each group of buckets the one that each percentile falls into; ``keys`` may hold nulls for the whole."""
    picks = ", ".join(
        f"min(b) FILTER (WHERE passed >= greatest(1, ceil({share} * whole))) AS {name}"
        for name, share in _SHARES
    )
    group = f"PARTITION BY {keys}"
    return (
        f"SELECT {keys}, {picks} FROM (SELECT {keys}, b, sum(c) OVER ({group} ORDER BY b) AS passed, "
        f"sum(c) OVER ({group}) AS whole FROM counted) w GROUP BY {keys}"
    )


def latency(grain: Grain, marks: Mapping[str, datetime], end: datetime) -> Query:
    """One row for each slice, and one without a time for the whole: counts, figures, buckets of percentiles."""
    sections, values = _sections(_CHAINS[grain], marks, end)
    union = _union(
        "result",
        "ts, degraded, failing, unknown, measured, total_us, least_us, most_us, hist",
        "check_results",
        "ts, (status = 1)::int, (status = 2)::int, (status = 3)::int, (latency_us IS NOT NULL)::int, latency_us, "
        "latency_us, latency_us, ARRAY[histogram_bucket(latency_us::float8) * 1048576 + 1]",
        sections,
    )
    query = f"""
WITH piece AS MATERIALIZED (SELECT *, {_SLICE} AS at FROM ({union}) u),
counted AS (
    SELECT at, code >> 20 AS b, sum(code & 1048575) AS c FROM piece, unnest(hist) AS code
    WHERE code IS NOT NULL GROUP BY GROUPING SETS ((1, 2), (2))
), place AS ({_percentile_places("at")})
SELECT s.*, p.p50, p.p95, p.p99 FROM (
    SELECT at, sum(degraded) AS degraded, sum(failing) AS failing, sum(unknown) AS unknown,
        sum(total_us)::float8 / nullif(sum(measured), 0) AS mean, min(least_us)::float8 AS least,
        max(most_us)::float8 AS most
    FROM piece GROUP BY GROUPING SETS ((at), ())
) s LEFT JOIN place p ON p.at IS NOT DISTINCT FROM s.at ORDER BY s.at
"""
    return query, values


def phases(grain: Grain, marks: Mapping[str, datetime], end: datetime, count: int) -> Query:
    """One row for each slice, and one without a time for the whole: the mean of each phase, where it was reached."""
    chain = (Grain.DAY, Grain.HOUR) if grain is Grain.DAY else (Grain.HOUR,)
    sections, values = _sections(chain, marks, end)
    union = _union(
        "result",
        "ts, measured, phases_us, phases_n",
        "check_results",
        "ts, 1, phases::real[], NULL::int[]",
        sections,
    )
    means = ", ".join(WEIGHED.format(n) for n in range(1, count + 1))
    query = (
        f"SELECT {_SLICE} AS at, ARRAY[{means}]::float8[] AS phases FROM ({union}) u "
        "WHERE phases_us IS NOT NULL GROUP BY GROUPING SETS ((1), ()) ORDER BY 1"
    )
    return query, values


def metrics(grain: Grain, marks: Mapping[str, datetime], end: datetime, most: int) -> Query:
    """As `latency`, for each series by its name; the first ``most`` of them."""
    sections, values = _sections(_CHAINS[grain], marks, end)
    union = _union(
        "metric",
        "series_id, ts, n, total, least, most, hist",
        "metric_raw",
        "series_id, ts, 1, v, v, v, ARRAY[histogram_bucket(v) * 1048576 + 1]",
        sections,
        " AND v BETWEEN -1e300 AND 1e300",
    )
    query = f"""
WITH piece AS MATERIALIZED (SELECT *, {_SLICE} AS at FROM ({union}) u),
wanted AS (
    SELECT id, name FROM series WHERE id IN (SELECT series_id FROM piece) ORDER BY name LIMIT %(most)s
), counted AS (
    SELECT series_id, code >> 20 AS b, sum(code & 1048575) AS c FROM piece, unnest(hist) AS code GROUP BY 1, 2
), place AS ({_percentile_places("series_id")})
SELECT w.name, s.at, s.mean, s.least, s.most, p.p50, p.p95, p.p99 FROM (
    SELECT series_id, at, sum(total) / sum(n) AS mean, min(least) AS least, max(most) AS most
    FROM piece GROUP BY GROUPING SETS ((series_id, at), (series_id))
) s JOIN wanted w ON w.id = s.series_id LEFT JOIN place p ON p.series_id = s.series_id ORDER BY w.name, s.at
"""
    return query, {**values, "most": most}
