"""Heartbeats: jobs and machines that report themselves, and are down when they fall silent.

Nothing is asked: whoever is watched sends a ping at the end of every run, by ``watchfloor ping``, ``watchfloor wrap``
or over HTTP; docs/heartbeats.md tells how. Say either how often (``period``) or when (``cron``) it does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field, model_validator

from watchfloor.config.base import Settings as BaseSettings
from watchfloor.config.fields import DurationField, Seconds, ZoneName
from watchfloor.config.jobs import CronText
from watchfloor.domain.heartbeats import Plan
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.schedules import Schedule, next_fire

_LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


class Settings(BaseSettings):
    """A heartbeat: exactly one of ``period`` and ``cron``."""

    period: Annotated[float, DurationField("1s", "365d")] | None = Field(
        None, description="The longest time from one ping to the next."
    )
    cron: CronText | None = Field(None, description="When pings are due, as a cron expression.")
    time_zone: ZoneName = Field("UTC", description="The zone of `cron`.")
    grace: Annotated[float, DurationField("1s", "365d")] = Field(
        Seconds(300), description="How late a ping may be, and how long a run may take that said it began."
    )
    manual_resume: bool = Field(
        False, description="Whether it stays paused when a ping comes, until an operator resumes it."
    )

    @model_validator(mode="after")
    def _one_rhythm(self) -> Settings:
        if (self.period is None) is (self.cron is None):
            raise ValueError("write either period or cron: when is a ping due?")
        if self.cron is not None and next_fire(self._schedule(self.cron), _LONG_AGO) is None:
            raise ValueError("the cron expression names no time there ever is")
        return self

    def _schedule(self, cron: str) -> Schedule:
        return Schedule("cron", cron, self.time_zone)

    def plan(self) -> Plan:
        """When it is due."""
        return Plan(
            grace=timedelta(seconds=self.grace),
            period=None if self.period is None else timedelta(seconds=self.period),
            schedule=None if self.cron is None else self._schedule(self.cron),
            manual_resume=self.manual_resume,
        )


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Say that there is nothing to probe: an engine books what the pings say."""
    return Outcome(Status.UNKNOWN, "a heartbeat is not asked: it waits for pings")
