"""The life of an alert: pending, firing, acknowledged, resolved.

A transition decides which events happen; `apply` is the one place where an event changes an alert. So the
alert as stored is always what its events, from the first, lead to (`replay`). Suppression is a set of reasons
beside the state, never a state: when it lifts, nothing has been lost.

Every transition takes the alert as it is and returns the alert as it becomes with the events to append, none
where nothing happened. This module must never decide who is told, and never reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import cast

from watchfloor.domain.severity import Severity

SYSTEM = "watchfloor"
"""The actor of what no person did."""

WARNING = timedelta(minutes=15)
"""So long before an acknowledgement runs out this is said."""


class AlertState(StrEnum):
    """Where an alert is in its life; stored as this word."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Suppression(StrEnum):
    """Why nobody is told of an alert, whatever its state."""

    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    DEPENDENCY = "dependency"
    INHIBITION = "inhibition"
    FLAPPING = "flapping"
    MUTE_TIME = "mute_time"


class EventKind(StrEnum):
    """What happened to an alert; stored as this word."""

    RAISED = "raised"
    FIRED = "fired"
    DROPPED = "dropped"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    ACK_EXPIRED = "ack_expired"
    ACK_WARNED = "ack_warned"
    ACK_BROKEN = "ack_broken"
    SEVERITY_CHANGED = "severity_changed"
    RESOLVED = "resolved"
    RESOLVED_BY_HAND = "resolved_by_hand"
    REARMED = "rearmed"
    REOPENED = "reopened"
    SUPPRESSION_CHANGED = "suppression_changed"
    REWORDED = "reworded"
    REMINDED = "reminded"
    ESCALATED = "escalated"
    HANDED_OVER = "handed_over"
    NOTED = "noted"
    REACTED = "reacted"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an alert's history; ``data`` is JSON-able and survives the trip through the database."""

    kind: EventKind
    at: datetime
    actor: str = SYSTEM
    note: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it stands.

    ``active_at`` is when its condition became true, ``fired_at`` when it first fired (None: it never did),
    ``ended_at`` when the condition was last known to be true, ``resolved_at`` when that was noticed.
    ``held``: a person resolved it, so it stays resolved until one evaluation found the condition false.
    ``acked_by``, ``acked_until`` (None: no expiry), ``note`` and ``sticky`` belong to the acknowledgement;
    ``warn_at`` is when it is said that it will run out (None: that is not, or was, said).
    """

    state: AlertState
    severity: Severity
    active_at: datetime
    fired_at: datetime | None = None
    acked_by: str = ""
    acked_until: datetime | None = None
    note: str = ""
    sticky: bool = False
    ended_at: datetime | None = None
    resolved_at: datetime | None = None
    reopen_count: int = 0
    held: bool = False
    suppressed: frozenset[Suppression] = frozenset()
    warn_at: datetime | None = None

    @property
    def dropped(self) -> bool:
        """It ended before it ever fired: nobody was told, and its row need not be kept."""
        return self.state is AlertState.RESOLVED and self.fired_at is None and not self.held


Transition = tuple[Alert, tuple[Event, ...]]


class NotPossible(Exception):
    """An operator asked for something the alert's state does not allow; ``reason`` is a sentence for them."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def raise_alert(
    severity: Severity, now: datetime, for_: float = 0.0, active_at: datetime | None = None
) -> Transition:
    """Start an alert, at once firing when its condition has held for ``for_`` seconds since ``active_at``."""
    begun = now if active_at is None else active_at
    raised = Event(EventKind.RAISED, now, data={"severity": int(severity), "active_at": begun.isoformat()})
    alert = apply(None, raised)
    alert, fired = promote(alert, now, for_)
    return alert, (raised, *fired)


def promote(alert: Alert, now: datetime, for_: float) -> Transition:
    """Let a pending alert fire once its condition has held for ``for_`` seconds."""
    if alert.state is AlertState.PENDING and now - alert.active_at >= timedelta(seconds=for_):
        return _after(alert, Event(EventKind.FIRED, now))
    return alert, ()


def acknowledge(
    alert: Alert, actor: str, note: str, until: datetime | None, sticky: bool, now: datetime
) -> Transition:
    """Take charge of a firing alert until ``until`` (None: until it resolves).

    A sticky acknowledgement also survives a rise of severity. Raises `NotPossible`.
    """
    if alert.state is not AlertState.FIRING:
        raise NotPossible(_why_not_acknowledged(alert))
    if until is not None and until <= now:
        raise NotPossible(f"The acknowledgement would expire at {_clock(until)}, which is past already.")
    data = {"until": None if until is None else until.isoformat(), "sticky": sticky}
    return _after(alert, Event(EventKind.ACKNOWLEDGED, now, actor, note, data))


