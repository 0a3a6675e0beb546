"""How many records of the log say something, within a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from watchfloor.domain.durations import format_duration
from watchfloor.domain.judging import Threshold
from watchfloor.domain.questions.question import Question


@dataclass(frozen=True, slots=True)
class Logs(Question):
    """Records of the last ``window_s`` seconds that are as severe as ``severity`` at least and meet all of the rest.

    ``sources`` and ``nodes`` are globs, of which one matches; ``text`` is contained, whatever its case, and
    ``pattern`` (`watchfloor.domain.automaton`) matches anywhere. What is empty matches everything.
    """

    kind: ClassVar[str] = "logs"
    of_services: ClassVar[bool] = False
    window_s: float
    severity: int = 1
    text: str = ""
    pattern: str = ""
    sources: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()

    @property
    def scope(self) -> str:
        """As in ``records of console, node eu-*``."""
        sources = f"records of {' or '.join(self.sources)}" if self.sources else "records of the log"
        return f"{sources}, node {' or '.join(self.nodes)}" if self.nodes else sources

    def words(self, threshold: Threshold) -> str:
        """As in ``at least 3 records with "refused" in 5m``."""
        sought = self.text or self.pattern
        like = f' with "{sought}"' if sought else ""
        return f"{threshold.words} records{like} in {format_duration(self.window_s)}"

    def says(self, value: float | None) -> str:
        """As in ``5 records in the last 5m``."""
        return f"{value or 0:.0f} records in the last {format_duration(self.window_s)}"
