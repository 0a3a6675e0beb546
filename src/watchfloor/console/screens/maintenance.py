"""The maintenance planner: what is open, what comes, what is over; windows are planned in forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import ClassVar

from watchfloor.config.forms import Form
from watchfloor.console.action import Context, Scope
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment, span
from watchfloor.console.glyphs import tally
from watchfloor.console.line import Line, Piece, clean, says
from watchfloor.console.screens.beside import BesideRoom
from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.form import FormRoom
from watchfloor.console.screens.listing import Grade
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.trail import Place
from watchfloor.console.views.window import MARKS, when, window_lines
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.planner import Slot

COLUMNS: tuple[Column[Slot], ...] = (
    Column("STATE", lambda row, *_: MARKS[row.state].line, 9, order=lambda row: row.state),
    Column("WINDOW", lambda row, *_: says(clean(row.name)), 14, grow=3, limit=34, order=lambda row: row.name),
    Column(
        "OPENS",
        lambda row, moment, _: says(when(row.starts, moment)),
        16,
        align="right",
        order=lambda r: r.starts,
    ),
    Column(
        "CLOSES",
        lambda row, moment, _: says(when(row.ends, moment)),
        16,
        align="right",
        order=lambda r: r.ends,
    ),
    Column(
        "FOR",
        lambda row, *_: says(span((row.ends - row.starts).total_seconds()), "muted"),
        7,
        rank=2,
        align="right",
    ),
    Column("NOTE", lambda row, moment, cells: _note(row), 14, grow=3, rank=1),
    Column("COVERS", lambda row, *_: says(clean(row.covers), "muted"), 12, grow=2, limit=40, rank=3),
    Column("RULE", lambda row, *_: says(clean(row.rule), "muted"), 12, grow=2, limit=44, rank=4),
)


def _note(row: Slot) -> Line:
    """What is out of the ordinary, else what was written about it."""
    if row.clocks:
        return says(f"▲ {clean(row.clocks)}", "degraded")
    if row.ended_by:
        return says(f"ended by {clean(row.ended_by)}", "muted")
    return says(clean(row.note), "muted")


class MaintenanceRoom(BesideRoom[Slot], inherit_bindings=False):
    """Times of windows: now, next and past."""

    ROOM: ClassVar[str] = "health"
    NOUN: ClassVar[str] = "time"
    SCOPES: ClassVar[tuple[Scope, ...]] = (
        *(Scope.ROOM, Scope.LIST, Scope.ACROSS, Scope.OPENS, Scope.WINDOWS),
    )
    TOPICS: ClassVar[frozenset[str]] = frozenset({"health"})
    FROZEN: ClassVar[int] = 2
    FIELDS: ClassVar[frozenset[str]] = frozenset({"window", "state", "covers", "owner", "note"})

    def place(self) -> Place:
        return Place(self.ROOM, "maintenance", 0)

    async def read_rows(self) -> Sequence[Slot]:
        return await self.console_app.reader.slots()

    def columns(self) -> Sequence[Column[Slot]]:
        return COLUMNS

    def key(self, row: Slot) -> Hashable:
        return (row.window_id, row.starts)

    def fields(self, row: Slot) -> Fields:
        return {
            "window": row.name.casefold(),
            "state": row.state,
            "covers": row.covers.casefold(),
            "owner": row.owner,
            "note": f"{row.note} {row.clocks}".casefold(),
        }

    def is_fault(self, row: Slot) -> bool:
        return bool(row.clocks) and row.state != "over"

    def grade(self, row: Slot) -> Grade:
        return Grade.WARNING if self.is_fault(row) else Grade.FINE

    def empty(self) -> Line:
        return (("No window is planned. ", "muted"), ("+", "key"), (" plans one.", "muted"))

    def pieces(self) -> Sequence[Piece]:
        found = [self.way()]
        states = Counter(row.state for row in self.table.rows.all)
        for rank, (state, mark) in enumerate(MARKS.items()):
            found += tally(states[state], mark, 7 - rank)
        return found

    def names(self) -> Sequence[str]:
        return ("maintenance",)

    def context(self) -> Context:
        return replace(super().context(), window=self.selected)

    # Opening

    def do_open(self) -> None:
        row = self.selected
        if row is not None:

            def lines(moment: Moment, cells: int) -> list[Line]:
                return window_lines(row, moment, cells)

            self.app.push_screen(TextRoom("health", clean(row.name), lines))

    async def read_beside(self) -> None:
        """What is beside the list is in it already."""

    def beside(self) -> Maker:
        row, moment = self.selected, self.console_app.moment
        return lambda cells: [] if row is None else window_lines(row, moment, cells)

    # What can be done

    def do_add_window(self) -> None:
        self.console_app.push_screen(FormRoom("health", "window"))

    def do_edit_window(self) -> None:
        if self.selected is not None:
            self.console_app.push_screen(FormRoom("health", "window", self.selected.name))

    def do_copy_window(self) -> None:
        if self.selected is not None:
            self.console_app.push_screen(FormRoom("health", "window", self.selected.name, copy=True))

    def do_end_window(self) -> None:
        row, app = self.selected, self.console_app
        if row is not None:
            name = clean(row.name)
            app.operate(
                lambda: app.operator.end_window(row.window_id),
                f"ended {name}",
                undo=("end", lambda: app.operator.reopen_window(row.window_id), f"{name} is open again"),
            )

    def do_delete_window(self) -> None:
        row, app = self.selected, self.console_app
        if row is None:
            return
        name, written = row.name, list[Form]()

        async def delete() -> None:
            found = await app.reader.form("window", name, "")
            await app.operator.delete_thing("window", name)
            written.extend([found] if found else [])

        async def again() -> None:
            for each in written:
                await app.operator.save_form("window", each.values, "", 0)

        def done(sure: bool | None) -> None:
            if sure:
                undo = ("delete", again, f"{clean(name)} is planned again")
                app.operate(delete, f"deleted {clean(name)}", undo=undo)

        words = ["It opens no more; where it is open it closes. When it was open stays on record."]
        app.push_screen(ConfirmDialog((("Delete ", "muted"), (clean(name), "title")), words), done)
