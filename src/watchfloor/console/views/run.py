"""A run in full: how it stands, what happens next, its attempts on a line of time, what it was given, its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from watchfloor.config.forms import written
from watchfloor.console.format import Moment, clock, latency
from watchfloor.console.glyphs import RUN, mark
from watchfloor.console.keys import key_of
from watchfloor.console.line import Line, Span, clean, clip, wrap
from watchfloor.console.views.jobs import origin, took
from watchfloor.console.views.sections import heading, pairs
from watchfloor.domain.job_boards import AttemptRow, RunDetail, RunLine
from watchfloor.domain.outlook import sentences

WARNING, ERROR = 13, 17


def run_lines(detail: RunDetail, log: Sequence[RunLine], moment: Moment, cells: int) -> list[Line]:
    """A run with everything that is known of it."""
    return [
        *_facts(detail, moment, cells),
        *_next(detail, moment, cells),
        *_error(detail, cells),
        *attempt_lines(detail, moment, cells),
        *_given(detail, cells),
        *heading("LOG", cells, _log_note(log)),
        *(_log_line(line) for line in log),
    ]


def _facts(detail: RunDetail, moment: Moment, cells: int) -> list[Line]:
    row = detail.row
    items: list[tuple[str, Line]] = [
        ("state", mark(RUN, row.state).line),
        ("from", ((clean(origin(row)), "text"),)),
        ("due", ((clock(row.scheduled_for, moment.now, moment.zone), "text"),)),
        ("began", ((clock(row.started_at, moment.now, moment.zone), "text"),)),
        ("ended", ((clock(row.finished_at, moment.now, moment.zone), "text"),)),
        ("took", ((took(row), "text"),)),
    ]
    if row.node:
        items.append(("node", ((clean(row.node), "text"),)))
    if row.exit_code is not None:
        items.append(("exit code", ((str(row.exit_code), "text"),)))
    if row.signal is not None:
        items.append(("signal", ((str(row.signal), "text"),)))
    if row.reason:
        items.append(("dead because", ((clean(row.reason), "failing"),)))
    if detail.upstream is not None:
        items.append(("follows", ((f"#{detail.upstream}", "key"),)))
    if detail.downstream:
        items.append(("followed by", ((", ".join(f"#{run}" for run in detail.downstream[:10]), "key"),)))
    if detail.alert_id is not None:
        items.append(
            ("alert", ((f"#{detail.alert_id} ", "key"), (f"({key_of('show_alert')} shows it)", "muted")))
        )
    return pairs(items, cells)


def _next(detail: RunDetail, moment: Moment, cells: int) -> list[Line]:
    if detail.outlook is None:
        return []

    def written_moment(at: datetime) -> str:
        return clock(at, moment.now, moment.zone).strip()

    lines = heading("WHAT HAPPENS NEXT", cells)
    for words in sentences(detail.outlook, written_moment):
        lines += wrap(words, cells, "text", limit=3)
    return lines


def _error(detail: RunDetail, cells: int) -> list[Line]:
    error = detail.row.error
    if not error:
        return []
    if detail.row.state == "cancelled":
        return [*heading("CANCELLED", cells), *wrap(error, cells, "muted", limit=20)]
    role = "failing" if detail.row.state == "dead" else "muted"
    return [
        *heading("ERROR", cells),
        *wrap(f"{detail.row.error_class} {error}".strip(), cells, role, limit=20),
    ]


def attempt_lines(detail: RunDetail, moment: Moment, cells: int) -> list[Line]:
    """The attempts, each with a bar that shows when it ran between the moment the run was due and its end."""
    if not detail.attempts:
        return []
    start = min(detail.row.scheduled_for, detail.attempts[0].started_at)
    ends = [attempt.finished_at or moment.now for attempt in detail.attempts]
    end = max([*ends, start])
    room = max(10, min(60, cells - 44))
    lines = heading("ATTEMPTS", cells, ((f"{latency((end - start).total_seconds())} in all", "muted"),))
    for attempt in detail.attempts:
        lines.append(_attempt(attempt, start, end, room, moment, cells))
    return lines


def _attempt(
    attempt: AttemptRow, start: datetime, end: datetime, room: int, moment: Moment, cells: int
) -> Line:
    until = attempt.finished_at or moment.now
    whole = max((end - start).total_seconds(), 1e-6)
    left = int((attempt.started_at - start).total_seconds() / whole * room)
    size = max(1, round((until - attempt.started_at).total_seconds() / whole * room))
    left = max(0, min(left, room - 1))
    size = min(size, room - left)
    words = attempt.error or ("ok" if attempt.finished_at else "goes on")
    role = "failing" if attempt.error_class else "ok" if attempt.finished_at else "accent"
    spans: list[Span] = [
        (f"{attempt.attempt:>3} ", "key"),
        (f"{clock(attempt.started_at, moment.now, moment.zone):>12} ", "muted"),
        ("·" * left, "muted"),
        ("━" * size, role),
        ("·" * (room - left - size), "muted"),
        (
            f" {latency((until - attempt.started_at).total_seconds()) if attempt.finished_at else '':>8} ",
            "muted",
        ),
    ]
    used = 4 + 13 + room + 10
    spans.append((clip(clean(words), max(4, cells - used)), role if role == "failing" else "text"))
    return tuple(spans)


def _given(detail: RunDetail, cells: int) -> list[Line]:
    lines: list[Line] = []
    if detail.parameters:
        lines += [*heading("GIVEN TO THIS RUN ONLY", cells), *_settings(detail.parameters, "accent")]
    if detail.settings:
        lines += [*heading("SETTINGS OF ITS JOB", cells), *_settings(detail.settings, "muted")]
    return lines


def _settings(settings: Mapping[str, object], role: str) -> list[Line]:
    return [((clean(line), role),) for line in written(dict(settings)).splitlines()]


def _log_note(log: Sequence[RunLine]) -> Line:
    return ((f"{len(log)} lines", "muted"),) if log else (("nothing printed yet", "muted"),)


def _log_line(line: RunLine) -> Line:
    if line.level >= ERROR:
        role = "failing"
    elif line.level >= WARNING:
        role = "degraded"
    else:
        role = "unknown" if line.stream == "stderr" else "text"
    return ((clean(line.text), role),)
