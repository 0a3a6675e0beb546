"""What was measured over a stretch of time: equal slices for a chart, and figures for words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.domain.outcome import Status

RANGES: Mapping[str, timedelta] = {
    "15 min": timedelta(minutes=15),
    "1 h": timedelta(hours=1),
    "6 h": timedelta(hours=6),
    "24 h": timedelta(hours=24),
    "7 d": timedelta(days=7),
    "30 d": timedelta(days=30),
}
"""The stretches of time that can be looked at, by their names."""

SLICES = 240
"""Into how many slices a stretch is cut: two for each cell of a wide chart."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement or one slice of many; `value` is None where nothing was measured."""

    at: datetime
    value: float | None
    status: Status = Status.OK
    peak: float | None = None  # the highest single value, where that is not the value itself


@dataclass(frozen=True, slots=True)
class Figures:
    """One quantity over the whole stretch."""

    least: float
    mean: float
    p95: float
    most: float


@dataclass(frozen=True, slots=True)
class Course:
    """How one quantity went: its slices, oldest first, and its figures; None where nothing was measured."""

    samples: tuple[Sample, ...] = ()
    figures: Figures | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What is known of one service in ``[start, end]``: times in seconds, metrics in the units of their names."""

    start: datetime
    end: datetime
    latency: Course
    phases: Mapping[str, Course]  # by the names of outcome.PHASES; empty where they are not measured
    metrics: Mapping[str, Course]
