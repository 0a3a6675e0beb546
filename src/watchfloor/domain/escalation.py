"""Escalation: a chain of steps that goes on until somebody takes charge of an alert. Pure.

A chain is frozen into the alert when it begins; who is meant by its targets is looked up when a step is taken. The
clock of a chain stands still while there is a reason for silence. A step that finds nobody to tell waits for nothing:
the next one is taken at once. An alert that becomes worse than it ever was begins again, with the chain that is for it
by then: whoever was told of a warning does not know that it is critical, and whoever is told from then on was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.alert import Alert, AlertState, Suppression
from watchfloor.domain.duty import Target
from watchfloor.domain.hours import hold
from watchfloor.domain.matchers import Matchers
from watchfloor.domain.routes import MuteTime, mute_time
from watchfloor.domain.severity import Severity

MOST_REPEATS = 5
PUNCTUAL = timedelta(seconds=5)
"""A step that is late by less does not put off those after it; after a longer absence steps keep their distance."""

FLAPPING_LIMIT = timedelta(minutes=30)
"""Flapping alone does not hold up an alert that has been firing for so long."""

HANDED_OVER = timedelta(minutes=15)
"""So long a chain waits for the person to whom an alert was handed over before it begins again."""


@dataclass(frozen=True, slots=True)
class Step:
    """``targets`` are told ``after_s`` seconds after the step before, if the alert is that severe, in those hours."""

    after_s: float
    targets: tuple[Target, ...]
    severity: Severity = Severity.INFO
    hours: tuple[MuteTime, ...] = ()

    def left_out(self, severity: Severity, now: datetime) -> str:
        """Why the step tells nobody now; empty: it does tell."""
        if severity < self.severity:
            return f"only from {self.severity.word} on"
        return "outside of its hours" if self.hours and not hold(self.hours, now) else ""


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps in order, the whole of them again ``repeat`` times, each time after a pause.

    ``severity`` is how severe the alert was at most when it began; ``spec`` is the chain as it is stored.
    """

    name: str
    steps: tuple[Step, ...]
    repeat: int = 0
    pause_s: float = 0.0
    severity: Severity = Severity.INFO
    spec: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """A chain as it is stored, and the alerts that it is for."""

    matchers: Matchers
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a chain is: the number of the next step and of its round, from 0, and when it is due.

    ``next_at`` None: it stands still, with ``left_s`` seconds to go (None: it is over).
    """

    step: int
    round: int
    next_at: datetime | None
    left_s: float | None = None

    @property
    def over(self) -> bool:
        """Nothing follows."""
        return self.next_at is None and self.left_s is None


def begin(chain: Chain, now: datetime, wait: timedelta = timedelta()) -> Progress:
    """The chain from its first step on."""
    return Progress(0, 0, now + wait + timedelta(seconds=chain.steps[0].after_s))


def advance(chain: Chain, progress: Progress, now: datetime, *, reached: bool = True) -> Progress:
    """After the step that was due: the next one, at once where the step ``reached`` nobody."""
    due = progress.next_at or now
    base = due if now - due < PUNCTUAL else now
    step, number = progress.step + 1, progress.round
    wait = 0.0
    if step == len(chain.steps):
        step, number, wait = 0, number + 1, chain.pause_s
    if number > chain.repeat:
        return Progress(progress.step, progress.round, None)
    if not reached and step != 0:
        return Progress(step, number, now)
    return Progress(step, number, base + timedelta(seconds=wait + chain.steps[step].after_s))


def pause(progress: Progress, now: datetime) -> Progress:
    """Stand still."""
    if progress.next_at is None:
        return progress
    return replace(progress, next_at=None, left_s=max(0.0, (progress.next_at - now).total_seconds()))


def resume(progress: Progress, now: datetime) -> Progress:
    """Go on where it stood still."""
    if progress.left_s is None:
        return progress
    return replace(progress, next_at=now + timedelta(seconds=progress.left_s), left_s=None)


def goes_on(alert: Alert, now: datetime) -> bool:
    """Whether steps may be taken: the alert fires, nobody took charge, and nothing keeps it quiet."""
    if alert.state is not AlertState.FIRING:
        return False
    if alert.suppressed == {Suppression.FLAPPING}:
        return alert.fired_at is not None and now - alert.fired_at >= FLAPPING_LIMIT
    return not alert.suppressed


def chosen(choice: Mapping[str, Any] | None, running: Chain | None) -> Mapping[str, Any] | None:
    """What an alert gets that a chain begins for: the one that is for it now, of the same name the one it has."""
    if running is not None and (choice is None or choice["name"] == running.name):
        return running.spec
    return choice


def frozen(spec: Mapping[str, Any], severity: Severity) -> Mapping[str, Any]:
    """A chain as it is stored with an alert of this severity."""
    return {**spec, "severity": int(severity)}


def chain_of(spec: Mapping[str, Any]) -> Chain:
    """A chain as it is stored."""
    steps = tuple(
        Step(
            float(each["after_s"]),
            targets_of(each["tell"]),
            Severity(each["severity"]),
            tuple(mute_time(hours) for hours in each["hours"]),
        )
        for each in spec["steps"]
    )
    severity = Severity(spec.get("severity", Severity.INFO))
    return Chain(str(spec["name"]), steps, int(spec["repeat"]), float(spec["pause_s"]), severity, spec)


def targets_of(specs: Any) -> tuple[Target, ...]:
    """Targets as they are stored: pairs of kind and name."""
    return tuple(Target(str(kind), str(name)) for kind, name in specs)
