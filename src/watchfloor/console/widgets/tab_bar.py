"""The top line of every screen: the five rooms, what is firing, and the time."""

from __future__ import annotations

from collections.abc import Callable

from watchfloor.console.format import clock
from watchfloor.console.glyphs import ALERT, SEVERITY, tally
from watchfloor.console.keys import key_of
from watchfloor.console.line import Line, Piece, Span, bar, says
from watchfloor.console.widgets.lines import Bar
from watchfloor.domain.boards import StatusLine
from watchfloor.domain.severity import Severity

ROOMS = ("health", "jobs", "alerts", "logs", "settings")


def tabs(active: str) -> Piece:
    """The rooms with their keys; on narrow screens only the active one has its name."""

    def form(named: bool, gap: str) -> Line:
        spans: list[Span] = []
        for room in ROOMS:
            key = key_of(room)
            if room == active:
                spans.append((f" {key} {room.title()} ", "tab"))
            elif named:
                spans += [(f"{gap}{key} ", "muted"), (f"{room.title()}{gap}", "text")]
            else:
                spans.append((f" {key} ", "muted"))
        return tuple(spans)

    return Piece((form(True, " "), form(False, " ")), rank=5, stiff=True)


def firing(status: StatusLine | None) -> list[Piece]:
    """One piece for each severity that is firing, the gravest first."""
    if status is None:
        return []
    pieces = []
    for severity in sorted(Severity, reverse=True):
        pieces += tally(status.firing.get(severity.word, 0), SEVERITY[severity], rank=6 + severity)
    if not pieces:
        pieces.append(
            Piece((says("nothing is firing" if status.nodes_live else "nobody is watching", "muted"),), 1)
        )
    return [*pieces, *tally(status.acknowledged, ALERT["acknowledged"], rank=2)]


class TabBar(Bar):
    """Reads the application's status; redrawn when that or the minute changes."""

    def __init__(self, active: Callable[[], str]) -> None:
        super().__init__()
        self._active = active

    def content(self, cells: int) -> Line:
        app = self.console_app
        moment = app.present
        local = moment.now.astimezone(moment.zone)
        time = clock(moment.now, moment.now, moment.zone, seconds=False)
        when = Piece(
            (((f"{local:%a} {local.day} {local:%b}  ", "muted"), (time, "text")), ((time, "text"),)), rank=4
        )
        line = bar([tabs(self._active())], [*firing(app.status), when], cells - 1)
        return (*line, (" ", "text"))
