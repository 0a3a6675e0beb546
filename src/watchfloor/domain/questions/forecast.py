"""How long it will be until a metric of each service reaches a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from watchfloor.domain.durations import format_duration
from watchfloor.domain.forecast import time_to_threshold
from watchfloor.domain.judging import Threshold
from watchfloor.domain.questions.question import MetricQuestion
from watchfloor.domain.trend import Point
from watchfloor.domain.words import figure


@dataclass(frozen=True, slots=True)
class Forecast(MetricQuestion):
    """Seconds until ``metric`` reaches ``reaches``, ``rising`` or falling; 0 where it is there.

    None where there is no credible forecast (`watchfloor.domain.forecast`): it abstains rather than guesses.
    """

    kind: ClassVar[str] = "forecast"
    steps: ClassVar[int] = 100
    most: ClassVar[int] = 10
    reaches: float
    rising: bool = True

    def words(self, threshold: Threshold) -> str:
        """As in ``disk_used_percent reaches 100 within 1d``."""
        return f"{self.metric} reaches {figure(self.reaches)} within {format_duration(threshold.fire[0])}"

    def says(self, value: float | None) -> str:
        """As in ``it gets there in 5h``."""
        if value is None:
            return "no credible forecast"
        if value <= 0:
            return f"{self.metric} has reached {figure(self.reaches)}"
        return f"{self.metric} reaches {figure(self.reaches)} in about {_roughly(value)}"

    def value(self, points: Sequence[Point], now: float) -> float | None:
        """The forecast at ``now`` of readings in order of time."""
        return self.foretold(points, now)[0]

    def foretold(self, points: Sequence[Point], now: float) -> tuple[float | None, str]:
        """The forecast at ``now`` of readings in order of time, and its 80 % interval in words, where it has one."""
        if not points:
            return None, ""
        last = points[-1][1]
        if last >= self.reaches if self.rising else last <= self.reaches:
            return 0.0, ""
        crossing = time_to_threshold(points, self.reaches)
        if crossing is None:
            return None, ""
        earliest, latest = (_roughly(max(0.0, at - now)) for at in (crossing.earliest, crossing.latest))
        return max(0.0, crossing.at - now), f"four times in five between {earliest} and {latest}"


def _roughly(seconds: float) -> str:
    """A time ahead, no more exact than it can be known: to the hour from a day on, to the minute from an hour on."""
    grain = 3_600 if seconds >= 86_400 else 60 if seconds >= 3_600 else 10
    return format_duration(float(round(seconds / grain) * grain))
