"""Building blocks of detail views: headings, pairs, tables of lines."""

from __future__ import annotations

from collections.abc import Sequence

from watchfloor.console.line import EMPTY, Line, Span, clean, clip, fit_line, join, width, wrap


def heading(title: str, cells: int, note: Line = EMPTY) -> list[Line]:
    """A blank line, the title, and at the right end of its line what there is to say at once."""
    room = max(0, cells - len(title) - 2)
    note = note if width(note) <= room else EMPTY
    gap = room - width(note)
    return [EMPTY, ((title, "header"), (" ", "text"), (" " * (gap + 1), "text"), *note)]


def column(words: Sequence[str]) -> list[str]:
    """The words right-aligned under one another, as wide as the widest needs."""
    size = max(map(len, words), default=0)
    return [f"{word:>{size}}" for word in words]


def folded(parts: Sequence[Line], cells: int) -> list[Line]:
    """The parts side by side, in as many lines as they need."""
    lines: list[Line] = []
    current: Line = EMPTY
    for part in parts:
        candidate = join([current, part])
        if current and width(candidate) > cells:
            lines.append(current)
            candidate = part
        current = candidate
    return [*lines, current]


def pairs(items: Sequence[tuple[str, Line]], cells: int, label: int = 0) -> list[Line]:
    """Names and values, the values aligned."""
    size = label or min(24, max((len(name) for name, _ in items), default=0))
    room = max(4, cells - size - 2)
    return [
        ((f"{clip(clean(name), size):<{size}}  ", "muted"), *fit_line(value, room)) for name, value in items
    ]


def paragraphs(items: Sequence[tuple[str, str]], cells: int) -> list[Line]:
    """Names with texts that may need several lines."""
    size = min(24, max((len(name) for name, _ in items), default=0))
    lines: list[Line] = []
    for name, text in items:
        for index, line in enumerate(wrap(text, max(8, cells - size - 2))):
            lead: Span = (f"{clip(clean(name), size) if index == 0 else '':<{size}}  ", "muted")
            lines.append((lead, *line))
    return lines
