"""The columns of a table: which are shown, how wide, and which one sorts. What is chosen is seen at once behind it."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.geometry import Size

from watchfloor.console.action import Context, Scope
from watchfloor.console.line import Span, fit, says
from watchfloor.console.screens.dialogs import Dialog
from watchfloor.console.widgets.lines import Drawn, Lines
from watchfloor.console.widgets.table import Table

TITLE, SIZE = 18, 12
FEWEST, AROUND = 3, 8
"""The fewest lines of the list, and those of the dialog around it."""


class _Columns(Lines, can_focus=True, inherit_bindings=False):
    """One line for each column."""

    ground: ClassVar[str] = "panel"

    def __init__(self, table: Table[Any]) -> None:
        super().__init__(id="columns")
        self.table, self.place = table, 0

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return min(self.count(), max(FEWEST, viewport.height - AROUND))

    def count(self) -> int:
        return len(self.table.columns)

    def line(self, index: int, cells: int) -> Drawn:
        column, choices = self.table.columns[index], self.table.choices
        title = column.title
        shown = {each.title: size for each, size in self.table.layout_for()}
        hidden = title in choices.hidden and index > 0
        size = "hidden" if hidden else f"{shown[title]} cells" if title in shown else "no room"
        spans: list[Span] = [
            ("▌ " if index == self.place else "  ", "cursor"),
            ("  " if hidden else "✓ ", "accent"),
            (fit(title, TITLE), "muted" if hidden else "text"),
            (fit(size, SIZE), "muted"),
        ]
        if choices.sort == title:
            spans.append(("▾ sorted, descending" if choices.reverse else "▴ sorted, ascending", "accent"))
        return tuple(spans), "selection" if index == self.place else self.ground

    def go(self, step: int) -> None:
        """Another column, as far as there is one."""
        self.place = max(0, min(self.place + step, self.count() - 1))
        self.top = max(self.place - self.page + 1, min(self.top, self.place))
        self.renew()


class ColumnsDialog(Dialog[None], inherit_bindings=False):
    """Changes the choices of a table, one key at a time."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.COLUMNS,)
    DEFAULT_CSS: ClassVar[str] = """
    ColumnsDialog _Columns { height: auto; width: 100%; }
    """
    AUTO_FOCUS: ClassVar[str | None] = "#columns"

    def __init__(self, table: Table[Any]) -> None:
        super().__init__(says("Columns", "title"))
        self._table = table
        self._list = _Columns(table)

    def questions(self) -> ComposeResult:
        yield self._list

    def on_resize(self) -> None:
        self.call_later(self._list.go, 0)  # after the table behind has its new size too

    def answer(self) -> None:
        return None

    def context(self) -> Context:
        return Context(row=True)

    def _changed(self) -> None:
        self._list.renew()
        self.complain("")

    @property
    def _title_now(self) -> str:
        return self._table.columns[self._list.place].title

    def do_column_down(self) -> None:
        self._list.go(1)

    def do_column_up(self) -> None:
        self._list.go(-1)

    def do_column_toggle(self) -> None:
        if self._list.place == 0:
            self.complain("the first column always stays")
            return
        self._table.choose(self._table.choices.toggled(self._title_now))
        self._changed()

    def do_column_wider(self) -> None:
        self._resize(1)

    def do_column_narrower(self) -> None:
        self._resize(-1)

    def _resize(self, step: int) -> None:
        column = self._table.columns[self._list.place]
        shown = {each.title: size for each, size in self._table.layout_for()}
        size = self._table.choices.widths.get(column.title, shown.get(column.title, column.width))
        self._table.choose(self._table.choices.resized(column.title, size + step))
        self._changed()

    def do_column_sort(self) -> None:
        column = self._table.columns[self._list.place]
        if column.order is None:
            self.complain(f"nothing sorts by {column.title}")
            return
        self._table.choose(self._table.choices.sorted_by(column.title))
        self._changed()

    def do_column_reset(self) -> None:
        self._table.choose(type(self._table.choices)())
        self._changed()
