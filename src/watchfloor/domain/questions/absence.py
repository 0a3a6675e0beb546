"""How long nothing has come from each service: no result, no ping, or no value of a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from watchfloor.domain.durations import format_duration
from watchfloor.domain.judging import Threshold
from watchfloor.domain.questions.question import Question


@dataclass(frozen=True, slots=True)
class Absence(Question):
    """Seconds since the last value of ``metric``; without one, since the last result (of a heartbeat: ping).

    What is missing is missed since a service is known, and since somebody looks, at the earliest.
    """

    kind: ClassVar[str] = "absence"
    note: ClassVar[str] = "Time in which nobody looked counts as silence here; in reality it does not."
    metric: str = ""

    @property
    def what(self) -> str:
        """What is missed, in words."""
        return f"value of {self.metric}" if self.metric else "result"

    def words(self, threshold: Threshold) -> str:
        """As in ``no result for more than 10m``."""
        return f"no {self.what} for more than {format_duration(threshold.fire[0])}"

    def says(self, value: float | None) -> str:
        """As in ``the last result came 12m ago``."""
        if value is None:
            return f"nothing is known of the last {self.what}"
        return f"the last {self.what} came {format_duration(float(round(value)))} ago"

    def value(self, times: Sequence[float], now: float, known_since: float) -> float:
        """How long nothing has come at ``now``: since the last of these moments, of which none is later.

        >>> Absence().value([10.0, 40.0], 100.0, 0.0), Absence().value([10.0], 100.0, 30.0)
        (60.0, 70.0)
        """
        return max(0.0, now - max([*times[-1:], known_since]))
