"""What a section of the Alerts room is: one table, what belongs beside it, and the keys that are its own.

What those keys do is the business of a mix-in of the room; a section says only for which scopes there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar

from textual.screen import Screen

from watchfloor.console.action import Context, Scope
from watchfloor.console.book import Book
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment
from watchfloor.console.line import Line, Piece, says
from watchfloor.console.reader import Boards, Reader
from watchfloor.console.screens.listing import Grade
from watchfloor.console.screens.settings import row_lines
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import StatusLine


class AlertSection:
    """One table of the Alerts room. Subclasses say what is in it."""

    name: ClassVar[str]
    noun: ClassVar[str]
    names: ClassVar[str] = ""  # the column whose words stand out under the cursor
    scopes: ClassVar[tuple[Scope, ...]] = ()
    topics: ClassVar[frozenset[str]] = frozenset({"alerts", "outbox"})
    searched: ClassVar[frozenset[str]] = frozenset()
    empty: ClassVar[str] = "Nothing here yet."
    travels: ClassVar[bool] = False  # whether it can show the past
    columns: ClassVar[Sequence[Column[Any]]]

    def __init__(self) -> None:
        self.book: Book[Any] | None = None  # of a section that goes on below, page by page

    # The table

    async def read(self, reader: Reader) -> Sequence[Any]:
        """Read every row of now."""
        raise NotImplementedError

    async def read_boards(self, boards: Boards) -> Sequence[Any]:
        """Read every row of the moment of these boards, where the section travels."""
        raise NotImplementedError

    def key(self, row: Any) -> Hashable:
        """What identifies a row."""
        found: Hashable = row.id
        return found

    def order(self) -> Callable[[Any], Any] | None:
        """The order in which rows stand unless somebody sorts; None: as they come."""
        return None

    def fields(self, row: Any) -> Fields:
        """What can be searched in a row, by the names in `searched`."""
        raise NotImplementedError

    def is_fault(self, row: Any) -> bool:
        """Whether a row stays when only faults are shown."""
        return False

    def grade(self, row: Any) -> Grade:
        """How bad a row is."""
        return Grade.ERROR if self.is_fault(row) else Grade.FINE

    def notice(self, status: StatusLine | None) -> Line:
        """What stands in the table while there is no row."""
        return says(self.empty, "muted")

    # Around it

    def pieces(self, rows: Sequence[Any]) -> Sequence[Piece]:
        """What the summary says about the rows."""
        return []

    def bar(self, rows: Sequence[Any]) -> Sequence[tuple[int, str]]:
        """How the line under the summary is divided, as numbers and roles; empty: not at all."""
        return ()

    def context(self, context: Context, row: Any | None, marked: Sequence[Any]) -> Context:
        """The context with what is under the cursor and what is marked."""
        return context

    # One row

    def opens(self, row: Any) -> Screen[None] | None:
        """The screen about a row; None where it is shown as it stands."""
        return None

    async def read_beside(self, boards: Boards, row: Any) -> Any:
        """Read what `beside` needs of a row."""
        return row

    def beside(self, row: Any, found: Any, moment: Moment) -> Maker:
        """The lines about a row, from what `read_beside` found; that may still be of the row before."""
        return lambda cells: row_lines(row, moment, cells)
