"""How much of what a metric of each service has been lately is out of the ordinary for this hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from watchfloor.domain.anomaly import UNUSUAL, seasonal
from watchfloor.domain.durations import format_duration
from watchfloor.domain.judging import Threshold
from watchfloor.domain.questions.question import MetricQuestion
from watchfloor.domain.trend import Point

STEP = 0.01
"""The spread that is usual is taken for at least this share of the value: what never moved may move that much."""

FEWEST = 3
"""Fewer readings in the window say nothing."""


@dataclass(frozen=True, slots=True)
class Anomaly(MetricQuestion):
    """Percent of the readings of the last ``window_s`` seconds whose modified z is beyond ``z``.

    What is usual is told by the same hour of earlier days, or weeks (`watchfloor.domain.anomaly.seasonal`).
    """

    kind: ClassVar[str] = "anomaly"
    steps: ClassVar[int] = 500
    most: ClassVar[int] = 20
    window_s: float
    z: float = UNUSUAL

    def words(self, threshold: Threshold) -> str:
        """As in ``unusual values of latency above 50 % of the time``."""
        return f"unusual values of {self.metric} {threshold.words} % of the time"

    def says(self, value: float | None) -> str:
        """As in ``80 % of the values of latency in the last 15m are unusual``."""
        if value is None:
            return f"too little is known of {self.metric} at this hour"
        return f"{value:.0f} % of the values of {self.metric} in the last {format_duration(self.window_s)} are unusual"

    def value(self, recent: Sequence[Point], past: Sequence[Point], now: float) -> float | None:
        """The share at ``now`` of unusual readings among the ``recent`` ones; ``past`` holds one an hour."""
        inside = [v for t, v in recent if now - self.window_s <= t <= now]
        if len(inside) < FEWEST:
            return None
        before = [(t, v) for t, v in past if t < now - self.window_s]
        usual = seasonal(before, now)
        if usual is not None and usual.spread < abs(usual.centre) * STEP:
            usual = seasonal(before, now, abs(usual.centre) * STEP)
        if usual is None:
            return None
        return 100 * sum(abs(usual.z(v)) > self.z for v in inside) / len(inside)
