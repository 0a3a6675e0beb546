"""Thresholds that people set: two limits per figure, and the time a check may take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from watchfloor.config.base import Settings
from watchfloor.config.fields import DurationField
from watchfloor.domain.outcome import Status
from watchfloor.probes.text import seconds

Duration = Annotated[float, DurationField("1ms", "1h")]


class Limits(Settings):
    """From which value on a figure is degraded, and from which it is failing; empty means never."""

    degraded: float | None = Field(None, ge=0, description="Degraded from this value on.")
    failing: float | None = Field(None, ge=0, description="Failing from this value on.")

    @model_validator(mode="after")
    def _in_order(self) -> Limits:
        if self.degraded is not None and self.failing is not None and self.degraded > self.failing:
            raise ValueError("the degraded limit must not be above the failing limit")
        return self

    def judge(self, value: float) -> tuple[Status, float]:
        """Return the status ``value`` stands for and the limit it reached (0 when it reached none)."""
        if self.failing is not None and value >= self.failing:
            return Status.FAILING, self.failing
        if self.degraded is not None and value >= self.degraded:
            return Status.DEGRADED, self.degraded
        return Status.OK, 0.0


class TimedSettings(Settings):
    """The limits on how long a check may take that every network check has."""

    degraded_after: Duration | None = Field(None, description="Degraded when the answer takes longer.")
    failing_after: Duration | None = Field(None, description="Failing when the answer takes longer.")

    @model_validator(mode="after")
    def _degraded_first(self) -> TimedSettings:
        if self.degraded_after and self.failing_after and self.degraded_after > self.failing_after:
            raise ValueError("degraded_after must not be longer than failing_after")
        return self

    def slowness(self, latency: float) -> tuple[Status, str]:
        """Return what a latency in seconds stands for, with words when it is too slow."""
        if self.failing_after is not None and latency > self.failing_after:
            return Status.FAILING, f"took {seconds(latency)}, limit {seconds(self.failing_after)}"
        if self.degraded_after is not None and latency > self.degraded_after:
            return Status.DEGRADED, f"took {seconds(latency)}, limit {seconds(self.degraded_after)}"
        return Status.OK, ""

    def passed(self, latency: float) -> tuple[tuple[Status, float], ...]:
        """Return every limit that a latency passed, as what it stands for and by how many seconds."""
        limits = ((Status.DEGRADED, self.degraded_after), (Status.FAILING, self.failing_after))
        return tuple((status, latency - limit) for status, limit in limits if limit and latency > limit)
