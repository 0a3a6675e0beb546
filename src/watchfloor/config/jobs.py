"""What may be written under ``jobs:`` beside the settings of a kind: schedules, retries, limits.

A schedule that could never fire, or in a zone that does not exist, is a mistake of the file; nothing here waits
until it is due to find out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from watchfloor.config.base import Settings
from watchfloor.config.fields import DurationField, InWords, Name, Seconds, WebAddress
from watchfloor.config.schema import Description
from watchfloor.domain.cron import CronError, parse_cron
from watchfloor.domain.durations import format_duration
from watchfloor.domain.schedules import Dst
from watchfloor.domain.zones import UnknownZone, zone


def _cron(text: str) -> str:
    try:
        parse_cron(text)
    except CronError as error:
        raise ValueError(f"{error}; {error.remedy}") from None
    return " ".join(text.split())


def _zone(text: str) -> str:
    try:
        zone(text)
    except UnknownZone as error:
        raise ValueError(f"{error}; write a name such as Europe/Berlin or UTC") from None
    return text


def _moment(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("moment", "is not a moment") from None
    return text


_YEARLY = re.compile(r"[0-9]{2}-[0-9]{2}", re.ASCII)


def _day(text: str) -> str:
    try:
        date.fromisoformat(f"2024-{text}" if _YEARLY.fullmatch(text) else text)
    except ValueError:
        raise PydanticCustomError("day", "is not a day") from None
    return text


CronText = Annotated[str, AfterValidator(_cron), InWords('a cron expression such as "30 3 * * mon-fri"')]
ZoneName = Annotated[str, AfterValidator(_zone), InWords("a time zone such as Europe/Berlin")]
Moment = Annotated[str, AfterValidator(_moment), InWords("a moment such as 2026-12-24T18:00")]
Day = Annotated[str, AfterValidator(_day), InWords("a day such as 2026-12-25, or 12-25 for every year")]
ErrorClass = Annotated[str, Field(pattern=r"^[a-z0-9._*]{1,60}$")]
ErrorClasses = Annotated[tuple[ErrorClass, ...], Field(max_length=50)]


class ScheduleKeys(Settings):
    """One schedule of a job: exactly one of ``cron``, ``every`` and ``at``."""

    cron: CronText | None = Field(
        None, description="Minute, hour, day of month, month, day of week; seconds may come first."
    )
    every: Annotated[float, DurationField("1s", "366d")] | None = Field(
        None, description="How often, counted from anchor."
    )
    at: Moment | None = Field(None, description="Once, at this moment.")
    time_zone: ZoneName = Field("UTC", description="The zone of all times of this schedule.")
    anchor: Moment | None = Field(
        None, description="What every counts from; the moment the schedule was first seen."
    )
    start: Moment | None = Field(None, description="Nothing before this.")
    end: Moment | None = Field(None, description="Nothing after this.")
    jitter: Annotated[float, DurationField("0s", "1d")] = Field(
        Seconds(0), description="Each start is put off by a random time up to this."
    )
    dst: Literal["debian", "skip_and_repeat", "utc"] = Field(
        "debian",
        description="Where clocks change, fixed times run once (debian), as clocks show them, or are read in UTC.",
    )
    not_on: Annotated[tuple[Day, ...], Field(max_length=1000)] = Field((), description="Days without a fire.")
    catch_up: Literal["skip", "last", "first", "all"] = Field(
        "last", description="Which fires that were missed are made up for."
    )
    catch_up_window: Annotated[float, DurationField("1m", "366d")] = Field(
        Seconds(86_400), description="Fires older than this are never made up for."
    )
    catch_up_most: Annotated[int, Field(ge=1, le=1000)] = Field(
        100, description="The most fires that are made up for at once."
    )
    grace: Annotated[float, DurationField("1s", "1d")] = Field(
        Seconds(60), description="A fire later than this counts as missed."
    )

    @model_validator(mode="after")
    def _one_of_three(self) -> ScheduleKeys:
        if sum(each is not None for each in (self.cron, self.every, self.at)) != 1:
            raise ValueError("needs exactly one of cron, every and at")
        if self.anchor is not None and self.every is None:
            raise ValueError("anchor works with every only")
        return self

    def spec(self) -> Mapping[str, object]:
        """The schedule as it is stored; moments with their offsets."""
        kind = "cron" if self.cron else "interval" if self.every else "once"
        return {
            "kind": kind,
            "expr": self.cron or (f"{float(self.every):g}" if self.every else ""),
            "tz": self.time_zone,
            "anchor": self._aware(self.at or self.anchor),
            "start": self._aware(self.start),
            "end": self._aware(self.end),
            "jitter_s": float(self.jitter),
            "dst": str(Dst(self.dst)),
            "excluded": sorted(self.not_on),
            "catch_up": self.catch_up,
            "grace_s": float(self.grace),
            "window_s": float(self.catch_up_window),
            "most": self.catch_up_most,
        }

    def _aware(self, text: str | None) -> str | None:
        if text is None:
            return None
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=zone(self.time_zone))
        return aware.astimezone(UTC).isoformat()


class RetryKeys(Settings):
    """What follows an attempt that failed."""

    attempts: Annotated[int, Field(ge=1, le=100)] = Field(1, description="Attempts in all.")
    first: Annotated[float, DurationField("0s", "7d")] = Field(
        Seconds(10), description="The pause after the first one; half of each pause is random."
    )
    factor: Annotated[float, Field(ge=1, le=10)] = Field(2.0, description="How much longer each next one is.")
    longest: Annotated[float, DurationField("0s", "7d")] = Field(
        Seconds(3600), description="No pause is longer."
    )
    only_on: ErrorClasses = Field(
        (), description="Error classes worth another attempt, such as http.status.5*; all."
    )
    not_on: ErrorClasses = Field((), description="Error classes that are not.")

    def spec(self) -> Mapping[str, object]:
        """The policy as it is stored."""
        return {
            "attempts": self.attempts,
            "first_s": float(self.first),
            "factor": float(self.factor),
            "longest_s": float(self.longest),
            "only_on": list(self.only_on),
            "not_on": list(self.not_on),
        }


class JobKeys(Settings):
    """The keys every job has, whatever its kind."""

    name: Name = Field(description="What people call it; unique.")
    kind: str = Field(description="The kind of work.")
    schedules: Annotated[tuple[ScheduleKeys, ...], Field(max_length=50)] = Field(
        (), description="When it runs; without any, only when asked."
    )
    overlap: Literal["skip", "queue_one", "queue_all", "cancel_previous", "allow"] = Field(
        "skip", description="What becomes of a run that is due before the one before has ended."
    )
    at_once: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Runs that may go on at the same time; 1, and without limit for overlap: allow."
    )
    priority: Annotated[int, Field(ge=1, le=10)] = Field(
        5, description="1 is the most urgent; waiting makes more urgent."
    )
    delivery: Literal["at_least_once", "at_most_once"] = Field(
        "at_least_once", description="Whether a run whose node was lost starts again, or never starts twice."
    )
    timeout: Annotated[float, DurationField("1s", "7d")] = Field(
        Seconds(3600), description="How long an attempt may take."
    )
    deadline: Annotated[float, DurationField("1s", "30d")] | None = Field(
        None, description="How long a run may take with all its attempts, from its nominal time."
    )
    retry: RetryKeys = Field(RetryKeys(), description="What follows an attempt that failed.")
    contact: Name | None = Field(None, description="Who knows about it.")
    description: Description = Field("", description="What it is, in a sentence.")
    runbook: WebAddress | None = Field(None, description="Where to read what to do when it fails.")
    paused: bool = Field(False, description="Not run until this is removed or an operator resumes it.")

    @model_validator(mode="after")
    def _times_fit(self) -> JobKeys:
        if self.deadline is not None and self.deadline < self.timeout:
            raise ValueError(
                f"the deadline is shorter than the timeout of {format_duration(float(self.timeout))}; "
                "make it longer, or the timeout shorter"
            )
        return self
