"""What may be written under ``maintenance:``: windows in which services are expected to be disturbed.

A window that could never open, or in a zone that does not exist, is a mistake of the file; nothing here waits until it
should have opened to find out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from watchfloor.config.base import Settings
from watchfloor.config.fields import DurationField, InWords, Name, ZoneName
from watchfloor.config.jobs import CronText, Moment
from watchfloor.config.schema import CoverKeys, Description
from watchfloor.domain.windows import Spec, in_utc

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
LONGEST = "31d"

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError("is not a time of day")
    return text


TimeOfDay = Annotated[str, AfterValidator(_time), InWords('a time of day such as "02:30"')]
MonthDay = Annotated[int, Field(ge=-31, le=31)]


class DisturbedKeys(CoverKeys):
    """Which services a window covers; what is left out matches everything, but something must be written."""

    @model_validator(mode="after")
    def _something(self) -> DisturbedKeys:
        if not (self.services or self.groups or self.kinds or self.tags):
            raise ValueError('names nothing; for every service write services: ["*"]')
        return self

    def stored(self) -> dict[str, list[str]]:
        """The JSON-able form."""
        return {
            "services": list(self.services),
            "groups": list(self.groups),
            "kinds": sorted(self.kinds),
            "tags": sorted(self.tags),
        }


class MaintenanceKeys(Settings):
    """One window: exactly one of ``start`` with ``end``, ``weekly``, ``monthly``, ``cron`` and ``opens_with``."""

    name: Name = Field(description="What people call it; unique.")
    covers: DisturbedKeys = Field(description="Which services.")
    start: Moment | None = Field(None, description="Once: from this moment on.")
    end: Moment | None = Field(None, description="Once: up to this moment.")
    weekly: tuple[Weekday, ...] = Field((), description="Every week on these days, at the time of at.")
    monthly: Annotated[tuple[MonthDay, ...], Field(max_length=62)] = Field(
        (), description="Every month on these days, at the time of at; -1 is the last day."
    )
    cron: CronText | None = Field(None, description="When it opens, as a cron expression.")
    at: TimeOfDay | None = Field(None, description="The time of day of weekly and monthly.")
    lasts: Annotated[float, DurationField("1m", LONGEST)] | None = Field(
        None, description="How long it is open; needed except with start and end."
    )
    time_zone: ZoneName = Field("UTC", description="The zone of all times of this window.")
    flexible: Annotated[float, DurationField("1m", LONGEST)] | None = Field(
        None, description="It opens with the first failure inside these times, and stays open for so long."
    )
    opens_with: Name | None = Field(None, description="It opens whenever the window of this name does.")
    note: Description = Field("", description="Why.")

    @model_validator(mode="after")
    def _one_form(self) -> MaintenanceKeys:
        forms = {
            "start and end": self.start is not None or self.end is not None,
            "weekly": bool(self.weekly),
            "monthly": bool(self.monthly),
            "cron": self.cron is not None,
            "opens_with": self.opens_with is not None,
        }
        chosen = [form for form, given in forms.items() if given]
        if len(chosen) != 1:
            raise ValueError("needs exactly one of start and end, weekly, monthly, cron and opens_with")
        return self._complete(chosen[0])

    def _complete(self, form: str) -> MaintenanceKeys:
        if form == "start and end":
            if self.start is None or self.end is None:
                raise ValueError("needs both start and end")
            if self._moment(self.end) <= self._moment(self.start):
                raise ValueError("end must be later than start")
        if (form == "start and end") is (self.lasts is not None):
            raise ValueError("needs lasts, except with start and end, which say it themselves")
        if (form in ("weekly", "monthly")) is not (self.at is not None):
            raise ValueError("needs at with weekly and monthly, and with nothing else")
        if 0 in self.monthly:
            raise ValueError("a month has no day 0")
        if self.flexible is not None and self.opens_with is not None:
            raise ValueError("what opens with another window cannot wait for a failure")
        return self

    def _moment(self, text: str) -> datetime:
        return in_utc(datetime.fromisoformat(text), self.time_zone)

    def spec(self) -> Spec:
        """When it is open."""
        flexible = None if self.flexible is None else float(self.flexible)
        if self.start is not None and self.end is not None:
            start, end = self._moment(self.start), self._moment(self.end)
            return Spec("once", self.time_zone, start=start, end=end, flexible_s=flexible)
        lasts = float(self.lasts or 0.0)
        if self.opens_with is not None:
            return Spec("triggered", self.time_zone, lasts)
        if self.cron is not None:
            return Spec("cron", self.time_zone, lasts, self.cron, flexible_s=flexible)
        hour, minute = (self.at or "0:00").split(":")
        days = ",".join(self.weekly) if self.weekly else "*"
        kind = "weekly" if self.weekly else "monthly"
        cron = f"{int(minute)} {int(hour)} * * {days}"
        return Spec(kind, self.time_zone, lasts, cron, tuple(self.monthly), flexible_s=flexible)


@dataclass(frozen=True, slots=True)
class MaintenanceConfig:
    """One window of a configuration; ``covers`` and ``spec`` as they are stored."""

    name: str
    covers: Mapping[str, Sequence[str]]
    spec: Mapping[str, object]
    opens_with: str
    note: str
    line: int = field(compare=False)


def window_config(keys: MaintenanceKeys, line: int) -> MaintenanceConfig:
    """A window that was read."""
    return MaintenanceConfig(
        keys.name, keys.covers.stored(), keys.spec().stored(), keys.opens_with or "", keys.note, line
    )
