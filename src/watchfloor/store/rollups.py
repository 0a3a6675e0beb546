"""Roll-ups of results and metrics: raw to minutes, minutes to hours, hours to days, each bucket rebuilt whole.

Every statement may be repeated: it overwrites the buckets of the services and the stretch of time it is given. What
is rolled up is below a watermark, which moves in the transaction of the last bucket below it. A result that comes
later than that names its hour in ``rollup_late``, in the transaction that stores it, and the hour is rolled up again.
Histograms are merged by adding counts (`watchfloor.domain.histogram`), never by averaging percentiles.

This module must never be used on the connection of an ingest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.store.database import Connection, fetch_all, fetch_column

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

SETTLE = timedelta(seconds=150)
"""A minute is rolled up so long after its end."""
LATE = timedelta(seconds=60)
"""A result that is this old when it is judged may come after its minute was rolled up."""

_AT = "date_bin('{0}', ts, 'epoch'::timestamptz)"
_SCOPE = "service_id = ANY(%(ids)s) AND ts >= %(start)s AND ts < %(end)s"
_CODES = "array_agg(b * 1048576 + least(c, 1048575)::int ORDER BY b)"
_FINITE = "v BETWEEN -1e300 AND 1e300"

_RESULT_COLUMNS = (
    "service_id, n, ts, degraded, failing, unknown, measured, total_us, least_us, most_us, hist, phases_us, "
    "phases_n"
)
_METRIC_COLUMNS = "service_id, series_id, ts, n, total, least, most, last, hist"


def _overwrite(table: str, columns: str, keys: int) -> str:
    names = columns.split(", ")
    key = [name for name in names if name in ("service_id", "series_id", "ts")]
    rest = ", ".join(f"{name} = EXCLUDED.{name}" for name in names if name not in key)
    assert len(key) == keys
    return f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {rest}"


_MINUTE_RESULTS = f"""
INSERT INTO result_1m ({_RESULT_COLUMNS})
SELECT service_id, sum(c), at, sum(degraded), sum(failing), sum(unknown),
    coalesce(sum(c) FILTER (WHERE b IS NOT NULL), 0), sum(total), min(least), max(most),
    {_CODES} FILTER (WHERE b IS NOT NULL), NULL, NULL
FROM (
    SELECT service_id, {_AT.format("1 minute")} AS at, histogram_bucket(latency_us::float8) AS b, count(*) AS c,
        count(*) FILTER (WHERE status = 1) AS degraded, count(*) FILTER (WHERE status = 2) AS failing,
        count(*) FILTER (WHERE status = 3) AS unknown,
        sum(latency_us::float8) AS total, min(latency_us) AS least, max(latency_us) AS most
    FROM check_results WHERE {_SCOPE} GROUP BY 1, 2, 3
) x GROUP BY service_id, at
{_overwrite("result_1m", _RESULT_COLUMNS, 2)}
"""

_MINUTE_METRICS = f"""
INSERT INTO metric_1m ({_METRIC_COLUMNS})
SELECT service_id, series_id, at, sum(c), sum(total), min(least), max(most), (max(last))[2], {_CODES}
FROM (
    SELECT service_id, series_id, {_AT.format("1 minute")} AS at, histogram_bucket(v) AS b, count(*) AS c,
        sum(v) AS total, min(v) AS least, max(v) AS most, max(ARRAY[extract(epoch FROM ts)::float8, v]) AS last
    FROM metric_raw WHERE {_SCOPE} AND {_FINITE} GROUP BY 1, 2, 3, 4
) x GROUP BY service_id, series_id, at
{_overwrite("metric_1m", _METRIC_COLUMNS, 3)}
"""


def _merged_results(source: str, target: str, bin_: str, phases: str) -> str:
    """Buckets of results out of finer ones; ``phases`` gives the phases of each: their means, and of how many."""
    return f"""
INSERT INTO {target} ({_RESULT_COLUMNS})
SELECT service_id, n, at, degraded, failing, unknown, measured, total, least, most, h.hist, p.phases, p.counts
FROM (
    SELECT service_id, {_AT.format(bin_)} AS at, sum(n) AS n, sum(degraded) AS degraded, sum(failing) AS failing,
        sum(unknown) AS unknown, sum(measured) AS measured, sum(total_us) AS total, min(least_us) AS least,
        max(most_us) AS most
    FROM {source} WHERE {_SCOPE} GROUP BY 1, 2
) s LEFT JOIN (
    SELECT service_id, at, {_CODES} AS hist FROM (
        SELECT service_id, {_AT.format(bin_)} AS at, code >> 20 AS b, sum(code & 1048575) AS c
        FROM {source}, unnest(hist) AS code WHERE {_SCOPE} GROUP BY 1, 2, 3
    ) x GROUP BY 1, 2
) h USING (service_id, at) LEFT JOIN ({phases}) p USING (service_id, at)
{_overwrite(target, _RESULT_COLUMNS, 2)}
"""


def _merged_metrics(source: str, target: str, bin_: str) -> str:
    """Buckets of metrics out of finer ones."""
    return f"""
