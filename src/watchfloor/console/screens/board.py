"""A room whose body is a table: reading, filtering, showing only faults, holding still."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.widgets import Input

from watchfloor.console.action import Context, Scope
from watchfloor.console.choices import restored
from watchfloor.console.copies import Copy, copies
from watchfloor.console.filters import NOTHING, Fields, parse
from watchfloor.console.keys import key_of
from watchfloor.console.line import EMPTY, Line, Piece, clean, plain
from watchfloor.console.screens.listing import Grade, Listing
from watchfloor.console.widgets.filter_line import FilterBar, FilterLine
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.console.widgets.table import Column, Table
from watchfloor.domain.words import count, grouped

R = TypeVar("R")

FILTER_LIMIT = 500
COPIED = 40
"""Cells that a column has when its line is copied, where it can use them."""


class BoardRoom(Listing[R], Generic[R], inherit_bindings=False):
    """A table of rows of one kind. Subclasses say which columns, what can be searched, what is a fault."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.LIST)
    FROZEN: ClassVar[int] = 1
    NAMES: ClassVar[str] = ""
    FIELDS: ClassVar[frozenset[str]] = frozenset()
    NOUN: ClassVar[str] = "row"
    FOLLOWS: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.filter_text = ""
        self.wanted = NOTHING
        self.held = False
        self._missed = 0
        self._came_from: Hashable | None = None
        self.faults_only = False
        self._read = False
        self._cursor_kept: object = None  # where the cursor stood when the console was left
        self.filter_bar = FilterBar()

    # For subclasses

    def keep(self) -> dict[str, object]:
        cursor = None if self.FOLLOWS else self.table.rows.selected_key
        return {
            "filter": self.filter_text,
            "faults": self.faults_only,
            "tables": [table.choices.state() for table in self.tables],
            "cursor": cursor if isinstance(cursor, int | str) else None,
        }

    def restore(self, kept: Mapping[str, object]) -> None:
        match kept.get("tables"):
            case [*tables]:
                for table, choices in zip(self.tables, tables, strict=False):
                    table.choose(restored(choices))
        match kept.get("filter"):
            case str(text):
                self.filter_text = text[:FILTER_LIMIT]
        self.faults_only = kept.get("faults") is True
        self._cursor_kept = kept.get("cursor")
        self._apply_filter()

    async def read_rows(self) -> Sequence[R]:
        """Read every row."""
        raise NotImplementedError

    def take(self, rows: Sequence[R]) -> None:
        """Make of the rows what is shown beside the table, before they are shown."""

    def missed(self, rows: Sequence[R]) -> int:
        """In how many rows what was read differs from what is held still."""
        before = {self.key(row): row for row in self.table.rows.all}
        after = {self.key(row): row for row in rows}
        return sum(before.get(key) != after.get(key) for key in before.keys() | after.keys())

    def copies(self) -> Sequence[Copy]:
        row, moment = self.selected, self.console_app.moment
        if row is None:
            return []
        cells = (plain(column.cell(row, moment, COPIED)).strip() for column in self.table.columns)
        return copies(row, "  ".join(cell for cell in cells if cell))

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

    def grade(self, row: R) -> Grade:
        return Grade.ERROR if self.is_fault(row) else Grade.FINE

    def is_hit(self, row: R) -> bool:
        """In a filtered list every row is a hit; in a whole one the faults are."""
        return bool(self.filter_text) or self.is_fault(row)

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
        return [
            Table(
                self.columns(),
                self.key,
                order=self.order(),
                follows=self.FOLLOWS,
                frozen=self.FROZEN,
                names=self.NAMES,
                id="body",
            )
        ]

    async def load(self) -> None:
        journey, table = self.journey, self.table
        rows = await self.read_rows()
        if self.table is not table:
            return  # somebody turned to another table meanwhile, and what that one shows is read next
        if self.held and self.journey is journey:
            self._missed = self.missed(rows)
            self.renew_bars()
            return
        self.held = False
        self.take(rows)
        self.show_rows(rows)

    def show_rows(self, rows: Sequence[R]) -> None:
        """Show what was read."""
        self._read = True
        self.table.rows.set_fields(self.fields, self.FIELDS)
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
            filtered=bool(self.filter_text) or self.faults_only or self._marking,
            marked=self._marking,
            held=self.held,
        )

    def scopes(self) -> Sequence[Scope]:
        return (Scope.FILTER,) if isinstance(self.focused, FilterLine) else self.SCOPES

    def summary(self) -> Summary:
        return self.pieces(), self._conditions()

    def position(self) -> str:
        rows = self.table.rows
        shown, every = rows.matching, len(rows.all)
        if not shown:
            return ""
        of = (
            count(shown, self.noun())
            if shown == every
            else f"{grouped(shown)} of {count(every, self.noun())}"
        )
        return of if rows.woven else f"{grouped(rows.place + 1)} / {of}"

    @property
    def _marking(self) -> bool:
        rows = self.table.rows
        return rows.marking or rows.has_marks

    def _conditions(self) -> list[Piece]:
        pieces = []
        if self.held:
            missed = f", {count(self._missed, 'change')} since" if self._missed else ""
            pieces.append(
                Piece((((f"{key_of('hold')} ", "key"), (f"held still{missed}", "degraded")),), rank=10)
            )
        if self._marking:
            words = count(len(self.table.rows.marked), "row") + " marked"
            pieces.append(Piece((((f"{key_of('clear_marks')} ", "key"), (words, "accent")),), rank=9))
        if self.faults_only:
            pieces.append(Piece((((f"{key_of('faults')} ", "key"), ("faults only", "accent")),), rank=7))
        if self.filter_text:
            said: Line = ((key_of("filter"), "key"), (clean(self.filter_text), "accent"))
            if self.wanted.mistake:
                wrong: Line = ((f" ▲ {clean(self.wanted.mistake)}", "degraded"),)
                pieces.append(Piece(((*said, *wrong), (*said, (" ▲ mistake", "degraded"))), rank=8))
            else:
                pieces.append(Piece((said,), rank=8))
        return pieces

    def _notice(self) -> Line:
        if not self._read:
            return (("Reading …", "muted"),)
        if self.filter_text or self.faults_only:
            return (("Nothing matches. ", "muted"), (key_of("back"), "key"), (" shows all again.", "muted"))
        return self.empty()

    def _apply_filter(self) -> None:
        self.wanted = parse(self.filter_text, self.FIELDS)
        self.table.rows.set_fields(self.fields, self.FIELDS)
        keep = self.is_fault if self.faults_only else None
        self.table.set_filter(self.wanted, keep, self._notice(), self._filtered)

    def _filtered(self) -> None:
        self._remark()
        self.renew_bars()

    @property
    def settled(self) -> bool:
        return not any(table.preparing for table in self.tables)

    def _remark(self) -> None:
        """Say on the filter line what is wrong with it, or how many rows are left."""
        rows, mistake = self.table.rows, self.wanted.mistake
        if mistake:
            self.filter_bar.tell(((f"▲ {clean(mistake)}", "degraded"),))
        else:
            left = f"{rows.matching} of {len(rows.all)}" if self.filter_text else ""
            self.filter_bar.tell(((left, "muted"),) if left else EMPTY)

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
        self.table.prepare_filter()
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

    def do_hold(self) -> None:
        self.held, self._missed = not self.held, 0
        self.renew_bars()
        self.look_again()

    def do_back(self) -> None:
        if not self.leaves_past and self._marking:
            self.do_clear_marks()
        elif not self.leaves_past and (self.filter_text or self.faults_only):
            self.filter_text, self.faults_only = "", False
            self._apply_filter()
        else:
            super().do_back()
