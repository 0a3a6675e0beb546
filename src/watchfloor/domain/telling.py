"""Whether anything is told now, and why: pure decisions, each with a name.

For alerts told by themselves the messages already queued are the log: what was told last on a channel says what is
news there. For groups there is a log per group, written when a message was delivered, so that an unsent message never
counts as told. The decision about groups is Alertmanager's ``needsUpdate`` with acknowledgements and severity added.

This module must never decide on which channels (`watchfloor.domain.routes`), and never reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from watchfloor.domain.alert import Alert, AlertState, Event, EventKind, Suppression
from watchfloor.domain.message import TOLD
from watchfloor.domain.severity import Severity

OVER = "alert.resolved"
PROBLEM = "alert.firing"
TAKEN = "alert.acknowledged"
HELD = "held"
"""Stands for the type of a message that quiet hours hold: the problem is known there only later."""

_OF_WHAT_IS_KNOWN = frozenset({EventKind.ACKNOWLEDGED, EventKind.ACK_WARNED})


class Reason(StrEnum):
    """Why a message is sent; told in it and stored with it."""

    FIRST = "first"
    NEW_ALERTS = "new_alerts"
    WORSE = "severity_raised"
    ACK_ENDED = "ack_ended"
    ACKNOWLEDGED = "acknowledged"
    ALL_RESOLVED = "all_resolved"
    SOME_RESOLVED = "some_resolved"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Log:
    """What was told of a group by the last message that was delivered: which alerts were open, acknowledged, over."""

    at: datetime
    open: frozenset[int] = frozenset()
    acknowledged: frozenset[int] = frozenset()
    resolved: frozenset[int] = frozenset()
    severity: Severity = Severity.INFO


@dataclass(frozen=True, slots=True)
class Members:
    """The alerts of a group as they stand. ``quiet`` are open too, but nobody may be told of them now."""

    firing: frozenset[int] = frozenset()
    acknowledged: frozenset[int] = frozenset()
    quiet: frozenset[int] = frozenset()
    resolved: frozenset[int] = frozenset()
    severity: Severity = Severity.INFO  # the highest of those that fire

    @property
    def ongoing(self) -> frozenset[int]:
        """Those that are not over."""
        return self.firing | self.acknowledged | self.quiet


def decide(
    log: Log | None, members: Members, now: datetime, repeat_s: float, send_resolved: bool
) -> Reason | None:
    """Why a group is told of now; None: it is not. An alert that was over before anybody heard of it never is."""
    if log is None:
        return Reason.FIRST if members.firing else None
    if not members.firing <= log.open:
        return Reason.NEW_ALERTS
    if not members.ongoing:
        return Reason.ALL_RESOLVED if log.open and send_resolved else None
    if members.firing & log.acknowledged:
        return Reason.ACK_ENDED
    if members.firing and members.severity > log.severity:
        return Reason.WORSE
    if members.acknowledged - log.acknowledged and not members.firing:
        return Reason.ACKNOWLEDGED
    if send_resolved and members.resolved & log.open:
        return Reason.SOME_RESOLVED
    if members.firing and now - log.at >= timedelta(seconds=repeat_s):
        return Reason.REPEAT
    return None


@dataclass(frozen=True, slots=True)
class News:
    """The last thing that happened to an alert and can be told: the event, its number, the type of the message."""

    event: Event
    seq: int
    type: str


def news(alert: Alert, events: tuple[tuple[int, Event], ...]) -> News | None:
    """What is to be told of ``events``, which are numbered; None: nothing.

    Of several only the last counts: it carries the state in which the alert is now. While there is a reason for
    silence only the end of what people know about is told, and not even that while the service flaps. When the last
    reason goes, the state in which the alert is by then is news, where people do not know it yet.
    """
    if alert.fired_at is None:
        return None
    told = [(seq, event) for seq, event in events if event.kind in TOLD]
    released = [
        (seq, event)
        for seq, event in events
        if event.kind is EventKind.SUPPRESSION_CHANGED and not alert.suppressed
    ]
    if alert.suppressed:
        if Suppression.FLAPPING in alert.suppressed or alert.state is not AlertState.RESOLVED:
            return None
    elif released and alert.state is not AlertState.ACKNOWLEDGED:
        seq, event = max([*told, *released], key=lambda each: each[0])
        kind = OVER if alert.state is AlertState.RESOLVED else TOLD.get(event.kind, PROBLEM)
        return News(event, seq, kind)
    if not told:
        return None
    seq, event = told[-1]
    return News(event, seq, TOLD[event.kind])


@dataclass(frozen=True, slots=True)
class Told:
    """The latest message about an alert on a channel: its type, `HELD` where nobody got it yet, and the severity."""

    type: str
    severity: Severity


def worth_telling(found: News, severity: Severity, last: Told | None) -> bool:
    """Whether news of one alert, of this ``severity`` now, is told where ``last`` was told (None: nothing).

    The end is told to exactly those who heard of the problem. A reason for silence that goes away tells nobody what
    they know; that it is worse or better by now, or nobody's any more, they do not.
    """
    known = last is not None and last.type != OVER
    if last is None or not known:
        return found.type != OVER and found.event.kind not in _OF_WHAT_IS_KNOWN
    if found.event.kind is EventKind.SUPPRESSION_CHANGED and found.type != OVER:
        return last.type == TAKEN or last.severity is not severity
    return found.event.kind not in _OF_WHAT_IS_KNOWN or last.type != HELD
