"""A message of the outbox, read back: what templates and channels may say about it.

The bytes are those of `watchfloor.domain.message.compose`, with moments in UTC; people are told them as clocks show
them where they are. Everything a person or a service wrote is made safe here
once more, so that no channel has to. It never fails for a field that is missing: an older node may have written it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from watchfloor.domain.durations import whole_duration
from watchfloor.domain.text import clean, one_line
from watchfloor.domain.zones import zone_or_utc

TEST = "channel.test"
"""The type of the message that only tries a channel; it tells of no alert."""

ALIVE = "watchdog.alive"
"""The type of the message that only says that everything works."""

TITLE = 300
SUMMARY = 1000
LABELS = 50
LISTED = 50


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened to an alert, or to a group of them, and how it stands after that."""

    type: str
    at: datetime
    id: int
    uuid: str
    state: str
    severity: str
    title: str
    summary: str
    labels: Mapping[str, str]
    active_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    actor: str
    note: str
    reason: str = ""
    alerts: tuple[Mapping[str, str], ...] = field(default=())  # of a group: those that are named
    more: int = 0  # and so many that are not
    behind: int = 0  # so many services are out of reach because of it
    time_zone: str = "UTC"  # in which people are told of times

    @property
    def event(self) -> str:
        """The last word of the type: ``firing``, ``resolved``, ``test``."""
        return self.type.rpartition(".")[2]

    @property
    def over(self) -> bool:
        """Whether nobody needs to act any more."""
        return self.state == "resolved"


def read(payload: bytes, time_zone: str = "UTC") -> Notice:
    """The notice that a payload holds, for people in that zone. Raises `ValueError` for bytes that hold none."""
    body = json.loads(payload)
    if not isinstance(body, dict) or not isinstance(body.get("data"), dict):
        raise ValueError("the message holds no notice")
    data = body["data"]
    at = _moment(body.get("timestamp")) or datetime.fromtimestamp(0, UTC)
    labels = data.get("labels")
    return Notice(
        type=one_line(str(body.get("type", "")), 100),
        at=at,
        id=number if isinstance(number := data.get("id"), int) else 0,
        uuid=one_line(str(data.get("uuid", "")), 100),
        state=one_line(str(data.get("state", "")), 50),
        severity=one_line(str(data.get("severity", "")), 50),
        title=one_line(str(data.get("title", "")), TITLE),
        summary=clean(str(data.get("summary", "")), SUMMARY),
        labels={
            one_line(str(key), 100): one_line(str(value), 300)
            for key, value in list((labels if isinstance(labels, dict) else {}).items())[:LABELS]
        },
        active_at=_moment(data.get("active_at")) or at,
        fired_at=_moment(data.get("fired_at")),
        resolved_at=_moment(data.get("resolved_at")),
        actor=one_line(str(data.get("actor") or ""), 100),
        note=clean(str(data.get("note") or ""), SUMMARY),
        reason=one_line(str(data.get("reason") or ""), 50),
        alerts=_alerts(data.get("alerts")),
        more=more if isinstance(more := data.get("more"), int) else 0,
        behind=behind if isinstance(behind := data.get("behind"), int) else 0,
        time_zone=time_zone,
    )


def _alerts(found: object) -> tuple[Mapping[str, str], ...]:
    listed = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return tuple(
        {
            "mark": "RESOLVED"
            if each.get("state") == "resolved"
            else one_line(str(each.get("severity")), 20).upper(),
            **{
                name: one_line(str(each.get(name) or ""), TITLE)
                for name in ("id", "uuid", "state", "severity", "title")
            },
        }
        for each in listed[:LISTED]
    )


