"""What may be written under ``people:``, ``contact_groups:``, ``rotas:`` and ``escalations:``: who is told of an alert
when nobody takes charge of it. What could tell nobody is a mistake of the file, not of the night it would happen in.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from watchfloor.config.base import Settings
from watchfloor.config.fields import DurationField, InWords, Name, Seconds, Tag, ZoneName
from watchfloor.config.jobs import Moment
from watchfloor.config.maintenance import WEEKDAYS, Weekday
from watchfloor.config.routing import ClockTime, MatcherTexts
from watchfloor.domain.duty import KINDS, Target
from watchfloor.domain.escalation import MOST_REPEATS
from watchfloor.domain.rotas import FIRST
from watchfloor.domain.severity import Severity
from watchfloor.domain.windows import in_utc

SeverityWord = Literal["info", "warning", "critical", "emergency"]
Entries = TypeVar("Entries", bound=tuple[object, ...])
DAY_S = 86_400
Stored = dict[str, object]


def _some(entries: Entries) -> Entries:
    if not entries:
        raise PydanticCustomError("nobody", "nobody is in it")
    return entries


class TargetKeys(Settings):
    """Who is told: exactly one of these."""

    person: Name | None = Field(None, description="A person.")
    group: Name | None = Field(None, description="Everybody in a contact group.")
    rota: Name | None = Field(None, description="Whoever is on call in a rota.")
    skill: Tag | None = Field(None, description="Everybody who has this skill and is not away.")
    channel: Name | None = Field(None, description="A channel, whoever listens to it.")

    @model_validator(mode="after")
    def _one(self) -> TargetKeys:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise PydanticCustomError("target", f"needs exactly one of {', '.join(KINDS)}")
        return self

    @property
    def target(self) -> Target:
        """Who is meant."""
        return next(Target(kind, name) for kind in KINDS if (name := getattr(self, kind)) is not None)


Targets = Annotated[
    tuple[TargetKeys, ...],
    Field(max_length=50),
    AfterValidator(_some),
    InWords("a list such as [{rota: operations}, {person: deputy}]"),
]


class HoursKeys(Settings):
    """Hours of the week."""

    days: tuple[Weekday, ...] = Field((), description="Days on which they begin; every day if left out.")
    from_: ClockTime = Field(alias="from", description="When they begin.")
    to: ClockTime = Field(description="When they end; earlier than from: on the next day.")

    def spec(self, time_zone: str) -> Stored:
        """As they are stored."""
        return {"days": list(self.days), "from": self.from_, "to": self.to, "time_zone": time_zone}


class QuietKeys(HoursKeys):
    """Hours of the week in which somebody is told only of what cannot wait."""

    below: SeverityWord = Field("critical", description="What is less severe is held until they end.")


class PreferenceKeys(Settings):
    """A channel on which a person is told."""

    channel: Name = Field(description="A channel of this file.")
    from_: SeverityWord = Field("info", alias="from", description="Of alerts from this severity on.")


class SpanKeys(Settings):
    """From a moment to a moment."""

    from_: Moment = Field(alias="from", description="When it begins.")
    until: Moment = Field(description="When it ends.")

    @model_validator(mode="after")
    def _forward(self) -> SpanKeys:
        if self.between("UTC")[0] >= self.between("UTC")[1]:
            raise PydanticCustomError("span", "ends before it begins")
        return self

    def between(self, time_zone: str) -> tuple[str, str]:
        """Both ends in UTC; what is written without an offset is meant there."""
        start, end = (in_utc(datetime.fromisoformat(each), time_zone) for each in (self.from_, self.until))
        return start.isoformat(), end.isoformat()


class OverrideKeys(SpanKeys):
    """Somebody is on call for a time, whatever the layers say."""

    person: Name = Field(description="Who.")


class PersonKeys(Settings):
    """Somebody who can be told."""

    name: Name = Field(description="What people call them; unique.")
    time_zone: ZoneName = Field("UTC", description="The zone of their hours and absences.")
    channels: Annotated[tuple[PreferenceKeys, ...], Field(max_length=20), AfterValidator(_some)] = Field(
        description="Where they are told, and of what."
    )
    quiet_hours: Annotated[tuple[QuietKeys, ...], Field(max_length=20)] = Field(
        (), description="When they are told only of what cannot wait."
    )
    skills: Annotated[tuple[Tag, ...], Field(max_length=50)] = Field(
        (), description="What they know their way around."
    )
    absences: Annotated[tuple[SpanKeys, ...], Field(max_length=200)] = Field(
        (), description="When they are away: rotas leave them out, steps do not tell them."
    )

    def spec(self) -> Stored:
        """As it is stored."""
        return {
            "name": self.name,
            "time_zone": self.time_zone,
            "channels": [[each.channel, severity(each.from_)] for each in self.channels],
            "quiet": [[each.spec(self.time_zone), severity(each.below)] for each in self.quiet_hours],
            "skills": sorted(set(self.skills)),
            "absences": [each.between(self.time_zone) for each in self.absences],
        }


class ContactGroupKeys(Settings):
    """People, and whatever else can be told, under one name."""

    name: Name = Field(description="What people call it; unique.")
    members: Targets = Field(description="Who is in it; groups may be in groups.")

    def spec(self) -> Stored:
        """As it is stored."""
        return {"name": self.name, "members": pairs(self.members)}


class LayerKeys(Settings):
    """Members who take turns."""

    members: Annotated[
        tuple[Name, ...],
        Field(max_length=100),
        AfterValidator(_some),
        InWords("a list of names of people of this file"),
    ] = Field(description="Who takes turns, in this order.")
    turn: Annotated[float, DurationField("1d", "365d")] = Field(
        Seconds(7 * DAY_S), description="How long a turn is, in whole days; 7d."
    )
    day: Weekday | None = Field(None, description="The day of the hand-over, for turns of whole weeks; mon.")
    at: ClockTime = Field("09:00", description="The time of the hand-over.")
    starts: Annotated[date, InWords("a day such as 2026-01-05")] | None = Field(
        None, description="The first member takes over on the first such day from here on; 2024-01-01."
    )
    hours: Annotated[tuple[HoursKeys, ...], Field(max_length=20)] = Field(
        (), description="Hours of the week it is kept to; outside of them the layers before it count."
    )

    @model_validator(mode="after")
    def _whole(self) -> LayerKeys:
        if self.turn % DAY_S:
            raise PydanticCustomError("turn", "a turn is a number of whole days, such as 1d, 7d or 14d")
        if self.day is not None and self.turn % (7 * DAY_S):
            raise PydanticCustomError("turn", "a day of the week fits only turns of whole weeks; use starts")
        return self

    def spec(self, time_zone: str) -> Stored:
        """As it is stored."""
        first = self.starts or FIRST
        if self.turn % (7 * DAY_S) == 0 and (self.day is not None or self.starts is None):
            first += timedelta(days=(WEEKDAYS.index(self.day or "mon") - first.weekday()) % 7)
        return {
            "members": list(self.members),
            "days": int(self.turn // DAY_S),
            "at": time.fromisoformat(self.at).isoformat(),
            "first": first.isoformat(),
            "hours": [each.spec(time_zone) for each in self.hours],
        }


class RotaKeys(Settings):
    """Who is on call when."""

    name: Name = Field(description="What people call it; unique.")
    time_zone: ZoneName = Field("UTC", description="The zone of all times of this rota.")
    layers: Annotated[tuple[LayerKeys, ...], Field(max_length=20), AfterValidator(_some)] = Field(
        description="Who takes turns; of those that have somebody the last one counts."
    )
    overrides: Annotated[tuple[OverrideKeys, ...], Field(max_length=200)] = Field(
        (), description="Who is on call for a time, whatever the layers say."
    )

    def spec(self) -> Stored:
        """As it is stored."""
        return {
            "name": self.name,
            "time_zone": self.time_zone,
            "layers": [each.spec(self.time_zone) for each in self.layers],
            "overrides": [[*each.between(self.time_zone), each.person] for each in self.overrides],
        }


class StepKeys(Settings):
    """A step of an escalation."""

    after: Annotated[float, DurationField("0s", "7d")] = Field(
        Seconds(0), description="How long after the step before, or after the alert began to fire."
    )
    tell: Targets = Field(description="Who is told.")
    from_: SeverityWord = Field("info", alias="from", description="Only of alerts from this severity on.")
    hours: Annotated[tuple[HoursKeys, ...], Field(max_length=20)] = Field(
        (), description="Only in these hours of the week; always if left out."
    )

    def spec(self, time_zone: str) -> Stored:
        """As it is stored."""
        return {
            "after_s": float(self.after),
            "tell": pairs(self.tell),
            "severity": severity(self.from_),
            "hours": [each.spec(time_zone) for each in self.hours],
        }


class EscalationKeys(Settings):
    """Who is told, one after the other, until somebody takes charge of an alert. The first that matches is taken."""

    name: Name = Field(description="What people call it; unique.")
    match: MatcherTexts = Field((), description="Conditions on labels, all of them; none: every alert.")
    time_zone: ZoneName = Field("UTC", description="The zone of the hours of its steps.")
    steps: Annotated[tuple[StepKeys, ...], Field(max_length=50), AfterValidator(_some)] = Field(
        description="Who is told when."
    )
    repeat: Annotated[int, Field(ge=0, le=MOST_REPEATS)] = Field(
        0, description="How often all of it is done again."
    )
    pause: Annotated[float, DurationField("1m", "1d")] = Field(
        Seconds(900), description="How long after the last step it is done again."
    )

    def spec(self) -> Stored:
        """As it is stored."""
        return {
            "name": self.name,
            "match": list(self.match),
            "steps": [each.spec(self.time_zone) for each in self.steps],
            "repeat": self.repeat,
            "pause_s": float(self.pause),
        }


def pairs(targets: Iterable[TargetKeys]) -> list[list[str]]:
    """Targets as they are stored."""
    return [[each.target.kind, each.target.name] for each in targets]


def severity(word: str) -> int:
    """A severity as it is stored."""
    return int(Severity[word.upper()])
