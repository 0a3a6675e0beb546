# ruff: noqa: RUF002
"""The way from a room to what is on the screen: room › section › thing › detail.

Where room is short the middle gives way first: one must see where one began and where one is. It must never know
screens or widgets.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchfloor.console.glyphs import CRUMB
from watchfloor.console.line import Line, cut, width

NAME = 16
"""Cells of a name on the way where the way as a whole is too long."""
HEADING = 44
"""Cells of what is on the screen itself where nothing else is left to shorten: a state fits beside it at 60 columns."""


def crumbs(way: Sequence[str], heading: Line) -> tuple[Line, ...]:
    """The way and where it leads to, in forms from the longest to the shortest, each one once.

    >>> from watchfloor.console.line import plain
    >>> for form in crumbs(("Jobs", "runs", "reports #17"), (("log", "title"),)):
    ...     print(plain(form))
    Jobs › runs › reports #17 › log
    Jobs › … › reports #17 › log
    Jobs › … › log
    log
    """
    short = [_middle(name, NAME) for name in way]
    forms = [_line(way, heading), _line(short, heading)]
    forms += [_line([short[0], "…", *short[left:]], heading) for left in range(2, len(short) + 1)]
    forms += [heading, shortened(heading, HEADING)]
    once: list[Line] = []
    for form in forms:
        if form and (not once or width(form) < width(once[-1])):
            once.append(form)
    return tuple(once)


def shortened(line: Line, cells: int) -> Line:
    """`line` in at most `cells` cells; what does not fit is left out in the middle."""
    size = width(line)
    if size <= cells:
        return line
    if cells < 1:
        return ()
    tail = (cells - 1) // 2
    head = cut(line, 0, cells - 1 - tail)
    return (*head, ("…", head[-1][1] if head else "muted"), *cut(line, size - tail, tail))


def _middle(name: str, cells: int) -> str:
    return "".join(text for text, _ in shortened(((name, "muted"),), cells))


def _line(way: Sequence[str], heading: Line) -> Line:
    lead = tuple(span for name in way for span in ((f"{name} ", "muted"), (f"{CRUMB} ", "muted")))
    return (*lead, *heading)
