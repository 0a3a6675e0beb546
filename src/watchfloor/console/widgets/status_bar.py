"""The line above the footer: who watches, on which database, and for some seconds what just happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from watchfloor.console.format import silence
from watchfloor.console.keys import key_of
from watchfloor.console.line import EMPTY, Line, Piece, bar, clean, clip_line, says
from watchfloor.console.widgets.lines import Bar
from watchfloor.domain.boards import StatusLine
from watchfloor.domain.words import count

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp


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


def bars(app: WatchfloorApp) -> Line:
    """What bars changes from here altogether, as one word."""
    if app.locked:
        return says("locked", "caution")
    return says("read-only", "degraded") if app.read_only else EMPTY


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
        word = bars(app)
        unlocks: Line = (*word, (f"  {key_of('lock')}", "key"), (" unlock", "muted")) if app.locked else word
        barred = [Piece((unlocks, word), rank=9)] if word else []
        is_slow = app.outlet is not None and app.outlet.is_slow
        slow = (
            [Piece((says("▲ slow link", "degraded"), says("▲ slow", "degraded")), rank=7)] if is_slow else []
        )
        place = self._position()
        where = [Piece((says(place, "muted"),), rank=3)] if place else []
        left = [engine(app.status), components(app.status), database(app.status, app.away), *barred, *slow]
        return ((" ", "text"), *bar(left, where, inner, gap="   "), (" ", "text"))
