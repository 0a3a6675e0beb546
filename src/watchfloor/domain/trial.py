"""A trial: one check of a service that is not saved yet, asked of an engine, and how it stands.

Nobody waits for ever: where no engine takes it, or the one that did says nothing, that is what is said. This module
must never look at a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from watchfloor.domain.outcome import Outcome

TAKEN_WITHIN = timedelta(seconds=5)
"""An engine that is alive takes a trial at once; after so long none will."""
OVERTIME = timedelta(seconds=5)
"""What an engine may take longer than the time-out of the check, to answer."""


class Stage(StrEnum):
    """How far a trial has come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    UNTAKEN = "untaken"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial. ``node`` is the engine that took it; ``outcome`` what it found."""

    id: UUID
    kind: str
    timeout_s: float
    asked_at: datetime
    node: str = ""
    began_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None


def stage(trial: Trial, now: datetime) -> Stage:
    """How far it has come at ``now``."""
    if trial.outcome is not None:
        return Stage.DONE
    if trial.began_at is None:
        return Stage.UNTAKEN if now > trial.asked_at + TAKEN_WITHIN else Stage.WAITING
    ends = trial.began_at + timedelta(seconds=trial.timeout_s) + OVERTIME
    return Stage.UNANSWERED if now > ends else Stage.RUNNING


def standing(trial: Trial, now: datetime) -> str:
    """How it stands, in words."""
    match stage(trial, now):
        case Stage.WAITING:
            return "waiting for an engine to take it"
        case Stage.RUNNING:
            return f"{trial.node} is checking"
        case Stage.UNTAKEN:
            return (
                "no engine took it within 5 s: none runs on this database. Start one with: watchfloor serve"
            )
        case Stage.UNANSWERED:
            return f"{trial.node} took it and did not answer in time"
        case Stage.DONE:
            return f"checked by {trial.node}"
