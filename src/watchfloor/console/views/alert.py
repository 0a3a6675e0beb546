"""What the console says about one alert: how it stands, and its history, which nobody can change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from watchfloor.console.format import Moment, clock, latency, until
from watchfloor.console.glyphs import ALERT, DELIVERY, SEVERITY, TIMES, mark
from watchfloor.console.line import Line, clean, fit, says, wrap
from watchfloor.console.views.alert_story import WHOLE, at_once, indented, story_lines
from watchfloor.console.views.facts import in_words
from watchfloor.console.views.sections import column, folded, heading, pairs
from watchfloor.domain.boards import AlertDetail, AlertEventRow, AlertRow
from watchfloor.domain.severity import Severity
from watchfloor.domain.words import count

WORDS: Mapping[str, tuple[str, str, str]] = {
    "raised": ("◌", "raised", "muted"),
    "fired": ("●", "fired", "failing"),
    "dropped": ("○", "dropped before it fired", "muted"),
    "acknowledged": ("✓", "acknowledged", "accent"),
    "unacknowledged": ("●", "acknowledgement taken back", "failing"),
    "ack_expired": ("●", "acknowledgement expired", "failing"),
    "ack_warned": ("▲", "acknowledgement ends soon", "degraded"),
    "ack_broken": ("●", "acknowledgement ended: it got worse", "failing"),
    "severity_changed": ("▲", "severity changed", "degraded"),
    "resolved": ("○", "resolved", "ok"),
    "resolved_by_hand": ("○", "resolved by hand", "ok"),
    "rearmed": ("◌", "may fire again", "muted"),
    "reopened": ("●", "reopened", "failing"),
    "suppression_changed": ("⊘", "suppression changed", "muted"),
    "reworded": ("◌", "says something else", "muted"),
    "noted": ("◇", "note", "text"),
    "reminded": ("●", "said again", "failing"),
    "escalated": ("▲", "escalated", "degraded"),
    "handed_over": ("●", "handed over", "failing"),
    "reacted": ("▶", "reaction", "accent"),
}
"""How each kind of event looks: glyph, words, role."""


def alert_lines(detail: AlertDetail, moment: Moment, cells: int, *, titled: bool = False) -> list[Line]:
    """Everything about an alert; `titled` when nothing above names it."""
    row = detail.row
    lines: list[Line] = wrap(f"#{row.id} {row.title}", cells, "title", limit=3) if titled else []
    lines += _standing(row, moment, cells)
    lines += wrap(detail.summary, cells, limit=WHOLE)
    lines += at_once(detail, moment, cells)
    lines += [
        *heading("HISTORY", cells, ((count(len(detail.events), "event"), "muted"),)),
        *_events(detail.events, moment, cells),
        *_deliveries(detail, moment, cells),
        *story_lines(detail.story, moment, cells),
        *_labels(detail, moment, cells),
    ]
    return lines


def _standing(row: AlertRow, moment: Moment, cells: int) -> list[Line]:
    """Severity, state and times; then the acknowledgement, if there is one."""
    parts: list[Line] = [SEVERITY[row.severity].line, mark(ALERT, row.state).line]
    for name, at in (("active", row.active_at), ("fired", row.fired_at), ("resolved", row.resolved_at)):
        if at is not None:
            words = moment.when(at)
            ago = "" if moment.absolute or words == "now" else " ago"
            parts.append(((f"{name} ", "muted"), (words + ago, "text")))
    if row.reopened:
        parts.append(((f"reopened {row.reopened}{TIMES}", "degraded"),))
    lines = folded(parts, cells)
    if row.acked_by:
        ends = (
            "until it is resolved"
            if row.acked_until is None
            else f"ends {until(row.acked_until, moment.now)}"
        )
        if row.acked_until is not None:
            ends += f", {clock(row.acked_until, moment.now, moment.zone, seconds=False)}"
        lines += wrap(f"✓ {row.acked_by}: {row.note or 'no note'} ({ends})", cells, "accent", limit=WHOLE)
    return lines


def _events(events: Sequence[AlertEventRow], moment: Moment, cells: int) -> list[Line]:
    lines: list[Line] = []
    times = column([clock(event.at, moment.now, moment.zone) for event in events])
    indent = len(times[0]) + 4 if times else 0
    for time, event in zip(times, events, strict=True):
        glyph, words, role = WORDS.get(event.kind, ("·", clean(event.kind).replace("_", " "), "text"))
        who = "" if event.actor in ("", "watchfloor") else f" by {clean(event.actor)}"
        more = _more(event, moment)
        lines.append(
            (
                (f"{time}  ", "muted"),
                (f"{glyph} {words}", role),
                (who, "text"),
                (f"  {more}" if more else "", "muted"),
            )
        )
        lines += indented(event.note, indent, cells)
    return lines


def _more(event: AlertEventRow, moment: Moment) -> str:
    """What an event's data adds that a person wants to know."""
    data = event.data
    if event.kind == "acknowledged":
        ends = _moment(data.get("until"))
        return (
            "until it is resolved"
            if ends is None
            else f"until {clock(ends, moment.now, moment.zone, seconds=False)}"
        )
    if event.kind == "severity_changed":
        return " → ".join(
            word for word in (_severity(data.get("from")), _severity(data.get("severity"))) if word
        )
    if event.kind == "suppression_changed":
        reasons = data.get("reasons")
        return clean(", ".join(map(str, reasons))) if isinstance(reasons, list) and reasons else "none"
    return ""


def _moment(thing: object) -> datetime | None:
    try:
        return datetime.fromisoformat(thing) if isinstance(thing, str) else None
    except ValueError:
        return None


def _severity(thing: object) -> str:
    try:
        return Severity(thing).word if isinstance(thing, int) else ""
    except ValueError:
        return ""


def _deliveries(detail: AlertDetail, moment: Moment, cells: int) -> list[Line]:
    deliveries = detail.deliveries
    if not deliveries:
        return []
    number = max(detail.messages, len(deliveries))
    lines = heading("MESSAGES", cells, ((f"{number:,}", "muted"),))
    if number > len(deliveries):
        lines.append(says(f"the latest {len(deliveries)}; the others are in Deliveries", "muted"))
    times = column([clock(delivery.created_at, moment.now, moment.zone) for delivery in deliveries])
    for time, delivery in zip(times, deliveries, strict=True):
        shown = mark(DELIVERY, delivery.state)
        whom = f"{clean(delivery.person)} on " if delivery.person else ""
        words = f"{clean(delivery.kind)} to {whom}{clean(delivery.channel)}"
        tries = f", {count(delivery.attempts, 'attempt')}" if delivery.attempts != 1 else ""
        arrived = delivery.delivered_at
        after = "" if arrived is None else f", {latency((arrived - delivery.created_at).total_seconds())}"
        lines.append(
            (
                (f"{time}  ", "muted"),
                (f"{shown.glyph} {fit(shown.word, 10)}", shown.role),
                (words, "text"),
                (tries + after, "muted"),
            )
        )
        lines += indented(delivery.last_error, len(time) + 4, cells, "failing")
    return lines


def _labels(detail: AlertDetail, moment: Moment, cells: int) -> list[Line]:
    items = {"rule": detail.row.rule, "service": detail.row.service, **dict(sorted(detail.labels.items()))}
    items.pop("runbook", None)  # it stands above
    shown: list[tuple[str, Line]] = [
        (name, says(in_words(name, text, moment))) for name, text in items.items() if text
    ]
    return [*heading("LABELS", cells), *pairs(shown, cells)]
