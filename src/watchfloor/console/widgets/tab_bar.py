"""The top line of every screen: the five rooms, what is firing, and the time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, chain

from textual import events
from textual.message import Message

from watchfloor.console.format import clock
from watchfloor.console.glyphs import ALERT, SEVERITY, tally
from watchfloor.console.keys import key_of
from watchfloor.console.line import Line, Piece, bar, plain, says, width
from watchfloor.console.widgets.lines import Bar
from watchfloor.domain.boards import StatusLine
from watchfloor.domain.severity import Severity

ROOMS = ("health", "jobs", "alerts", "logs", "settings")


def _tab_lines(active: str, named: bool) -> list[Line]:
    """One line for each room; `named`: those that are not active have their names too."""
    lines: list[Line] = []
    for room in ROOMS:
        key = key_of(room)
        if room == active:
            lines.append(((f" {key} {room.title()} ", "tab"),))
        elif named:
            lines.append(((f" {key} ", "muted"), (f"{room.title()} ", "text")))
        else:
            lines.append(((f" {key} ", "muted"),))
    return lines


def tabs(active: str) -> Piece:
    """The rooms with their keys; on narrow screens only the active one has its name."""
    forms = tuple(tuple(chain.from_iterable(_tab_lines(active, named))) for named in (True, False))
    return Piece(forms, rank=5, stiff=True)


def tab_at(active: str, line: Line, cell: int) -> str | None:
    """The room whose tab is at `cell` of a line that begins with `tabs`; None where there is none."""
    for named in (True, False):
        lines = _tab_lines(active, named)
        if plain(line).startswith("".join(map(plain, lines))):
            ends = accumulate(map(width, lines))
            return next((room for room, end in zip(ROOMS, ends, strict=True) if cell < end), None)
    return None


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
    """Reads the application's status; redrawn when that or the minute changes. A click goes to a room."""

    class Chosen(Message):
        """The tab of a room was clicked."""

        def __init__(self, room: str) -> None:
            super().__init__()
            self.room = room

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

    def on_click(self, event: events.Click) -> None:
        room = tab_at(self._active(), self.content(self.size.width), event.x)
        if room is not None:
            self.post_message(self.Chosen(room))
