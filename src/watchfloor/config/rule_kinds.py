"""What may be written under ``rules:`` for each kind of rule that is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from watchfloor.config.fields import DurationField, Name, Seconds
from watchfloor.config.rule_keys import (
    NO_DATA,
    Bounds,
    EvaluatedKeys,
    Every,
    OneName,
    RegularExpression,
    ServiceRuleKeys,
    ThresholdKeys,
    Window,
)
from watchfloor.config.schema import Patterns
from watchfloor.domain.anomaly import UNUSUAL
from watchfloor.domain.judging import Operator
from watchfloor.domain.levels import DEBUG, ERROR, FATAL, INFO, TRACE, WARN
from watchfloor.domain.questions.absence import Absence
from watchfloor.domain.questions.anomaly import Anomaly
from watchfloor.domain.questions.burn import BurnRate
from watchfloor.domain.questions.certificate import Certificate
from watchfloor.domain.questions.forecast import Forecast
from watchfloor.domain.questions.jobs import Jobs, Measure
from watchfloor.domain.questions.logs import Logs
from watchfloor.domain.questions.metric import Metric
from watchfloor.domain.questions.question import Question
from watchfloor.domain.questions.rate import Rate
from watchfloor.domain.questions.unknown import ANY, Unknown

_METRIC = (
    "Name of a metric as the service reports it, or latency, in milliseconds; a star stands for anything, "
    "as in disk_used_percent{mount=*}, and each is judged by itself; one that vanished while something was the "
    "matter has no data, for a day."
)
LEVELS = {"trace": TRACE, "debug": DEBUG, "info": INFO, "warn": WARN, "error": ERROR, "fatal": FATAL}


class MetricKeys(ThresholdKeys):
    """A rule on the latest value of a metric of each service."""

    kind: Literal["metric"] = Field(description="What the rule looks at.")
    metric: Name = Field(description=_METRIC)
    every: Every = Field(Seconds(10), description="How often it is evaluated.")

    def question(self) -> Question:
        """What the rule asks."""
        return Metric(self.metric)


class RateKeys(ThresholdKeys):
    """A rule on how fast a metric of each service changes."""

    kind: Literal["rate"] = Field(description="What the rule looks at.")
    metric: Name = Field(description=_METRIC)
    window: Window = Field(Seconds(300), description="The change over this long up to now.")
    per: Literal["second", "minute", "hour", "day"] = Field("second", description="The unit of the rate.")
    counter: bool = Field(False, description="Whether it only grows: where it falls, it began anew.")

    def question(self) -> Question:
        """What the rule asks."""
        return Rate(self.metric, float(self.window), self.per, self.counter)


class AbsenceKeys(ServiceRuleKeys):
    """A rule on how long nothing has come from each service."""

    kind: Literal["absence"] = Field(description="What the rule looks at.")
    metric: OneName | None = Field(
        None, description="Name of a metric; if left out, any result counts, of a heartbeat any ping."
    )
    longer_than: Annotated[float, DurationField("10s", "7d")] = Field(
        description="Nothing for longer than this fires."
    )

    def question(self) -> Question:
        """What the rule asks."""
        return Absence(self.metric or "")

    def bounds(self) -> tuple[Operator, tuple[float, ...]]:
        """How a value is compared, and with what."""
        return Operator.GT, (float(self.longer_than),)


class LogRuleKeys(EvaluatedKeys):
    """A rule on how many records of the log of Watchfloor say something."""

    kind: Literal["logs"] = Field(description="What the rule looks at.")
    window: Window = Field(Seconds(300), description="The records of this long up to now.")
    level: Literal["trace", "debug", "info", "warn", "error", "fatal"] = Field(
        "trace", description="Only records that are as severe as this at least."
    )
    text: Annotated[str, Field(max_length=200)] = Field(
        "", description="Only records that contain this; case does not matter."
    )
    pattern: RegularExpression = Field("", description="Only records in which this matches anywhere.")
    sources: Patterns = Field((), description="Only records of these channels of the log; names or patterns.")
    nodes: Patterns = Field((), description="Only records of these nodes; names or patterns.")
    at_least: Annotated[int, Field(ge=1, le=1_000_000)] = Field(1, description="So many records fire.")

    def question(self) -> Question:
        """What the rule asks."""
        severity = LEVELS[self.level]
        return Logs(float(self.window), severity, self.text, self.pattern, self.sources, self.nodes)

    def bounds(self) -> tuple[Operator, tuple[float, ...]]:
        """How a value is compared, and with what."""
        return Operator.GTE, (float(self.at_least),)


class JobRuleKeys(EvaluatedKeys):
    """A rule on what becomes of the runs of each job."""

    kind: Literal["jobs"] = Field(description="What the rule looks at.")
    jobs: Patterns = Field((), description="Which jobs, by name or pattern; each is judged by itself.")
    failures: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None,
        description="Fires when so many runs in a row failed for good. What somebody discarded does not count.",
    )
    failed_percent: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None, description="Fires when so many percent of the runs within the window failed."
    )
    not_succeeded_for: Annotated[float, DurationField("1m", "90d")] | None = Field(
        None, description="Fires when no run has succeeded for this long."
    )
    longer_than: Annotated[float, DurationField("1s", "30d")] | None = Field(
        None, description="Fires when its latest run takes longer than this."
    )
    window: Window = Field(Seconds(86_400), description="What failed_percent looks at.")
    runs: Annotated[int, Field(ge=1, le=100)] = Field(
        3, description="With fewer runs in the window failed_percent says nothing."
    )

    @model_validator(mode="after")
    def _one_measure(self) -> JobRuleKeys:
        if len(self._measures()) != 1:
            raise ValueError(f"needs exactly one of {', '.join(_JOB_MEASURES)}")
        return self

    def _measures(self) -> list[tuple[Measure, float]]:
        values = {measure: getattr(self, key) for key, measure in _JOB_MEASURES.items()}
        return [(measure, float(value)) for measure, value in values.items() if value is not None]

    def question(self) -> Question:
        """What the rule asks."""
        ((measure, _),) = self._measures()
        return Jobs(measure, self.jobs, float(self.window), self.runs)

    def bounds(self) -> tuple[Operator, tuple[float, ...]]:
        """How a value is compared, and with what."""
        ((measure, value),) = self._measures()
        counts = measure in (Measure.FAILURES, Measure.SHARE)
        return Operator.GTE if counts else Operator.GT, (value,)


_JOB_MEASURES: Mapping[str, Measure] = {
    "failures": Measure.FAILURES,
    "failed_percent": Measure.SHARE,
    "not_succeeded_for": Measure.UNSUCCESSFUL,
    "longer_than": Measure.DURATION,
}


class CertificateKeys(ThresholdKeys):
    """A rule on how many days are left of the certificate that each service shows."""

    kind: Literal["certificate"] = Field(description="What the rule looks at.")
    operator: Literal["lt", "lte"] = Field("lte", description="How the days are compared.")
    fire: Bounds = Field((21.0,), description="Days left at which the alert begins.")
    critical: Bounds | None = Field((7.0,), description="Days left from which on the alert is critical.")
    every: Every = Field(Seconds(600), description="How often it is evaluated.")

    def question(self) -> Question:
        """What the rule asks."""
        return Certificate()


class BurnKeys(ServiceRuleKeys):
    """A rule on how fast services use up what their objectives allow."""

    kind: Literal["burn"] = Field(description="What the rule looks at.")
    objectives: Patterns = Field((), description="Which objectives, by name or pattern; all of them.")
    policies: Annotated[tuple[Literal["1h", "6h", "1d", "3d"], ...], Field(min_length=1)] = Field(
        ("1h", "6h", "1d", "3d"),
        description="Long windows of the SRE workbook; each is held against its short one as well.",
    )
    no_data: Literal["ok", "keep", "fire"] = Field("ok", description=NO_DATA)
    every: Every = Field(Seconds(60), description="How often it is evaluated.")

    def question(self) -> Question:
        """What the rule asks."""
        return BurnRate(self.policies, self.objectives)

    def bounds(self) -> tuple[Operator, tuple[float, ...]]:
        """How a value is compared, and with what."""
        return Operator.GT, (1.0,)


class ForecastKeys(ServiceRuleKeys):
    """A rule on when a metric of each service reaches a value."""

    kind: Literal["forecast"] = Field(description="What the rule looks at.")
    metric: Name = Field(description=_METRIC)
    reaches: float = Field(description="The value that it must not reach.")
    direction: Literal["up", "down"] = Field("up", description="Whether it rises or falls to it.")
    within: Annotated[float, DurationField("10m", "30d")] = Field(
        Seconds(86_400), description="Fires when it gets there within this time."
    )
    keep_firing_for: Annotated[float, DurationField("0s", "7d")] = Field(
        Seconds(3_600), description="How long the alert goes on after the condition was last true."
    )
    no_data: Literal["ok", "keep", "fire"] = Field("ok", description=NO_DATA)
    every: Every = Field(Seconds(600), description="How often it is evaluated.")

    def question(self) -> Question:
        """What the rule asks."""
        return Forecast(self.metric, self.reaches, self.direction == "up")

    def bounds(self) -> tuple[Operator, tuple[float, ...]]:
        """How a value is compared, and with what."""
        return Operator.LTE, (float(self.within),)


class AnomalyKeys(ThresholdKeys):
    """A rule on how much of what a metric was lately is out of the ordinary for the hour."""

    kind: Literal["anomaly"] = Field(description="What the rule looks at.")
    metric: Name = Field(description=_METRIC)
    window: Annotated[float, DurationField("1m", "6h")] = Field(
        Seconds(900), description="The values of this long up to now."
    )
    z: Annotated[float, Field(ge=2, le=100)] = Field(
        UNUSUAL, description="A value is unusual whose modified z-score is beyond this."
    )
    operator: Literal["gt", "gte"] = Field("gt", description="How the share is compared.")
    fire: Bounds = Field((50.0,), description="Percent of unusual values at which the alert begins.")
    clear: Bounds | None = Field((10.0,), description="Percent at which it ends.")
    no_data: Literal["ok", "keep", "fire"] = Field("ok", description=NO_DATA)
    every: Every = Field(Seconds(60), description="How often it is evaluated.")

    def question(self) -> Question:
        """What the rule asks."""
        return Anomaly(self.metric, float(self.window), self.z)


class UnknownKeys(ServiceRuleKeys):
    """A rule on how long the checks of each service have found nothing out."""

    kind: Literal["unknown"] = Field(description="What the rule looks at.")
    for_: Annotated[float, DurationField("0s", "7d")] = Field(
        Seconds(900),
        alias="for",
        description="How long no check must have found anything out; any one that does ends it.",
    )

    def question(self) -> Question:
        """What the rule asks."""
        return Unknown()

    def bounds(self) -> tuple[Operator, tuple[float, ...]]:
        """How a value is compared, and with what."""
        return ANY.operator, ANY.fire


MODELS: Mapping[str, type[EvaluatedKeys]] = {
    "metric": MetricKeys,
    "rate": RateKeys,
    "absence": AbsenceKeys,
    "logs": LogRuleKeys,
    "jobs": JobRuleKeys,
    "certificate": CertificateKeys,
    "burn": BurnKeys,
    "forecast": ForecastKeys,
    "anomaly": AnomalyKeys,
    "unknown": UnknownKeys,
}
"""The keys of each kind of rule that is evaluated."""
