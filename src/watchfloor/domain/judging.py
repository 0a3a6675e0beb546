"""When a rule on a value is true, and since when it fires: a small machine per rule and instance.

A value counts until the next one comes or until it is too old; then there is no data, and the rule says what that
means. The semantics are those of Prometheus (pending, firing, ``keep_firing_for``), with a second threshold that ends
what the first began, and a third that makes it critical. This module never reads a clock and never looks at the
database.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite

from watchfloor.domain.restore import restored
from watchfloor.domain.words import figure

OUTAGE = timedelta(minutes=2)
"""Nobody evaluated for longer than this: the time between counts neither for nor against a condition."""


class Operator(StrEnum):
    """How a value is compared; written and stored as this word."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NE = "ne"
    BETWEEN = "between"

    @property
    def words(self) -> str:
        """As people read it before the value."""
        return _WORDS[self]


_WORDS = {
    Operator.GT: "above",
    Operator.GTE: "at least",
    Operator.LT: "below",
    Operator.LTE: "at most",
    Operator.EQ: "exactly",
    Operator.NE: "not",
    Operator.BETWEEN: "between",
}


class NoData(StrEnum):
    """What it means that there is no value: all is well, nothing is known, or that alone is the problem."""

    OK = "ok"
    KEEP = "keep"
    FIRE = "fire"


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a rule holds a value against. ``fire`` begins it, ``clear`` keeps it up; two bounds each for ``between``.

    From ``critical`` on the alert is critical; empty: it never is for its value.
    """

    operator: Operator
    fire: tuple[float, ...]
    clear: tuple[float, ...]
    critical: tuple[float, ...] = ()
    for_s: float = 0.0
    keep_firing_s: float = 0.0
    no_data: NoData = NoData.KEEP

    @property
    def words(self) -> str:
        """As people read it after the name of a value.

        >>> Threshold(Operator.GT, (4.0,), (3.0,)).words
        'above 4'
        """
        return f"{self.operator.words} {' and '.join(figure(bound) for bound in self.fire)}"

    def is_critical(self, value: float | None, was: bool = False) -> bool:
        """Whether a value is as bad as ``critical`` says.

        What ``was`` critical stays so until the value is better by as much as lies between ``fire`` and ``clear``: a
        value that wavers about ``critical`` must not call people each time.
        """
        if value is None or not self.critical:
            return False
        ends = zip(self.critical, self.clear, self.fire, strict=True)
        bounds = tuple(limit + clear - fire for limit, clear, fire in ends) if was else self.critical
        return holds(self.operator, value, bounds)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one rule stands with one instance, as of ``at`` (None: never evaluated).

    ``since`` is when its condition became true (None: it is not), ``last_true`` when that was last found.
    """

    at: datetime | None = None
    since: datetime | None = None
    last_true: datetime | None = None
    firing: bool = False


NEVER = Standing()


def holds(operator: Operator, value: float, bounds: tuple[float, ...]) -> bool:
    """Whether a value meets a comparison."""
    match operator:
        case Operator.GT:
            return value > bounds[0]
        case Operator.GTE:
            return value >= bounds[0]
        case Operator.LT:
            return value < bounds[0]
        case Operator.LTE:
            return value <= bounds[0]
        case Operator.EQ:
            return value == bounds[0]
        case Operator.NE:
            return value != bounds[0]
        case Operator.BETWEEN:
            return bounds[0] <= value <= bounds[1]


def misplaced(operator: Operator, fire: tuple[float, ...], clear: tuple[float, ...]) -> str:
    """What is wrong with a clear value for a fire value, with what it may be; empty where nothing is."""
    match operator:
        case Operator.GT | Operator.GTE if clear[0] > fire[0]:
            return f"must not be above fire ({fire[0]:g})"
        case Operator.LT | Operator.LTE if clear[0] < fire[0]:
            return f"must not be below fire ({fire[0]:g})"
        case Operator.EQ | Operator.NE if clear != fire:
            return f"means nothing with {operator}: what is not so is over"
        case Operator.BETWEEN if clear[0] > fire[0] or clear[1] < fire[1]:
            return f"must reach from at most {fire[0]:g} to at least {fire[1]:g}"
        case _:
            return ""


def judge(
    threshold: Threshold,
    before: Standing,
    value: float | None,
    now: datetime,
    outage: timedelta = OUTAGE,
    began: datetime | None = None,
) -> Standing:
    """How a rule stands at ``now`` where the value is ``value`` (None: there is none).

    ``outage``: nobody evaluated for longer than this, so that the time between counts neither way. ``began``: what is
    true at ``now`` became so then; None: that is not known, and it counts from when it is seen.
    """
    if before.at is not None and now < before.at:
        return before  # a clock went back: what is known is newer
    if value is None or not isfinite(value):
        if threshold.no_data is NoData.KEEP:
            return _waiting(before, now)
        true = threshold.no_data is NoData.FIRE
    else:
        true = holds(threshold.operator, value, threshold.clear if before.firing else threshold.fire)
    if not true:
        return _over(threshold, before, now)
    wait = timedelta(seconds=threshold.for_s)
    since = _since(before, wait, now, outage, began)
    return Standing(now, since, now, before.firing or now - since >= wait)


def interrupted(threshold: Threshold, before: Standing, began: datetime) -> Standing:
    """How a rule stood at ``began`` where what is true now began then: what was true before was over meanwhile."""
    if before.last_true is None or began <= before.last_true:
        return before
    return _over(threshold, before, began)


def _over(threshold: Threshold, before: Standing, now: datetime) -> Standing:
    """The condition is not true: what fires goes on for as long as the rule says."""
    kept = timedelta(seconds=threshold.keep_firing_s)
    if before.firing and before.last_true is not None and now - before.last_true < kept:
        return replace(before, at=now)
    return Standing(at=now)


def _waiting(before: Standing, now: datetime) -> Standing:
    """Nothing is known: what fires goes on, and what waits to fire waits as much longer."""
    if before.since is None or before.at is None or before.firing:
        return replace(before, at=now)
    return replace(before, at=now, since=before.since + (now - before.at))


def _since(
    before: Standing, wait: timedelta, now: datetime, outage: timedelta, began: datetime | None
) -> datetime:
    """Since when a condition counts that is true now."""
    if before.since is None or before.at is None:
        return now if began is None else min(began, now)
    if before.firing or now - before.at <= outage:
        return before.since
    return restored(before.since, before.since + wait, before.at, now) - wait
