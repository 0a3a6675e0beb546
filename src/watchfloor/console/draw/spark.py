"""Lines of bars one cell high: the latest checks of a service, and the course of any quantity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from watchfloor.console.glyphs import FAILED_CHECK, STATUS
from watchfloor.console.line import Line, Span
from watchfloor.domain.history import Sample
from watchfloor.domain.outcome import Status
from watchfloor.domain.spark import decode

BARS = "▁▂▃▄▅▆▇"
HEADROOM = 2.4  # an even line of latencies stands low, so that what rises is seen


def spark(recent: bytes, cells: int) -> Line:
    """The last `cells` results; failed ones have a shape of their own, so that no colour is needed."""
    samples = [decode(byte) for byte in recent[-cells:]]
    values = sorted(latency for status, latency in samples if latency is not None)
    top = max(values[-1], values[len(values) // 2] * HEADROOM) if values else 1.0
    drawn = [_cell(status, latency, top) for status, latency in samples]
    blank: list[Span] = [(" " * (cells - len(drawn)), "muted")] if len(drawn) < cells else []
    return (*blank, *_runs(drawn))


def trend(samples: Sequence[Sample], begin: datetime, end: datetime, cells: int) -> Line:
    """The means of `samples` in `cells` equal parts of ``[begin, end]``, from 0 up; blanks where none is."""
    parts: list[list[float]] = [[] for _ in range(cells)]
    for sample in samples:
        if sample.value is not None and begin <= sample.at <= end:
            parts[min(cells - 1, int((sample.at - begin) / (end - begin) * cells))].append(sample.value)
    means = [sum(part) / len(part) if part else None for part in parts]
    top = max((mean for mean in means if mean is not None), default=0.0)
    drawn = "".join(" " if mean is None else _bar(mean, top) for mean in means)
    return ((drawn, "accent"),)


def _bar(value: float, top: float) -> str:
    part = value / top if top > 0 else 0.0
    return BARS[max(0, min(len(BARS) - 1, int(part * len(BARS))))]


def _cell(status: Status | None, latency: float | None, top: float) -> Span:
    if status is None:
        return " ", "muted"
    if status is Status.FAILING:
        return FAILED_CHECK, "failing"
    if status is Status.UNKNOWN:
        return "?", "unknown"
    part = 0.0 if latency is None or top <= 0 else min(latency / top, 1.0)
    role = "muted" if status is Status.OK else STATUS[status].role
    return BARS[min(len(BARS) - 1, int(part * len(BARS)))], role


def _runs(cells: Sequence[Span]) -> Line:
    return tuple(("".join(text for text, _ in run), role) for role, run in groupby(cells, key=lambda c: c[1]))
