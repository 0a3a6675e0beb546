"""The Logs room: records newest first, live, narrowed by level, channel and words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar

from watchfloor.console.action import Scope
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment
from watchfloor.console.glyphs import level, tally
from watchfloor.console.keys import key_of
from watchfloor.console.line import Line, Piece, clean, says
from watchfloor.console.logbook import FIELDS, PAGE, Logbook, key, question
from watchfloor.console.screens.beside import BesideRoom
from watchfloor.console.screens.listing import Grade
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.views.record import record_lines
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import LogRow
from watchfloor.domain.words import count

LEVELS = (1, 9, 13, 17)
WARN, ERROR = 13, 17
OURS = "watchfloor."
"""What the names of our own channels begin with says nothing in a narrow column."""


def _time(row: LogRow, moment: Moment, cells: int) -> Line:
    local, today = row.at.astimezone(moment.zone), moment.now.astimezone(moment.zone)
    words = f"{local:%H:%M:%S}" if local.date() == today.date() else f"{local.day} {local:%b}"
    return ((words, "muted"),)


def _level(row: LogRow, moment: Moment, cells: int) -> Line:
    return level(row.severity).line


def _channel(row: LogRow, moment: Moment, cells: int) -> Line:
    return says(clean(row.channel).removeprefix(OURS), "muted")


def _message(row: LogRow, moment: Moment, cells: int) -> Line:
    quiet = row.severity < 9
    return ((clean(row.message), "muted" if quiet else "text"),)


COLUMNS: tuple[Column[LogRow], ...] = (
    Column("TIME", _time, 8),
    Column("LEVEL", _level, 7),
    Column("CHANNEL", _channel, 10, grow=1, limit=20, rank=2),
    Column("NODE", lambda row, *_: ((clean(row.node), "muted"),), 10, grow=1, limit=16, rank=4),
    Column("MESSAGE", _message, 44, grow=12),
)


class LogsRoom(BesideRoom[LogRow], inherit_bindings=False):
    """Follows what comes while the cursor is on the newest record."""

    ROOM: ClassVar[str] = "logs"
    NOUN: ClassVar[str] = "record"
    FOLLOWS: ClassVar[bool] = True
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.LIST, Scope.ACROSS, Scope.OPENS, Scope.LOGS)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"logs"})
    FIELDS: ClassVar[frozenset[str]] = FIELDS

    def __init__(self) -> None:
        super().__init__()
        self._book = Logbook()
        self._level = LEVELS[0]
        self._asked = question("", LEVELS[0])
        self._older_wanted = False

    def keep(self) -> dict[str, object]:
        return {**super().keep(), "level": self._level}

    def restore(self, kept: Mapping[str, object]) -> None:
        match kept.get("level"):
            case int(level) if level in LEVELS:
                self._level = level
        super().restore(kept)

    async def load(self) -> None:
        asked = question(self.filter_text, self._level)
        if asked != self._asked:
            self._book.clear()
            self._asked = asked
        reader = self.console_app.reader
        if self._older_wanted and self._book.rows:
            self._older_wanted = False
            self._book.older(await reader.logs(asked, self._book.last, PAGE))
        self._book.newest(await reader.logs(asked, None, PAGE))
        self.show_rows(self._book.rows)
        await self.load_beside()

    def columns(self) -> Sequence[Column[LogRow]]:
        return COLUMNS

    def key(self, row: LogRow) -> Hashable:
        return key(row)

    def fields(self, row: LogRow) -> Fields:
        return {
            "channel": row.channel.casefold(),
            "node": row.node.casefold(),
            "level": level(row.severity).word,
            "text": row.message.casefold(),
        }

    def is_fault(self, row: LogRow) -> bool:
        return row.severity >= WARN

    def grade(self, row: LogRow) -> Grade:
        return Grade.ERROR if row.severity >= ERROR else Grade.WARNING if row.severity >= WARN else Grade.FINE

    def empty(self) -> Line:
        return (("Nothing was logged yet.", "muted"),)

    def pieces(self) -> Sequence[Piece]:
        more = "" if self._book.complete else "+"
        total = count(len(self._book.rows), "record") + more
        pieces = [Piece((says(total, "title"),), 3)]
        if self._level > LEVELS[0]:
            pieces.append(
                Piece(
                    (((f"{key_of('level')} ", "key"), (f"{level(self._level).word} and above", "accent")),), 7
                )
            )
        for rank, (low, high) in ((6, (17, 25)), (5, (13, 17))):
            pieces += tally(sum(low <= row.severity < high for row in self._book.rows), level(low), rank)
        live = self.table.rows.following
        pieces.append(Piece((says("● live", "ok") if live else says("○ not following", "muted"),), 4))
        return pieces

    def selected_changed(self) -> None:
        super().selected_changed()
        rows = self.table.rows
        near_end = rows.place >= len(rows.shown) - 2 * self.table.page
        if near_end and not self._book.complete and not self._older_wanted and self._book.rows:
            self._older_wanted = True
            self.look_again()

    def _apply_filter(self) -> None:
        super()._apply_filter()
        self.look_again()

    def do_next_level(self) -> None:
        self._level = LEVELS[(LEVELS.index(self._level) + 1) % len(LEVELS)]
        self.look_again()

    def do_follow(self) -> None:
        self.do_to_top()

    def do_open(self) -> None:
        row = self.selected
        if row is not None:
            around = self._around(row)
            self.app.push_screen(
                TextRoom("logs", ("Logs", "record"), lambda m, cells: record_lines(row, around, m, cells))
            )

    def _around(self, row: LogRow) -> list[LogRow]:
        """The records before and after, as far as they are here."""
        place = next((i for i, each in enumerate(self._book.rows) if key(each) == key(row)), 0)
        return self._book.rows[max(0, place - 6) : place + 7]

    async def read_beside(self) -> None:
        """A row holds all there is about a record."""

    def beside(self) -> Maker:
        row, moment = self.selected, self.console_app.moment
        return lambda cells: [] if row is None else record_lines(row, self._around(row), moment, cells)
