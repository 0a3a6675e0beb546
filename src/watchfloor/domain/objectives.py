"""Objectives: how much of the time services promise to be up, what is left of the budget for errors, how fast it burns.

All of it is arithmetic on time, as uptime is (`watchfloor.domain.spans`). The windows and shares of the burn policies
are those of the SRE workbook, chapter 5 ("Alerting on SLOs", multiwindow, multi-burn-rate), for a window of 30 days;
for another window the factors follow from the same shares of its budget. This module must never count results
except to tell whether there were enough of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from watchfloor.domain.durations import format_duration
from watchfloor.domain.rules import Subject
from watchfloor.domain.spans import SpanState

MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0
LEAST_SAMPLES = 5
"""Fewer results in the short window, and a minute before it, say nothing about a rate."""
LEAST_FAILURES = 2
"""A single failed check is not a trend."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A promise about each of the services it selects. ``target`` is a share of the time, such as 0.999.

    Empty selectors match everything; ``services`` and ``groups`` are globs.
    """

    id: int
    name: str
    target: float
    window_s: float
    planned_counts: bool = False
    unreachable_counts: bool = False
    services: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def covers(self, subject: Subject) -> bool:
        """Whether the promise is about this service."""
        return (
            (not self.kinds or subject.kind in self.kinds)
            and self.tags <= subject.tags
            and (not self.services or any(fnmatchcase(subject.name, glob) for glob in self.services))
            and (not self.groups or any(fnmatchcase(subject.group, glob) for glob in self.groups))
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """What one service made of its objective in the window. Times in seconds; None where nothing was observed."""

    observed_s: float
    bad_s: float
    allowed_s: float
    ratio: float | None
    left: float | None  # 1: untouched; 0: used up; below: overdrawn


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast the budget burns in one window; 1 uses it up exactly at its end. None: nothing was observed.

    Results are counted for a minute more: of a service that is checked once a minute and answers late, five minutes
    hold four of them until the last one has ended.
    """

    rate: float | None
    samples: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class BurnPolicy:
    """Burning this much faster than allowed, over both windows, is worth telling somebody. Times in seconds."""

    name: str
    long_s: float
    short_s: float
    share: float  # of the budget, gone in the long window at this rate
    urgent: bool

    def factor(self, window_s: float) -> float:
        """The burn rate that spends the share of a window's budget in the long window.

        >>> [round(policy.factor(30 * DAY_S), 1) for policy in POLICIES]
        [14.4, 6.0, 3.0, 1.0]
        """
        return self.share * window_s / self.long_s


POLICIES = (
    BurnPolicy("1h", HOUR_S, 5 * MINUTE_S, 0.02, urgent=True),
    BurnPolicy("6h", 6 * HOUR_S, 30 * MINUTE_S, 0.05, urgent=True),
    BurnPolicy("1d", DAY_S, 2 * HOUR_S, 0.10, urgent=False),
    BurnPolicy("3d", 3 * DAY_S, 6 * HOUR_S, 0.10, urgent=False),
)

BURN_WINDOWS = tuple(sorted({each for policy in POLICIES for each in (policy.long_s, policy.short_s)}))


def unreachable(target: float, window_s: float) -> str:
    """Why a target is refused, as a sentence; empty when it can be held.

    A rate of burning is at most 1 / (1 - target): a policy that asks for more would never tell anybody.

    >>> unreachable(0.93, 30 * DAY_S), unreachable(0.999, 30 * DAY_S)
    ('at this target nothing can burn 14.4 times too fast, as the policy 1h needs: more than 93.06 % is told of', '')
    """
    if not 0 < target < 1:
        return "a target lies between 0 and 100 %"
    fastest = max(policy.factor(window_s) for policy in POLICIES)
    if fastest < 1 / (1 - target) * (1 - 1e-9):
        return ""
    name = next(policy.name for policy in POLICIES if policy.factor(window_s) == fastest)
    least = 100 * (1 - 1 / fastest)
    return (
        f"at this target nothing can burn {fastest:.1f} times too fast, as the policy {name} needs: "
        f"more than {least:.4g} % is told of"
    )


def split(objective: Objective, spent: Mapping[SpanState, float]) -> tuple[float, float]:
    """Bad and observed time of what a window was spent in; whatever does not count is in neither."""
    bad = spent.get(SpanState.DOWN, 0.0)
    if objective.unreachable_counts:
        bad += spent.get(SpanState.UNREACHABLE, 0.0)
    if objective.planned_counts:
        bad += spent.get(SpanState.PLANNED, 0.0)
    return bad, bad + spent.get(SpanState.UP, 0.0) + spent.get(SpanState.DEGRADED, 0.0)


def budget(objective: Objective, spent: Mapping[SpanState, float]) -> Budget:
    """What is left of the budget after a window that was spent like this, in seconds.

    >>> found = budget(Objective(1, "", 0.99, DAY_S), {SpanState.UP: 995.0, SpanState.DOWN: 5.0})
    >>> round(found.allowed_s), round(found.left, 3)
    (10, 0.5)
    """
    bad, observed = split(objective, spent)
    allowed = (1 - objective.target) * observed
    if not observed:
        return Budget(0.0, 0.0, 0.0, None, None)
    return Budget(observed, bad, allowed, 1 - bad / observed, 1 - bad / allowed)


def burn(objective: Objective, spent: Mapping[SpanState, float], samples: int = 0, failures: int = 0) -> Burn:
    """How fast a window that was spent like this burns the budget."""
    bad, observed = split(objective, spent)
    rate = bad / observed / (1 - objective.target) if observed else None
    return Burn(rate, samples, failures)


def burning(policy: BurnPolicy, window_s: float, long: Burn, short: Burn) -> bool:
    """Whether both windows burn faster than the policy allows, with enough results in the short one to say so.

    The short window lies inside the long one, so what it holds the long one holds, too.
    """
    factor = policy.factor(window_s)
    return (
        long.rate is not None
        and short.rate is not None
        and long.rate > factor
        and short.rate > factor
        and short.samples >= LEAST_SAMPLES
        and short.failures >= LEAST_FAILURES
    )


def burning_policies(objective: Objective, burns: Mapping[float, Burn]) -> tuple[BurnPolicy, ...]:
    """The policies that a service exceeds now; ``burns`` by the length of their window, see `BURN_WINDOWS`."""
    return tuple(
        policy
        for policy in POLICIES
        if burning(policy, objective.window_s, burns[policy.long_s], burns[policy.short_s])
    )


def promise(objective: Objective) -> str:
    """The objective in words.

    >>> promise(Objective(1, "shop", 0.999, 30 * DAY_S))
    '99.9 % of 30d'
    """
    return f"{objective.target * 100:.7g} % of {format_duration(objective.window_s)}"


def covering(objectives: Iterable[Objective], subject: Subject) -> list[Objective]:
    """The objectives about one service, in their order."""
    return [objective for objective in objectives if objective.covers(subject)]