def unacknowledge(alert: Alert, actor: str, now: datetime, note: str = "") -> Transition:
    """Take an acknowledgement back: the alert fires again. Raises `NotPossible`."""
    if alert.state is not AlertState.ACKNOWLEDGED:
        raise NotPossible(f"The alert is not acknowledged, it is {alert.state}.")
    return _after(alert, Event(EventKind.UNACKNOWLEDGED, now, actor, note))


def expire_acknowledgement(alert: Alert, now: datetime) -> Transition:
    """Let an alert fire again once its acknowledgement has run out."""
    until = alert.acked_until
    if alert.state is AlertState.ACKNOWLEDGED and until is not None and until <= now:
        return _after(alert, Event(EventKind.ACK_EXPIRED, now, data={"acked_by": alert.acked_by}))
    return alert, ()


def warn_of_expiry(alert: Alert, now: datetime) -> Transition:
    """Say that an acknowledgement will run out soon, once."""
    warn_at = alert.warn_at
    if alert.state is AlertState.ACKNOWLEDGED and warn_at is not None and warn_at <= now:
        until = alert.acked_until
        note = "" if until is None else f"The acknowledgement by {alert.acked_by} ends at {_clock(until)}."
        return _after(alert, Event(EventKind.ACK_WARNED, now, note=note))
    return alert, ()


def remind(alert: Alert, now: datetime) -> Transition:
    """Say once more that an alert fires and nobody has taken charge of it."""
    if alert.state is not AlertState.FIRING or alert.suppressed:
        return alert, ()
    return _after(alert, Event(EventKind.REMINDED, now))


def escalate(alert: Alert, now: datetime, note: str, data: Mapping[str, object]) -> Transition:
    """Note that a step of a chain was taken: ``data`` says which one, and who was told."""
    return _after(alert, Event(EventKind.ESCALATED, now, note=note, data=data))


def hand_over(alert: Alert, actor: str, to: str, now: datetime, note: str = "") -> Transition:
    """Make an alert the matter of somebody else, who has yet to take charge of it. Raises `NotPossible`."""
    if alert.state not in (AlertState.FIRING, AlertState.ACKNOWLEDGED):
        raise NotPossible(f"The alert is {alert.state}: there is nothing to hand over.")
    return _after(alert, Event(EventKind.HANDED_OVER, now, actor, note, {"to": to}))


def change_severity(alert: Alert, severity: Severity, now: datetime) -> Transition:
    """Give an open alert another severity; a rise ends an acknowledgement that is not sticky."""
    if alert.state is AlertState.RESOLVED or severity is alert.severity:
        return alert, ()
    data = {"from": int(alert.severity), "severity": int(severity)}
    events = [Event(EventKind.SEVERITY_CHANGED, now, data=data)]
    if alert.state is AlertState.ACKNOWLEDGED and severity > alert.severity and not alert.sticky:
        events.append(Event(EventKind.ACK_BROKEN, now, data={"acked_by": alert.acked_by}))
    return _after(alert, *events)


def condition_false(alert: Alert, now: datetime, ended_at: datetime | None = None) -> Transition:
    """The condition was evaluated and is not true (any more); it was last true at ``ended_at`` (None: now).

    A pending alert is dropped, a firing or acknowledged one resolved, one held by hand is armed again.
    """
    data = {"ended_at": (now if ended_at is None else ended_at).isoformat()}
    if alert.state is AlertState.PENDING:
        return _after(alert, Event(EventKind.DROPPED, now, data=data))
    if alert.state is not AlertState.RESOLVED:
        return _after(alert, Event(EventKind.RESOLVED, now, data=data))
    if alert.held:
        return _after(alert, Event(EventKind.REARMED, now))
    return alert, ()


def condition_true_again(
    alert: Alert, now: datetime, reopen_window: float, severity: Severity | None = None
) -> Transition | None:
    """The condition is true for an alert that exists. None: this is a new alert, raise one.

    An alert resolved no longer than ``reopen_window`` seconds ago fires again, with ``severity`` if that is
    given and without its old acknowledgement. Nothing happens to an alert that is open, or held by hand.
    """
    if alert.state is not AlertState.RESOLVED or alert.held:
        return alert, ()
    resolved_at = alert.resolved_at
    if alert.dropped or resolved_at is None or now - resolved_at > timedelta(seconds=reopen_window):
        return None
    data = {"severity": int(alert.severity if severity is None else severity)}
    return _after(alert, Event(EventKind.REOPENED, now, data=data))


def resolve_by_hand(alert: Alert, actor: str, now: datetime, note: str = "") -> Transition:
    """Declare an open alert over: it stays resolved until `condition_false`. Raises `NotPossible`."""
    if alert.state is AlertState.RESOLVED:
        raise NotPossible("The alert is already resolved.")
    return _after(alert, Event(EventKind.RESOLVED_BY_HAND, now, actor, note))


