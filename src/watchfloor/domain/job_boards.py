"""Boards of jobs: the jobs, their runs, the nodes that carry them out, and their queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import ClassVar

from watchfloor.domain.outlook import Outlook
from watchfloor.domain.words import count


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """What a node does for jobs; its key is ``id``. ``at_once`` None: the setting of the product decides."""

    id: int
    node: str
    state: str  # up, draining, dead, stopped
    trusted: bool  # its lease holds
    running: int
    queued: int  # ready runs that it could take
    at_once: int | None
    queues: tuple[str, ...]  # empty: every queue
    tags: tuple[str, ...]
    started_at: datetime
    beat_at: datetime


@dataclass(frozen=True, slots=True)
class QueueRow:
    """How a queue stands; its key is ``name``. Figures of lateness are of the last hour, in seconds."""

    name: str
    waiting: int
    ready: int
    running: int
    oldest_s: float  # how long the oldest ready run has waited
    nodes: int  # live nodes that serve it
    started: int  # runs that began within the last hour
    lag_p50: float | None
    lag_p99: float | None
    depth: tuple[int, ...]  # ready and waiting runs, minute by minute, oldest first


@dataclass(frozen=True, slots=True)
class QueuePoint:
    """How a queue stood at the end of a minute; lateness in seconds."""

    at: datetime
    depth: int
    running: int
    started: int
    lag_p50: float | None
    lag_p99: float | None


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job; its key is ``id``."""

    id: int
    name: str
    kind: str
    contact: str
    description: str
    paused: bool
    schedules: tuple[str, ...]  # in words
    next_fire_at: datetime | None
    broken: str  # why a schedule of it is out of service
    last_run: int | None  # the latest run that was carried out to its end
    last_state: str  # succeeded, cancelled, dead; empty: none yet
    last_at: datetime | None
    last_took: float | None
    last_error: str
    recent: tuple[str, ...]  # states of its latest finished runs, oldest first
    running: int
    waiting: int
    queue: str = "default"
    belongs_to: str = ""
    role: str = ""
    owner: str = "file"  # file, console, system
    origin: str = ""  # where it stands in a file
    tripped: bool = False  # paused because it failed too often in a row
    took: tuple[float, ...] = ()  # seconds that its latest successful runs took, oldest first
    changed_by: str = ""

    ALSO: ClassVar[tuple[str, ...]] = ("median",)

    @property
    def median(self) -> float | None:
        """How long a run of it usually takes."""
        return median(self.took) if self.took else None


@dataclass(frozen=True, slots=True)
class JobDay:
    """How the runs of a job fared that ended within the last day; times in seconds, None where there were none.

    Percentiles are those of its hours put together: exact where an hour has one run, near it where it has many.
    ``late`` is from the moment a run was due to the start of its first attempt.
    """

    succeeded: int
    dead: int
    cancelled: int
    skipped: int
    missed: int
    took_p50: float | None
    took_p95: float | None
    late_p50: float | None
    late_p99: float | None

    ALSO: ClassVar[tuple[str, ...]] = ("success",)

    @property
    def success(self) -> float | None:
        """The share of runs that were carried out to an end of their own and succeeded."""
        ended = self.succeeded + self.dead
        return self.succeeded / ended if ended else None


def day_in_words(day: JobDay) -> str:
    """As in ``23 of 24 runs succeeded (95.8 %), 1 skipped``."""
    ended = day.succeeded + day.dead
    share = f" ({1000 * day.succeeded // ended / 10:g} %)" if ended else ""
    others = ((day.cancelled, "cancelled"), (day.skipped, "skipped"), (day.missed, "missed"))
    words = [f"{day.succeeded} of {count(ended, 'run')} succeeded{share}"] if ended else []
    return ", ".join([*words, *(f"{number} {word}" for number, word in others if number)]) or "no run"


FINAL_STATES = frozenset({"succeeded", "cancelled", "dead", "skipped", "missed"})
"""States that a run never leaves."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of a job; its key is ``id``."""

    id: int
    job: str
    kind: str
    origin: str  # schedule, manual, requeue
    asked_by: str  # empty for a schedule
    state: str  # waiting, ready, running, or one of FINAL_STATES
    scheduled_for: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    exit_code: int | None
    signal: int | None
    error_class: str
    error: str
    node: str
    reason: str  # of a dead letter
    open_letter: bool  # a dead letter that nobody settled


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt of a run."""

    attempt: int
    node: str
    started_at: datetime
    finished_at: datetime | None
    exit_code: int | None
    signal: int | None
    error_class: str
    error: str


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its attempts, oldest first."""

    row: RunRow
    attempts: tuple[AttemptRow, ...]
    outlook: Outlook | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)  # what holds for this run only
    settings: Mapping[str, object] = field(default_factory=dict)  # of its job
    upstream: int | None = None  # the run that it follows
    downstream: tuple[int, ...] = ()  # the runs that follow it
    alert_id: int | None = None  # that it was about, or that started it


@dataclass(frozen=True, slots=True)
class RunLine:
    """One line that an attempt printed; its key is ``(attempt, seq)``."""

    attempt: int
    seq: int
    at: datetime
    stream: str
    text: str
    level: int = 9  # an OpenTelemetry severity number
