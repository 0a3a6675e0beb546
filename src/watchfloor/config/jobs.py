"""What may be written under ``jobs:`` beside the settings of a kind: schedules, retries, limits.

A schedule that could never fire, or in a zone that does not exist, is a mistake of the file; nothing here waits
until it is due to find out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from watchfloor.config.base import Settings
from watchfloor.config.fields import DurationField, InWords, Name, Seconds, Tag, WebAddress, ZoneName
from watchfloor.config.schema import Description
from watchfloor.domain.calendars import parse_day
from watchfloor.domain.chains import SUCCESS
from watchfloor.domain.cron import CronError, parse_cron
from watchfloor.domain.durations import format_duration
from watchfloor.domain.lanes import DEFAULT_QUEUE
from watchfloor.domain.schedules import Dst, Schedule, next_fire
from watchfloor.domain.zones import zone


def _cron(text: str) -> str:
    try:
        parse_cron(text)
    except CronError as error:
        raise ValueError(f"{error}; {error.remedy}") from None
    return " ".join(text.split())


def _moment(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("moment", "is not a moment") from None
    return text


def _day(text: str) -> str:
    try:
        parse_day(text)
    except ValueError:
        raise PydanticCustomError("day", "is not a day or a range of days") from None
    return text


CronText = Annotated[str, AfterValidator(_cron), InWords('a cron expression such as "30 3 * * mon-fri"')]
Moment = Annotated[str, AfterValidator(_moment), InWords("a moment such as 2026-12-24T18:00")]
Day = Annotated[
    str,
    AfterValidator(_day),
    InWords("a day such as 2026-12-25 or, every year, 12-25; a range such as 12-24..01-01"),
]
ErrorClass = Annotated[str, Field(pattern=r"^[a-z0-9._*]{1,60}$")]
ErrorClasses = Annotated[tuple[ErrorClass, ...], Field(max_length=50)]


_LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


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
    calendars: Annotated[tuple[Name, ...], Field(max_length=50)] = Field(
        (), description="Calendars of this file whose days are without a fire, too."
    )
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
        spec = self.spec()
        start, end = spec["start"], spec["end"]
        if start is not None and end is not None and str(end) <= str(start):
            raise ValueError("ends before it starts")
        if self.at is None and _first(spec) is None:
            raise ValueError("never fires: every time of it is left out by not_on, start and end")
        return self

    def spec(self) -> Mapping[str, Any]:
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
            "excluded": sorted(set(self.not_on)),
            "calendars": sorted(set(self.calendars)),
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


def _first(spec: Mapping[str, Any]) -> datetime | None:
    """The first fire of a schedule since it may begin."""
    start, end = (
        None if spec[key] is None else datetime.fromisoformat(spec[key]) for key in ("start", "end")
    )
    schedule = Schedule(
        spec["kind"],
        spec["expr"],
        spec["tz"],
        anchor=_LONG_AGO,
        start=start,
        end=end,
        dst=Dst(spec["dst"]),
        excluded=frozenset(spec["excluded"]),
    )
    return next_fire(schedule, start or _LONG_AGO)


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


class LinkKeys(Settings):
    """A job that follows the end of another."""

    job: Name = Field(description="The job that follows.")
    when: Annotated[str, Field(pattern=r"^[a-z0-9._*]{1,60}$")] = Field(
        SUCCESS,
        description="success, failure, cancelled, any, or an error class such as script.exit.3 or http.*.",
    )
    parameters: dict[str, Any] = Field({}, description="Settings of its kind that its run changes.")
    pass_on: bool = Field(False, description="Whether it has the changed settings of the run before, too.")

    def spec(self) -> Mapping[str, object]:
        """The link as it is stored."""
        return {"job": self.job, "when": self.when, "parameters": self.parameters, "pass_on": self.pass_on}


class CalendarKeys(Settings):
    """A calendar: days that schedules may leave out."""

    name: Name = Field(description="What schedules call it; unique.")
    days: Annotated[tuple[Day, ...], Field(max_length=5000)] = Field(
        description="Its days and ranges of days."
    )


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
    on_queue: Name = Field(
        DEFAULT_QUEUE, description="The queue its runs wait in; nodes say which queues they serve."
    )
    on_nodes: Annotated[tuple[Tag, ...], Field(max_length=20)] = Field(
        (), description="Tags that a node must have to run it."
    )
    then: Annotated[tuple[LinkKeys, ...], Field(max_length=50)] = Field(
        (), description="Jobs that follow the end of a run."
    )
    pause_after: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Pause the job after so many dead runs in a row."
    )
    retry: RetryKeys = Field(RetryKeys(), description="What follows an attempt that failed.")
    owner: Name | None = Field(
        None, description="Whom it belongs to: the label owner of alerts about it, for routes."
    )
    role: Name | None = Field(
        None, description="Whose members answer for it beside the owner; the label role."
    )
    contact: Name | None = Field(None, description="Who knows about it.")
    description: Description = Field("", description="What it is, in a sentence.")
    runbook: WebAddress | None = Field(None, description="Where to read what to do when it fails.")
    paused: bool = Field(
        False,
        description="Whether it rests until this is removed or an operator resumes it; runs that wait go on.",
    )

    @model_validator(mode="after")
    def _times_fit(self) -> JobKeys:
        if self.deadline is not None and self.deadline < self.timeout:
            raise ValueError(
                f"the deadline is shorter than the timeout of {format_duration(float(self.timeout))}; "
                "make it longer, or the timeout shorter"
            )
        return self
