"""On call: who is, until when, who is next; which chains run, and what quiet hours hold."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

from textual.screen import Screen

from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment, clock
from watchfloor.console.glyphs import DUTY, Mark, mark, tally
from watchfloor.console.line import Line, Piece, clean, says
from watchfloor.console.reader import Boards, Reader
from watchfloor.console.screens.alert import AlertRoom
from watchfloor.console.screens.alert_sections.section import AlertSection
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.views.alert import alert_lines
from watchfloor.console.views.sections import paragraphs
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import AlertDetail
from watchfloor.domain.duty_boards import DutyRow


def _mark(row: DutyRow) -> Mark:
    return mark(DUTY, "nobody" if row.kind == "rota" and row.who == "nobody" else row.kind)


def _until(row: DutyRow, moment: Moment, cells: int) -> Line:
    if row.until is None:
        return says("" if row.kind == "paused" else "always", "muted")
    return says(moment.ahead(row.until))


def _rota(row: DutyRow, moment: Moment, cells: int) -> list[Line]:
    until = "always" if row.until is None else clock(row.until, moment.now, moment.zone)
    said = (("rota", row.name), ("on call", row.who), ("until", until), ("then", row.then))
    return paragraphs([(name, clean(words)) for name, words in said if words], cells)


COLUMNS: tuple[Column[DutyRow], ...] = (
    Column("STATE", lambda row, *_: _mark(row).line, 11, order=lambda row: row.kind),
    Column("WHAT", lambda row, *_: says(clean(row.name)), 16, grow=3, limit=60),
    Column(
        "WHO", lambda row, *_: says(clean(row.who), "accent"), 12, grow=2, limit=40, order=lambda row: row.who
    ),
    Column(
        "UNTIL", _until, 10, grow=1, limit=18, align="right", order=lambda row: (row.until is None, row.until)
    ),
    Column("THEN", lambda row, *_: says(clean(row.then), "muted"), 12, grow=1, rank=1, limit=30),
)


class OnCall(AlertSection):
    """Rotas, chains by the time of their next step, and what is held."""

    name: ClassVar[str] = "On call"
    noun: ClassVar[str] = "line"
    names: ClassVar[str] = "WHAT"
    topics: ClassVar[frozenset[str]] = frozenset({"alerts", "outbox", "settings"})
    searched: ClassVar[frozenset[str]] = frozenset({"state", "what", "who"})
    empty: ClassVar[str] = "No rota and no chain yet: docs/oncall.md says how."
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS

    async def read(self, reader: Reader) -> Sequence[DutyRow]:
        return await reader.duty()

    def opens(self, row: DutyRow) -> Screen[None]:
        if row.alert_id is not None:
            return AlertRoom(row.alert_id)
        return TextRoom("alerts", clean(row.name), lambda moment, cells: _rota(row, moment, cells))

    async def read_beside(self, boards: Boards, row: DutyRow) -> AlertDetail | None:
        return None if row.alert_id is None else await boards.alert(row.alert_id)

    def beside(self, row: DutyRow, found: AlertDetail | None, moment: Moment) -> Maker:
        if row.alert_id is None:
            return lambda cells: _rota(row, moment, cells)
        if found is None or found.row.id != row.alert_id:
            return lambda cells: []
        return lambda cells: alert_lines(found, moment, cells, titled=True)

    def key(self, row: DutyRow) -> Hashable:
        return row.kind, row.name, row.who, row.then if row.kind == "held" else ""

    def fields(self, row: DutyRow) -> Fields:
        return {"state": _mark(row).word, "what": row.name.casefold(), "who": row.who.casefold()}

    def is_fault(self, row: DutyRow) -> bool:
        return row.kind == "chain" or (row.kind == "rota" and row.who == "nobody")

    def pieces(self, rows: Sequence[DutyRow]) -> Sequence[Piece]:
        pieces: list[Piece] = []
        for rank, kind in ((6, "rota"), (7, "chain"), (4, "paused"), (5, "held")):
            pieces += tally(sum(row.kind == kind for row in rows), mark(DUTY, kind), rank)
        return pieces
