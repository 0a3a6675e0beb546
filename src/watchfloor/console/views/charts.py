"""What was measured of a service over time: charts, and for each quantity one line of words and a trend."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchfloor.console.draw.chart import chart
from watchfloor.console.draw.spark import trend
from watchfloor.console.draw.waterfall import waterfall
from watchfloor.console.format import NOTHING, Moment, amount, latency, number
from watchfloor.console.line import EMPTY, Line, beside, clean, clip, width
from watchfloor.console.views.sections import heading
from watchfloor.domain.boards import ResultPoint
from watchfloor.domain.history import RANGES, Course, Figures, Grain, History
from watchfloor.domain.outcome import PHASES

Label = Callable[[float], str]

TALL, LOW = 12, 8
"""Rows of the large charts where there is room, and where there is not."""
PAIR = 84
"""From so many cells on, charts of a host stand in pairs."""
CHARTED = (
    ("CPU", "cpu_percent"),
    ("MEMORY", "memory_used_percent"),
    ("DISK", "disk_used_percent"),
    ("DISK READ", "disk_read_bytes_per_second"),
    ("DISK WRITTEN", "disk_written_bytes_per_second"),
    ("NETWORK IN", "network_received_bytes_per_second"),
    ("NETWORK OUT", "network_sent_bytes_per_second"),
)
"""The metrics that get a chart; of several series of one name, such as disks, the one that matters most."""


def unit(name: str) -> Label:
    """How figures of this metric are written, by the unit in its name."""
    bare = name.partition("{")[0]
    for ending, label in (
        ("_percent", lambda value: f"{number(round(value, 1))} %"),
        ("_bytes_per_second", lambda value: amount(value, "B/s")),
        ("_bytes", lambda value: amount(value, "B")),
        ("_ms", lambda value: latency(value / 1000)),
        ("_seconds", latency),
    ):
        if bare.endswith(ending):
            return label
    return lambda value: number(value) if abs(value) < 10_000 else amount(value, "")


_GRAINS = {Grain.MINUTE: " by the minute", Grain.HOUR: " by the hour", Grain.DAY: " by the day"}


def range_name(history: History) -> str:
    """The name of the stretch of time that is shown."""
    length = history.end - history.start
    return min(RANGES, key=lambda name: abs(RANGES[name] - length))


_KEPT = (
    ("min", "avg", "p50", "p95", "p99", "max"),
    ("min", "avg", "p95", "p99", "max"),
    ("min", "avg", "p95", "max"),
    ("avg", "p95", "max"),
    ("p95", "max"),
    ("p95",),
)
"""Which figures are shown, the more the better, the telling ones last."""


def _words(figures: Figures, label: Label, cells: int) -> Line:
    """Least, mean, 95th percentile and most, as many as fit, the telling ones first."""
    named = {
        name: figure
        for name, figure in (
            ("min", figures.least),
            ("avg", figures.mean),
            ("p50", figures.p50),
            ("p95", figures.p95),
            ("p99", figures.p99),
            ("max", figures.most),
        )
        if figure is not None
    }
    for kept in _KEPT:
        line: Line = tuple(
            span
            for name, figure in named.items()
            if name in kept
            for span in ((f"  {name} ", "muted"), (label(figure), "text"))
        )
        if width(line) <= cells:
            return line
    return EMPTY


def _chart(
    title: str,
    course: Course,
    history: History,
    moment: Moment,
    cells: int,
    label: Label,
    rows: int,
    limit: float | None,
) -> list[Line]:
    if course.figures is None:
        return []
    name = f"{title} · {range_name(history)}{_GRAINS.get(history.grain, '')}"
    if len(name) > cells // 2:
        name = f"{title} · {range_name(history)}"
    note = _words(course.figures, label, cells - len(name) - 2)
    return [
        *heading(name, cells, note),
        *chart(course.samples, history.start, history.end, cells, rows, label, moment.zone, limit=limit),
    ]


def latency_lines(history: History, moment: Moment, cells: int) -> list[Line]:
    """The latency over time."""
    rows = LOW if cells < 90 else TALL
    return _chart("LATENCY", history.latency, history, moment, cells, latency, rows, None)


def phase_lines(history: History, results: Sequence[ResultPoint], cells: int) -> list[Line]:
    """The phases of the newest check as a waterfall, and how each of them went over time."""
    newest = next((result for result in results if any(result.phases)), None)
    lines: list[Line] = []
    if newest is not None:
        phases = [(name.replace("_", " "), time) for name, time in zip(PHASES, newest.phases, strict=False)]
        total: Line = (("in all ", "muted"), (latency(sum(time or 0.0 for time in newest.phases)), "text"))
        lines += [*heading("PHASES OF THE LATEST CHECK", cells, total), *waterfall(phases, cells)]
    rows = [
        _Row(name.replace("_", " "), course, latency)
        for name, course in history.phases.items()
        if course.figures is not None and course.figures.mean > 0  # checks of this kind have no other
    ]
    if rows:
        known = any(row.course.figures is not None and row.course.figures.most is not None for row in rows)
        means = f"only averages, by the {'day' if history.grain is Grain.DAY else 'hour'}"
        note: Line = EMPTY if known else ((means, "muted"),)
        lines += [*heading(f"PHASES · {range_name(history)}", cells, note), *_table(rows, history, cells)]
    return lines


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    course: Course
    label: Label


def _table(rows: Sequence[_Row], history: History, cells: int) -> list[Line]:
    """For each quantity its name, its trend and its figures; figures go before names and trends are cut.

    What is known of none of them has no column.
    """
    names = min(max((len(row.name) for row in rows), default=0), max(12, cells // 3))
    heads = ("min", "avg", "p95", "max")
    table = []
    for row in rows:
        figures = row.course.figures
        values = () if figures is None else (figures.least, figures.mean, figures.p95, figures.most)
        table.append([NOTHING if value is None else row.label(value) for value in values] or [NOTHING] * 4)
    sizes = [max(len(head), *(len(line[n]) for line in table)) for n, head in enumerate(heads)]
    unknown = [all(line[n] == NOTHING for line in table) for n in range(4)]
    kept = [n for n in range(4) if not unknown[n]] or [1]
    while len(kept) > 1 and names + sum(sizes[n] + 2 for n in kept) + 12 > cells:
        kept.pop(0)
    room = cells - names - 2 - sum(sizes[n] + 2 for n in kept)
    head = "".join(f"  {heads[n]:>{sizes[n]}}" for n in kept)
    lines: list[Line] = [((" " * (names + 2 + max(0, room)) + head, "muted"),)]
    for row, words in zip(rows, table, strict=True):
        figures_line = "".join(f"  {words[n]:>{sizes[n]}}" for n in kept)
        drawn = (
            trend(row.course.samples, history.start, history.end, room)
            if room >= 4
            else ((" " * max(0, room), "muted"),)
        )
        lines.append(((f"{clip(row.name, names):<{names}}  ", "muted"), *drawn, (figures_line, "text")))
    return lines


def metric_lines(history: History, cells: int) -> list[Line]:
    """Every metric in one line."""
    rows = [_Row(_plain_name(name), course, unit(name)) for name, course in sorted(history.metrics.items())]
    if not rows:
        return []
    return [*heading(f"METRICS · {range_name(history)}", cells), *_table(rows, history, cells)]


def course_lines(
    courses: Sequence[tuple[str, Course, Label, float | None]],
    start: datetime,
    end: datetime,
    moment: Moment,
    cells: int,
) -> list[Line]:
    """Charts of several quantities over the same time, in pairs where there is room.

    Of each its title, how it went, how its figures are written, and where it ends.
    """
    history = History(start, end, Course(), {}, {})
    one = cells < PAIR
    size = cells if one else (cells - 4) // 2
    charts = [
        _chart(title, course, history, moment, size, label, LOW, limit)
        for title, course, label, limit in courses
    ]
    return _in_pairs([each for each in charts if each], size, one)


def _in_pairs(charts: Sequence[list[Line]], size: int, one: bool) -> list[Line]:
    if one:
        return [line for each in charts for line in each]
    lines: list[Line] = []
    for place in range(0, len(charts), 2):
        lines += beside(charts[place], charts[place + 1] if place + 1 < len(charts) else [], size, 4)
    return lines


def host_lines(history: History, moment: Moment, cells: int) -> list[Line]:
    """Charts of what is known of a machine: processors, memory, disks, network."""
    found = []
    for title, name in CHARTED:
        series = _worst(history.metrics, name)
        if series is not None:
            found.append(
                (
                    title + _which(series),
                    history.metrics[series],
                    unit(name),
                    100.0 if "percent" in name else None,
                )
            )
    one = cells < PAIR
    size = cells if one else (cells - 4) // 2
    charts = [
        _chart(clip(title, size // 2), course, history, moment, size, label, LOW, limit)
        for title, course, label, limit in found
    ]
    return _in_pairs(charts, size, one)


def _worst(metrics: Mapping[str, Course], name: str) -> str | None:
    """The series of this metric with the highest mean: the fullest disk, the busiest line."""
    series = [key for key in metrics if key.partition("{")[0] == name]
    return max(series, key=lambda key: _mean(metrics[key]), default=None)


def _mean(course: Course) -> float:
    return course.figures.mean if course.figures is not None else -math.inf


def _plain_name(series: str) -> str:
    """A series in words; the unit in its name goes, because it stands beside every figure."""
    bare = series.partition("{")[0].removesuffix("_percent").removesuffix("_bytes_per_second")
    return clean(bare).replace("_", " ") + _which(series)


def _which(series: str) -> str:
    """Which disk or line it is, from ``name{mount=/}``."""
    label = series.partition("{")[2].rstrip("}").partition("=")[2]
    return f" {clean(label)}" if label else ""
