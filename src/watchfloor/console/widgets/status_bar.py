"""The line above the footer: who watches, on which database, and for some seconds what just happened."""

from __future__ import annotations

from collections.abc import Callable

from watchfloor.console.format import silence
from watchfloor.console.line import Line, Piece, bar, clean, clip_line, says
from watchfloor.console.widgets.lines import Bar
from watchfloor.domain.boards import StatusLine
from watchfloor.domain.words import count


def engine(status: StatusLine | None) -> Piece:
    """Whether an engine is alive, and which."""
    if status is None:
        return Piece(((("◌ engine", "muted"),),), rank=8)
    if status.nodes_live == 0:
        since = silence(status)
        return Piece(
            (says(f"✘ no engine{since and ' for ' + since}", "failing"), says("✘ no engine", "failing")),
            rank=9,
        )
    name = clean(status.node)
    more = f" and {count(status.nodes_live - 1, 'more node')}" if status.nodes_live > 1 else ""
    return Piece(
        (
            (("● ", "ok"), ("engine ", "muted"), (name, "text"), (more, "muted")),
            (("● ", "ok"), (name, "text")),
            (("● engine", "ok"),),
        ),
        rank=8,
    )


def components(status: StatusLine | None) -> Piece:
    """Whether a loop inside an engine is in trouble; nothing where none is."""
    bad = status.components_bad if status else 0
    if not bad:
        return Piece((), rank=0)
    return Piece(
        (((f"▲ {count(bad, 'component')} in trouble", "degraded"),), ((f"▲ {bad}", "degraded"),)), rank=7
    )


def database(status: StatusLine | None, away: str | None) -> Piece:
    """Which database, and whether it answers."""
    name = clean(status.database) if status else ""
    if away is not None:
        return Piece(((("✘ database away", "failing"),),), rank=9)
    if not name:
        return Piece(((("◌ database", "muted"),),), rank=6)
    return Piece(
        (
            (("● ", "ok"), ("database ", "muted"), (name, "text")),
            (("● ", "ok"), (name, "text")),
            (("● database", "ok"),),
        ),
        rank=6,
    )


class StatusBar(Bar):
    """Engine, components and database at the left; at the right where the cursor is."""

    def __init__(self, position: Callable[[], str]) -> None:
        super().__init__()
        self._position = position

    def content(self, cells: int) -> Line:
        app = self.console_app
        inner = cells - 2
        if app.notice is not None:
            return ((" ", "text"), *clip_line(app.notice, inner))
        read_only = [Piece(((("read-only", "degraded"),),), rank=7)] if app.read_only else []
        place = self._position()
        where = [Piece((says(place, "muted"),), rank=3)] if place else []
        left = [engine(app.status), components(app.status), database(app.status, app.away), *read_only]
        return ((" ", "text"), *bar(left, where, inner, gap="   "), (" ", "text"))
