"""A virtual table: rows by key, columns that give way on narrow screens, cost only for what is visible.

Cells are lines of plain text and role names. Columns have fixed sizes from their declaration, so nothing
wobbles while data changes; what a wide screen has to spare goes to the columns that can use it. A person may hide
columns, make them wider, sort by one, and scroll across beside the first ones, which stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from textual import events
from textual.message import Message
from textual.worker import Worker

from watchfloor.console.choices import Choices
from watchfloor.console.filters import NOTHING, Query
from watchfloor.console.format import Moment
from watchfloor.console.line import EMPTY, Line, Span, clip, cut, fit, fit_line, width
from watchfloor.console.rows import Rows
from watchfloor.console.widgets.lines import Drawn, Lines

R = TypeVar("R")

GAP = 2
GUTTER = 2
CURSOR = "▌"
MARK = "•"
SLICE = 2_000
"""So many rows are made ready for a filter at a time."""
LIT = 40
"""The most cells of a name that stand out under the cursor."""
BROAD = 400
"""The most cells that scrolling across shows of a column without a limit."""


Filter: TypeAlias = tuple[Query, Callable[[R], bool] | None, Line | None, Callable[[], None]]


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


def _beside(layout: Sequence[tuple[Column[R], int]], cell: Callable[[Column[R], int], Line]) -> Line:
    spans: list[Span] = []
    for place, (column, size) in enumerate(layout):
        spans.extend([(" " * GAP, "text")] if place else [])
        spans.extend(cell(column, size))
    return tuple(spans)


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
        frozen: int = 1,
        names: str = "",
        id: str | None = None,
    ) -> None:
        """`frozen` columns stay where they are while the others are scrolled across.

        `names` is the title of the column that says what a row is called; else it is the last frozen one.
        """
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.choices = Choices()
        self.across = 0
        self._frozen, self._names = frozen, names
        self._broad: list[tuple[Column[R], int]] = []
        self.rows: Rows[R] = Rows(key, follows=follows)
        self.notice: Line = (("Reading …", "muted"),)
        self._order = order
        self._told: Hashable | None = None
        self._filter: Filter[R] | None = None  # one that waits until it can be used
        self._prepares: Worker[None] | None = None
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

    def set_weave(self, weave: Callable[[Sequence[R]], Sequence[R]] | None) -> None:
        """Let `weave` put rows of its own between the others; the cursor stays on its row."""
        self.rows.set_weave(weave)
        self._settle(at_top=False, offset=self.rows.place - self.top)

    def set_filter(
        self,
        query: Query = NOTHING,
        keep: Callable[[R], bool] | None = None,
        notice: Line | None = None,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Show only rows that meet `query` and that `keep` accepts, at once or after a moment; `then` they are shown.

        What a filter looks through is made ready in slices, so that no key waits for a hundred thousand rows.
        """
        self._filter = (query, keep, notice, then)
        if not query.terms or self.rows.prepare(SLICE):
            self._use_filter()
        else:
            self.prepare_filter()

    def _use_filter(self) -> None:
        if self._filter is not None:
            query, keep, notice, then = self._filter
            self._filter = None
            self.rows.set_filter(query, keep)
            self.notice = self.notice if notice is None else notice
            self._settle(at_top=False, offset=self.rows.place - self.top)
            then()

    @property
    def preparing(self) -> bool:
        """Whether a filter is being made ready."""
        return self._prepares is not None

    def prepare_filter(self) -> None:
        """Somebody is about to filter: make ready what that needs, beside everything else."""
        if self._prepares is None and self.is_attached:
            self._prepares = self.run_worker(self._prepare(), exit_on_error=True)

    async def _prepare(self) -> None:
        ready = False
        try:
            while not ready:
                await asyncio.sleep(0)  # whatever else there is comes between two slices
                ready = self.rows.prepare(SLICE)
        finally:
            self._prepares = None
        self._use_filter()

    @property
    def sorted_by(self) -> tuple[str, bool] | None:
        """The title of the column that a person sorted by, and whether reversed."""
        return (self.choices.sort, self.choices.reverse) if self.choices.sort else None

    def choose(self, choices: Choices) -> None:
        """Sort by, hide and resize what `choices` says; the cursor stays on its row."""
        column = next((each for each in self.columns if each.title == choices.sort and each.order), None)
        choices = choices if column else replace(choices, sort="", reverse=False)
        resorted = (choices.sort, choices.reverse) != (self.choices.sort, self.choices.reverse)
        self.choices = choices
        self._arranged = (-1, [])
        if resorted:
            self.rows.set_order(column.order if column else self._order, reverse=choices.reverse)
            self._settle(at_top=False, offset=self.page // 2)
        self.renew()

    def sort_by(self, title: str | None, *, reverse: bool = False) -> None:
        """Sort by the column with this title; None goes back to the table's own order."""
        self.choose(replace(self.choices, sort=title or "", reverse=reverse and title is not None))

    def sort_next(self) -> None:
        """Sort by the next visible column that can be sorted, and after the last in the table's own order."""
        titles = ["", *(column.title for column, _ in self.layout_for() if column.order)]
        place = titles.index(self.choices.sort) if self.choices.sort in titles else 0
        self.sort_by(titles[(place + 1) % len(titles)] or None)

    def scroll_across(self, cells: int) -> None:
        """Scroll the columns after the frozen ones by so many cells, as far as there is something to see."""
        self._broad = self._measured()
        total = sum(size + GAP for _, size in self._broad[self._frozen :]) - GAP
        self.across = max(0, min(self.across + cells, total - self._room))
        self.renew()

    def renew(self) -> None:
        if self.across:
            self._broad = self._measured()
        super().renew()

    @property
    def _room(self) -> int:
        """The cells beside the frozen columns."""
        frozen = sum(size + GAP for _, size in self._broad[: self._frozen])
        return max(1, self.size.width - self.margin - GUTTER - frozen)

    def _measured(self) -> list[tuple[Column[R], int]]:
        """Every column that is not hidden, as wide as what is visible of it needs."""
        moment = self.console_app.moment
        rows = self.rows.shown[self.top : self.top + self.page]
        sizes = []
        for place, column in enumerate(self._chosen()):
            size = column.width if place < self._frozen else max(column.width, column.limit)
            if column.grow and not column.limit:
                size = max([size, *(width(column.cell(row, moment, BROAD)) for row in rows)])
            sizes.append((column, size))
        return sizes

    def _chosen(self) -> list[Column[R]]:
        """The columns that are not hidden, of the sizes a person gave them; the first one always stays."""
        chosen = self.choices
        return [
            replace(each, width=size, limit=size, grow=0) if (size := chosen.widths.get(each.title)) else each
            for place, each in enumerate(self.columns)
            if each.title not in chosen.hidden or place == 0
        ]

    def move(self, distance: int) -> None:
        """Move the cursor by so many rows, as far as there are any."""
        self.move_to(self.rows.place + distance)

    def move_to(self, place: int) -> None:
        """Put the cursor on the nearest existing place and make it visible."""
        before, top = self.rows.place, self.top
        self.rows.move_to(place)
        after = self.rows.place
        if top <= min(before, after) and max(before, after) < top + self.page and not self.rows.marking:
            self._passed(before, after)
        else:
            self._settle(at_top=False, offset=after - top)

    def _passed(self, before: int, after: int) -> None:
        """The cursor went from one visible row to another: those two look different, and no other."""
        if self.is_attached and self.size:
            self._look_at({before - self.top + self.headed, after - self.top + self.headed})
        self._tell()

    def select(self, key: Hashable) -> bool:
        """Put the cursor on the row with `key`; False where it is not shown."""
        found = self.rows.select(key)
        self._settle(at_top=False, offset=self.rows.place - self.top)
        return found

    def layout_for(self, cells: int | None = None) -> list[tuple[Column[R], int]]:
        """The visible columns and their sizes at this width (None: at the present one)."""
        cells = self.size.width - self.margin if cells is None else cells
        if self._arranged[0] != cells:
            self._arranged = (cells, arrange(self._chosen(), cells - GUTTER))
        return self._arranged[1]

    def count(self) -> int:
        return max(1, len(self.rows.shown))

    @property
    def lit(self) -> Sequence[tuple[int, int]]:
        """The gutter, and what the row is called."""
        layout = self._broad[: self._frozen] if self.across else self.layout_for()
        titles = [column.title for column, _ in layout]
        place = titles.index(self._names) if self._names in titles else min(self._frozen, len(layout)) - 1
        start = GUTTER + sum(size + GAP for _, size in layout[:place])
        name = (start, start + min(layout[place][1], LIT))
        return [(0, name[1])] if place == 0 else [(0, 1), name]

    def head(self, cells: int) -> Drawn:
        return (
            (" " * GUTTER, "text"),
            *self._across(cells - self.margin, lambda column, size: ((self._title(column, size), "header"),)),
        ), self.ground

    def _title(self, column: Column[R], size: int) -> str:
        title = column.title
        if self.choices.sort == title:
            title = f"{clip(title, size - 1)}{'▾' if self.choices.reverse else '▴'}"
        return fit(title, size, column.align)

    def line(self, index: int, cells: int) -> Drawn:
        if not self.rows.shown:
            return ((" " * GUTTER, "text"), *self.notice), self.ground
        row, at_cursor = self.rows.shown[index], index == self.rows.place
        moment = self.console_app.moment
        gutter: Line = (
            (CURSOR if at_cursor else " ", "cursor"),
            (MARK if self.rows.is_marked(index) else " ", "accent"),
        )
        body = self._across(
            cells, lambda column, size: fit_line(column.cell(row, moment, size), size, column.align)
        )
        return (*gutter, *body), "selection" if at_cursor else self.ground

    def _across(self, cells: int, cell: Callable[[Column[R], int], Line]) -> Line:
        """The cells of a line beside each other; what is scrolled across is cut out beside the frozen ones."""
        if not self.across:
            return _beside(self.layout_for(cells), cell)
        frozen, others = self._broad[: self._frozen], self._broad[self._frozen :]
        gap: Line = ((" " * GAP, "text"),)
        return (*_beside(frozen, cell), *gap, *cut(_beside(others, cell), self.across, self._room))

    def _settle(self, *, at_top: bool, offset: int) -> None:
        """Bring the cursor into the window: a list at its top stays there, others keep the cursor's line."""
        place, page = self.rows.place, self.page
        top = 0 if at_top and place < page else place - max(0, min(offset, page - 1))
        self.top = max(0, min(top, self.count() - page))
        self.renew()
        self._tell()

    def _tell(self) -> None:
        """Say so if another row is under the cursor."""
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
