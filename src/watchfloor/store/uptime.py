"""Time-weighted uptime of any window, for one service or all, out of running totals by day and the spans at its edges.

A row of ``uptime_1d`` holds what a service spent in each state from the beginning up to that midnight (UTC), and the
state it is in then. The total up to any moment is the last row before it plus the spans since; a window is the
difference of two totals. So a year costs what a day costs, and every answer is exact to the microsecond. Unknown time
is what is left of the window; neither it nor planned time is ever part of the ratio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from watchfloor.domain.boards import UptimeRow
from watchfloor.domain.spans import SpanState, Uptime, uptime_of
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_value
from watchfloor.store.rollups import watermarks

WINDOWS: Mapping[str, timedelta] = {
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "365d": timedelta(days=365),
}
"""The windows that uptime is told of."""

_REACH = timedelta(days=40)
"""How far before a moment its last row of totals is looked for; without one, all its spans are added up."""

_LONG_AGO = timedelta(days=36_500)
_STATES = (SpanState.UP, SpanState.DEGRADED, SpanState.DOWN, SpanState.UNREACHABLE, SpanState.PLANNED)
_SPENT = (
    "(extract(epoch FROM least(coalesce(ended, m.at), m.at) - greatest(began, coalesce(b.ts, began)))"
    " * 1000000)::bigint"
)


def _totals(ids: str, moments: str) -> str:
    """The totals of services up to moments: columns ``id``, ``n`` (which moment, from 1), and one for each state."""
    sums = ", ".join(
        f"coalesce(b.{state}_us, 0) + coalesce(sum({_SPENT}) FILTER (WHERE p.state = '{state}'), 0)::bigint AS {state}"
        for state in _STATES
    )
    kept = ", ".join(f"b.{state}_us" for state in _STATES)
    return f"""
SELECT s.id, m.n, {sums}
FROM {ids} s CROSS JOIN {moments} m
LEFT JOIN LATERAL (
    SELECT service_id, ts, up_us, degraded_us, down_us, unreachable_us, planned_us
    FROM uptime_1d WHERE service_id = s.id AND ts <= m.at AND ts > m.at - m.reach ORDER BY ts DESC LIMIT 1
) b ON true
LEFT JOIN LATERAL (
    SELECT began, ended, state FROM state_spans WHERE service_id = s.id AND began < m.at
        AND (ended IS NULL OR ended > coalesce(b.ts, '-infinity'))
        AND began >= coalesce((SELECT began FROM state_spans WHERE service_id = s.id AND began <= b.ts
            ORDER BY began DESC LIMIT 1), '-infinity')
) p ON true
GROUP BY s.id, m.n, {kept}
"""


_GIVEN_IDS = "(SELECT i AS id FROM unnest(%(ids)s::int[]) i)"
_GIVEN_MOMENTS = (
    "(SELECT at, n, %(reach)s::interval AS reach "
    "FROM unnest(%(moments)s::timestamptz[]) WITH ORDINALITY u(at, n))"
)
_ONE_DAY = "(SELECT %(day)s::timestamptz AS at, 1 AS n, %(reach)s::interval AS reach)"
_TOTALS = _totals(_GIVEN_IDS, _GIVEN_MOMENTS)


async def totals(
    connection: Connection, ids: Sequence[int], moments: Sequence[datetime]
) -> dict[int, list[dict[SpanState, int]]]:
    """What services spent in each state up to moments, in microseconds; unknown time is not counted."""
    rows = await fetch_all(
        connection, _TOTALS + " ORDER BY 1, 2", {"ids": list(ids), "moments": list(moments), "reach": _REACH}
    )
    found: dict[int, list[dict[SpanState, int]]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(dict(zip(_STATES, row[2:], strict=True)))
    return found


async def uptime_between(
    connection: Connection,
    service_id: int,
    windows: Sequence[tuple[datetime, datetime]],
    *,
    unreachable_is_down: bool = False,
) -> list[Uptime]:
    """How one service spent each window ``[start, end)``."""
    moments = sorted({moment for window in windows for moment in window})
    found = dict(zip(moments, (await totals(connection, [service_id], moments))[service_id], strict=True))
    return [
        uptime_of(
            {state: found[end][state] - found[start][state] for state in _STATES},
            (end - start) // timedelta(microseconds=1),
            unreachable_is_down=unreachable_is_down,
        )
        for start, end in windows
    ]


async def spent_windows(connection: Connection, service_id: int, now: datetime) -> dict[str, Uptime]:
    """How one service spent each of `WINDOWS` up to ``now``; what lies before it was there is no part of one."""
    born = await _known_since(connection, service_id) or now
    windows = [(min(max(now - length, born), now), now) for length in WINDOWS.values()]
    spent = await uptime_between(connection, service_id, windows)
    return dict(zip(WINDOWS, spent, strict=True))


async def uptime_days(
    connection: Connection, service_id: int, midnights: Sequence[datetime]
) -> list[tuple[datetime, Uptime]]:
    """How one service spent each day between neighbouring midnights, of whatever zone."""
    windows = list(pairwise(midnights))
    spent = await uptime_between(connection, service_id, windows) if windows else []
    return [(start, day) for (start, _), day in zip(windows, spent, strict=True)]


def _board_part(n: int) -> str:
    """Totals up to one moment: a row of totals, and what began or ended between it and the moment."""
    low, high = f"%(day{n})s", f"%(at{n})s"
    spent = f"(extract(epoch FROM least(coalesce(ended, {high}), {high}) - greatest(began, {low})) * 1000000)"
    return f"""