def trial_message(uuid: str, what: str, labels: Mapping[str, str], actor: str, now: datetime) -> bytes:
    """The message that tries something, such as ``channel ops``, in the form of every other."""
    moment = now.isoformat().replace("+00:00", "Z")
    body = {
        "type": TEST,
        "timestamp": moment,
        "data": {
            "id": 0,
            "uuid": uuid,
            "state": "test",
            "severity": "info",
            "title": f"Test of {what}",
            "summary": "This message only shows that it would arrive. Nothing is wrong.",
            "labels": dict(labels),
            "active_at": moment,
            "fired_at": moment,
            "resolved_at": None,
            "actor": actor,
            "note": "",
        },
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def alive_message(uuid: str, node: str, now: datetime) -> bytes:
    """The message that says that everything works."""
    body = {"type": ALIVE, "timestamp": written(now), "data": {"uuid": uuid, "state": "alive", "node": node}}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


VARIABLES: Mapping[str, str] = {
    "mark": "the first word: CRITICAL, RESOLVED, ACKNOWLEDGED, CRITICAL AGAIN, TEST",
    "title": "what is wrong: website is failing",
    "span": "since 07:02 UTC, or 07:02-07:09 UTC (7m) once it is over; in the time zone of the channel",
    "summary": "what the check said",
    "event": "firing, reopened, acknowledged, severity_changed, resolved or test",
    "state": "firing, acknowledged or resolved",
    "severity": "info, warning, critical or emergency",
    "service": "the name of the service; empty for an alert about Watchfloor itself",
    "labels": "every label: labels.group, or {% for name, value in labels|items %}",
    "actor": "who did it; watchfloor for what no person did",
    "note": "what that person wrote",
    "id": "the number of the alert, as in #42",
    "uuid": "the alert's id that is unique everywhere",
    "at": "when it happened, as in 2031-03-01T07:02:11Z",
    "since": "when the alert began, likewise",
    "at_local": "when it happened, in the time zone of the channel, as in 2031-03-01 08:02:11 CET",
    "since_local": "when the alert began, likewise",
    "reason": "why it is told, such as first, repeat or new_alerts",
    "alerts": "of a group, the alerts that are named: {% for each in alerts %} with each.mark, each.title, each.id",
    "more": "how many alerts of the group are not named",
    "behind": "how many services are out of reach because of it, which the summary says as well; 0 for none",
}
"""What a template may name, and what each stands for."""


def facts(notice: Notice) -> dict[str, object]:
    """The variables of templates; the keys are those of `VARIABLES`."""
    return {
        "mark": _mark(notice),
        "title": notice.title,
        "span": _span(notice),
        "summary": notice.summary,
        "event": notice.event,
        "state": notice.state,
        "severity": notice.severity,
        "service": notice.labels.get("service", ""),
        "labels": dict(notice.labels),
        "actor": notice.actor,
        "note": notice.note,
        "id": notice.id,
        "uuid": notice.uuid,
        "at": written(notice.at),
        "since": written(notice.active_at),
        "at_local": _local(notice, notice.at),
        "since_local": _local(notice, notice.active_at),
        "reason": notice.reason,
        "alerts": notice.alerts,
        "more": notice.more,
        "behind": notice.behind,
    }


def written(moment: datetime) -> str:
    """A moment as receivers read it: RFC 3339 in UTC, to the second.

    >>> written(datetime(2031, 3, 1, 7, 2, 11, 500, tzinfo=UTC))
    '2031-03-01T07:02:11Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _local(notice: Notice, moment: datetime) -> str:
    return moment.astimezone(zone_or_utc(notice.time_zone)).strftime("%Y-%m-%d %H:%M:%S %Z")


def _mark(notice: Notice) -> str:
    loud = notice.severity.upper() or "ALERT"
    if notice.type == TEST:
        return "TEST"
    if notice.over:
        return "RESOLVED"
    if notice.state == "acknowledged":
        return "ACKNOWLEDGED"
    return f"{loud} AGAIN" if notice.event == "reopened" else loud


def _span(notice: Notice) -> str:
    if notice.type == TEST:
        return ""
    there = zone_or_utc(notice.time_zone)
    began = notice.active_at.astimezone(there)
    if notice.resolved_at is None:
        shown = began.strftime("%H:%M" if notice.at - began < timedelta(hours=20) else "%d %b %H:%M")
        return f"since {shown} {began:%Z}"
    ended = notice.resolved_at.astimezone(there)
    lasted = whole_duration((notice.resolved_at - notice.active_at).total_seconds())
    first = began.strftime("%H:%M" if began.date() == ended.date() else "%d %b %H:%M")
    return f"{first}-{ended:%H:%M %Z} ({lasted})"


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def samples() -> tuple[Notice, ...]:
    """One notice of every type, with everything a template may meet; for checking and showing templates."""
    began = datetime(2031, 3, 1, 7, 2, 11, tzinfo=UTC)
    later = began + timedelta(minutes=7)

    def notice(type_: str, state: str, **more: object) -> Notice:
        values: dict[str, object] = {
            "type": type_, "at": began, "id": 42, "uuid": "0191d8f0-0000-7000-8000-00000000002a", "state": state,
            "severity": "critical", "title": "website is failing", "summary": "no answer within 10 s",
            "labels": {"service": "website", "kind": "http", "group": "web"}, "active_at": began,
            "fired_at": began, "resolved_at": None, "actor": "watchfloor", "note": "", **more,
        }  # fmt: skip
        return Notice(**values)  # type: ignore[arg-type]

    return (
        notice("alert.firing", "firing"),
        notice(
            "alert.reopened",
            "firing",
            at=later,
            summary="no answer within 10 s; 142 services are out of reach behind it",
            behind=142,
        ),
        notice("alert.acknowledged", "acknowledged", at=later, actor="ann", note='restarting "it"'),
        notice("alert.severity_changed", "firing", at=later, severity="emergency"),
        notice("alert.resolved", "resolved", at=later, resolved_at=later),
        notice(
            "alerts.firing",
            "firing",
            title="27 alerts: group web",
            labels={"group": "web"},
            reason="new_alerts",
            summary="website is failing; shop is failing; and 25 more",
            more=25,
            alerts=tuple(
                {
                    "mark": "CRITICAL",
                    "id": str(42 + at),
                    "uuid": f"{at}",
                    "state": "firing",
                    "severity": "critical",
                    "title": f"{name} is failing",
                }
                for at, name in enumerate(("website", "shop"))
            ),
        ),
        notice(TEST, "test", severity="info", labels={"channel": "phone"}, summary=""),
    )
