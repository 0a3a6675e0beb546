"""How many records of the log match, in one query over the window of the rule."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.automaton import Pattern, TooMuchWork, Work
from watchfloor.domain.questions.logs import Logs
from watchfloor.domain.questions.question import Course, Instance, Reading, Watched
from watchfloor.store.database import Connection, fetch_all, fetch_value
from watchfloor.store.readings.asked import TooMuch, chosen

MOST_READ = 10_000
"""So many records at most are held against a pattern in one evaluation."""
MOST_PAST = 100_000
"""And so many are looked at in a rehearsal."""
LONGEST = 4_000
"""Characters of a record that a pattern sees."""
MOST_WORK = 4_000_000
"""The work that a pattern may take in one evaluation: a few seconds of one core."""

_WHERE = (
    "FROM logs WHERE ts > %(since)s AND ts <= %(until)s AND sev >= %(severity)s "
    "AND (%(channels)s::int[] IS NULL OR channel_id = ANY(%(channels)s)) "
    "AND (%(nodes)s::int[] IS NULL OR source_id = ANY(%(nodes)s)) "
    "AND (%(text)s = '' OR position(lower(%(text)s) IN lower(msg)) > 0)"
)

_INSTANCE = Instance("log", "log")


async def read(
    connection: Connection, asks: Logs, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """The number of records in the window up to now."""
    since = now - timedelta(seconds=asks.window_s)
    if asks.pattern:
        return [Reading(_INSTANCE, float(len(await _times(connection, asks, since, now, MOST_READ))))]
    values = await _values(connection, asks, since, now)
    count = await fetch_value(connection, f"SELECT count(*) {_WHERE}", values)
    return [Reading(_INSTANCE, float(count))]


async def course(
    connection: Connection, asks: Logs, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """The number of records in the window up to each moment."""
    since = moments[0] - timedelta(seconds=asks.window_s)
    times = await _times(connection, asks, since, moments[-1], MOST_PAST)
    counts = []
    for moment in moments:
        at = moment.timestamp()
        counts.append(float(bisect_right(times, at) - bisect_right(times, at - asks.window_s)))
    return [Course(_INSTANCE, counts)]


async def _times(
    connection: Connection, asks: Logs, since: datetime, until: datetime, most: int
) -> list[float]:
    """When each record that matches was written, in order."""
    values = await _values(connection, asks, since, until)
    message = f"left(msg, {LONGEST})" if asks.pattern else "''"
    rows = await fetch_all(
        connection,
        f"SELECT extract(epoch FROM ts)::float8 AS at, {message} AS msg {_WHERE} ORDER BY ts LIMIT %(most)s",
        {**values, "most": most + 1},
    )
    if len(rows) > most:
        raise TooMuch(
            f"more than {most:,} records to look through: narrow them by level, source, node or text, "
            "or shorten the window"
        )
    if not asks.pattern:
        return [row.at for row in rows]
    return await asyncio.to_thread(_matching, asks.pattern, rows)


def _matching(source: str, rows: Sequence[Any]) -> list[float]:
    pattern, work = Pattern(source), Work(MOST_WORK)
    try:
        return [row.at for row in rows if pattern.occurs_in(row.msg, work)]
    except TooMuchWork:
        raise TooMuch(
            f"the pattern {source[:60]!r} takes too much work on these records: write smaller numbers in {{…}}, "
            "or narrow the records by level, source, node or text"
        ) from None


async def _values(connection: Connection, asks: Logs, since: datetime, until: datetime) -> dict[str, Any]:
    return {
        "since": since,
        "until": until,
        "severity": asks.severity,
        "text": asks.text,
        "channels": await _ids(connection, "SELECT id, name FROM log_channels", asks.sources),
        "nodes": await _ids(connection, "SELECT id, name FROM nodes", asks.nodes),
    }


async def _ids(connection: Connection, query: str, globs: Sequence[str]) -> list[int] | None:
    """The ids of what matches; None where everything does."""
    if not globs:
        return None
    return [row.id for row in await fetch_all(connection, query) if chosen(row.name, globs)]
