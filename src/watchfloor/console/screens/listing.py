"""The habits of every list: moving, going to the next hit, error or warning, marking, sorting, choosing columns.

What is in the list, and which part of it is shown, is the business of `board`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Generic, TypeVar

from watchfloor.console.screens.columns import ColumnsDialog
from watchfloor.console.screens.room import Room
from watchfloor.console.widgets.table import Table

R = TypeVar("R")

STEP = 8
"""Cells that one key scrolls across."""


class Grade(IntEnum):
    """How bad a row is, for the keys that go from one bad row to the next."""

    FINE = 0
    WARNING = 1
    ERROR = 2


WORDS = {Grade.WARNING: "warning", Grade.ERROR: "error"}


class Listing(Room, Generic[R], inherit_bindings=False):
    """A screen with tables, one of them in use."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: Sequence[Table[R]] = self.make_tables()

    # For subclasses

    def make_tables(self) -> Sequence[Table[R]]:
        """The tables of this room, the first one on the screen."""
        raise NotImplementedError

    def grade(self, row: R) -> Grade:
        """How bad this row is."""
        raise NotImplementedError

    def is_hit(self, row: R) -> bool:
        """Whether `n` stops at this row."""
        raise NotImplementedError

    # The table in use

    @property
    def table(self) -> Table[R]:
        """The table on the screen."""
        return self.tables[0]

    @property
    def selected(self) -> R | None:
        """The row under the cursor."""
        return self.table.selected

    # Moving

    def do_move_down(self) -> None:
        self.table.move(1)

    def do_move_up(self) -> None:
        self.table.move(-1)

    def do_half_down(self) -> None:
        self.table.move(max(1, self.table.page // 2))

    def do_half_up(self) -> None:
        self.table.move(-max(1, self.table.page // 2))

    def do_page_down(self) -> None:
        self.table.move(self.table.page)

    def do_page_up(self) -> None:
        self.table.move(-self.table.page)

    def do_to_top(self) -> None:
        self.table.move_to(0)

    def do_to_bottom(self) -> None:
        self.table.move_to(len(self.table.rows.shown))

    def do_scroll_left(self) -> None:
        self.table.scroll_across(-STEP)

    def do_scroll_right(self) -> None:
        self.table.scroll_across(STEP)

    # From one to the next

    def do_next_hit(self) -> None:
        self._hit(1)

    def do_previous_hit(self) -> None:
        self._hit(-1)

    def do_next_error(self) -> None:
        self.seek(Grade.ERROR, 1)

    def do_previous_error(self) -> None:
        self.seek(Grade.ERROR, -1)

    def do_next_warning(self) -> None:
        self.seek(Grade.WARNING, 1)

    def do_previous_warning(self) -> None:
        self.seek(Grade.WARNING, -1)

    def seek(self, grade: Grade, direction: int) -> None:
        """Go to the next (1) or previous (-1) row of this grade, round the end."""
        if not self.go_to(lambda row: self.grade(row) is grade, direction):
            self.console_app.say(((f"no {WORDS[grade]} is shown", "muted"),))

    def _hit(self, direction: int) -> None:
        if not self.go_to(self.is_hit, direction):
            self.console_app.say((("no hit", "muted"),))

    def go_to(self, wanted: Callable[[R], bool], direction: int, *, around: bool = True) -> bool:
        """Put the cursor on the nearest wanted row in this direction; False where there is none."""
        rows = self.table.rows
        end, size = (len(rows.shown), len(rows.shown)) if direction > 0 else (-1, len(rows.shown))
        places = [*range(rows.place + direction, end, direction)]
        if around:
            places += [
                place % size for place in range(end, end + direction * (size - len(places)), direction)
            ]
        place = next((place for place in places if wanted(rows.shown[place])), None)
        if place is not None:
            self.table.move_to(place)
        return place is not None

    # Marks

    def do_mark(self) -> None:
        self.table.rows.mark()
        self.table.move(1)
        self._marks_changed()

    def do_mark_range(self) -> None:
        self.table.rows.mark_range()
        self._marks_changed()

    def do_clear_marks(self) -> None:
        self.table.rows.clear_marks()
        self._marks_changed()

    def _marks_changed(self) -> None:
        self.table.renew()
        self.renew_bars()

    # Sorting and columns

    def do_sort(self) -> None:
        self.table.sort_next()
        self.renew_bars()

    def do_reverse(self) -> None:
        if self.table.sorted_by is None:
            self.table.sort_next()
        title, reverse = self.table.sorted_by or (None, True)
        self.table.sort_by(title, reverse=not reverse)
        self.renew_bars()

    def do_columns(self) -> None:
        table: Table[Any] = self.table
        self.app.push_screen(ColumnsDialog(table))
