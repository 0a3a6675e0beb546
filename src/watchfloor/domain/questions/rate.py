"""How fast a metric of each service changes, over a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from watchfloor.domain.durations import format_duration
from watchfloor.domain.judging import Threshold
from watchfloor.domain.questions.question import MetricQuestion
from watchfloor.domain.trend import Point
from watchfloor.domain.words import figure

PERS = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0}
"""What a rate may be per, in seconds."""

LEAST_SHARE = 0.5
"""Readings that cover less of the window than this say nothing about it."""


@dataclass(frozen=True, slots=True)
class Rate(MetricQuestion):
    """How much a metric changes ``per`` second, minute, hour or day, over the last ``window_s`` seconds.

    A ``counter`` only grows; where it falls it began anew, and what it shows since then is what it grew by.
    """

    kind: ClassVar[str] = "rate"
    window_s: float
    per: str = "second"
    counter: bool = False

    def words(self, threshold: Threshold) -> str:
        """As in ``slow_queries changes above 10 per minute``."""
        return f"{self.metric} changes {threshold.words} per {self.per}"

    def says(self, value: float | None) -> str:
        """As in ``slow_queries changed by 12 per minute in the last 5m``."""
        window = format_duration(self.window_s)
        if value is None:
            return f"too few values of {self.metric} in the last {window}"
        return f"{self.metric} changed by {figure(value)} per {self.per} in the last {window}"

    def value(self, points: Sequence[Point], now: float) -> float | None:
        """The rate that readings in order of time give at ``now``; None where they do not cover half of the window.

        >>> Rate("sent", 60, "second").value([(0.0, 10.0), (30.0, 40.0), (60.0, 70.0)], 60.0)
        1.0
        """
        inside = [(t, v) for t, v in points if now - self.window_s <= t <= now]
        if len(inside) < 2 or inside[-1][0] - inside[0][0] < LEAST_SHARE * self.window_s:
            return None
        changes = [after[1] - before[1] for before, after in pairwise(inside)]
        if self.counter:
            changes = [
                after[1] if change < 0 else change
                for change, (_, after) in zip(changes, pairwise(inside), strict=True)
            ]
        return sum(changes) / (inside[-1][0] - inside[0][0]) * PERS[self.per]
