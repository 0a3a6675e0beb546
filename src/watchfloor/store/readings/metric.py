"""The latest value of a metric, from what is kept of the latest check of each service."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchfloor.domain.questions.metric import LATENCY, Metric
from watchfloor.domain.questions.question import Course, Reading, Watched
from watchfloor.domain.trend import Point
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.readings.points import Series, fresh_s, instance, like, past_series, points, series_of

_FACTS = """
SELECT service_id, name, value::float8 AS value, extract(epoch FROM %(now)s - at)::float8 AS age
FROM service_facts, jsonb_each(metrics) AS m(name, value)
WHERE service_id = ANY(%(ids)s) AND name LIKE %(like)s AND jsonb_typeof(value) = 'number'
"""
_FACT = """
SELECT service_id, %(metric)s AS name, (metrics -> %(metric)s)::float8 AS value,
    extract(epoch FROM %(now)s - at)::float8 AS age
FROM service_facts WHERE service_id = ANY(%(ids)s) AND jsonb_typeof(metrics -> %(metric)s) = 'number'
"""
_LATENCY = """
SELECT service_id, %(metric)s AS name, latency_us / 1000.0::float8 AS value,
    extract(epoch FROM %(now)s - last_ended)::float8 AS age
FROM service_state WHERE service_id = ANY(%(ids)s) AND latency_us IS NOT NULL AND last_ended IS NOT NULL
"""


async def read(
    connection: Connection, asks: Metric, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """The value of every series; one that is too old is none."""
    metric = asks.metric
    rows = await fetch_all(
        connection,
        _LATENCY if metric == LATENCY else _FACTS if "*" in metric else _FACT,
        {"ids": [each.id for each in services], "metric": metric, "like": like(metric), "now": now},
    )
    found: dict[Series, tuple[float, float]] = {(r.service_id, r.name): (r.value, r.age) for r in rows}
    readings = []
    for service, name in await series_of(connection, metric, services):
        value, age = found.get((service.id, name), (None, 0.0))
        fresh = value if age <= fresh_s(service.every_s) else None
        readings.append(Reading(instance(service, name, metric), fresh, service.paused))
    return readings


async def course(
    connection: Connection, asks: Metric, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """The value of every series at each moment, in order."""
    step = moments[1] - moments[0] if len(moments) > 1 else timedelta(0)
    longest = max((fresh_s(each.every_s) for each in services), default=0.0)
    since, least = moments[0] - timedelta(seconds=longest), max(step, timedelta(seconds=1))
    found = await points(connection, asks.metric, services, since, moments[-1], least, raw=True)
    at = [moment.timestamp() for moment in moments]
    return [
        Course(
            instance(service, name, asks.metric),
            _values(
                found.get((service.id, name), []), at, max(fresh_s(service.every_s), step.total_seconds())
            ),
        )
        for service, name in past_series(asks.metric, services, found)
    ]


def _values(seen: Sequence[Point], moments: Sequence[float], fresh: float) -> list[float | None]:
    """The latest of these readings at each moment, if it is not too old by then."""
    times, values = [at for at, _ in seen], []
    for moment in moments:
        place = bisect_right(times, moment)
        values.append(seen[place - 1][1] if place and moment - times[place - 1] <= fresh else None)
    return values
