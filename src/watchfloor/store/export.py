"""Rows for an export, page by page: every page is a short transaction of its own, so an export of a year keeps no
snapshot open and needs the memory of one page.

Pages follow keys, one service after the other, oldest first. Single results older than those kept in full come from
packed ones: their time is the slot, their latency within the precision of packing, and they have no phases.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from watchfloor.domain import histogram
from watchfloor.domain.export import Row, Wanted
from watchfloor.domain.outcome import PHASES, Status
from watchfloor.store.database import Database, fetch_all
from watchfloor.store.packing import packed_results
from watchfloor.store.partitions import oldest_day
from watchfloor.store.uptime import uptime_days

PAGE = 500
"""Rows of a page: few enough that a console which exports answers keys in between."""
PACKED_STEP = timedelta(days=1)
_SUFFIX = {"minute": "1m", "hour": "1h", "day": "1d"}
_SHARES = (0.5, 0.95, 0.99)

_RESULTS = (
    "service",
    "at",
    "status",
    "latency_ms",
    "lag_ms",
    *(f"{name}_ms" for name in PHASES),
    "summary",
    "source",
)
_ROLLED_RESULTS = (
    *("service", "at", "results", "degraded", "failing", "unknown"),
    *("mean_ms", "min_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms"),
)
_METRICS = ("service", "series", "at", "value")
_ROLLED_METRICS = ("service", "series", "at", "values", "mean", "min", "p50", "p95", "p99", "max", "last")
_UPTIME = ("service", "day", "uptime", "up_s", "down_s", "unreachable_s", "planned_s", "unknown_s")
_INCIDENTS = ("id", "service", "opened_at", "confirmed_at", "closed_at", "lasted_s", "worst", "cause")


def columns(wanted: Wanted) -> Sequence[str]:
    """The names of the columns, in order."""
    match wanted.kind, wanted.grain:
        case "results", "raw":
            return _RESULTS
        case "results", _:
            return _ROLLED_RESULTS
        case "metrics", "raw":
            return _METRICS
        case "metrics", _:
            return _ROLLED_METRICS
        case "uptime", _:
            return _UPTIME
    return _INCIDENTS


async def pages(database: Database, wanted: Wanted) -> AsyncIterator[list[Row]]:
    """The rows that are wanted, a page at a time."""
    for service_id, name in await services(database, wanted):
        match wanted.kind, wanted.grain:
            case "results", "raw":
                source = _results(database, wanted, service_id, name)
            case "results", _:
                source = _rolled_results(database, wanted, service_id, name)
            case "metrics", "raw":
                source = _metrics(database, wanted, service_id, name)
            case "metrics", _:
                source = _rolled_metrics(database, wanted, service_id, name)
            case "uptime", _:
                source = _uptime(database, wanted, service_id, name)
            case _:
                source = _incidents(database, wanted, service_id, name)
        async for page in source:
            if page:
                yield page


async def services(database: Database, wanted: Wanted) -> list[tuple[int, str]]:
    """The services that are wanted, by id and name."""
    async with database.transaction() as connection:
        rows = await fetch_all(
            connection,
            "SELECT id, name, group_name FROM services WHERE %(id)s::int IS NULL OR id = %(id)s ORDER BY name",
            {"id": wanted.service_id},
        )
    return [
        (row.id, row.name)
        for row in rows
        if fnmatchcase(row.name, wanted.service or "*") and fnmatchcase(row.group_name, wanted.group or "*")
    ]


async def _keyed(
    database: Database, query: str, asked: dict[str, Any], low: dict[str, Any]
) -> AsyncIterator[list[Any]]:
    """Rows of a query in pages by its key: parameters that begin as ``low`` and go on with the last row's."""
    while True:
        async with database.transaction() as connection:
            rows = await fetch_all(connection, query, {**asked, **low, "page": PAGE})
        yield rows
        if len(rows) < PAGE:
            return
        low = {name: getattr(rows[-1], name) for name in low}


