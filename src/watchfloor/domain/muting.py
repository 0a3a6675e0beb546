"""Silences and inhibition: which alerts nobody is told of because a person, or a worse alert, says so.

They say why an alert is quiet, never whether it exists: suppression is a set of reasons beside its state. This module
never reads a clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from watchfloor.domain.matchers import Matchers, match

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Silence:
    """A person's word that alerts which match are not told from ``starts_at`` on, until but not at ``ends_at``.

    ``until_resolved``: it ends as soon as nothing that matches it is open any more; ``ends_at`` None: not before.
    """

    id: int
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime | None
    until_resolved: bool
    author: str
    comment: str

    def active(self, now: datetime) -> bool:
        """Whether it is in force."""
        return self.starts_at <= now and (self.ends_at is None or now < self.ends_at)


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that matches ``source`` is open, those that match ``target`` and agree with it in all labels of
    ``equal`` are not told. A label that is missing is empty."""

    name: str
    source: Matchers
    target: Matchers
    equal: tuple[str, ...]

    def key(self, labels: Labels) -> tuple[str, ...]:
        """What two alerts must have in common."""
        return tuple(labels.get(name, "") for name in self.equal)


def silencing(silences: Iterable[Silence], labels: Labels, now: datetime) -> tuple[int, ...]:
    """The silences that keep an alert quiet now."""
    return tuple(each.id for each in silences if each.active(now) and match(each.matchers, labels))


@dataclass(slots=True)
class Sources:
    """Open alerts that keep others quiet, by rule and by what both must have in common."""

    _found: dict[str, dict[tuple[str, ...], dict[int, bool]]] = field(default_factory=dict)
    rules: Collection[Inhibition] = ()

    def add(self, alert: int, labels: Labels) -> None:
        """Note an open alert, if it is the source of any rule."""
        for rule in self.rules:
            if match(rule.source, labels):
                both = match(rule.target, labels)
                self._found.setdefault(rule.name, {}).setdefault(rule.key(labels), {})[alert] = both

    def inhibit(self, alert: int, labels: Labels) -> bool:
        """Whether an alert is kept quiet by another one.

        An alert that matches both sides is not kept quiet by one that does so too: else two would silence each other.
        """
        for rule in self.rules:
            sources = self._found.get(rule.name, {}).get(rule.key(labels), {})
            if not sources or not match(rule.target, labels):
                continue
            both = match(rule.source, labels)
            if any(other != alert and not (both and theirs) for other, theirs in sources.items()):
                return True
        return False
