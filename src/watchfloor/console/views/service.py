"""What the console says about one service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from watchfloor.console.draw.uptime import uptime_bar
from watchfloor.console.format import Moment, clock, latency, share, span, value
from watchfloor.console.glyphs import STATUS, health
from watchfloor.console.line import EMPTY, Line, beside, clean, clip, wrap
from watchfloor.console.views.charts import host_lines, latency_lines, metric_lines, phase_lines
from watchfloor.console.views.facts import fact_lines
from watchfloor.console.views.sections import column, folded, heading, pairs
from watchfloor.console.views.tree import needed_by_lines, needs_lines, tree_lines
from watchfloor.console.views.why import why_lines
from watchfloor.domain.boards import HealthRow, IncidentRow, ServiceDetail
from watchfloor.domain.durations import format_duration
from watchfloor.domain.history import History
from watchfloor.domain.outcome import Status

TWO_COLUMNS = 116
GAP = 4
RESULTS = 12
INCIDENTS = 6
CERTIFICATES = 6


def service_lines(
    detail: ServiceDetail, history: History | None, moment: Moment, cells: int, *, titled: bool = False
) -> list[Line]:
    """Everything about a service, in two columns where there is room; `titled` when nothing above names it."""
    head = [
        *(_title(detail, cells) if titled else []),
        *_state(detail, moment, cells),
        *why_lines(detail.why, moment, cells),
        *(needs_lines(detail.tree, cells) if detail.tree.root else []),  # then it is what matters most
    ]
    if cells < TWO_COLUMNS:
        return [
            *head,
            *_history(detail, history, moment, cells),
            *_recent(detail, moment, cells),
            *_rest(detail, history, moment, cells),
        ]
    left = cells * 3 // 5
    right = cells - left - GAP
    columns = beside(
        _history(detail, history, moment, left),
        [*_recent(detail, moment, right), *_rest(detail, history, moment, right)],
        left,
        GAP,
    )
    return [*head, *columns]


def _title(detail: ServiceDetail, cells: int) -> list[Line]:
    row = detail.row
    labels = " · ".join(clean(word) for word in (row.kind, row.group) if word)
    return [((clip(clean(row.name), max(8, cells - len(labels) - 2)), "title"), (f"  {labels}", "muted"))]


def _state(detail: ServiceDetail, moment: Moment, cells: int) -> list[Line]:
    """The state in one line, then what the last check said and what people wrote about the service."""
    row, mark = detail.row, health(detail.row)
    parts: list[Line] = [mark.line]
    if row.since is not None:
        parts.append((("since " if moment.absolute else "for ", "muted"), (moment.when(row.since), "text")))
    if row.soft and row.status is not None:
        status = STATUS[row.status]
        parts.append(((f"{status.word} {row.attempt} of {row.max_attempts}", status.role),))
    if row.alert_id is not None:
        words = " acknowledged" if row.acknowledged else " is firing"
        parts.append(((f"#{row.alert_id}", "key"), (words, "accent" if row.acknowledged else "failing")))
    parts.append((("checked ", "muted"), (_ago(row.checked_at, moment), "text")))
    parts.append((("every ", "muted"), (format_duration(row.every), "text")))
    lines = folded(parts, cells)
    for words in _why_quiet(row):
        lines += wrap(words, cells, "muted", limit=2)
    if row.summary and not detail.why:  # else it is the first of the reasons
        lines += wrap(row.summary, cells, "text" if row.hard is Status.OK else mark.role, limit=3)
    if detail.description:
        lines += wrap(detail.description, cells, "muted", limit=3)
    if detail.runbook:
        lines += [((("runbook  "), "muted"), (clip(clean(detail.runbook), cells - 9), "accent"))]
    return lines


def _why_quiet(row: HealthRow) -> list[str]:
    """Why nobody is told of a service, in a line each."""
    lines = []
    if row.root:
        lines.append(f"out of reach: {clean(row.root)} is down, and this needs it")
    if row.planned:
        lines.append("inside a maintenance window: its time counts as planned")
    if row.flapping:
        lines.append("flapping: it changes too often to be told of every time")
    return lines


def _ago(at: datetime | None, moment: Moment) -> str:
    words = moment.when(at)
    return words if moment.absolute or words in ("now", "—") else f"{words} ago"


def _history(detail: ServiceDetail, history: History | None, moment: Moment, cells: int) -> list[Line]:
    measured = (
        []
        if history is None
        else [
            *latency_lines(history, moment, cells),
            *phase_lines(history, detail.results, cells),
            *host_lines(history, moment, cells),
        ]
    )
    return [
        *measured,
        *_uptime(detail, moment, cells),
        *_objectives(detail, cells),
        *_incidents(detail.incidents, moment, cells),
    ]


def _uptime(detail: ServiceDetail, moment: Moment, cells: int) -> list[Line]:
    note: Line = tuple(
        part
        for window, up in detail.uptime.items()
        for part in ((f"  {window} ", "muted"), (share(up), "text"))
    )
    if detail.uptime.get("24h") is None:
        return [*heading("UPTIME", cells, note), *_beside(detail, cells)]
    observed = min(
        [result.at for result in detail.results[-1:]]
        + [incident.opened_at for incident in detail.incidents]
        + [at for at in (detail.row.since,) if at is not None],
        default=None,
    )
    bar = uptime_bar(detail.incidents, observed, moment.now, timedelta(hours=24), min(cells, 96))
    size = min(cells, 96)
    scale: Line = (("24 h ago" + "now".rjust(size - 8), "muted"),)
    return [*heading("UPTIME", cells, note), bar, scale, *_beside(detail, cells)]


def _beside(detail: ServiceDetail, cells: int) -> list[Line]:
    """Of the month, the time that is in no ratio, and the time that was down."""
    month = detail.spent.get("30d")
    if month is None:
        return []
    parts: list[Line] = [(("in 30 d", "muted"),)]
    for name, seconds, role in (
        ("down", month.down_s, "failing"),
        ("out of reach", month.unreachable_s, "degraded"),
        ("planned", month.planned_s, "text"),
        ("unknown", month.unknown_s, "unknown"),
    ):
        if seconds >= 1:
            parts.append(((f"{name} ", "muted"), (span(seconds), role)))
    return folded(parts, cells) if len(parts) > 1 else []


def _objectives(detail: ServiceDetail, cells: int) -> list[Line]:
    """Each promise with what is left of its budget and how fast it burns."""
    if not detail.objectives:
        return []
    lines = heading("OBJECTIVES", cells)
    for row in detail.objectives:
        left = "nothing observed" if row.left is None else f"{row.left * 100:.1f} % left"
        role = "ok" if row.left is None or row.left > 0 else "failing"
        parts: list[Line] = [
            ((clip(clean(row.objective), max(8, cells // 3)), "title"),),
            ((row.promise, "muted"),),
            ((share(row.ratio), "text"),),
            (("budget ", "muted"), (left, role)),
        ]
        for name, rate in row.burns.items():
            if rate is not None:
                fast = name in row.burning
                parts.append(((f"burn {name} ", "muted"), (f"{rate:.1f}", "failing" if fast else "text")))
        lines += folded(parts, cells)
    return lines


def _certificates(detail: ServiceDetail, moment: Moment, cells: int) -> list[Line]:
    """Every certificate it showed, when a change was seen, and when each ends."""
    if not detail.certificates:
        return []
    lines = heading("CERTIFICATES", cells, ((f"{len(detail.certificates)}", "muted"),))
    for row in detail.certificates[:CERTIFICATES]:
        over = row.not_after <= moment.now
        ends: Line = (("expired", "failing" if row.current else "muted"),)
        if not over:
            ends = (("ends ", "muted"), (moment.ahead(row.not_after), "text"))
        parts: list[Line] = [
            (("● now " if row.current else "○ then", "ok" if row.current else "muted"),),
            ((row.fingerprint[:12], "accent"),),
            (("since " if moment.absolute else "for ", "muted"), (moment.when(row.changed_at), "text")),
            ends,
            ((clip(clean(row.subject), max(8, cells // 2)), "text"),),
        ]
        lines += folded(parts, cells)
    return lines


def _incidents(incidents: Sequence[IncidentRow], moment: Moment, cells: int) -> list[Line]:
    if not incidents:
        return [*heading("INCIDENTS", cells), (("none on record", "muted"),)]
    lines = heading("INCIDENTS", cells, ((f"{len(incidents)}", "muted"),))
    times = column([moment.when(incident.opened_at) for incident in incidents[:INCIDENTS]])
    for time, incident in zip(times, incidents, strict=False):
        mark = STATUS[incident.worst]
        end = incident.closed_at or moment.now
        lasted = span((end - incident.opened_at).total_seconds())
        lines.append(
            (
                (f"{mark.glyph} {mark.word:<9}", mark.role),
                (f"{time}  ", "text"),
                (f"{'open ' if incident.closed_at is None else 'took '}{lasted:<8} ", "muted"),
                (clip(clean(incident.cause), max(4, cells - 28 - len(time))), "text"),
            )
        )
    return lines


def _recent(detail: ServiceDetail, moment: Moment, cells: int) -> list[Line]:
    lines = heading("LATEST CHECKS", cells)
    if not detail.results:
        return [*lines, (("none yet", "muted"),)]
    times = column([clock(result.at, moment.now, moment.zone) for result in detail.results[:RESULTS]])
    for time, result in zip(times, detail.results, strict=False):
        mark = STATUS[result.status]
        lines.append(
            (
                (f"{time}  ", "muted"),
                (f"{mark.glyph} {mark.word:<9}", mark.role),
                (f"{latency(result.latency):>9}  ", "text"),
                (
                    clip(clean(result.summary), max(4, cells - 24 - len(time))),
                    "muted" if result.status is Status.OK else "text",
                ),
            )
        )
    return lines


def _rest(detail: ServiceDetail, history: History | None, moment: Moment, cells: int) -> list[Line]:
    return [
        *(needed_by_lines if detail.tree.root else tree_lines)(detail.tree, cells),
        *fact_lines(detail.facts, moment, cells),
        *_certificates(detail, moment, cells),
        *(metric_lines(history, cells) if history is not None else []),
        *_settings(detail, cells),
    ]


def _settings(detail: ServiceDetail, cells: int) -> list[Line]:
    note: Line = EMPTY
    if detail.origin:
        words = clean(detail.origin) + ("" if detail.editable else ", not editable here")
        note = (("owned by ", "muted"), (words, "accent"))
    items: list[tuple[str, Line]] = [
        (name, ((clean(value(setting)), "text"),)) for name, setting in detail.settings.items()
    ]
    return [*heading("SETTINGS", cells, note), *pairs(items, cells)]