def suppress(alert: Alert, reasons: Iterable[Suppression], now: datetime, note: str = "") -> Transition:
    """Set the reasons why nobody is told; an empty set lifts the suppression. ``note`` says more about why."""
    wanted = frozenset(reasons)
    if wanted == alert.suppressed:
        return alert, ()
    return _after(
        alert, Event(EventKind.SUPPRESSION_CHANGED, now, note=note, data={"reasons": sorted(wanted)})
    )


def reword(alert: Alert, now: datetime) -> Transition:
    """What the alert says is no longer what it said: its history shows when that became so."""
    return _after(alert, Event(EventKind.REWORDED, now))


def take_note(alert: Alert, actor: str, now: datetime, note: str) -> Transition:
    """Write something into the history; the alert stays as it is."""
    return _after(alert, Event(EventKind.NOTED, now, actor, note))


def replay(events: Iterable[Event]) -> Alert:
    """The alert its whole history, oldest first, leads to. Raises `ValueError` where it has no beginning."""
    alert: Alert | None = None
    for event in events:
        alert = apply(alert, event)
    if alert is None:
        raise ValueError("an alert without any event has no state")
    return alert


def apply(alert: Alert | None, event: Event) -> Alert:
    """The alert after ``event``; only `EventKind.RAISED` can happen to None, and only to None."""
    if (alert is None) is not (event.kind is EventKind.RAISED):
        place = "first" if alert is None else "not first"
        raise ValueError(f"the history of an alert begins with its raised event: found {event.kind} {place}")
    data = event.data
    if alert is None:
        return Alert(AlertState.PENDING, _severity(data), _moment(data, "active_at"))
    match event.kind:
        case EventKind.FIRED:
            return replace(alert, state=AlertState.FIRING, fired_at=event.at)
        case EventKind.ACKNOWLEDGED:
            until = None if data["until"] is None else _moment(data, "until")
            return replace(
                alert,
                state=AlertState.ACKNOWLEDGED,
                acked_by=event.actor,
                acked_until=until,
                warn_at=_warning(event.at, until),
                note=event.note,
                sticky=bool(data["sticky"]),
            )
        case EventKind.UNACKNOWLEDGED | EventKind.ACK_EXPIRED | EventKind.ACK_BROKEN | EventKind.HANDED_OVER:
            return _unacked(alert, AlertState.FIRING)
        case EventKind.SEVERITY_CHANGED:
            return replace(alert, severity=_severity(data))
        case EventKind.DROPPED | EventKind.RESOLVED:
            return _resolved(alert, event.at, _moment(data, "ended_at"))
        case EventKind.RESOLVED_BY_HAND:
            return replace(_resolved(alert, event.at, event.at), held=True)
        case EventKind.REARMED:
            return replace(alert, held=False)
        case EventKind.REOPENED:
            return replace(
                _unacked(alert, AlertState.FIRING),
                severity=_severity(data),
                ended_at=None,
                resolved_at=None,
                reopen_count=alert.reopen_count + 1,
            )
        case EventKind.ACK_WARNED:
            return replace(alert, warn_at=None)
        case (
            EventKind.REWORDED
            | EventKind.REMINDED
            | EventKind.ESCALATED
            | EventKind.NOTED
            | EventKind.REACTED
        ):
            return alert
        case _:  # SUPPRESSION_CHANGED, the only kind left
            reasons = cast("Iterable[str]", data["reasons"])
            return replace(alert, suppressed=frozenset(Suppression(reason) for reason in reasons))


def _after(alert: Alert, *events: Event) -> Transition:
    for event in events:
        alert = apply(alert, event)
    return alert, events


def _resolved(alert: Alert, at: datetime, ended_at: datetime) -> Alert:
    """What was said when it was acknowledged stays readable, but binds nobody any more."""
    return replace(
        alert,
        state=AlertState.RESOLVED,
        resolved_at=at,
        ended_at=ended_at,
        acked_until=None,
        warn_at=None,
        sticky=False,
    )


def _unacked(alert: Alert, state: AlertState) -> Alert:
    return replace(alert, state=state, acked_by="", acked_until=None, warn_at=None, note="", sticky=False)


def _warning(since: datetime, until: datetime | None) -> datetime | None:
    """When to say that an acknowledgement ends; never for one that is not twice as long as the warning."""
    if until is None or until - since < 2 * WARNING:
        return None
    return until - WARNING


def _why_not_acknowledged(alert: Alert) -> str:
    if alert.state is AlertState.ACKNOWLEDGED:
        until = f" until {_clock(alert.acked_until)}" if alert.acked_until else ""
        return f"The alert is already acknowledged by {alert.acked_by}{until}."
    if alert.state is AlertState.PENDING:
        return "The alert is pending: it can be acknowledged once it fires."
    return "The alert is resolved: there is nothing left to acknowledge."


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _severity(data: Mapping[str, object]) -> Severity:
    return Severity(cast(int, data["severity"]))


def _moment(data: Mapping[str, object], key: str) -> datetime:
    return datetime.fromisoformat(str(data[key]))
