"""What a metric has been lately, and at this hour of earlier days and weeks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchfloor.domain.anomaly import DAY_S, HOUR_S, WEEK_S, WEEKS
from watchfloor.domain.questions.anomaly import Anomaly
from watchfloor.domain.questions.question import Course, Reading, Watched
from watchfloor.domain.trend import Point
from watchfloor.store.database import Connection
from watchfloor.store.readings.asked import TooMuch
from watchfloor.store.readings.points import instance, past_series, points, series_of

MOST_SERIES = 2_000
PAST = timedelta(seconds=WEEKS * WEEK_S)
SAMPLES = 60
"""A window is told by so many readings at most."""


async def read(
    connection: Connection, asks: Anomaly, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """The share of unusual readings of every series."""
    series = await series_of(connection, asks.metric, services)
    if len(series) > MOST_SERIES:
        raise TooMuch(
            f"{len(series):,} series are selected; a rule looks at {MOST_SERIES:,} at most: narrow `when`"
        )
    window, at = timedelta(seconds=asks.window_s), now.timestamp()
    recent = await points(connection, asks.metric, services, now - window, now, window / SAMPLES)
    hour = timedelta(seconds=HOUR_S)
    past = await points(
        connection,
        asks.metric,
        services,
        now - PAST,
        now - window,
        hour,
        hour_of_day=int(at % DAY_S // HOUR_S),
    )
    return [
        Reading(
            instance(service, name, asks.metric),
            asks.value(recent.get((service.id, name), ()), past.get((service.id, name), ()), at),
            service.paused,
        )
        for service, name in series
    ]


async def course(
    connection: Connection, asks: Anomaly, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """The share of unusual readings of every series at each moment."""
    window, hour = timedelta(seconds=asks.window_s), timedelta(seconds=HOUR_S)
    recent = await points(
        connection, asks.metric, services, moments[0] - window, moments[-1], window / SAMPLES, raw=True
    )
    past = await points(connection, asks.metric, services, moments[0] - PAST, moments[-1], hour)
    return [
        Course(
            instance(service, name, asks.metric),
            _course(asks, recent.get((service.id, name), []), past.get((service.id, name), []), moments),
        )
        for service, name in past_series(asks.metric, services, recent)
    ]


def _course(
    asks: Anomaly, recent: Sequence[Point], past: Sequence[Point], moments: Sequence[datetime]
) -> list[float | None]:
    times, hours = [t for t, _ in recent], [t for t, _ in past]
    values = []
    for moment in moments:
        at = moment.timestamp()
        inside = recent[bisect_left(times, at - asks.window_s) : bisect_right(times, at)]
        values.append(asks.value(inside, past[: bisect_left(hours, at)], at))
    return values
