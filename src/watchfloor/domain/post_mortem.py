"""An incident told in full: its timeline, what it took with it, what ran and was logged meanwhile; as Markdown, too.

Only assembles what was found; this module must never read a clock or decide what belongs to an incident.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.domain.durations import whole_duration
from watchfloor.domain.outcome import Status
from watchfloor.domain.text import clean, one_line

BEFORE = timedelta(minutes=5)
AFTER = timedelta(minutes=30)
"""Runs and log lines are those from a little before an incident opened to a while after, or to its end."""

NOTE = "note"
HEAD, TAIL = 100, 300
"""Lines of a timeline that a screen shows of a longer one: how it began, and what is the latest."""
NAMED = 50
"""Services out of reach that a screen names."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of a timeline: what happened when, by whom; ``text`` holds its words, which may come from outside."""

    at: datetime
    kind: str
    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class Dependant:
    """A service that was out of reach meanwhile, and for how long, in seconds."""

    name: str
    began: datetime
    lasted_s: float


@dataclass(frozen=True, slots=True)
class LinkedRun:
    """A run of a job about the time it began."""

    id: int
    job: str
    state: str
    started_at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log about the time it began."""

    at: datetime
    node: str
    channel: str
    text: str


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """An incident with everything that belongs to it, oldest first; open while ``closed_at`` is None."""

    id: int
    service_id: int
    service: str
    kind: str
    group: str
    opened_at: datetime
    confirmed_at: datetime
    closed_at: datetime | None
    worst: Status
    cause: str
    root: str  # what it needed and was down, where it was out of reach itself
    previous_id: int | None
    runbook: str
    timeline: Sequence[TimelineEntry]
    dependants: Sequence[Dependant]
    runs: Sequence[LinkedRun]
    logs: Sequence[LogLine]
    left_out: int = 0  # lines of the timeline after the first `HEAD`, where only a screenful was asked for
    unnamed: int = 0  # services out of reach beyond those in `dependants`


def window(opened_at: datetime, closed_at: datetime | None) -> tuple[datetime, datetime]:
    """From when to when runs and log lines belong to an incident."""
    until = opened_at + AFTER
    return opened_at - BEFORE, until if closed_at is None else min(until, closed_at + BEFORE)


def in_order(*lines: Iterable[TimelineEntry]) -> tuple[TimelineEntry, ...]:
    """Lines of several histories as one, oldest first; what happened at one moment keeps its order."""
    return tuple(sorted((entry for each in lines for entry in each), key=lambda entry: entry.at))


def markdown(report: IncidentReport, now: datetime) -> str:
    """A post-mortem to begin with: the facts are filled in, the lessons are not."""
    ended = "still open" if report.closed_at is None else _moment(report.closed_at)
    lasted = whole_duration(((report.closed_at or now) - report.opened_at).total_seconds())
    so_far = " so far" if report.closed_at is None else ""
    service = _inline(report.service)
    lines = [
        f"# Incident {report.id}: {service}",
        "",
        f"- Service: {service} ({_inline(report.kind)}{', ' + _inline(report.group) if report.group else ''})",
        f"- Began: {_moment(report.opened_at)}; confirmed {_moment(report.confirmed_at)}",
        f"- Ended: {ended}",
        f"- Lasted: {lasted}{so_far}",
        f"- Worst state: {report.worst.word}",
        f"- Seen: {_inline(report.cause)}",
    ]
    lines += [f"- Root cause: {_inline(report.root)} was down"] if report.root else []
    lines += [f"- Runbook: {_inline(report.runbook)}"] if report.runbook else []
    lines += [f"- The one before: incident {report.previous_id}"] if report.previous_id is not None else []
    lines += _section("Timeline", [_entry(entry) for entry in report.timeline])
    lines += _section(
        "Also out of reach",
        [
            f"- {_inline(each.name)}: from {_moment(each.began)}, for {whole_duration(each.lasted_s)}"
            for each in report.dependants
        ],
    )
    lines += _section("Runs of jobs", [_run(run) for run in report.runs])
    lines += _section(
        "Log",
        [
            f"- {_moment(line.at)} {_inline(line.node)} {_inline(line.channel)}: {_inline(line.text)}"
            for line in report.logs
        ],
    )
    for title in ("What went well", "What went wrong", "What we will change"):
        lines += ["", f"## {title}", "", "…"]
    return "\n".join(lines) + "\n"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []


def _entry(entry: TimelineEntry) -> str:
    by = "" if entry.actor in ("", "watchfloor") else f" by {_inline(entry.actor)}"
    words = f": {_inline(entry.text)}" if entry.text else ""
    return f"- {_moment(entry.at)} **{_inline(entry.kind.replace('_', ' '))}**{by}{words}"


def _run(run: LinkedRun) -> str:
    error = f": {_inline(run.error)}" if run.error else ""
    return f"- {_moment(run.started_at)} #{run.id} {_inline(run.job)} {run.state}{error}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def _inline(text: str) -> str:
    """Text from outside as words of one line, whatever it holds: never markup, never a link, never HTML."""
    return _SIGNS.sub(r"\\\1", one_line(clean(text), 500))
