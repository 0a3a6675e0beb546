"""What is said when something happens to an alert, or to a group of them: one neutral message that every channel can
carry. It is made once, so that every retry sends the same bytes, and is small however many alerts it tells of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from watchfloor.domain.alert import SYSTEM, Alert, AlertState, Event, EventKind
from watchfloor.domain.severity import Severity
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count, out_of_reach

TOLD = {
    EventKind.FIRED: "alert.firing",
    EventKind.REOPENED: "alert.reopened",
    EventKind.ACKNOWLEDGED: "alert.acknowledged",
    EventKind.UNACKNOWLEDGED: "alert.firing",
    EventKind.ACK_EXPIRED: "alert.firing",
    EventKind.ACK_BROKEN: "alert.firing",
    EventKind.ACK_WARNED: "alert.acknowledged",
    EventKind.REMINDED: "alert.firing",
    EventKind.HANDED_OVER: "alert.firing",
    EventKind.SEVERITY_CHANGED: "alert.severity_changed",
    EventKind.RESOLVED: "alert.resolved",
    EventKind.RESOLVED_BY_HAND: "alert.resolved",
}
"""The events people are told of, and the type of the message."""

GROUP_TYPES = {
    "firing": "alerts.firing",
    "acknowledged": "alerts.acknowledged",
    "resolved": "alerts.resolved",
}
"""The types of messages about groups, by the state in which the group is."""

LISTED = 20
"""So many alerts of a group are named, the worst first; of the others only how many there are."""

SUMMARY = 900
"""So much of a summary is said where something follows it; receivers read a thousand characters."""


@dataclass(frozen=True, slots=True)
class About:
    """Whom a message is about, and what is said of it."""

    id: int
    uuid: str
    title: str
    summary: str
    labels: Mapping[str, str]
    behind: int = 0  # so many services are out of reach because of it

    @property
    def told(self) -> str:
        """The summary, with how many services are out of reach: how bad it is must fit on a lock screen."""
        if not self.behind:
            return self.summary
        return "; ".join(each for each in (self.summary[:SUMMARY], out_of_reach(self.behind)) if each)

    @property
    def headline(self) -> str:
        """The title as one of many, likewise."""
        return one_line(self.title, 120) + (f" ({out_of_reach(self.behind)})" if self.behind else "")


def compose(event: Event, alert: Alert, words: About, type_: str | None = None, note: str = "") -> bytes:
    """The message about ``event`` as JSON bytes. ``type_`` is that of the event, ``note`` its own, unless given."""
    body = {
        "type": TOLD[event.kind] if type_ is None else type_,
        "timestamp": _iso(event.at),
        "data": {
            "id": words.id,
            "uuid": words.uuid,
            "state": str(alert.state),
            "severity": alert.severity.word,
            "title": words.title,
            "summary": words.told,
            "labels": dict(words.labels),
            "active_at": _iso(alert.active_at),
            "fired_at": None if alert.fired_at is None else _iso(alert.fired_at),
            "resolved_at": None if alert.resolved_at is None else _iso(alert.resolved_at),
            "actor": event.actor,
            "note": note or event.note,
            "reason": str(event.kind),
            **({"behind": words.behind} if words.behind else {}),
        },
    }
    return _bytes(body)


@dataclass(frozen=True, slots=True)
class Member:
    """One alert of a group."""

    words: About
    alert: Alert


def compose_group(
    uuid: str, labels: Mapping[str, str], members: Sequence[Member], reason: str, note: str, now: datetime
) -> tuple[str, bytes]:
    """The type and the bytes of a message about ``members``, those that fire first and then the worst.

    One alert alone reads like a message about that alert.
    """
    ordered = sorted(members, key=_urgency)
    alerts = [each.alert for each in ordered]
    state = _state(alerts)
    severity = max(
        (each.severity for each in alerts if state in (each.state, "resolved")), default=Severity.INFO
    )
    ends = [each.resolved_at for each in alerts if each.resolved_at is not None]
    alone = ordered[0].words if len(ordered) == 1 else None
    body = {
        "type": GROUP_TYPES[state],
        "timestamp": _iso(now),
        "data": {
            "id": alone.id if alone else 0,
            "uuid": uuid,
            "state": state,
            "severity": severity.word,
            "title": alone.title if alone else _title(alerts, labels),
            "summary": _alone(alone) if alone else one_line(_summary(ordered), 500),
            "labels": dict(alone.labels if alone else labels),
            "active_at": _iso(min(each.active_at for each in alerts)),
            "fired_at": _iso(min(each.fired_at or each.active_at for each in alerts)),
            "resolved_at": _iso(max(ends)) if state == "resolved" and ends else None,
            "actor": SYSTEM if state != "acknowledged" else ordered[0].alert.acked_by,
            "note": note,
            "reason": reason,
            "firing": sum(each.state is AlertState.FIRING for each in alerts),
            "acknowledged": sum(each.state is AlertState.ACKNOWLEDGED for each in alerts),
            "resolved": sum(each.state is AlertState.RESOLVED for each in alerts),
            "more": max(0, len(ordered) - LISTED) if not alone else 0,
            "alerts": [] if alone else [_listed(each) for each in ordered[:LISTED]],
            **({"behind": behind} if (behind := sum(each.words.behind for each in ordered)) else {}),
        },
    }
    return GROUP_TYPES[state], _bytes(body)


_ORDER = {AlertState.FIRING: 0, AlertState.ACKNOWLEDGED: 1, AlertState.PENDING: 2, AlertState.RESOLVED: 3}


def _urgency(member: Member) -> tuple[int, int, datetime, int]:
    alert = member.alert
    return _ORDER[alert.state], -alert.severity, alert.active_at, member.words.id


def _state(alerts: Sequence[Alert]) -> str:
    states = {each.state for each in alerts}
    if AlertState.FIRING in states:
        return "firing"
    return "acknowledged" if AlertState.ACKNOWLEDGED in states else "resolved"


def _alone(words: About) -> str:
    return one_line(replace(words, summary=one_line(words.summary, 440)).told, 500)


def _title(alerts: Sequence[Alert], labels: Mapping[str, str]) -> str:
    over = sum(each.state is AlertState.RESOLVED for each in alerts)
    what = ", ".join(f"{name} {value}" for name, value in labels.items() if value)
    open_ = len(alerts) - over
    counted = count(open_ or over, "alert")
    if open_ and over:
        counted += f" and {over} over"
    return one_line(f"{counted}: {what}" if what else counted, 200)


def _summary(members: Sequence[Member]) -> str:
    titles = [one_line(each.words.title, 80) for each in members[:3]]
    rest = len(members) - len(titles)
    return "; ".join(titles) + (f"; and {rest} more" if rest > 0 else "")


def _listed(member: Member) -> dict[str, object]:
    alert, words = member.alert, member.words
    return {
        "id": words.id,
        "uuid": words.uuid,
        "state": str(alert.state),
        "severity": alert.severity.word,
        "title": words.headline,
        "active_at": _iso(alert.active_at),
        "resolved_at": None if alert.resolved_at is None else _iso(alert.resolved_at),
    }


def _bytes(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
