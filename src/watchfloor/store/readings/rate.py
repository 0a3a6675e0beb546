"""The readings of a metric in a window, and how fast they change."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchfloor.domain.questions.question import Course, Reading, Watched
from watchfloor.domain.questions.rate import Rate
from watchfloor.store.database import Connection
from watchfloor.store.readings.points import instance, past_series, points, series_of

SAMPLES = 60
"""A window is told by so many readings at most."""


async def read(
    connection: Connection, asks: Rate, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """The rate of every series."""
    window = timedelta(seconds=asks.window_s)
    found = await points(connection, asks.metric, services, now - window, now, window / SAMPLES)
    at = now.timestamp()
    return [
        Reading(
            instance(service, name, asks.metric),
            asks.value(found.get((service.id, name), ()), at),
            service.paused,
        )
        for service, name in await series_of(connection, asks.metric, services)
    ]


async def course(
    connection: Connection, asks: Rate, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """The rate of every series at each moment, in order."""
    window = timedelta(seconds=asks.window_s)
    found = await points(
        connection, asks.metric, services, moments[0] - window, moments[-1], window / SAMPLES, raw=True
    )
    courses = []
    for service, name in past_series(asks.metric, services, found):
        seen = found.get((service.id, name), [])
        times = [at for at, _ in seen]
        values = []
        for moment in moments:
            at = moment.timestamp()
            inside = seen[bisect_left(times, at - asks.window_s) : bisect_right(times, at)]
            values.append(asks.value(inside, at))
        courses.append(Course(instance(service, name, asks.metric), values))
    return courses
