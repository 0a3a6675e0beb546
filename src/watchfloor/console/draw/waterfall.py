"""The phases of a check as a waterfall: each begins where the one before ended."""

from __future__ import annotations

from collections.abc import Sequence

from watchfloor.console.format import latency
from watchfloor.console.line import Line

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def waterfall(phases: Sequence[tuple[str, float | None]], cells: int) -> list[Line]:
    """One line for each phase: its name, its place in the whole, its time in seconds; None: it was not reached."""
    total = sum(seconds or 0.0 for _, seconds in phases)
    names = max((len(name) for name, _ in phases), default=0)
    width = cells - names - 12
    if total <= 0 or width < 8:
        return [
            ((f"{name:<{names}}  ", "muted"), (f"{latency(time or None):>8}", "text"))
            for name, time in phases
        ]
    lines: list[Line] = []
    begin = 0.0
    for name, seconds in phases:
        block = (
            _block(begin / total * width, (begin + seconds) / total * width, width)
            if seconds
            else " " * width
        )
        lines.append(
            ((f"{name:<{names}}  ", "muted"), (block, "accent"), (f"{latency(seconds or None):>10}", "text"))
        )
        begin += seconds or 0.0
    return lines


def _block(begin: float, end: float, width: int) -> str:
    """A block from `begin` to `end` in a field of `width` cells; never invisible."""
    first = min(int(begin), width - 1)
    length = max(end - begin, 1 / 8)
    whole, rest = int(length), round((length - int(length)) * 8)
    if rest == 8:
        whole, rest = whole + 1, 0
    block = "█" * whole + (_EIGHTHS[rest] if rest else "")
    return (" " * first + block)[:width].ljust(width)
