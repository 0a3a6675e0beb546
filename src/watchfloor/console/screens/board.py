"""A room whose body is a table: moving, filtering, sorting, showing only faults."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.widgets import Input

from watchfloor.console.action import Context, Scope
from watchfloor.console.filters import Fields, matcher
from watchfloor.console.keys import key_of
from watchfloor.console.line import Line, Piece, clean
from watchfloor.console.screens.room import Room
from watchfloor.console.widgets.filter_line import FilterBar, FilterLine
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.console.widgets.table import Column, Table
from watchfloor.domain.words import count

R = TypeVar("R")

FILTER_LIMIT = 500


class BoardRoom(Room, Generic[R], inherit_bindings=False):
    """A table of rows of one kind. Subclasses say which columns, what can be searched, what is a fault."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.LIST)
    FIELDS: ClassVar[frozenset[str]] = frozenset()
    NOUN: ClassVar[str] = "row"
    FOLLOWS: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.filter_text = ""
        self._came_from: Hashable | None = None
        self.faults_only = False
        self._read = False
        self._cursor_kept: object = None  # where the cursor stood when the console was left
        self.filter_bar = FilterBar()
        self.tables = self.make_tables()

    # For subclasses

    def keep(self) -> dict[str, object]:
        cursor = None if self.FOLLOWS else self.table.rows.selected_key
        return {
            "filter": self.filter_text,
            "faults": self.faults_only,
            "sort": self.table.sorted_by and list(self.table.sorted_by),
            "cursor": cursor if isinstance(cursor, int | str) else None,
        }

    def restore(self, kept: Mapping[str, object]) -> None:
        match kept.get("sort"):
            case [str(title), bool(reverse)]:
                self.table.sort_by(title, reverse=reverse)
        match kept.get("filter"):
            case str(text):
                self.filter_text = text[:FILTER_LIMIT]
        self.faults_only = kept.get("faults") is True
        self._cursor_kept = kept.get("cursor")
        self._apply_filter()

    def columns(self) -> Sequence[Column[R]]:
        """The columns of the table."""
        raise NotImplementedError

    def key(self, row: R) -> Hashable:
        """What identifies a row."""
        raise NotImplementedError

    def order(self) -> Callable[[R], Any] | None:
        """The order in which rows stand unless somebody sorts, the most urgent first; None: as they come."""
        return None

    def fields(self, row: R) -> Fields:
        """What can be searched in a row."""
        raise NotImplementedError

    def is_fault(self, row: R) -> bool:
        """Whether a row stays when only faults are shown."""
        raise NotImplementedError

    def empty(self) -> Line:
        """What stands in an empty table."""
        return (("Nothing here yet.", "muted"),)

    def pieces(self) -> Sequence[Piece]:
        """What the summary says about the rows."""
        return []

    def noun(self) -> str:
        """What a row is called."""
        return self.NOUN

    def selected_changed(self) -> None:
        """The cursor stands on another row."""

    # The table

    def body(self) -> ComposeResult:
        yield from self.tables
        yield self.filter_bar

    def make_tables(self) -> Sequence[Table[R]]:
        """The tables of this room, the first one on the screen."""
        return [Table(self.columns(), self.key, order=self.order(), follows=self.FOLLOWS, id="body")]

    @property
    def table(self) -> Table[R]:
        """The table on the screen."""
        return self.tables[0]

    @property
    def selected(self) -> R | None:
        """The row under the cursor."""
        return self.table.selected

    def show_rows(self, rows: Sequence[R]) -> None:
        """Show what was read."""
        self._read = True
        self.table.set_rows(rows, self._notice())
        cursor, self._cursor_kept = self._cursor_kept, None
        if isinstance(cursor, int | str):
            self.table.select(cursor)
        self.renew_bars()

    def show(self) -> None:
        self.table.renew()
        super().show()

    def context(self) -> Context:
        return replace(
            self.base_context(),
            row=self.selected is not None,
            filtered=bool(self.filter_text) or self.faults_only,
        )

    def scopes(self) -> Sequence[Scope]:
        return (Scope.FILTER,) if isinstance(self.focused, FilterLine) else self.SCOPES

    def summary(self) -> Summary:
        return self.pieces(), self._conditions()

    def position(self) -> str:
        rows = self.table.rows
        shown, every = len(rows.shown), len(rows.all)
        if not shown:
            return ""
        of = count(shown, self.noun()) if shown == every else f"{shown} of {count(every, self.noun())}"
        return f"{rows.place + 1} / {of}"

    def _conditions(self) -> list[Piece]:
        pieces = []
        if self.faults_only:
            pieces.append(Piece((((f"{key_of('faults')} ", "key"), ("faults only", "accent")),), rank=7))
        if self.filter_text:
            pieces.append(Piece((((key_of("filter"), "key"), (clean(self.filter_text), "accent")),), rank=8))
        return pieces

    def _notice(self) -> Line:
        if not self._read:
            return (("Reading …", "muted"),)
        if self.filter_text or self.faults_only:
            return (("Nothing matches. ", "muted"), (key_of("back"), "key"), (" shows all again.", "muted"))
        return self.empty()

    def _apply_filter(self) -> None:
        matches = matcher(self.filter_text, self.FIELDS)
        if not matches and not self.faults_only:
            self.table.set_filter(None, self._notice())
        else:
            faults = self.faults_only
            self.table.set_filter(
                lambda row: (not faults or self.is_fault(row)) and (not matches or matches(self.fields(row))),
                self._notice(),
            )
        self.renew_bars()

    @on(Table.Moved)
    def _moved(self, event: Table.Moved) -> None:
        event.stop()
        self.renew_bars()
        self.selected_changed()

    @on(Table.Chosen)
    async def _chosen(self, event: Table.Chosen) -> None:
        event.stop()
        if Scope.OPENS in self.SCOPES:
            await self.action_run("open")

    # Filtering

    @on(Input.Changed, "FilterLine")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.filter_text = event.value.strip()
        self._apply_filter()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.renew_bars()

    def do_filter(self) -> None:
        self._came_from = None if self.selected is None else self.key(self.selected)
        self.filter_bar.open(self.filter_text)
        self.status_bar.display = False

    def use_filter(self, text: str) -> None:
        self.filter_text = text.strip()
        self._apply_filter()

    def do_keep_filter(self) -> None:
        self._close_filter()

    def do_drop_filter(self) -> None:
        self.filter_text = ""
        self._close_filter()
        self._apply_filter()
        if self._came_from is not None:
            self.table.select(self._came_from)  # nothing was chosen: the next key means what it meant before

    def _close_filter(self) -> None:
        self.filter_bar.close()
        self.status_bar.display = not self.is_short
        self.table.focus()

    def do_toggle_faults(self) -> None:
        self.faults_only = not self.faults_only
        self._apply_filter()

    def do_back(self) -> None:
        if not self.leaves_past and (self.filter_text or self.faults_only):
            self.filter_text, self.faults_only = "", False
            self._apply_filter()
        else:
            super().do_back()

    # Moving and sorting

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

    def do_next_hit(self) -> None:
        self._hit(1)

    def do_previous_hit(self) -> None:
        self._hit(-1)

    def _hit(self, direction: int) -> None:
        """In a filtered list every row is a hit; in a whole one the faults are. Goes round the end."""
        rows = self.table.rows
        every = bool(self.filter_text)
        places = [i for i, row in enumerate(rows.shown) if every or self.is_fault(row)]
        if not places:
            self.console_app.say((("no hit", "muted"),))
            return
        beyond = [place for place in places if (place - rows.place) * direction > 0]
        ordered = beyond or places
        self.table.move_to(ordered[0] if direction > 0 else ordered[-1])

    def do_sort(self) -> None:
        self.table.sort_next()
        self.renew_bars()

    def do_reverse(self) -> None:
        if self.table.sorted_by is None:
            self.table.sort_next()
        title, reverse = self.table.sorted_by or (None, True)
        self.table.sort_by(title, reverse=not reverse)
        self.renew_bars()
