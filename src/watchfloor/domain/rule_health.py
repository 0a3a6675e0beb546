"""How the evaluations of a rule go: the latest, and the sums of the last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RuleHealth:
    """How one rule fares. What is None was never evaluated; times in milliseconds.

    ``tried_at`` is the last evaluation, ``judged_at`` the last that went well; ``instances``, ``pending`` and
    ``firing`` are what that found, ``over_limit`` whether more fire than are told one by one. ``error`` is why the
    last one failed, ``error_since`` the first of those in a row. The rest is about the last day.
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
