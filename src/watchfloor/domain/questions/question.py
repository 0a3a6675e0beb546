"""What every kind of question has in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, ClassVar, Self

from watchfloor.domain.judging import Threshold
from watchfloor.domain.rules import Subject
from watchfloor.domain.severity import Severity


@dataclass(frozen=True, slots=True)
class Instance:
    """One thing that a rule has an opinion about: a service, a job, or the rule's whole subject.

    ``key`` tells it from the others of a rule and survives restarts; ``labels`` are those of its alert.
    """

    key: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    service_id: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of an instance now; None: there is none. ``paused``: nobody looks, so that nothing is known.

    ``severity`` is what the kind itself says of the value, where it does; ``note`` is what a summary says besides it.
    ``began`` is when what the value tells of began, where the kind knows that: what was true before was over meanwhile.
    Of that, nothing before ``counts_from`` makes a rule wait any less.
    """

    instance: Instance
    value: float | None
    paused: bool = False
    severity: Severity | None = None
    note: str = ""
    began: datetime | None = None
    counts_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """The values of an instance at moments that follow each other, and the `Reading.began` of each, where known."""

    instance: Instance
    values: Sequence[float | None]
    began: Sequence[datetime | None] = ()


@dataclass(frozen=True, slots=True)
class Watched:
    """A service as questions need it.

    ``every_s`` is how often it is checked. What is missing of it is missed since ``known_since`` at the earliest:
    before that it was another, or nobody looked.
    """

    id: int
    subject: Subject
    paused: bool
    every_s: float
    known_since: datetime

    def instance(self, also: str = "", **labels: str) -> Instance:
        """The instance of this service; ``also`` tells several of one service apart."""
        subject = self.subject
        own = {"service": subject.name, "kind": subject.kind, "group": subject.group, **labels}
        key = f"service:{self.id}/{also}" if also else f"service:{self.id}"
        return Instance(key, subject.name, own, self.id)


@dataclass(frozen=True, slots=True)
class Question:
    """A question; every kind has its own fields.

    A rehearsal looks ``steps`` times and at ``most`` instances at most; ``note`` is what it cannot know.
    ``of_services``: its instances are services, those that the rule selects.
    """

    kind: ClassVar[str] = ""
    steps: ClassVar[int] = 2_000
    most: ClassVar[int] = 100
    note: ClassVar[str] = ""
    of_services: ClassVar[bool] = True

    @property
    def scope(self) -> str:
        """Whom it is asked about, in words, where those are no services; empty: the services that a rule selects."""
        return ""

    def words(self, threshold: Threshold) -> str:
        """The question with its threshold, as the title of an alert says it after the name of the instance."""
        raise NotImplementedError

    def says(self, value: float | None) -> str:
        """A value, as the summary of an alert says it."""
        raise NotImplementedError

    def about(self, instance: Instance) -> Self:
        """The question as it is asked about one instance."""
        return self

    def spec(self) -> dict[str, Any]:
        """As it is stored."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Self:
        """A question from what `spec` gave; keys that are not its own are passed over."""
        values = {each.name: spec[each.name] for each in fields(cls) if each.name in spec}
        return cls(
            **{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        )


@dataclass(frozen=True, slots=True)
class MetricQuestion(Question):
    """A question about a metric, or about all that a pattern matches, in which a star stands for anything."""

    metric: str

    def about(self, instance: Instance) -> Self:
        """The question about the metric of one instance."""
        return replace(self, metric=instance.labels["metric"])
