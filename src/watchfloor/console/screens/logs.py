"""The Logs room: records newest first, live, narrowed by level, channel and words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import ClassVar

from watchfloor.console.action import Scope
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment, clock
from watchfloor.console.glyphs import level, tally
from watchfloor.console.keys import key_of
from watchfloor.console.line import Line, Piece, clean, says
from watchfloor.console.logbook import BEGINNING, FIELDS, PAGE, Key, Logbook, key, question
from watchfloor.console.screens.beside import BesideRoom
from watchfloor.console.screens.listing import WORDS, Grade
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.views.record import record_lines
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import LogRow
from watchfloor.domain.words import count
from watchfloor.store.logs import LogFilter

LEVELS = (1, 9, 13, 17)
WARN, ERROR = 13, 17
SEVERITIES = {Grade.WARNING: (WARN, ERROR), Grade.ERROR: (ERROR, 25)}
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


class Go(Enum):
    """Pages that are not held and that somebody wants to see."""

    OLDER = "the page below"
    NEWER = "the page above"
    OLDEST = "the last page"
    NEWEST = "the first page"


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
        self._asked = self._question
        self._go: Go | None = None
        self._sought: tuple[Grade, int] | None = None

    def keep(self) -> dict[str, object]:
        return {**super().keep(), "level": self._level}

    def restore(self, kept: Mapping[str, object]) -> None:
        match kept.get("level"):
            case int(level) if level in LEVELS:
                self._level = level
        super().restore(kept)

    @property
    def _question(self) -> LogFilter:
        return question(self.filter_text, max(self._level, WARN if self.faults_only else LEVELS[0]))

    async def load(self) -> None:
        edge = await self._turn()
        if self._book.at_newest:
            page = await self.console_app.reader.logs(self._asked, None, PAGE)
            if self.held:
                self._missed = self.missed(page)
            else:
                self._book.newest(page)
        self.table.rows.newest_held = self._book.at_newest
        self.show_rows(self._book.rows)
        if edge is not None:
            self.table.move_to(0 if edge is Go.NEWEST else len(self.table.rows.shown))
        await self.load_beside()

    def missed(self, rows: Sequence[LogRow]) -> int:
        first = self._book.first
        return sum(first is None or key(row) > first for row in rows)

    async def _turn(self) -> Go | None:
        """Read the pages that somebody moved to; the end of the list, if that is where the cursor goes."""
        reader, book, row = self.console_app.reader, self._book, self.selected
        go, self._go = self._go, None
        if self._asked != self._question:
            self._asked = self._question
            if row is None or self.table.rows.following:
                await self._open_newest()
            else:
                await self._open_at(key(row))
        elif self._sought is not None and row is not None:
            await self._find(*self._sought, key(row))
        elif go is Go.OLDEST:
            page = await reader.logs(self._asked, None, PAGE, after=BEGINNING)
            book.open(page, at_newest=len(page) < PAGE, at_oldest=True)
            return go
        elif go is Go.NEWEST:
            await self._open_newest()
            return go
        elif go is Go.OLDER and book.last:
            book.older(await reader.logs(self._asked, book.last, PAGE))
        elif go is Go.NEWER and book.first:
            book.newer(await reader.logs(self._asked, None, PAGE, after=book.first))
        return None

    async def _open_newest(self) -> None:
        page = await self.console_app.reader.logs(self._asked, None, PAGE)
        self._book.open(page, at_newest=True, at_oldest=len(page) < PAGE)

    async def _open_at(self, place: Key) -> None:
        """Hold the records on both sides of a key."""
        reader = self.console_app.reader
        older = await reader.logs(self._asked, (place[0], place[1] + 1), PAGE)
        newer = await reader.logs(self._asked, None, PAGE, after=place)
        self._book.open([*newer, *older], at_newest=len(newer) < PAGE, at_oldest=len(older) < PAGE)

    async def _find(self, grade: Grade, direction: int, start: Key) -> None:
        """Go to the nearest record of this grade beyond those that are held."""
        self._sought = None
        low, high = SEVERITIES[grade]
        wanted = replace(self._asked, severity=max(low, self._asked.severity), below=high)
        reader = self.console_app.reader
        ahead = {"before": start} if direction > 0 else {"before": None, "after": start}
        found = await reader.logs(wanted, ahead["before"], 1, after=ahead.get("after"))
        if not found:
            self.console_app.say(((f"no {WORDS[grade]} {'before' if direction > 0 else 'after'}", "muted"),))
            return
        await self._open_at(key(found[0]))
        self.table.rows.newest_held = self._book.at_newest
        self.show_rows(self._book.rows)
        self.table.select(key(found[0]))

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
        more = "" if self._book.whole else "+"
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

    def position(self) -> str:
        """Where the cursor is; of a window on many records the time says more than a number."""
        row, moment = self.selected, self.console_app.moment
        if self._book.whole or row is None:
            return super().position()
        return f"at {clock(row.at, moment.now, moment.zone)}"

    def selected_changed(self) -> None:
        super().selected_changed()
        rows, margin = self.table.rows, 2 * self.table.page
        if rows.place >= len(rows.shown) - margin and not self._book.at_oldest:
            self._turn_to(Go.OLDER)
        elif rows.place < margin and not self._book.at_newest:
            self._turn_to(Go.NEWER)

    def _turn_to(self, go: Go) -> None:
        if self._go is None and self._book.rows:
            self._go = go
            self.look_again()

    def _apply_filter(self) -> None:
        super()._apply_filter()
        self.look_again()

    def do_next_level(self) -> None:
        self._level = LEVELS[(LEVELS.index(self._level) + 1) % len(LEVELS)]
        self.look_again()

    def do_follow(self) -> None:
        if self.held:
            self.do_hold()
        self.do_to_top()

    def do_to_top(self) -> None:
        if self._book.at_newest:
            super().do_to_top()
        else:
            self._jump(Go.NEWEST)

    def do_to_bottom(self) -> None:
        if self._book.at_oldest:
            super().do_to_bottom()
        else:
            self._jump(Go.OLDEST)

    def _jump(self, edge: Go) -> None:
        self._go = edge
        self.look_again()

    def seek(self, grade: Grade, direction: int) -> None:
        if not self.go_to(lambda row: self.grade(row) is grade, direction, around=False):
            self._sought = (grade, direction)
            self.look_again()

    def do_open(self) -> None:
        row = self.selected
        if row is not None:
            around = self._around(row)
            self.app.push_screen(
                TextRoom("logs", "record", lambda m, cells: record_lines(row, around, m, cells))
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