SELECT service_id, {n} AS n, up_us + degraded_us AS good, down_us AS bad, state, 0 AS events
FROM uptime_1d WHERE ts = {low}
UNION ALL
SELECT service_id, {n}, CASE WHEN state IN ('up', 'degraded') THEN {spent} ELSE 0 END::bigint,
    CASE WHEN state = 'down' THEN {spent} ELSE 0 END::bigint, NULL, 1
FROM state_spans WHERE (began >= {low} AND began < {high}) OR (ended > {low} AND ended <= {high})
"""


def _board() -> str:
    last = len(WINDOWS)
    length = "CASE n " + " ".join(f"WHEN {n} THEN %(length{n})s" for n in range(last + 1)) + " END::bigint"
    parts = " UNION ALL ".join(_board_part(n) for n in range(last + 1))
    spent = ", ".join(
        f"coalesce(sum({what}) FILTER (WHERE n = {last}), 0) - coalesce(sum({what}) FILTER (WHERE n = {n}), 0) "
        f"AS {what}_{n}"
        for n in range(last)
        for what in ("good", "bad")
    )
    columns = ", ".join(
        f"(good_{n} / nullif(good_{n} + bad_{n}, 0))::float8 AS r{n}, ((good_{n} + bad_{n}) / 1e6)::float8 AS o{n}"
        for n in range(last)
    )
    return f"""
