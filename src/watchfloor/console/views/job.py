"""A job in a few lines: when it runs, how it does, whose it is. Pure."""

from __future__ import annotations

from watchfloor.console.draw.spark import BARS
from watchfloor.console.format import Moment, clock, latency
from watchfloor.console.line import Line, Span, clean, says, wrap
from watchfloor.console.views.jobs import duration, job_mark, next_fire, streak
from watchfloor.console.views.sections import heading, pairs
from watchfloor.domain.job_boards import JobDay, JobRow, day_in_words


def job_lines(row: JobRow, moment: Moment, cells: int, day: JobDay | None = None) -> list[Line]:
    """What is to be known of a job at a glance; of ``day`` where it was read."""
    usual: Line = ((latency(row.median), "text"), ("   latest ", "muted"), *duration(row))
    items: list[tuple[str, Line]] = [
        ("state", (*job_mark(row).line, *_standing(row))),
        ("next fire", next_fire(row, moment)),
        ("schedule", ((clean("; ".join(row.schedules) or "on request"), "text"),)),
        ("latest", streak(row.recent, 20)),
        ("usually", usual),
        ("owner", _owner(row)),
        ("queue", ((clean(row.queue), "text"), (f"   {row.kind}", "muted"))),
        (
            "defined in",
            ((clean(row.origin if row.owner == "file" else "the console"), "text"), *_changed(row)),
        ),
    ]
    lines = pairs(items, cells)
    if row.took:
        lines.append((("durations   ", "muted"), (_bars(row.took, max(4, cells - 14)), "accent")))
    if day is not None:
        lines += _last_day(day, cells)
    if row.broken:
        lines += wrap(f"▲ {row.broken}", cells, "degraded", limit=2)
    if row.last_state == "dead" and row.last_error:
        ended = clock(row.last_at, moment.now, moment.zone)
        lines += [
            *heading("LATEST FAILURE", cells),
            *wrap(f"{ended}  {row.last_error}", cells, "failing", limit=3),
        ]
    if row.description:
        lines += [*heading("WHAT IT IS", cells), *wrap(row.description, cells, "text", limit=6)]
    return lines


def _last_day(day: JobDay, cells: int) -> list[Line]:
    items: list[tuple[str, Line]] = []
    if day.took_p50 is not None:
        items.append(("took", says(f"p50 {latency(day.took_p50)}   p95 {latency(day.took_p95)}", "text")))
    if day.late_p50 is not None:
        items.append(
            ("began late", says(f"p50 {latency(day.late_p50)}   p99 {latency(day.late_p99)}", "text"))
        )
    return [
        *heading("LAST DAY", cells),
        *wrap(day_in_words(day), cells, "failing" if day.dead else "text", limit=2),
        *pairs(items, cells),
    ]


def _standing(row: JobRow) -> Line:
    words = [f"{row.running} running"] if row.running else []
    words += [f"{row.waiting} waiting"] if row.waiting else []
    return (("   " + ", ".join(words), "muted"),) if words else ()


def _owner(row: JobRow) -> Line:
    spans: list[Span] = [(clean(row.belongs_to) or "nobody", "text" if row.belongs_to else "muted")]
    if row.role:
        spans.append((f"   role {clean(row.role)}", "muted"))
    if row.contact:
        spans.append((f"   contact {clean(row.contact)}", "muted"))
    return tuple(spans)


def _changed(row: JobRow) -> Line:
    return ((f"   by {clean(row.changed_by)}", "muted"),) if row.changed_by else ()


def _bars(values: tuple[float, ...], cells: int) -> str:
    shown = values[-cells:]
    top = max(shown) or 1.0
    return "".join(BARS[min(len(BARS) - 1, int(value / top * (len(BARS) - 0.01)))] for value in shown)
