"""How fast services use up what their objectives allow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchfloor.domain.questions.burn import BurnRate
from watchfloor.domain.questions.question import Course, Instance, Reading, Watched
from watchfloor.store.database import Connection
from watchfloor.store.objectives import burns
from watchfloor.store.readings.asked import chosen


async def read(
    connection: Connection, asks: BurnRate, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """The worst burn rate of every service and objective."""
    known = {each.id: each for each in services}
    found = []
    for standing in await burns(connection, now, list(known)):
        if chosen(standing.objective.name, asks.objectives):
            service, objective = known[standing.service_id], standing.objective
            value, severity = asks.value(objective, standing.burns)
            instance = service.instance(f"objective:{objective.id}", objective=objective.name)
            found.append(Reading(instance, value, service.paused, severity))
    return found


async def course(
    connection: Connection, asks: BurnRate, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """The worst burn rate of every service and objective at each moment."""
    instances: dict[str, Instance] = {}
    values: dict[str, list[float | None]] = {}
    for place, moment in enumerate(moments):
        for reading in await read(connection, asks, services, moment):
            instances[reading.instance.key] = reading.instance
            values.setdefault(reading.instance.key, [None] * len(moments))[place] = reading.value
    return [Course(instances[key], values[key]) for key in instances]
