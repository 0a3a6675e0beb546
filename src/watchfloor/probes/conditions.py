"""Conditions on the answer to an HTTP request, as people write them: ``latency < 300ms``.

`watchfloor.probes.condition_parser` reads them; here is what they mean. This module does no I/O, knows nothing of
connections and must never raise for what an answer holds.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from watchfloor.domain.automaton import Work
from watchfloor.probes.assertions import contains, same, shown_json
from watchfloor.probes.checking import Fault
from watchfloor.probes.pattern import CHECK_WORK, Pattern
from watchfloor.probes.text import seconds

ABSENT = object()
"""Stands for a value that is not there."""

ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge
}  # fmt: skip


class Sort(Enum):
    """What sort of value a subject has; its operators and operands follow from it."""

    NUMBER = "a number"
    SIZE = "a size such as 512 or 10KiB"
    DURATION = "a duration with a unit, such as 300ms or 2s"
    TEXT = "text in quotes"
    ANY = "a number, text in quotes, true, false or null"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of an answer. ``latency`` and ``phases`` are in seconds, ``certificate_days`` may be unknown.

    ``work`` is what its patterns may still take, all of them together.
    """

    status: int
    latency: float
    size: int
    redirects: int
    certificate_days: float | None
    phases: Mapping[str, float]
    header: Callable[[str], str | None]
    body: str
    document: object
    work: Work = field(default_factory=lambda: Work(CHECK_WORK))


@dataclass(frozen=True, slots=True)
class Subject:
    """What a comparison is about; ``path`` leads into a JSON document or names a header or phase."""

    name: str
    path: tuple[str | int, ...]
    sort: Sort
    source: str

    def value(self, evidence: Evidence) -> object:
        """Return the value, or `ABSENT`."""
        if self.name == "json":
            return _within(evidence.document, self.path)
        if self.name == "header":
            found: object = evidence.header(str(self.path[0]))
        elif self.name == "phase":
            found = evidence.phases.get(str(self.path[0]))
        elif self.name == "certificate":
            found = evidence.certificate_days
        else:
            found = getattr(evidence, self.name)
        return ABSENT if found is None else found

    def shown(self, value: object) -> str:
        """Say in words what was found."""
        if value is ABSENT:
            return f"{self.source} is missing"
        if self.sort is Sort.DURATION and isinstance(value, float):
            return f"{self.source} is {seconds(value)}"
        if self.name == "body":
            return f"the body begins {shown_json(str(value)[:60])}"
        return (
            f"{self.source} is {value:g}"
            if isinstance(value, float)
            else f"{self.source} is {shown_json(value)}"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """One subject held against one operand."""

    subject: Subject
    operator: str
    negated: bool
    operand: object

    async def holds(self, value: object, work: Work) -> bool:
        """Say whether it holds for a value of its subject; a missing one meets only that it not exist.

        Raises `Fault` when a pattern takes more than is left of ``work``.
        """
        if isinstance(self.operand, Pattern) and isinstance(value, str):
            return await self.operand.found_in(value[: 64 * 1024], work) != self.negated
        return self.agrees(value)

    def agrees(self, value: object) -> bool:
        """Say whether it holds for a value, unless that takes a search for a pattern."""
        if self.operator == "exists":
            return (value is not ABSENT) != self.negated
        if value is ABSENT:
            return False
        return self._agrees(value) != self.negated

    def _agrees(self, value: object) -> bool:
        operand = self.operand
        if self.operator in ORDER:
            number = _number(value)
            return number is not None and ORDER[self.operator](number, float(operand))  # type: ignore[arg-type]
        if isinstance(operand, Pattern):
            return False  # this is no text
        if isinstance(operand, tuple):
            return any(self._equal(value, each) for each in operand)
        if self.operator == "contains":
            return contains(value, operand)
        return self._equal(value, operand) == (self.operator == "==")

    def slow_by(self, value: object) -> float | None:
        """By how many seconds a duration is above what it must be below; None for everything else."""
        below = self.operator.startswith(">" if self.negated else "<")
        if not below or self.subject.sort is not Sort.DURATION or not isinstance(value, float):
            return None
        return max(0.0, value - float(self.operand))  # type: ignore[arg-type]  # the operand of an order is a number

    def _equal(self, value: object, wanted: object) -> bool:
        if self.subject.sort is Sort.TEXT and isinstance(wanted, float):
            return _number(value) == wanted
        return same(value, wanted)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read; it holds when one of its comparisons does."""

    source: str
    comparisons: tuple[Comparison, ...]

    def speaks_of(self, name: str) -> bool:
        """Whether one of its comparisons is about this subject."""
        return any(comparison.subject.name == name for comparison in self.comparisons)

    @property
    def headers(self) -> frozenset[bytes]:
        """The headers it is about, in lower case."""
        subjects = [comparison.subject for comparison in self.comparisons]
        return frozenset(str(each.path[0]).lower().encode() for each in subjects if each.name == "header")

    def slow_by(self, evidence: Evidence) -> float | None:
        """By how many seconds an answer came too late for a condition that failed; None where time is not why."""
        by = [each.slow_by(each.subject.value(evidence)) for each in self.comparisons]
        return min((each for each in by if each is not None), default=None)

    async def objection(self, evidence: Evidence) -> str | None:
        """Return the condition and what was found instead; None when it holds.

        Raises `Fault` when that cannot be known, because a pattern took too much work.
        """
        found: list[str] = []
        undecided: Fault | None = None
        for comparison in self.comparisons:
            value = comparison.subject.value(evidence)
            try:
                if await comparison.holds(value, evidence.work):
                    return None
            except Fault as fault:
                undecided = undecided or fault  # another one may still hold
            found.append(comparison.subject.shown(value))
        if undecided is not None:
            raise undecided
        return f"{self.source} failed: {', '.join(dict.fromkeys(found))}"


def _within(document: object, path: tuple[str | int, ...]) -> object:
    """Follow a path into a document; ``length`` counts where there is no such key."""
    for position, step in enumerate(path):
        around: Any = document
        fits = isinstance(around, dict if isinstance(step, str) else list)
        try:
            document = around[step] if fits else ABSENT
        except LookupError:
            document = ABSENT
        if document is ABSENT and step == "length" and position == len(path) - 1 and _counts(around):
            return float(len(around))
        if document is ABSENT:
            break
    return document


def _counts(value: object) -> bool:
    return isinstance(value, str | list | dict)


def _number(value: object) -> float | None:
    """A number, or a text that is written as one, as headers are."""
    if isinstance(value, str):
        plain = re.fullmatch(r"\s*-?\d{1,18}(\.\d{1,18})?\s*", value, re.ASCII)
        return float(value) if plain else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 else None  # JSON may hold whole numbers of any length
