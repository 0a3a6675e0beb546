"""The latest value of a metric of each service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from watchfloor.domain.judging import Threshold
from watchfloor.domain.questions.question import MetricQuestion
from watchfloor.domain.words import figure

LATENCY = "latency"
"""The one metric that every service has: how long its latest check took to be answered, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Metric(MetricQuestion):
    """How much a metric is now."""

    kind: ClassVar[str] = "metric"

    def words(self, threshold: Threshold) -> str:
        """As in ``load is above 4``."""
        return f"{self.metric} is {threshold.words}"

    def says(self, value: float | None) -> str:
        """As in ``load is 5``."""
        return f"no value of {self.metric}" if value is None else f"{self.metric} is {figure(value)}"
