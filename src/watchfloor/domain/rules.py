"""Which rule, if any, raises an alert about a service in a confirmed state. The first rule that matches wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity, severity_of

BUILT_IN = "service is not ok"
"""The rule that catches every service that no other rule took."""

COMPONENT_RULE = "a component is not running"
"""The rule behind alerts about Watchfloor itself."""

CHANNEL_RULE = "a channel is failing"
"""The rule behind alerts about channels; each is told through the others."""

RULE_RULE = "a rule is out of order"
"""The rule behind alerts about rules: one cannot be evaluated, or fires for too much."""

ALERT_LABELS = frozenset({
    "about_rule", "category", "channel", "component", "group", "job", "kind", "metric", "node", "objective", "rule",
    "service", "severity", "since",
})  # fmt: skip
"""Labels that alerts have by themselves, which no rule may set; a category is one as well, with a key of its own."""

OWN_RULES = (COMPONENT_RULE, CHANNEL_RULE, RULE_RULE)
"""Rules that only the program itself raises alerts by."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules may look at in a service."""

    name: str
    kind: str
    group: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule; ``statuses`` are those of a rule on service states, ``labels`` what its alerts carry besides their own.

    Empty selectors match everything; ``services`` and ``groups`` are globs.
    """

    id: int
    name: str
    statuses: frozenset[Status]
    services: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    for_s: float = 0.0
    severity: Severity | None = None
    channels: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)

    def matches(self, subject: Subject, status: Status) -> bool:
        """Whether this rule speaks about ``subject`` in ``status``; every selector must agree."""
        return status in self.statuses and self.selects(subject)

    def selects(self, subject: Subject) -> bool:
        """Whether this rule is about ``subject`` at all; every selector must agree."""
        return (
            (not self.kinds or subject.kind in self.kinds)
            and self.tags <= subject.tags
            and _any_glob(self.services, subject.name)
            and _any_glob(self.groups, subject.group)
        )

    def severity_for(self, status: Status) -> Severity:
        """The severity of an alert that this rule raises."""
        return severity_of(status) if self.severity is None else self.severity


def _any_glob(patterns: tuple[str, ...], text: str) -> bool:
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)


def first_match(rules: Iterable[Rule], subject: Subject, status: Status) -> Rule | None:
    """The first of ``rules`` that matches; None where the status is nothing to alert about."""
    return next((rule for rule in rules if rule.matches(subject, status)), None)
