"""What a rule that is evaluated asks, of what, how often, and against which threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from watchfloor.domain.judging import NoData, Operator, Threshold
from watchfloor.domain.questions import question_from
from watchfloor.domain.questions.question import Instance, Question
from watchfloor.domain.rules import Rule

LIMIT = "alerts.rule_limit"
"""The product setting that is the limit of rules that have none of their own."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``asks`` gives a value for each instance every ``every_s`` seconds, ``threshold`` is what it is held against.

    More than ``limit`` instances that fire are told as one; None: as many as the product settings say. ``settings`` is
    the stem of the product settings, such as ``thresholds.slow_queries``, that give the threshold; empty: it is what is
    written here.
    """

    asks: Question
    threshold: Threshold
    every_s: float = 10.0
    limit: int | None = None
    settings: str = ""

    def title(self, instance: Instance) -> str:
        """What an alert about an instance is called.

        >>> from watchfloor.domain.questions.metric import Metric
        >>> shop = Instance("service:1", "shop", {"metric": "load"})
        >>> Condition(Metric("load"), Threshold(Operator.GT, (4.0,), (3.0,))).title(shop)
        'shop: load is above 4'
        """
        return f"{instance.name}: {self.asks.about(instance).words(self.threshold)}"

    def summary(self, instance: Instance, value: float | None) -> str:
        """What was found about an instance."""
        return self.asks.about(instance).says(value)

    def spec(self) -> dict[str, object]:
        """As it is stored; its kind and how long it must last are stored with the rule."""
        threshold = self.threshold
        return {
            **self.asks.spec(),
            "operator": str(threshold.operator),
            "fire": list(threshold.fire),
            "clear": list(threshold.clear),
            "critical": list(threshold.critical),
            "keep_firing_s": threshold.keep_firing_s,
            "no_data": str(threshold.no_data),
            "every_s": self.every_s,
            "limit": self.limit,
            "settings": self.settings,
        }

    def in_force(self, settings: Mapping[str, object]) -> Condition:
        """The condition with the limit and the threshold that the product settings give, where they do."""
        limit = cast(int, settings[LIMIT]) if self.limit is None else self.limit
        if not self.settings:
            return replace(self, limit=limit)
        warning = float(cast(float, settings[f"{self.settings}.warning"]))
        critical = float(cast(float, settings[f"{self.settings}.critical"]))
        threshold = replace(self.threshold, fire=(warning,), clear=(warning,), critical=(critical,))
        return replace(self, limit=limit, threshold=threshold)


def condition_from(kind: str, spec: Mapping[str, object], for_s: float) -> Condition:
    """A condition from what `Condition.spec` stored. Raises `ValueError` for a kind that nobody knows."""
    threshold = Threshold(
        Operator(str(spec["operator"])),
        tuple(cast("list[float]", spec["fire"])),
        tuple(cast("list[float]", spec["clear"])),
        tuple(cast("list[float]", spec.get("critical", ()))),
        for_s,
        float(cast(float, spec["keep_firing_s"])),
        NoData(str(spec["no_data"])),
    )
    return Condition(
        question_from(kind, spec),
        threshold,
        float(cast(float, spec.get("every_s", 10.0))),
        cast("int | None", spec.get("limit")),
        str(spec.get("settings", "")),
    )


@dataclass(frozen=True, slots=True)
class EvaluatedRule:
    """A rule that is evaluated: ``rule`` selects the services and names it, ``condition`` is what it asks."""

    rule: Rule
    condition: Condition