SELECT service_id, {columns} FROM (
    SELECT service_id, {spent} FROM (
        SELECT service_id, n,
            sum(good) + CASE WHEN sum(events) = 0 AND max(state) IN ('up', 'degraded') THEN {length} ELSE 0 END AS good,
            sum(bad) + CASE WHEN sum(events) = 0 AND max(state) = 'down' THEN {length} ELSE 0 END AS bad
        FROM ({parts}) x GROUP BY 1, 2
    ) y GROUP BY 1
) z WHERE EXISTS (SELECT FROM services WHERE id = service_id AND retired_at IS NULL)
"""


_BOARD = _board()


async def uptime_board(
    connection: Connection, now: datetime
) -> dict[int, tuple[tuple[float | None, float], ...]]:
    """Of every service and each of `WINDOWS` the ratio (None: nothing was observed) and the observed seconds.

    Whatever the number of spans: it reads the rows of six midnights and the spans that change in the six parts of
    days after them. A service of which nothing is known is left out.
    """
    done = (await watermarks(connection)).get("uptime", now - _LONG_AGO)
    asked: dict[str, object] = {}
    for n, at in enumerate([*(now - window for window in WINDOWS.values()), now]):
        day = min(at.replace(hour=0, minute=0, second=0, microsecond=0), done)
        asked |= {f"at{n}": at, f"day{n}": day, f"length{n}": (at - day) // timedelta(microseconds=1)}
    rows = await fetch_all(connection, _BOARD, asked)
    pairs = range(1, 2 * len(WINDOWS), 2)
    return {row[0]: tuple((row[n], row[n + 1]) for n in pairs) for row in rows}


_ROLL_DAY = f"""
INSERT INTO uptime_1d (service_id, ts, up_us, degraded_us, down_us, unreachable_us, planned_us, state)
SELECT id, %(day)s, {", ".join(_STATES)}, (
    SELECT state FROM state_spans WHERE service_id = x.id AND began <= %(day)s AND (ended IS NULL OR ended > %(day)s)
    ORDER BY began DESC LIMIT 1
) FROM (
    {_totals(_GIVEN_IDS, _ONE_DAY)}
) x
"""


async def uptime_rows(connection: Connection, now: datetime) -> list[UptimeRow]:
    """The uptime board with the names of the services, by group and name."""
    found = await uptime_board(connection, now)
    services = await fetch_all(
        connection,
        "SELECT id, name, group_name FROM services WHERE retired_at IS NULL ORDER BY group_name, name",
    )
    nothing = ((None, 0.0),) * len(WINDOWS)
    return [
        UptimeRow(
            row.id,
            row.name,
            row.group_name,
            {name: ratio for name, (ratio, _) in zip(WINDOWS, found.get(row.id, nothing), strict=True)},
            {name: seconds for name, (_, seconds) in zip(WINDOWS, found.get(row.id, nothing), strict=True)},
        )
        for row in services
    ]


async def roll_day(connection: Connection, ids: Sequence[int], day: datetime) -> int:
    """Make the totals of these services up to ``day``, a midnight of UTC, whose every earlier day is made."""
    asked = {"ids": list(ids), "day": day}
    await connection.execute("DELETE FROM uptime_1d WHERE service_id = ANY(%(ids)s) AND ts = %(day)s", asked)
    done = await connection.execute(_ROLL_DAY, {**asked, "reach": _REACH})
    return done.rowcount


async def first_day(connection: Connection) -> datetime | None:
    """The midnight before the first span that is kept; None where there is none."""
    began: datetime | None = await fetch_value(connection, "SELECT min(began) FROM state_spans")
    return None if began is None else began.replace(hour=0, minute=0, second=0, microsecond=0)


async def take_late(connection: Connection, limit: int) -> dict[int, datetime]:
    """Take services whose spans changed below the watermark, with from when; and drop their totals after that."""
    rows = await fetch_all(
        connection,
        "DELETE FROM uptime_late WHERE service_id IN (SELECT service_id FROM uptime_late ORDER BY 1 LIMIT %(limit)s "
        "FOR UPDATE SKIP LOCKED) RETURNING service_id, since",
        {"limit": limit},
    )
    for row in rows:
        await connection.execute(
            "DELETE FROM uptime_1d WHERE service_id = %(id)s AND ts >= %(since)s",
            {"id": row.service_id, "since": row.since},
        )
    return {row.service_id: row.since for row in rows}


async def spanned_services(connection: Connection) -> list[int]:
    """Every service that has totals to carry on: those that are watched, and those with spans that are kept."""
    return await fetch_column(
        connection,
        "SELECT id FROM services s WHERE retired_at IS NULL "
        "OR EXISTS (SELECT FROM state_spans WHERE service_id = s.id) ORDER BY id",
    )


async def _known_since(connection: Connection, service_id: int) -> datetime | None:
    """When a service was made, or when its first span that is kept begins if that is before; None: there is no such."""
    known: datetime | None = await fetch_value(
        connection,
        "SELECT least(created_at, (SELECT began FROM state_spans WHERE service_id = %(id)s ORDER BY began LIMIT 1)) "
        "FROM services WHERE id = %(id)s",
        {"id": service_id},
    )
    return known
