"""How the values of each kind of question are read: one query over the instances of a rule, over a bounded window.

A reader is given the services that the rule selects; kinds that are not about services pass them over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from watchfloor.domain.questions.question import Course, Question, Reading, Watched
from watchfloor.store.database import Connection
from watchfloor.store.readings import (
    absence,
    anomaly,
    burn,
    certificate,
    forecast,
    jobs,
    logs,
    metric,
    rate,
    unknown,
)
from watchfloor.store.readings.asked import TooMuch

__all__ = ["TooMuch", "course", "read"]


class Kind(Protocol):
    """A module that reads the values of one kind: those of now, and those of moments of the past."""

    async def read(
        self, connection: Connection, asks: Any, services: Sequence[Watched], now: datetime, /
    ) -> list[Reading]: ...

    async def course(
        self, connection: Connection, asks: Any, services: Sequence[Watched], moments: Sequence[datetime], /
    ) -> list[Course]: ...


_KINDS: Mapping[str, Kind] = {
    "metric": metric,
    "rate": rate,
    "absence": absence,
    "logs": logs,
    "jobs": jobs,
    "certificate": certificate,
    "burn": burn,
    "forecast": forecast,
    "anomaly": anomaly,
    "unknown": unknown,
}


async def read(
    connection: Connection, asks: Question, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """The value of every instance of a question now. Raises `TooMuch`."""
    return await _KINDS[asks.kind].read(connection, asks, services, now)


async def course(
    connection: Connection, asks: Question, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """The value of every instance at each of these moments, which follow each other evenly. Raises `TooMuch`."""
    return await _KINDS[asks.kind].course(connection, asks, services, moments)
