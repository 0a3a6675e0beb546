"""When something last came from each service: a result, a ping, a value of a metric.

Time in which no ping could be taken is no silence: a ping counts as so much younger.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchfloor.domain.heartbeats import KIND as HEARTBEAT
from watchfloor.domain.questions.absence import Absence
from watchfloor.domain.questions.question import Course, Instance, Reading, Watched
from watchfloor.store.database import Connection, fetch_all

_RESULTS = """
SELECT s.id, coalesce(greatest(h.last_ping, least(h.unheard_until, h.last_ping + h.unheard)),
    CASE WHEN h.service_id IS NULL THEN t.last_ended END) AS last
FROM services s LEFT JOIN service_state t ON t.service_id = s.id LEFT JOIN heartbeats h ON h.service_id = s.id
WHERE s.id = ANY(%(ids)s)
"""
_METRIC = """
SELECT s.id, CASE WHEN f.metrics ? %(metric)s THEN f.at ELSE (
    SELECT ts FROM metric_raw WHERE service_id = s.id AND series_id = (SELECT id FROM series WHERE name = %(metric)s)
        AND ts >= %(now)s - interval '7 days' AND ts <= %(now)s ORDER BY ts DESC LIMIT 1) END AS last
FROM services s LEFT JOIN service_facts f ON f.service_id = s.id WHERE s.id = ANY(%(ids)s)
"""
_STEP = "floor(extract(epoch FROM ts) / %(step)s)"
_PAST_RESULTS = f"""
SELECT service_id, max(extract(epoch FROM ts))::float8 AS at FROM check_results
WHERE service_id = ANY(%(checked)s) AND ts >= %(since)s AND ts <= %(until)s GROUP BY service_id, {_STEP}
UNION ALL SELECT service_id, extract(epoch FROM at)::float8 FROM heartbeat_pings
WHERE service_id = ANY(%(heartbeats)s) AND at >= %(since)s AND at <= %(until)s ORDER BY 1, 2
"""
_PAST_METRIC = f"""
SELECT service_id, max(extract(epoch FROM ts))::float8 AS at FROM metric_raw
WHERE service_id = ANY(%(checked)s) AND series_id = (SELECT id FROM series WHERE name = %(metric)s)
    AND ts >= %(since)s AND ts <= %(until)s GROUP BY service_id, {_STEP} ORDER BY 1, 2
"""


async def read(
    connection: Connection, asks: Absence, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """The age of the last of every service. A metric that went away is looked for in the last week."""
    rows = await fetch_all(
        connection,
        _METRIC if asks.metric else _RESULTS,
        {"ids": [each.id for each in services], "metric": asks.metric, "now": now},
    )
    found = {row.id: [row.last.timestamp()] for row in rows if row.last is not None}
    at = now.timestamp()
    return [
        Reading(
            _instance(each, asks),
            asks.value(found.get(each.id, ()), at, each.known_since.timestamp()),
            each.paused,
        )
        for each in services
    ]


async def course(
    connection: Connection, asks: Absence, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """The age of the last of every service at each moment; nothing is known before the first of them."""
    step = moments[1] - moments[0] if len(moments) > 1 else timedelta(seconds=1)
    pinged = [] if asks.metric else [each.id for each in services if each.subject.kind == HEARTBEAT]
    rows = await fetch_all(
        connection,
        _PAST_METRIC if asks.metric else _PAST_RESULTS,
        {
            "checked": [each.id for each in services if each.id not in pinged],
            "heartbeats": pinged,
            "metric": asks.metric,
            "since": moments[0],
            "until": moments[-1],
            "step": max(step.total_seconds() / 2, 1.0),
        },
    )
    times: dict[int, list[float]] = {}
    for row in rows:
        times.setdefault(row.service_id, []).append(row.at)
    return [Course(_instance(each, asks), _ages(asks, times.get(each.id, []), moments)) for each in services]


def _ages(asks: Absence, times: Sequence[float], moments: Sequence[datetime]) -> list[float | None]:
    ages: list[float | None] = []
    for moment in moments:
        at = moment.timestamp()
        seen = times[: bisect_right(times, at)][-1:]
        ages.append(asks.value(seen, at, seen[-1]) if seen else None)
    return ages


def _instance(service: Watched, asks: Absence) -> Instance:
    return service.instance(metric=asks.metric) if asks.metric else service.instance()
