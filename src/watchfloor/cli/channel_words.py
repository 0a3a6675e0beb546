"""How messages read on a channel: its templates, or the usual words, over a sample or an alert that is open.

Only what a template makes is shown, never what a channel adds when it sends: that may hold a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from watchfloor.channels.words import BODY, LONGEST_TITLE, TITLE, Speaking
from watchfloor.config.kinds import channel_kinds
from watchfloor.config.template import TemplateFailure, compiled
from watchfloor.domain.boards import AlertDetail
from watchfloor.domain.channel_boards import SaidRow
from watchfloor.domain.notice import TEST, Notice, facts, samples
from watchfloor.domain.text import clean, one_line

LASTED = timedelta(minutes=7)
"""So long an alert lasts of which it is shown how its end reads."""


def notices(alert: AlertDetail | None, now: datetime, time_zone: str = "UTC") -> list[tuple[str, Notice]]:
    """A notice of every kind, of an alert if one is given, each with what people call it."""
    made = []
    for usual in samples():
        sample = replace(usual, time_zone=time_zone)
        notice = sample if alert is None or _is_of_many(sample) else _of(alert, sample, now)
        made.append((_called(notice), notice))
        if notice.type == "alert.firing":
            made.append(("reminder", replace(notice, reason="repeat")))
    return made


def _is_of_many(notice: Notice) -> bool:
    return notice.type == TEST or notice.type.startswith("alerts.")


def _called(notice: Notice) -> str:
    words = notice.event.replace("_", " ")
    return f"group, {words}" if notice.type.startswith("alerts.") else words


def _of(alert: AlertDetail, sample: Notice, now: datetime) -> Notice:
    """What a sample would say of an alert; one that is over ends now."""
    row = alert.row
    severity = sample.severity if sample.event == "severity_changed" else row.severity.word
    return replace(
        sample,
        id=row.id,
        title=one_line(row.title, 300),
        summary=clean(alert.summary, 1000),
        labels={one_line(key, 100): one_line(value, 300) for key, value in alert.labels.items()},
        severity=severity,
        active_at=row.active_at,
        fired_at=row.fired_at or row.active_at,
        resolved_at=None if sample.resolved_at is None else max(now, row.active_at),
        at=now,
    )


def how_it_reads(kind: str, settings: Mapping[str, Any], said: Sequence[tuple[str, Notice]]) -> list[SaidRow]:
    """How these notices read on a channel of a kind with these settings, as they are stored."""
    known = channel_kinds().get(kind)
    speaks = known is not None and issubclass(known.settings, Speaking)
    reads = _spoken if speaks else _body
    return [reads(name, settings, _there(notice, settings)) for name, notice in said]


def _there(notice: Notice, settings: Mapping[str, Any]) -> Notice:
    """The notice as it is told in the time zone of a channel that has its own."""
    own = settings.get("time_zone")
    return replace(notice, time_zone=str(own)) if own else notice


def _spoken(name: str, settings: Mapping[str, Any], notice: Notice) -> SaidRow:
    title, first = _made(settings, "title", TITLE, notice)
    body, second = _made(settings, "body", BODY, notice)
    trouble = "; ".join(f"{part}: {words}" for part, words in (("title", first), ("body", second)) if words)
    return SaidRow(name, one_line(title, LONGEST_TITLE) or notice.event, clean(body).strip(), trouble)


def _made(settings: Mapping[str, Any], part: str, usual: str, notice: Notice) -> tuple[str, str]:
    """What the template of a part makes of a notice, and why it made nothing: then the usual words stand there."""
    templates = settings.get("templates") or {}
    of_type = (templates.get(each) or {} for each in (notice.event, "every"))
    source = next((each[part] for each in of_type if each.get(part) is not None), usual)
    try:
        return compiled(str(source)).render(facts(notice)), ""
    except TemplateFailure as failure:
        return compiled(usual).render(facts(notice)), str(failure)


def _body(name: str, settings: Mapping[str, Any], notice: Notice) -> SaidRow:
    """The body of a channel behind which a program reads."""
    source = settings.get("payload")
    if source is None:
        shown = {key: value for key, value in facts(notice).items() if value not in ("", (), {}, 0)}
        return SaidRow(name, notice.type, json.dumps(shown, ensure_ascii=False, indent=1))
    try:
        return SaidRow(name, notice.type, clean(compiled(str(source)).render(facts(notice)), 16_000))
    except TemplateFailure as failure:
        return SaidRow(name, notice.type, "", f"payload: {failure}: nothing would be sent")
