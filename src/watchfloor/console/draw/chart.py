"""A chart of one quantity over time, drawn in braille: two columns and four rows of dots in each cell.

The area under the mean is filled, peaks stand above it as single dots, moments that failed are marked at the
foot with the glyph of the state, moments that nobody measured stay empty. Both axes carry figures with units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from rich.cells import cell_len

from watchfloor.console.glyphs import STATUS
from watchfloor.console.line import Line, Span
from watchfloor.domain.outcome import Status

# The dots of a braille cell from the foot up, left column and right column.
_LEFT = (0x40, 0x04, 0x02, 0x01)
_RIGHT = (0x80, 0x20, 0x10, 0x08)
_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement; `value` is None where nothing was measured."""

    at: datetime
    value: float | None
    status: Status = Status.OK


def ceiling(value: float) -> float:
    """The least round number that is not below `value`, for the top of an axis.

    >>> [ceiling(v) for v in (0.0, 0.183, 1.2, 97)]
    [1.0, 0.2, 1.5, 100.0]
    """
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    step = next((step for step in _STEPS if step * power >= value * (1 - 1e-9)), 10)
    return float(f"{step * power:.6g}")


def chart(
    samples: Sequence[Sample],
    cells: int,
    rows: int,
    label: Callable[[float], str],
    clock: Callable[[datetime], str],
) -> list[Line]:
    """A chart in `cells` columns and `rows` rows plus one for the time axis; empty if there is no room."""
    if len(samples) < 2 or cells < 24 or rows < 2:
        return []
    ordered = sorted(samples, key=lambda sample: sample.at)
    start, end = ordered[0].at, ordered[-1].at
    top = ceiling(max((s.value for s in ordered if s.value is not None), default=0.0))
    axis = max(cell_len(label(top)), cell_len(label(top / 2)), 1)
    width = cells - axis - 2
    columns = _columns(ordered, start, end, width * 2)
    lines = []
    for row in range(rows):
        value = {0: top, rows // 2: top / 2}.get(row) if rows > 3 else {0: top}.get(row)
        mark = "┤" if value is not None else "│"
        text = "" if value is None else label(value)
        lines.append(
            (
                (f"{text:>{axis}} ", "muted"),
                (mark, "border"),
                *_row(columns, width, top, rows, rows - 1 - row),
            )
        )
    return [*lines, *_time_axis(start, end, axis, width, clock)]


@dataclass(slots=True)
class _Column:
    value: float | None = None
    peak: float | None = None
    status: Status = Status.OK
    count: int = 0


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
            column.peak = max(column.peak or 0.0, sample.value)
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
    dots = _dots(left, _LEFT, top, rows, level) | _dots(right, _RIGHT, top, rows, level)
    role = "accent" if worst is Status.OK else mark.role
    return (chr(0x2800 + dots) if dots else " "), role


def _dots(column: _Column, bits: Sequence[int], top: float, rows: int, level: int) -> int:
    """The dots of one slice in one cell: filled up to its mean, one more at its peak."""
    if column.value is None:
        return 0
    height = _height(column.value, top, rows) - level * 4
    dots = sum(bits[: max(0, min(4, height))])
    peak = _height(column.peak or 0.0, top, rows) - 1 - level * 4
    return dots | bits[peak] if 0 <= peak < 4 else dots


def _height(value: float, top: float, rows: int) -> int:
    return max(1, round(min(value / top, 1.0) * rows * 4))


def _time_axis(
    start: datetime, end: datetime, axis: int, width: int, clock: Callable[[datetime], str]
) -> list[Line]:
    """The figures under the chart: begin, middle where there is room, end."""
    texts = [clock(start), clock(start + timedelta(seconds=(end - start).total_seconds() / 2)), clock(end)]
    room = width - sum(cell_len(text) for text in texts)
    if room < 4:
        texts = [texts[0], texts[2]]
        room = width - sum(cell_len(text) for text in texts)
    if room < 1:
        return []
    gaps = len(texts) - 1
    spans: list[Span] = [(" " * axis + " └", "border")]
    for index, text in enumerate(texts):
        spans.append((text, "muted"))
        if index < gaps:
            part = room // gaps + (room % gaps if index == gaps - 1 else 0)
            spans.append((" " * part, "muted"))
    return [tuple(spans)]
