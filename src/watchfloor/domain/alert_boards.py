"""What the screen about one alert tells besides it: who is called next, what there was before, and meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from watchfloor.domain.post_mortem import LinkedRun, LogLine
from watchfloor.domain.severity import Severity


@dataclass(frozen=True, slots=True)
class ChainStep:
    """A step of a chain: seconds after the one before, who is told, from which severity on."""

    after_s: float
    targets: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class AlertChain:
    """The chain that is frozen into an alert; ``next_at`` None: it stands still, or is over where it says why."""

    name: str
    steps: tuple[ChainStep, ...]
    next_step: int  # from 0
    round: int  # from 0
    next_at: datetime | None
    ended_why: str


@dataclass(frozen=True, slots=True)
class EarlierAlert:
    """An alert of the same rule about the same thing before this one, and how it ended."""

    id: int
    fired_at: datetime
    resolved_at: datetime | None
    acked_by: str
    ended_by: str  # who resolved it by hand; empty: it ended by itself, or is not over
    note: str  # the last that somebody wrote


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier ones, the newest first, and how many fired within 7 and 30 days before this one."""

    week: int = 0
    month: int = 0
    alerts: tuple[EarlierAlert, ...] = ()


@dataclass(frozen=True, slots=True)
class QuietBy:
    """A silence that keeps an alert quiet."""

    id: int
    author: str
    ends_at: datetime | None
    until_resolved: bool
    comment: str


_QUIET = {
    "silence": "silenced",
    "maintenance": "in maintenance",
    "inhibition": "explained by a worse one",
    "flapping": "flapping",
    "mute_time": "mute time",
}


def why_quiet(reasons: Iterable[str], root: str) -> tuple[str, ...]:
    """Why nobody is told of an alert, in words.

    >>> why_quiet(("dependency", "silence"), "router")
    ('behind router', 'silenced')
    """
    behind = f"behind {root}" if root else "its cause is looked for"
    return tuple(behind if each == "dependency" else _QUIET.get(each, each) for each in reasons)


@dataclass(frozen=True, slots=True)
class AlertStory:
    """What belongs to an alert; ``root_alert`` is the open one about what put it out of reach."""

    root: str = ""
    root_alert: int | None = None
    chain: AlertChain | None = None
    earlier: Earlier = field(default_factory=Earlier)
    runs: tuple[LinkedRun, ...] = ()
    logs: tuple[LogLine, ...] = ()
    incident_id: int | None = None  # kept for the past, too
    run_id: int | None = None  # of an alert about a job: the run that it fired after
    silences: tuple[QuietBy, ...] = ()  # those that keep it quiet now
