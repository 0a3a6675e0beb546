"""A rule as people see it: what it is about in words, what it does now, and what came of it lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from watchfloor.domain.outcome import Status
from watchfloor.domain.rules import Rule

STATE = "state"
OWN = "own"
"""The kind of the rules that watch Watchfloor itself."""

UNHEARD = "nobody: it has no channels, and no route and no chain tells any"
"""Whom a rule tells of which nobody would ever hear."""

BY_STATE = "by state"


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule, in the order in which rules are asked.

    ``words`` is its condition, ``about`` which services, jobs or records it is about, ``waits_s`` how long that must
    last. ``severity`` is a word, or `BY_STATE`. ``firing`` counts its open alerts, ``fired_week`` those that fired in
    seven days. The rest is about evaluations, and None for rules that are not evaluated; times in milliseconds.
    ``owner`` is who may change it: file, console or system.
    """

    id: int
    name: str
    kind: str
    words: str
    about: str
    severity: str
    waits_s: float
    channels: tuple[str, ...]
    enabled: bool
    origin: str
    firing: int
    fired_week: int
    fired_at: datetime | None
    tried_at: datetime | None = None
    took_ms: float | None = None
    instances: int | None = None
    over_limit: bool = False
    error: str = ""
    owner: str = "file"
    unheard: bool = (
        False  # nobody is told of its alerts: it has no channel, and no route and no chain tells any
    )


def about(rule: Rule) -> str:
    """Which services a rule is about.

    >>> about(Rule(1, "r", frozenset(), groups=("web-*",), tags=frozenset({"eu"})))
    'group web-*, tag eu'
    """
    parts = (
        ("service", rule.services), ("group", rule.groups), ("kind", sorted(rule.kinds)), ("tag", sorted(rule.tags))
    )  # fmt: skip
    words = [
        f"{what} {' or '.join(each)}" if what != "tag" else f"tag {' and '.join(each)}"
        for what, each in parts
        if each
    ]
    return ", ".join(words) or "every service"


def states(rule: Rule) -> str:
    """The condition of a rule on states.

    >>> states(Rule(1, "r", frozenset({Status.FAILING, Status.DEGRADED})))
    'a service is degraded or failing'
    """
    return f"a service is {' or '.join(each.word for each in Status if each in rule.statuses)}"
