"""The course of a metric over a week, and when it reaches a value."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchfloor.domain.questions.forecast import Forecast
from watchfloor.domain.questions.question import Course, Reading, Watched
from watchfloor.domain.trend import Point
from watchfloor.store.database import Connection
from watchfloor.store.readings.asked import TooMuch
from watchfloor.store.readings.points import instance, past_series, points, series_of

MOST_SERIES = 1_000
"""A forecast costs a few milliseconds; no rule makes more of them in one evaluation."""

LONG, SHORT = timedelta(days=7), timedelta(hours=6)
LONG_STEP, SHORT_STEP = timedelta(hours=1), timedelta(minutes=5)


async def read(
    connection: Connection, asks: Forecast, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """The forecast of every series: a week by the hour, and the last six hours by five minutes."""
    series = await series_of(connection, asks.metric, services)
    if len(series) > MOST_SERIES:
        raise TooMuch(
            f"{len(series):,} series are selected; a rule makes {MOST_SERIES:,} forecasts at most: narrow `when`"
        )
    early = await points(connection, asks.metric, services, now - LONG, now - SHORT, LONG_STEP)
    late = await points(connection, asks.metric, services, now - SHORT, now, SHORT_STEP)
    courses = [
        [*early.get((service.id, name), ()), *late.get((service.id, name), ())] for service, name in series
    ]
    told = await asyncio.to_thread(_forecasts, asks, courses, now.timestamp())
    return [
        Reading(instance(service, name, asks.metric), value, service.paused, note=interval)
        for (service, name), (value, interval) in zip(series, told, strict=True)
    ]


def _forecasts(
    asks: Forecast, courses: Sequence[Sequence[Point]], now: float
) -> list[tuple[float | None, str]]:
    return [asks.foretold(seen, now) for seen in courses]


async def course(
    connection: Connection, asks: Forecast, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """The forecast of every series at each moment, by the hour before the last six and five minutes in them."""
    since = moments[0] - LONG
    found = await points(connection, asks.metric, services, since, moments[-1], SHORT_STEP, raw=True)
    at = [moment.timestamp() for moment in moments]
    return [
        Course(
            instance(service, name, asks.metric),
            await asyncio.to_thread(_course, asks, found.get((service.id, name), []), at),
        )
        for service, name in past_series(asks.metric, services, found)
    ]


def _course(asks: Forecast, seen: Sequence[Point], moments: Sequence[float]) -> list[float | None]:
    times = [t for t, _ in seen]
    values = []
    for moment in moments:
        begin = bisect_left(times, moment - LONG.total_seconds())
        split = bisect_left(times, moment - SHORT.total_seconds())
        end = bisect_right(times, moment)
        hourly = {int(t // 3600): (t, v) for t, v in seen[begin:split]}  # the last of each hour
        values.append(asks.value([*hourly.values(), *seen[split:end]], moment))
    return values
