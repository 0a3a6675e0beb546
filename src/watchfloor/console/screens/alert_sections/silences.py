"""Silences: what keeps alerts quiet, until when, who wanted it and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.book import Book
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment
from watchfloor.console.glyphs import SILENCE, mark, tally
from watchfloor.console.line import Line, Piece, clean, says
from watchfloor.console.reader import Reader
from watchfloor.console.screens.alert_sections.section import AlertSection
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import SilenceRow


def _until(row: SilenceRow, moment: Moment, cells: int) -> Line:
    if row.ends_at is None:
        return says("resolved", "text")
    words = moment.brief(row.ends_at) if row.state == "over" else moment.ahead(row.ends_at)
    return says(words, "muted" if row.state == "over" else "text")


COLUMNS: tuple[Column[SilenceRow], ...] = (
    Column("STATE", lambda row, *_: mark(SILENCE, row.state).line, 9, order=lambda row: row.state),
    Column("SILENCE", lambda row, *_: says(f"#{row.id}", "key"), 7, align="right", order=lambda row: row.id),
    Column("MATCHES", lambda row, *_: says(clean(" ".join(row.matchers))), 16, grow=3, limit=60),
    Column("QUIET", lambda row, *_: says(str(row.quiet)), 5, align="right", order=lambda row: row.quiet),
    Column("UNTIL", _until, 9, align="right", order=lambda row: (row.ends_at is None, row.ends_at)),
    Column("BY", lambda row, *_: says(clean(row.author), "accent"), 8, rank=2, order=lambda row: row.author),
    Column("WHY", lambda row, *_: says(clean(row.comment), "muted"), 10, grow=4, rank=1),
)


class Silences(AlertSection):
    """Silences, the newest first."""

    name: ClassVar[str] = "Silences"
    noun: ClassVar[str] = "silence"
    scopes: ClassVar[tuple[Scope, ...]] = (Scope.SILENCES,)
    names: ClassVar[str] = "MATCHES"
    searched: ClassVar[frozenset[str]] = frozenset({"state", "matches", "by", "why", "id"})
    empty: ClassVar[str] = "No silence yet: nothing is kept quiet."
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS

    def __init__(self) -> None:
        super().__init__()
        self.pages = Book[SilenceRow](lambda row: row.id, lambda row: row.state == "over")
        self.book = self.pages

    async def read(self, reader: Reader) -> Sequence[SilenceRow]:
        return await self.pages.read(lambda before: reader.silences(over=True, before=before))

    def context(self, context: Context, row: SilenceRow | None, marked: Sequence[SilenceRow]) -> Context:
        return replace(context, silence=row)

    def fields(self, row: SilenceRow) -> Fields:
        return {
            "state": row.state,
            "matches": " ".join(row.matchers).casefold(),
            "by": row.author.casefold(),
            "why": row.comment.casefold(),
            "id": f"#{row.id}",
        }

    def is_fault(self, row: SilenceRow) -> bool:
        return row.state != "over"

    def pieces(self, rows: Sequence[SilenceRow]) -> Sequence[Piece]:
        pieces: list[Piece] = []
        for rank, state in ((6, "active"), (5, "planned")):
            pieces += tally(sum(row.state == state for row in rows), mark(SILENCE, state), rank)
        return pieces
