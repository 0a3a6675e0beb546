"""How fast each service uses up what its objectives allow: multi-window burn rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from watchfloor.domain.judging import Threshold
from watchfloor.domain.objectives import POLICIES, Burn, BurnPolicy, Objective, burning
from watchfloor.domain.questions.question import Question
from watchfloor.domain.severity import Severity


@dataclass(frozen=True, slots=True)
class BurnRate(Question):
    """By how much the worst of these ``policies`` is exceeded: above 1 is too fast over both of its windows.

    ``objectives`` are globs; all of them if there is none.
    """

    kind: ClassVar[str] = "burn"
    steps: ClassVar[int] = 150
    note: ClassVar[str] = (
        "Results are counted by the minute: where those are no longer kept, nothing can be seen to burn."
    )
    policies: tuple[str, ...] = tuple(policy.name for policy in POLICIES)
    objectives: tuple[str, ...] = ()

    def words(self, threshold: Threshold) -> str:
        """As in ``uses up its objective too fast``."""
        return "uses up what its objective allows too fast"

    def says(self, value: float | None) -> str:
        """As in ``2.4 times as fast as is told of``."""
        if value is None:
            return "nothing was observed"
        return f"{value:.1f} times as fast as is told of"

    def value(
        self, objective: Objective, burns: Mapping[float, Burn]
    ) -> tuple[float | None, Severity | None]:
        """The value for one service and objective, and how severe that is; None where nothing was observed."""
        found: list[tuple[float, BurnPolicy]] = []
        for policy in POLICIES:
            if policy.name not in self.policies:
                continue
            long, short = burns[policy.long_s], burns[policy.short_s]
            if long.rate is None or short.rate is None:
                continue
            exceeded = min(long.rate, short.rate) / policy.factor(objective.window_s)
            enough = burning(policy, objective.window_s, long, short)
            found.append((exceeded if enough else min(exceeded, 1.0), policy))
        if not found:
            return None, None
        worst = max(value for value, _ in found)
        urgent = any(policy.urgent for value, policy in found if value > 1)
        return worst, Severity.CRITICAL if urgent else Severity.WARNING
