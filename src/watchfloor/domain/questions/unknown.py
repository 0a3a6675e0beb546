"""How long the checks of each service have found nothing out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from watchfloor.domain.durations import format_duration
from watchfloor.domain.judging import Operator, Threshold
from watchfloor.domain.questions.question import Question

ANY = Threshold(Operator.GT, (0.0,), (0.0,))
"""Any time at all: how long it must last is what the rule waits for."""


@dataclass(frozen=True, slots=True)
class Unknown(Question):
    """Seconds since the first of those checks, up to the latest, that found nothing out; 0 where the latest did.

    There is no value where no check ended lately. What a node that is cut off sets aside is left out: it has an alert
    of its own.
    """

    kind: ClassVar[str] = "unknown"
    note: ClassVar[str] = (
        "Of times of which only roll-ups are kept, an hour counts in which no check found anything out."
    )

    def words(self, threshold: Threshold) -> str:
        """What is wrong; the threshold is any time at all."""
        return "its checks find nothing out"

    def says(self, value: float | None) -> str:
        """As in ``they have found nothing out for 17m``."""
        if value is None:
            return "no check ended lately"
        if value <= 0:
            return "the latest check found something out"
        return f"they have found nothing out for {format_duration(float(round(value)))}"
