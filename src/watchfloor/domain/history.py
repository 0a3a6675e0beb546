"""What was measured over a stretch of time: equal slices for a chart, and figures for words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from watchfloor.domain.outcome import Status

RANGES: Mapping[str, timedelta] = {
    "15 min": timedelta(minutes=15),
    "1 h": timedelta(hours=1),
    "6 h": timedelta(hours=6),
    "24 h": timedelta(hours=24),
    "7 d": timedelta(days=7),
    "30 d": timedelta(days=30),
    "90 d": timedelta(days=90),
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
    p95: float | None = None  # the 95th percentile of the slice, where there are many values in it


@dataclass(frozen=True, slots=True)
class Figures:
    """One quantity over the whole stretch; None for what its grain does not know."""

    least: float | None
    mean: float
    p95: float | None
    most: float | None
    p50: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """How one quantity went: its slices, oldest first, and its figures; None where nothing was measured."""

    samples: tuple[Sample, ...] = ()
    figures: Figures | None = None


class Grain(StrEnum):
    """What the slices were made of; each but the first is coarser than a single result."""

    RAW = "raw"
    PACKED = "packed"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> timedelta:
        """How long one bucket is."""
        return _LENGTHS.get(self, timedelta(0))


_LENGTHS = {
    Grain.MINUTE: timedelta(minutes=1),
    Grain.HOUR: timedelta(hours=1),
    Grain.DAY: timedelta(days=1),
}

MOST_RESULTS = 6_000
"""More single results than this are not read for one chart: it takes a roll-up instead."""
MOST_MINUTES = timedelta(days=2)
MOST_HOURS = timedelta(days=92)


def grain_for(start: datetime, end: datetime, every_s: float, raw_since: datetime) -> Grain:
    """What a chart of ``[start, end]`` is made of, so that no chart reads more than a few thousand rows.

    ``every_s`` is the rhythm of the service, ``raw_since`` from when on its single results are kept in full.
    """
    length = end - start
    if length.total_seconds() <= MOST_RESULTS * every_s and length <= MOST_MINUTES:
        return Grain.RAW if start >= raw_since else Grain.PACKED
    if length <= MOST_MINUTES and start >= raw_since:
        return Grain.MINUTE
    return Grain.HOUR if length <= MOST_HOURS else Grain.DAY


@dataclass(frozen=True, slots=True)
class History:
    """What is known of one service in ``[start, end]``: times in seconds, metrics in the units of their names."""

    start: datetime
    end: datetime
    latency: Course
    phases: Mapping[str, Course]  # by the names of outcome.PHASES; empty where they are not measured
    metrics: Mapping[str, Course]
    grain: Grain = Grain.RAW
