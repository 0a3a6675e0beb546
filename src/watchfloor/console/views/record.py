"""What the console says about one log record, and what was logged around it."""

from __future__ import annotations

from collections.abc import Sequence

from watchfloor.console.format import Moment, value
from watchfloor.console.glyphs import level
from watchfloor.console.line import Line, clean, clip, wrap
from watchfloor.console.views.sections import heading, pairs
from watchfloor.domain import text
from watchfloor.domain.boards import LogRow

MOST_LINES = 200


def record_lines(row: LogRow, around: Sequence[LogRow], moment: Moment, cells: int) -> list[Line]:
    """A record in full. Values of several lines, such as a traceback, keep their lines."""
    mark = level(row.severity)
    local = row.at.astimezone(moment.zone)
    lines: list[Line] = [
        (*mark.line, (f"  {local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}", "text")),
        ((clean(row.channel), "accent"), (" on ", "muted"), (clean(row.node), "text")),
        (),
        *wrap(row.message, cells, "text", limit=40),
    ]
    simple: list[tuple[str, Line]] = []
    long: list[tuple[str, str]] = []
    for name, thing in row.attributes.items():
        words = value(thing)
        if "\n" in words or len(words) > cells:
            long.append((name, words))
        else:
            simple.append((name, ((clean(words), "text"),)))
    if simple:
        lines += [*heading("ATTRIBUTES", cells), *pairs(simple, cells)]
    for name, words in long:
        lines += heading(clean(name).upper()[:40], cells)
        for part in text.clean(words, 20_000).split("\n")[:MOST_LINES]:
            lines.append(((clip(part.rstrip(), cells), "text"),))
    return [*lines, *heading("AROUND IT", cells), *(_neighbour(each, row, moment, cells) for each in around)]


def _neighbour(row: LogRow, here: LogRow, moment: Moment, cells: int) -> Line:
    mark = level(row.severity)
    at = f"{row.at.astimezone(moment.zone):%H:%M:%S}"
    this = (row.at, row.id) == (here.at, here.id)
    message = clip(clean(row.message), max(4, cells - 19))
    return (
        ("▌ " if this else "  ", "cursor"),
        (f"{at} ", "muted"),
        (f"{mark.glyph} {mark.word:<6}", mark.role),
        (message, "title" if this else "muted"),
    )
