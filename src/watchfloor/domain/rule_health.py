"""How the evaluations of a rule go: the latest, and the sums of the last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from watchfloor.domain.rule_boards import OWN, STATE, RuleRow


@dataclass(frozen=True, slots=True)
class RuleHour:
    """How the evaluations of a rule went in the hour that began at ``hour``; times in milliseconds.

    ``firing_most`` is for how many instances it fired at once, at most.
    """

    hour: datetime
    evaluations: int
    failures: int
    took_mean_ms: float
    took_most_ms: float
    firing_most: int


@dataclass(frozen=True, slots=True)
class RuleHealth:
    """How one rule fares. What is None was never evaluated; times in milliseconds.

    ``tried_at`` is the last evaluation, ``judged_at`` the last that went well; ``instances``, ``pending`` and
    ``firing`` are what that found, ``over_limit`` whether more fire than are told one by one. ``error`` is why the
    last one failed, ``error_since`` the first of those in a row. The rest is about the last day; ``hours`` are those
    of it in which the rule was evaluated, the oldest first.
    """

    name: str
    kind: str
    enabled: bool
    tried_at: datetime | None
    judged_at: datetime | None
    took_ms: float | None
    instances: int | None
    pending: int | None
    firing: int | None
    over_limit: bool | None
    error: str | None
    error_since: datetime | None
    evaluations: int
    failures: int
    took_mean_ms: float | None
    took_most_ms: float | None
    firing_most: int
    hours: tuple[RuleHour, ...] = ()


def unevaluated(row: RuleRow, health: RuleHealth | None) -> str:
    """Why there is nothing to say about the evaluations of a rule; empty where there is."""
    if row.kind == OWN:
        return "Nothing evaluates it: Watchfloor raises its alerts by itself, at the moment it notices."
    if row.kind == STATE:
        return "It is not evaluated in rounds: it is asked whenever checks confirm the state of a service."
    if health is not None and health.evaluations:
        return ""
    return "No engine has evaluated it within a day." if row.enabled else "It is off, and not evaluated."
