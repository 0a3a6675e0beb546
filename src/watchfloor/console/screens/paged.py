"""A list that goes on below: the next page is read while the cursor nears the end, or a filter finds little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from watchfloor.console.book import MOST, PAGE, Book
from watchfloor.console.line import Piece, says
from watchfloor.console.screens.beside import BesideRoom
from watchfloor.domain.words import count

AT_ONCE = 5
"""Pages read at a time while a filter looks for more; keys are answered in between."""


class PagedRoom(BesideRoom[Any], inherit_bindings=False):
    """Subclasses say which list is on the screen."""

    @property
    def book(self) -> Book[Any] | None:
        """The rows on the screen; None where the table holds all there are."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self._to_end = False

    async def load(self) -> None:
        await super().load()
        if self._to_end:
            self._to_end = False
            self.table.move_to(len(self.table.rows.shown))
        self._look_further()

    def do_to_bottom(self) -> None:
        """Go to the oldest row that can be held; what is between is read first."""
        if self.book is not None and self.book.want(MOST // PAGE):
            self._to_end = True
            self.look_again()
        else:
            super().do_to_bottom()

    def selected_changed(self) -> None:
        super().selected_changed()
        book, rows = self.book, self.table.rows
        if book is not None and rows.place >= len(rows.shown) - 2 * self.table.page and book.want():
            self.look_again()

    def _filtered(self) -> None:
        super()._filtered()
        self._look_further()

    def _look_further(self) -> None:
        """Where a filter leaves less than a screenful, look for more below."""
        book, narrowed = self.book, bool(self.filter_text) or self.faults_only
        if book is None or self.held or not narrowed or self.table.rows.matching >= self.table.page:
            return
        if book.want(AT_ONCE):
            self.look_again()

    def further(self) -> Sequence[Piece]:
        """Says that there are more rows than are held, where that matters."""
        book = self.book
        if book is None or book.at_oldest or not book.rows:
            return []
        words = f"the latest {count(MOST, self.noun())}" if book.is_full else "more below"
        return [Piece((says(words, "muted"),), 2)]