def _ms(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1000


async def _results(
    database: Database, wanted: Wanted, service_id: int, name: str
) -> AsyncIterator[list[Row]]:
    async with database.transaction() as connection:
        raw_since = await oldest_day(connection, "check_results")
    split = wanted.end if raw_since is None else min(max(wanted.start, raw_since), wanted.end)
    low = wanted.start
    while low < split:
        high = min(low + PACKED_STEP, split)
        async with database.transaction() as connection:
            found = [each async for each in packed_results(connection, service_id, low, high)]
        for place in range(0, len(found), PAGE):
            yield [
                (name, each.slot, each.status.word, _ms(each.latency_us), None, *(None,) * len(PHASES), each.summary,
                 "packed")
                for each in found[place : place + PAGE]
            ]  # fmt: skip
        low = high
    query = (
        "SELECT ts, status, latency_us, lag_us, phases, summary FROM check_results WHERE service_id = %(id)s "
        "AND ts >= %(start)s AND ts < %(end)s AND ts > %(ts)s ORDER BY ts LIMIT %(page)s"
    )
    asked = {"id": service_id, "start": split, "end": wanted.end}
    async for rows in _keyed(database, query, asked, {"ts": split - timedelta(microseconds=1)}):
        yield [
            (name, row.ts, Status(row.status).word, _ms(row.latency_us), _ms(row.lag_us),
             *(_ms(us or None) for us in row.phases or (None,) * len(PHASES)), row.summary or "", "full")
            for row in rows
        ]  # fmt: skip


def _percentiles(row: Any, least: float, most: float) -> tuple[float, ...]:
    return histogram.percentiles(histogram.unpacked(row.hist), _SHARES, least, most)


async def _rolled_results(
    database: Database, wanted: Wanted, service_id: int, name: str
) -> AsyncIterator[list[Row]]:
    query = (
        "SELECT ts, n, degraded, failing, unknown, measured, total_us, least_us, most_us, hist "
        f"FROM result_{_SUFFIX[wanted.grain]} WHERE service_id = %(id)s "
        "AND ts >= %(start)s AND ts < %(end)s AND ts > %(ts)s ORDER BY ts LIMIT %(page)s"
    )
    asked = {"id": service_id, "start": wanted.start, "end": wanted.end}
    async for rows in _keyed(database, query, asked, {"ts": wanted.start - timedelta(microseconds=1)}):
        page: list[Row] = []
        for row in rows:
            figures: tuple[float | None, ...] = (None,) * 6
            if row.measured:
                p50, p95, p99 = map(_ms, _percentiles(row, row.least_us, row.most_us))
                figures = (
                    _ms(row.total_us / row.measured),
                    _ms(row.least_us),
                    p50,
                    p95,
                    p99,
                    _ms(row.most_us),
                )
            page.append((name, row.ts, row.n, row.degraded, row.failing, row.unknown, *figures))
        yield page


async def _metrics(
    database: Database, wanted: Wanted, service_id: int, name: str
) -> AsyncIterator[list[Row]]:
    query = (
        "SELECT m.series_id, s.name, m.ts, m.v FROM metric_raw m JOIN series s ON s.id = m.series_id "
        "WHERE m.service_id = %(id)s AND m.ts >= %(start)s AND m.ts < %(end)s "
        "AND (m.series_id, m.ts) > (%(series_id)s, %(ts)s) ORDER BY m.series_id, m.ts LIMIT %(page)s"
    )
    asked = {"id": service_id, "start": wanted.start, "end": wanted.end}
    async for rows in _keyed(database, query, asked, {"series_id": 0, "ts": wanted.start}):
        yield [(name, row.name, row.ts, row.v) for row in rows]


async def _rolled_metrics(
    database: Database, wanted: Wanted, service_id: int, name: str
) -> AsyncIterator[list[Row]]:
    query = (
        "SELECT m.series_id, s.name, m.ts, m.n, m.total, m.least, m.most, m.last, m.hist "
        f"FROM metric_{_SUFFIX[wanted.grain]} m JOIN series s ON s.id = m.series_id WHERE m.service_id = %(id)s "
        "AND m.ts >= %(start)s AND m.ts < %(end)s AND (m.series_id, m.ts) > (%(series_id)s, %(ts)s) "
        "ORDER BY m.series_id, m.ts LIMIT %(page)s"
    )
    asked = {"id": service_id, "start": wanted.start, "end": wanted.end}
    async for rows in _keyed(database, query, asked, {"series_id": 0, "ts": wanted.start}):
        yield [
            (name, row.name, row.ts, row.n, row.total / row.n, row.least, *_percentiles(row, row.least, row.most),
             row.most, row.last)
            for row in rows
        ]  # fmt: skip


async def _uptime(database: Database, wanted: Wanted, service_id: int, name: str) -> AsyncIterator[list[Row]]:
    """One row for each day of UTC; the first and the last may be part of one."""
    midnight = wanted.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    edges = [wanted.start]
    while (midnight := midnight + timedelta(days=1)) < wanted.end:
        edges.append(midnight)
    edges.append(wanted.end)
    for place in range(0, len(edges) - 1, 100):
        async with database.transaction() as connection:
            days = await uptime_days(connection, service_id, edges[place : place + 101])
        yield [
            (
                name,
                day,
                spent.ratio,
                spent.up_s,
                spent.down_s,
                spent.unreachable_s,
                spent.planned_s,
                spent.unknown_s,
            )
            for day, spent in days
        ]


async def _incidents(
    database: Database, wanted: Wanted, service_id: int, name: str
) -> AsyncIterator[list[Row]]:
    query = (
        "SELECT id, opened_at, confirmed_at, closed_at, worst, cause FROM incidents WHERE service_id = %(service_id)s "
        "AND opened_at < %(end)s AND (closed_at IS NULL OR closed_at > %(start)s) AND (opened_at, id) > "
        "(%(opened_at)s, %(id)s) ORDER BY opened_at, id LIMIT %(page)s"
    )
    asked = {"service_id": service_id, "start": wanted.start, "end": wanted.end}
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    async for rows in _keyed(database, query, asked, {"opened_at": begin, "id": 0}):
        yield [
            (row.id, name, row.opened_at, row.confirmed_at, row.closed_at,
             None if row.closed_at is None else (row.closed_at - row.opened_at).total_seconds(),
             Status(row.worst).word, row.cause)
            for row in rows
        ]  # fmt: skip
