"""What is said when something happens to an alert: one neutral message that every channel can carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from watchfloor.domain.alert import Alert, Event, EventKind

TOLD = {
    EventKind.FIRED: "alert.firing",
    EventKind.REOPENED: "alert.reopened",
    EventKind.ACKNOWLEDGED: "alert.acknowledged",
    EventKind.UNACKNOWLEDGED: "alert.firing",
    EventKind.ACK_EXPIRED: "alert.firing",
    EventKind.ACK_BROKEN: "alert.firing",
    EventKind.SEVERITY_CHANGED: "alert.severity_changed",
    EventKind.RESOLVED: "alert.resolved",
    EventKind.RESOLVED_BY_HAND: "alert.resolved",
}
"""The events people are told of, and the type of the message."""


def told(event: Event, alert: Alert) -> bool:
    """Whether ``event`` is told: a pending alert that nobody has heard of stays unheard of."""
    return event.kind in TOLD and alert.fired_at is not None


def compose(
    event: Event, alert: Alert, alert_id: int, uuid: str, title: str, summary: str, labels: Mapping[str, str]
) -> bytes:
    """The message about ``event`` as JSON bytes, made once so that every retry sends the same."""
    body = {
        "type": TOLD[event.kind],
        "timestamp": _iso(event.at),
        "data": {
            "id": alert_id,
            "uuid": uuid,
            "state": str(alert.state),
            "severity": alert.severity.word,
            "title": title,
            "summary": summary,
            "labels": dict(labels),
            "active_at": _iso(alert.active_at),
            "fired_at": None if alert.fired_at is None else _iso(alert.fired_at),
            "resolved_at": None if alert.resolved_at is None else _iso(alert.resolved_at),
            "actor": event.actor,
            "note": event.note,
        },
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
