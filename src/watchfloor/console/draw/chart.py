"""A chart of one quantity over time, drawn in braille: two columns and four rows of dots in each cell.

The area under the mean is filled, what lies between it and the 95th percentile is thinly dotted, peaks stand above as
single dots, moments that failed are marked at the foot with the glyph of the state, moments that nobody measured stay
empty. Both axes have ticks at round figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import groupby, pairwise

from rich.cells import cell_len

from watchfloor.console.glyphs import STATUS
from watchfloor.console.line import Line, Span
from watchfloor.domain.history import Sample
from watchfloor.domain.outcome import Status

# The dots of a braille cell from the foot up, left column and right column.
_LEFT = (0x40, 0x04, 0x02, 0x01)
_RIGHT = (0x80, 0x20, 0x10, 0x08)
_STEPS = (1, 2, 2.5, 5, 10)
_TIMES = tuple(
    timedelta(seconds=seconds)
    for seconds in (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
) + tuple(timedelta(days=days) for days in (1, 2, 5, 7, 14))


@dataclass(frozen=True, slots=True)
class Scale:
    """The upright axis: from 0 to `top` in steps of `step`, all of them round."""

    top: float
    step: float

    @property
    def ticks(self) -> list[float]:
        """The figures on the axis, from the foot up."""
        return [float(f"{self.step * n:.6g}") for n in range(round(self.top / self.step) + 1)]


def scale(value: float, ticks: int, limit: float | None = None) -> Scale:
    """The tightest scale of at most `ticks` round steps that holds `value`; `limit` is where the quantity ends.

    >>> scale(183, 4), scale(0.97, 2), scale(63, 4, limit=100)
    (Scale(top=200.0, step=50.0), Scale(top=1.0, step=0.5), Scale(top=100.0, step=25.0))
    """
    if limit is not None and value <= limit:
        value = limit
    if value <= 0 or not math.isfinite(value):
        value = 1.0
    power = 10.0 ** math.floor(math.log10(value / ticks))
    step = next(s * power for s in (*_STEPS, 20) if math.ceil(value / (s * power) - 1e-9) <= ticks)
    return Scale(float(f"{math.ceil(value / step - 1e-9) * step:.6g}"), float(f"{step:.6g}"))


def chart(
    samples: Sequence[Sample],
    begin: datetime,
    end: datetime,
    cells: int,
    rows: int,
    label: Callable[[float], str],
    zone: tzinfo | None,
    *,
    limit: float | None = None,
) -> list[Line]:
    """A chart of `cells` columns and `rows` rows, two of them for the axis of time; empty if there is no room.

    `label` writes a figure with its unit, `zone` is where the reader is, `limit` a top that all such charts share.
    """
    plot = rows - 2
    known = [s.value if s.peak is None else s.peak for s in samples if s.value is not None]
    if not known or cells < 24 or plot < 2 or begin >= end:
        return []
    axis = scale(max(known), max(1, plot // 2 if plot < 8 else plot // 3), limit)
    marks = _tick_rows(axis, plot, label)
    edge = max(map(cell_len, marks.values()))
    width = cells - edge - 2
    ordered = sorted((s for s in samples if begin <= s.at <= end), key=lambda sample: sample.at)
    columns = _columns(ordered, begin, end, width * 2)
    lines: list[Line] = []
    for row in range(plot):
        level = plot - 1 - row
        text = marks.get(level, "")
        lines.append(
            (
                (f"{text:>{edge}} ", "muted"),
                ("┤" if text else "│", "border"),
                *_row(columns, width, axis.top, plot, level),
            )
        )
    return [*lines, *_time_axis(begin, end, edge, width, zone)]


def _tick_rows(axis: Scale, rows: int, label: Callable[[float], str]) -> dict[int, str]:
    """Which figure stands beside which row, counted from the foot; each stands where its value is drawn."""
    marks = {}
    for value in axis.ticks[1:]:
        marks[min(rows - 1, max(0, math.ceil(value / axis.top * rows) - 1))] = label(value)
    return marks


@dataclass(slots=True)
class _Column:
    value: float | None = None
    peak: float | None = None
    status: Status = Status.OK
    count: int = 0
    band: float = 0.0  # the highest 95th percentile


def _columns(samples: Sequence[Sample], start: datetime, end: datetime, count: int) -> list[_Column]:
    """The samples in `count` equal slices of time; each keeps mean, highest value and worst status."""
    columns = [_Column() for _ in range(count)]
    length = max((end - start).total_seconds(), 1e-9)
    places = []
    for sample in samples:
        place = min(count - 1, int((sample.at - start).total_seconds() / length * count))
        places.append(place)
        column = columns[place]
        if sample.value is not None:
            column.count += 1
            column.value = (column.value or 0.0) + (sample.value - (column.value or 0.0)) / column.count
            peak = sample.value if sample.peak is None else sample.peak
            column.peak = peak if column.peak is None else max(column.peak, peak)
            column.band = max(column.band, sample.p95 or 0.0)
        if sample.status is Status.FAILING or column.status is Status.OK:
            column.status = sample.status
    _bridge(columns, places)
    return columns


def _bridge(columns: list[_Column], places: Sequence[int]) -> None:
    """Fill the slices between neighbouring samples, unless the gap is far longer than usual."""
    steps = sorted(b - a for a, b in pairwise(places))
    usual = max(1, steps[len(steps) // 2]) if steps else 1
    for here, there in pairwise(places):
        before, after = columns[here], columns[there]
        if there - here > usual * 3 or before.value is None:
            continue
        goal = before.value if after.value is None else after.value
        for place in range(here + 1, there):
            part = (place - here) / (there - here)
            columns[place] = _Column(before.value + (goal - before.value) * part, status=before.status)


def _row(columns: Sequence[_Column], width: int, top: float, rows: int, level: int) -> Line:
    """One row of cells; `level` counts from the foot."""
    cells = [_cell(columns[2 * i], columns[2 * i + 1], top, rows, level) for i in range(width)]
    return tuple(
        ("".join(text for text, _ in run), role) for role, run in groupby(cells, key=lambda cell: cell[1])
    )


def _cell(left: _Column, right: _Column, top: float, rows: int, level: int) -> Span:
    worst = max(
        left.status, right.status, key=(Status.OK, Status.UNKNOWN, Status.DEGRADED, Status.FAILING).index
    )
    mark = STATUS[worst]
    if level == 0 and worst in (Status.FAILING, Status.UNKNOWN):
        return mark.glyph, mark.role
    body = _dots(left, _LEFT, top, rows, level) | _dots(right, _RIGHT, top, rows, level)
    band = _band(left, _LEFT, 0, top, rows, level) | _band(right, _RIGHT, 1, top, rows, level)
    role = "accent" if worst is Status.OK else mark.role
    if band and not body:
        role = "muted"
    dots = body | band
    return (chr(0x2800 + dots) if dots else " "), role


def _dots(column: _Column, bits: Sequence[int], top: float, rows: int, level: int) -> int:
    """The dots of one slice in one cell: filled up to its mean, one more at its peak."""
    if column.value is None:
        return 0
    height = _height(column.value, top, rows) - level * 4
    dots = sum(bits[: max(0, min(4, height))])
    peak = _height(column.peak or 0.0, top, rows) - 1 - level * 4
    return dots | bits[peak] if 0 <= peak < 4 else dots


def _band(column: _Column, bits: Sequence[int], first: int, top: float, rows: int, level: int) -> int:
    """Every other dot between the mean and the 95th percentile; neighbours begin at different rows."""
    if column.value is None or column.band <= column.value:
        return 0
    low, high = (_height(value, top, rows) - level * 4 for value in (column.value, column.band))
    return sum(bits[row] for row in range(max(0, low), max(0, min(4, high))) if row % 2 == first)


def _height(value: float, top: float, rows: int) -> int:
    return max(1, round(min(max(value, 0.0) / top, 1.0) * rows * 4))


def _time_axis(begin: datetime, end: datetime, edge: int, width: int, zone: tzinfo | None) -> list[Line]:
    """Two lines under the chart: a rule with a mark at each round time, and those times."""
    step = next((step for step in _TIMES if (end - begin) / step * _room(step) <= width), _TIMES[-1])
    rule, text = ["─"] * width, [" "] * (width + edge + 2)
    free = 0
    for at in _round_times(begin, end, step, zone):
        place = min(width - 1, int((at - begin) / (end - begin) * width))
        rule[place] = "┴"
        words = _time(at, step)
        first = min(max(place + edge + 2 - len(words) // 2, free), len(text) - len(words))
        if first >= free and first >= 0:
            text[first : first + len(words)] = words
            free = first + len(words) + 2
    return [((" " * (edge + 1) + "└" + "".join(rule), "border"),), (("".join(text).rstrip(), "muted"),)]


def _room(step: timedelta) -> int:
    """The least cells from one time to the next."""
    return 12 if step < timedelta(minutes=1) else 10


def _time(at: datetime, step: timedelta) -> str:
    if step < timedelta(minutes=1):
        return f"{at:%H:%M:%S}"
    if step >= timedelta(days=1) or (at.hour, at.minute) == (0, 0):
        return f"{at.day} {at:%b}"
    return f"{at:%H:%M}"


def _round_times(begin: datetime, end: datetime, step: timedelta, zone: tzinfo | None) -> list[datetime]:
    """The moments in ``[begin, end]`` that are whole steps after the reader's midnight."""
    day = begin.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    first = math.ceil((begin - day) / step)
    return [day + step * n for n in range(first, int((end - day) / step) + 1)]