INSERT INTO {target} ({_METRIC_COLUMNS})
SELECT service_id, series_id, at, n, total, least, most, last, h.hist
FROM (
    SELECT service_id, series_id, {_AT.format(bin_)} AS at, sum(n) AS n, sum(total) AS total, min(least) AS least,
        max(most) AS most, (max(ARRAY[extract(epoch FROM ts)::float8, last]))[2] AS last
    FROM {source} WHERE {_SCOPE} GROUP BY 1, 2, 3
) s JOIN (
    SELECT service_id, series_id, at, {_CODES} AS hist FROM (
        SELECT service_id, series_id, {_AT.format(bin_)} AS at, code >> 20 AS b, sum(code & 1048575) AS c
        FROM {source}, unnest(hist) AS code WHERE {_SCOPE} GROUP BY 1, 2, 3, 4
    ) x GROUP BY 1, 2, 3
) h USING (service_id, series_id, at)
{_overwrite(target, _METRIC_COLUMNS, 3)}
"""


# A phase that was not reached is no measurement: NULL, and 0 in what was stored before this was told apart.
RAW_PHASE = "nullif(phases[{0}], 0)"
ROLLED_PHASE = "nullif(phases_us[{0}], 0)"
ROLLED_COUNT = "coalesce(phases_n[{0}], measured)"
"""Of how many results a mean phase is; before they were counted, of all that were measured, so it was taken."""
WEIGHED = (
    f"sum({ROLLED_PHASE}::float8 * {ROLLED_COUNT}) "
    f"/ nullif(sum({ROLLED_COUNT}) FILTER (WHERE {ROLLED_PHASE} IS NOT NULL), 0)"
)
"""The mean of a phase out of means."""
_COUNTED = f"sum({ROLLED_COUNT}) FILTER (WHERE {ROLLED_PHASE} IS NOT NULL)"
_PHASE_SLOTS = range(1, 6)  # as many as outcome.PHASES


def _each(form: str) -> str:
    """The same of every phase."""
    return f"ARRAY[{', '.join(form.format(n) for n in _PHASE_SLOTS)}]"


_RAW_PHASES = (
    f"SELECT service_id, {_AT.format('1 hour')} AS at, {_each(f'avg({RAW_PHASE})')}::real[] AS phases, "
    f"{_each(f'count({RAW_PHASE})')}::int[] AS counts "
    f"FROM check_results WHERE {_SCOPE} AND phases IS NOT NULL GROUP BY 1, 2"
)
_HOUR_PHASES = (
    f"SELECT service_id, {_AT.format('1 day')} AS at, {_each(WEIGHED)}::real[] AS phases, "
    f"{_each(_COUNTED)}::int[] AS counts "
    f"FROM result_1h WHERE {_SCOPE} AND phases_us IS NOT NULL GROUP BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class Grain:
    """One step of rolling up: its name, the length of its buckets, the statements that make them."""

    name: str
    length: timedelta
    statements: tuple[str, str]


GRAINS = (
    Grain("minute", MINUTE, (_MINUTE_RESULTS, _MINUTE_METRICS)),
    Grain(
        "hour",
        HOUR,
        (
            _merged_results("result_1m", "result_1h", "1 hour", _RAW_PHASES),
            _merged_metrics("metric_1m", "metric_1h", "1 hour"),
        ),
    ),
    Grain(
        "day",
        DAY,
        (
            _merged_results("result_1h", "result_1d", "1 day", _HOUR_PHASES),
            _merged_metrics("metric_1h", "metric_1d", "1 day"),
        ),
    ),
)


async def roll(
    connection: Connection, grain: Grain, ids: Sequence[int], start: datetime, end: datetime
) -> int:
    """Make the buckets of these services in ``[start, end)``, both whole buckets; returns how many."""
    made = 0
    for statement in grain.statements:
        done = await connection.execute(statement, {"ids": list(ids), "start": start, "end": end})
        made += done.rowcount
    return made


async def watermarks(connection: Connection) -> dict[str, datetime]:
    """Up to where each step is done, by its name."""
    return {row.name: row.until for row in await fetch_all(connection, "SELECT name, until FROM rollups")}


async def move_watermark(connection: Connection, name: str, until: datetime) -> None:
    """A step is done up to ``until``."""
    await connection.execute(
        "INSERT INTO rollups (name, until) VALUES (%(name)s, %(until)s) ON CONFLICT (name) "
        "DO UPDATE SET until = EXCLUDED.until, changed_at = clock_timestamp()",
        {"name": name, "until": until},
    )


async def rolled_services(connection: Connection, since: datetime) -> list[int]:
    """Every service that may have results since then."""
    return await fetch_column(
        connection,
        "SELECT id FROM services WHERE retired_at IS NULL OR retired_at >= %(since)s ORDER BY id",
        {"since": since - DAY},
    )


async def mark_late(connection: Connection, results: Iterable[tuple[int, datetime]]) -> None:
    """Have the hours of these results ``(service, moment)`` rolled up again; in the transaction that stores them."""
    hours = {(service_id, _hour(moment)) for service_id, moment in results}
    await connection.execute(
        "INSERT INTO rollup_late SELECT * FROM unnest(%(ids)s::int[], %(hours)s::timestamptz[]) ON CONFLICT DO NOTHING",
        {"ids": [service_id for service_id, _ in hours], "hours": [hour for _, hour in hours]},
    )


async def take_late(connection: Connection, limit: int) -> Mapping[datetime, list[int]]:
    """Take late hours, oldest first, with their services; theirs is the transaction that rolls them up again."""
    rows = await fetch_all(
        connection,
        "DELETE FROM rollup_late WHERE (service_id, hour) IN (SELECT service_id, hour FROM rollup_late "
        "ORDER BY hour, service_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED) RETURNING hour, service_id",
        {"limit": limit},
    )
    found: dict[datetime, list[int]] = {}
    for row in sorted(rows):
        found.setdefault(row.hour, []).append(row.service_id)
    return found


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
