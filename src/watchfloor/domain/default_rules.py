"""The rules that are in force without being written: what no check judges by itself, runs that die, blind checks.

How busy processors, memory, disks and connections may be, and how far a replica may be behind, is judged by the checks
of those kinds (`watchfloor.engine.watches`), so that it is the state of the service: a second alert would say it twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from watchfloor.domain.conditions import Condition
from watchfloor.domain.judging import Operator, Threshold
from watchfloor.domain.questions.jobs import Jobs, Measure
from watchfloor.domain.questions.metric import Metric
from watchfloor.domain.questions.question import Question
from watchfloor.domain.questions.rate import Rate
from watchfloor.domain.questions.unknown import ANY, Unknown
from watchfloor.domain.settings import SETTINGS
from watchfloor.domain.severity import Severity

_DEFAULTS: Mapping[str, object] = {setting.key: setting.default for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class DefaultRule:
    """A rule that comes with the product; ``kinds`` are the kinds of service that it is about.

    Without any it is about every kind, or about jobs. ``severity`` None: the product settings say from which value on
    it is critical.
    """

    name: str
    about: str
    kinds: tuple[str, ...]
    condition: Condition
    severity: Severity | None = None


def _rule(
    name: str, about: str, kind: str, asks: Question, operator: Operator, settings: str, for_s: float
) -> DefaultRule:
    threshold = Threshold(operator, (0.0,), (0.0,), for_s=for_s)
    condition = Condition(asks, threshold, every_s=60.0, settings=settings).in_force(_DEFAULTS)
    return DefaultRule(name, about, (kind,), replace(condition, limit=None))


DEFAULT_RULES = (
    _rule(
        "cache hit rate",
        "Of the keys that are asked for, Redis has so few percent, counted since it began to count.",
        "redis",
        Metric("hit_percent"),
        Operator.LTE,
        "thresholds.cache_hit_rate",
        600.0,
    ),
    _rule(
        "slow queries",
        "So many queries per minute took MySQL longer than its long_query_time, over five minutes.",
        "mysql",
        Rate("slow_queries", 300.0, "minute", counter=True),
        Operator.GTE,
        "thresholds.slow_queries",
        0.0,
    ),
    _rule(
        "slow queries in PostgreSQL",
        "So many statements per minute took PostgreSQL longer than the slow_after of its check.",
        "postgres",
        Metric("slow_queries_per_minute"),
        Operator.GTE,
        "thresholds.slow_queries",
        0.0,
    ),
    DefaultRule(
        "dead runs",
        "The latest run of a job failed for good, and none succeeded since; also where that paused the job.",
        (),
        Condition(Jobs(Measure.FAILURES), Threshold(Operator.GTE, (1.0,), (1.0,)), every_s=30.0),
        Severity.WARNING,
    ),
    DefaultRule(
        "checks that find nothing out",
        "No check of a service has found anything out for so long, so that whatever is wrong with it shows nowhere.",
        (),
        Condition(Unknown(), replace(ANY, for_s=900.0), every_s=60.0),
        Severity.WARNING,
    ),
)
"""Rules that are on unless the file says otherwise."""

DEFAULT_NAMES = tuple(rule.name for rule in DEFAULT_RULES)
