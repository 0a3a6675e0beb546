"""A virtual table: rows by key, columns that give way on narrow screens, cost only for what is visible.

Cells are lines of plain text and role names. Columns have fixed sizes from their declaration, so nothing
wobbles while data changes; what a wide screen has to spare goes to the columns that can use it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.message import Message

from watchfloor.console.format import Moment
from watchfloor.console.line import EMPTY, Line, Span, clip, fit, fit_line
from watchfloor.console.rows import Rows
from watchfloor.console.widgets.lines import Drawn, Lines

R = TypeVar("R")

GAP = 2
GUTTER = 2
CURSOR = "▌ "


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """A column: its title, how to make a cell, and how much room it wants.

    `cell` gets the row, the moment and the cells it has. `width` is the least it needs, `grow` its share of
    what is to spare, `limit` the most it can use (0: no limit). Columns of higher `rank` disappear first;
    rank 0 always stays. `order` sorts by this column; None where sorting makes no sense.
    """

    title: str
    cell: Callable[[R, Moment, int], Line]
    width: int
    grow: int = 0
    limit: int = 0
    rank: int = 0
    align: str = "left"
    order: Callable[[R], Any] | None = None


def arrange(columns: Sequence[Column[R]], cells: int) -> list[tuple[Column[R], int]]:
    """Which columns fit into `cells` cells, and how wide each becomes.

    Where the essential columns do not fit, the widest gives way, to half of its width; then the last of the others
    goes, so that what a row is about can be read on the narrowest screen.
    """
    kept = list(columns)
    while len(kept) > 1 and _least(kept) > cells and max(column.rank for column in kept) > 0:
        worst = max(range(len(kept)), key=lambda index: (kept[index].rank, index))
        kept.pop(worst)
    widest = max(range(len(kept)), key=lambda index: kept[index].width)
    while len(kept) > 2 and _least(kept) - cells > kept[widest].width // 2:
        last = max(index for index in range(len(kept)) if index != widest)
        kept.pop(last)
        widest -= last < widest
    widths = [column.width for column in kept]
    spare = cells - _least(kept)
    while spare > 0:
        growing = [i for i, c in enumerate(kept) if c.grow and (not c.limit or widths[i] < c.limit)]
        if not growing:
            break
        shares = sum(kept[i].grow for i in growing)
        for i in growing:
            part = min(max(1, spare * kept[i].grow // shares), spare)
            part = min(part, kept[i].limit - widths[i]) if kept[i].limit else part
            widths[i] += part
            spare -= part
            shares -= kept[i].grow
            if spare <= 0 or shares <= 0:
                break
    if spare < 0:
        widths[widest] = max(1, widths[widest] + spare)
    return list(zip(kept, widths, strict=True))


def _least(columns: Sequence[Column[R]]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


class Table(Lines, Generic[R], can_focus=True, inherit_bindings=False):
    """Rows under a header. What it shows when it has none is its `notice`."""

    DEFAULT_CSS: ClassVar[str] = """
    Table { width: 1fr; height: 1fr; }
    """

    headed: ClassVar[bool] = True

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: Table[Any]) -> None:
            super().__init__()
            self.table = table

    class Chosen(Message):
        """A row was clicked twice."""

        def __init__(self, table: Table[Any]) -> None:
            super().__init__()
            self.table = table

    def __init__(
        self,
        columns: Sequence[Column[R]],
        key: Callable[[R], Hashable],
        *,
        order: Callable[[R], Any] | None = None,
        follows: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.rows: Rows[R] = Rows(key, follows=follows)
        self.notice: Line = (("Reading …", "muted"),)
        self.sorted_by: tuple[str, bool] | None = None  # title and whether reversed
        self._order = order
        self._told: Hashable | None = None
        self._arranged: tuple[int, list[tuple[Column[R], int]]] = (-1, [])
        self.rows.set_order(order)

    @property
    def selected(self) -> R | None:
        """The row under the cursor."""
        return self.rows.selected

    def set_rows(self, rows: Iterable[R], notice: Line = EMPTY) -> None:
        """Show these rows; `notice` is what stands there when none is shown."""
        before = self.rows.place - self.top
        at_top = self.top == 0
        self.rows.set(rows)
        self.notice = notice
        self._settle(at_top=at_top, offset=before)

    def set_filter(self, keep: Callable[[R], bool] | None, notice: Line | None = None) -> None:
        """Show only rows that `keep` accepts."""
        self.rows.set_filter(keep)
        self.notice = self.notice if notice is None else notice
        self._settle(at_top=False, offset=self.rows.place - self.top)

    def sort_by(self, title: str | None, *, reverse: bool = False) -> None:
        """Sort by the column with this title; None goes back to the table's own order."""
        column = next((each for each in self.columns if each.title == title and each.order), None)
        self.sorted_by = None if column is None else (column.title, reverse)
        self.rows.set_order(self._order if column is None else column.order, reverse=bool(column) and reverse)
        self._settle(at_top=False, offset=self.page // 2)

    def sort_next(self) -> None:
        """Sort by the next visible column that can be sorted, and after the last in the table's own order."""
        titles = [None, *(column.title for column, _ in self.layout_for() if column.order)]
        current = self.sorted_by[0] if self.sorted_by else None
        place = titles.index(current) if current in titles else 0
        self.sort_by(titles[(place + 1) % len(titles)])

    def move(self, distance: int) -> None:
        """Move the cursor by so many rows, as far as there are any."""
        self.move_to(self.rows.place + distance)

    def move_to(self, place: int) -> None:
        """Put the cursor on the nearest existing place and make it visible."""
        self.rows.move_to(place)
        self._settle(at_top=False, offset=self.rows.place - self.top)

    def select(self, key: Hashable) -> bool:
        """Put the cursor on the row with `key`; False where it is not shown."""
        found = self.rows.select(key)
        self._settle(at_top=False, offset=self.rows.place - self.top)
        return found

    def layout_for(self, cells: int | None = None) -> list[tuple[Column[R], int]]:
        """The visible columns and their sizes at this width (None: at the present one)."""
        cells = self.size.width - self.margin if cells is None else cells
        if self._arranged[0] != cells:
            self._arranged = (cells, arrange(self.columns, cells - GUTTER))
        return self._arranged[1]

    def count(self) -> int:
        return max(1, len(self.rows.shown))

    def head(self, cells: int) -> Drawn:
        spans: list[Span] = [(" " * GUTTER, "text")]
        for index, (column, width) in enumerate(self.layout_for(cells - self.margin)):
            spans.extend([(" " * GAP, "text")] if index else [])
            title = column.title
            if self.sorted_by and self.sorted_by[0] == title:
                arrow = "▾" if self.sorted_by[1] else "▴"
                title = f"{clip(title, width - 1)}{arrow}"
            spans.append((fit(title, width, column.align), "header"))
        return tuple(spans), self.ground

    def line(self, index: int, cells: int) -> Drawn:
        if not self.rows.shown:
            return ((" " * GUTTER, "text"), *self.notice), self.ground
        row, at_cursor = self.rows.shown[index], index == self.rows.place
        moment = self.console_app.moment
        spans: list[Span] = [(CURSOR if at_cursor else " " * GUTTER, "cursor")]
        for position, (column, width) in enumerate(self.layout_for(cells)):
            spans.extend([(" " * GAP, "text")] if position else [])
            spans.extend(fit_line(column.cell(row, moment, width), width, column.align))
        return tuple(spans), "selection" if at_cursor else self.ground

    def _settle(self, *, at_top: bool, offset: int) -> None:
        """Bring the cursor into the window: a list at its top stays there, others keep the cursor's line."""
        place, page = self.rows.place, self.page
        top = 0 if at_top and place < page else place - max(0, min(offset, page - 1))
        self.top = max(0, min(top, self.count() - page))
        self.renew()
        key = self.rows.selected_key
        if key != self._told and self.is_attached:
            self._told = key
            self.post_message(self.Moved(self))

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._settle(at_top=self.top == 0, offset=self.rows.place - self.top)

    def on_click(self, event: events.Click) -> None:
        place = self.top + event.y - self.headed
        if event.y >= 1 and place < len(self.rows.shown):
            self.move_to(place)
            if event.chain == 2:
                self.post_message(self.Chosen(self))
