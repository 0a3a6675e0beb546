"""How many days are left of the certificate that each service shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from watchfloor.domain.judging import Threshold
from watchfloor.domain.questions.question import Question


@dataclass(frozen=True, slots=True)
class Certificate(Question):
    """Days until the certificate ends that was seen last; services that show none have no value."""

    kind: ClassVar[str] = "certificate"

    def words(self, threshold: Threshold) -> str:
        """As in ``days left of its certificate at most 21``."""
        return f"days left of its certificate {threshold.words}"

    def says(self, value: float | None) -> str:
        """As in ``its certificate ends in 12.5 days``."""
        if value is None:
            return "it showed no certificate lately"
        if value < 0:
            return f"its certificate ended {-value:.1f} days ago"
        return f"its certificate ends in {value:.1f} days"
