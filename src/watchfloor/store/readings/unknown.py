"""How long the checks of each service have found nothing out: from its state, and for the past from its results."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.guards import CUT_OFF
from watchfloor.domain.outcome import Status
from watchfloor.domain.questions.question import Course, Reading, Watched
from watchfloor.domain.questions.unknown import Unknown
from watchfloor.domain.text import one_line
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.partitions import oldest_day
from watchfloor.store.readings.points import fresh_s

SAID = 300
"""Of what the last check said so many characters are told."""

_STATES = """
SELECT service_id, status, unknown_since, last_ended, CASE WHEN status = %(unknown)s THEN summary ELSE '' END AS said
FROM service_state WHERE service_id = ANY(%(ids)s)
AND (status = %(unknown)s OR service_id IN (SELECT service_id FROM rule_standings))
"""

_FOUND, _NOTHING, _SET_ASIDE = range(3)
"""What a result was: a finding, none, or none because the node was cut off, which says nothing about the check."""

_RAW = f"""
SELECT service_id, ts, ts + took_us * interval '1 microsecond' AS seen, CASE WHEN status <> %(unknown)s THEN {_FOUND}
    WHEN starts_with(summary, %(cut_off)s) THEN {_SET_ASIDE} ELSE {_NOTHING} END AS what
FROM check_results WHERE service_id = ANY(%(ids)s) AND ts >= %(raw_from)s AND ts <= %(until)s
"""
_HOURS = f"""
SELECT service_id, ts, ts + interval '1 hour' AS seen, CASE WHEN unknown = n THEN {_NOTHING} ELSE {_FOUND} END AS what
FROM result_1h WHERE service_id = ANY(%(ids)s) AND ts >= %(since)s AND ts < %(raw_from)s
"""
_PAST = f"""
SELECT service_id, what, ts, seen, seen_before FROM (
    SELECT r.*, lag(what) OVER w AS was, lag(seen) OVER w AS seen_before, lead(ts) OVER w AS next, g.fresh_s
    FROM ({_HOURS} UNION ALL {_RAW}) r JOIN unnest(%(ids)s::int[], %(fresh_s)s::float8[]) AS g(id, fresh_s)
        ON g.id = service_id
    WINDOW w AS (PARTITION BY service_id ORDER BY ts)
) x WHERE was IS DISTINCT FROM what OR next IS NULL OR ts - seen_before > make_interval(secs => fresh_s)
ORDER BY service_id, ts
"""


async def read(
    connection: Connection, asks: Unknown, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """How long services have been checked in vain, with what their latest check said.

    Those that found something out are left out, unless a rule stands in some way with them: they are nearly all, and
    nothing follows.
    """
    asked = {"ids": [each.id for each in services], "unknown": int(Status.UNKNOWN)}
    rows = {row.service_id: row for row in await fetch_all(connection, _STATES, asked)}
    return [_reading(each, rows[each.id], now) for each in services if each.id in rows]


def _reading(service: Watched, row: Any, now: datetime) -> Reading:
    instance = service.instance()
    stale = row.last_ended is None or now - row.last_ended > timedelta(seconds=fresh_s(service.every_s))
    if stale or (row.status == Status.UNKNOWN and row.unknown_since is None):
        return Reading(instance, None, service.paused)
    if row.unknown_since is None:
        return Reading(instance, 0.0, service.paused)
    return Reading(
        instance,
        (now - row.unknown_since).total_seconds(),
        service.paused,
        note=f"the last one said: {one_line(row.said, SAID)}" if row.said else "",
        began=row.unknown_since,
        counts_from=max(row.unknown_since, service.known_since),
    )


@dataclass(slots=True)
class _Stretch:
    """Results that were alike and followed each other, known from ``first`` on, the latest at ``last``."""

    what: int
    began: datetime
    first: datetime
    last: datetime


async def course(
    connection: Connection, asks: Unknown, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """The same at each moment, from single results as far as they are kept, from hours before; nothing before those."""
    since = moments[0]
    oldest = await oldest_day(connection, "check_results")
    fresh = {each.id: timedelta(seconds=fresh_s(each.every_s)) for each in services}
    rows = await fetch_all(
        connection,
        _PAST,
        {
            "ids": list(fresh),
            "fresh_s": [each.total_seconds() for each in fresh.values()],
            "since": since,
            "raw_from": since if oldest is None else max(since, oldest),
            "until": moments[-1],
            "unknown": int(Status.UNKNOWN),
            "cut_off": CUT_OFF,
        },
    )
    by_service: dict[int, list[Any]] = {}
    for row in rows:
        by_service.setdefault(row.service_id, []).append(row)
    courses = []
    for each in services:
        stretches = _stretches(by_service.get(each.id, ()))
        found = [_at(stretches, moment, fresh[each.id]) for moment in moments]
        courses.append(Course(each.instance(), [value for value, _ in found], [began for _, began in found]))
    return courses


def _stretches(rows: Iterable[Any]) -> list[_Stretch]:
    """From the rows at which something changed, and the last: what lies between is known to be alike."""
    found: list[_Stretch] = []
    for row in rows:
        before = found[-1] if found else None
        if before is not None:
            before.last = row.seen_before
        goes_on = before is not None and before.what == row.what == _NOTHING
        found.append(_Stretch(row.what, before.began if before and goes_on else row.ts, row.seen, row.seen))
    return found


def _at(
    stretches: Sequence[_Stretch], moment: datetime, fresh: timedelta
) -> tuple[float | None, datetime | None]:
    """The value at a moment, and when that began."""
    place = bisect_right(stretches, moment, key=lambda each: each.first)
    latest = stretches[place - 1] if place else None
    if latest is None or moment - latest.last > fresh or latest.what == _SET_ASIDE:
        return None, None
    if latest.what == _FOUND:
        return 0.0, None
    return (moment - latest.began).total_seconds(), latest.began
