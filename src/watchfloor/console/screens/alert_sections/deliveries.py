"""Deliveries: what was sent to whom, why, and what became of it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

from textual.screen import Screen

from watchfloor.console.action import Context, Scope
from watchfloor.console.book import Book
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment, latency
from watchfloor.console.glyphs import DELIVERY, mark, tally
from watchfloor.console.line import Line, Piece, clean, says
from watchfloor.console.reader import Reader
from watchfloor.console.screens.alert_sections.section import AlertSection
from watchfloor.console.screens.delivery import DeliveryRoom
from watchfloor.console.screens.listing import Grade
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import SentRow
from watchfloor.store.deliveries import DeliveryFilter


def _took(row: SentRow) -> float | None:
    """How long it took; what was made by a clock that is ahead took no time, never less."""
    if row.delivered_at is None:
        return None
    return max(0.0, (row.delivered_at - row.created_at).total_seconds())


def _what(row: SentRow, moment: Moment, cells: int) -> Line:
    title = says(clean(row.title), "text")
    return (*title, (f"  {clean(row.last_error)}", "failing")) if row.last_error else title


COLUMNS: tuple[Column[SentRow], ...] = (
    Column("STATE", lambda row, *_: mark(DELIVERY, row.state).line, 11, order=lambda row: row.state),
    Column(
        "CHANNEL", lambda row, *_: says(clean(row.channel)), 9, grow=1, limit=20, order=lambda r: r.channel
    ),
    Column("TYPE", lambda row, *_: says(clean(row.kind), "muted"), 14, grow=1, limit=22, rank=2),
    Column("WHY", lambda row, *_: says(clean(row.reason), "muted"), 8, grow=1, limit=14, rank=4),
    Column(
        "ALERT",
        lambda row, *_: says("" if row.alert_id is None else f"#{row.alert_id}", "key"),
        6,
        rank=1,
        align="right",
        order=lambda row: row.alert_id or 0,
    ),
    Column("WHAT", _what, 20, grow=8),
    Column(
        "MADE",
        lambda row, moment, _: says(moment.brief(row.created_at)),
        6,
        align="right",
        order=lambda row: row.created_at,
    ),
    Column("TRY", lambda row, *_: says(str(row.attempts), "muted"), 3, rank=3, align="right"),
    Column(
        "TOOK",
        lambda row, *_: says(latency(_took(row)), "muted"),
        8,
        rank=3,
        align="right",
        order=lambda row: _took(row) or 0.0,
    ),
)


class Deliveries(AlertSection):
    """Messages, the newest first."""

    name: ClassVar[str] = "Deliveries"
    noun: ClassVar[str] = "message"
    scopes: ClassVar[tuple[Scope, ...]] = (Scope.DELIVERIES,)
    names: ClassVar[str] = "WHAT"
    searched: ClassVar[frozenset[str]] = frozenset(
        {"state", "channel", "type", "reason", "title", "error", "id"}
    )
    empty: ClassVar[str] = "No message was sent yet."
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS

    def __init__(self) -> None:
        super().__init__()
        self.pages = Book[SentRow](
            lambda row: (row.created_at, UUID(row.id)), lambda row: row.state not in ("queued", "leased")
        )
        self.book = self.pages

    async def read(self, reader: Reader) -> Sequence[SentRow]:
        return await self.pages.read(lambda before: reader.deliveries(DeliveryFilter(), before))

    def key(self, row: SentRow) -> Hashable:
        return row.id

    def context(self, context: Context, row: SentRow | None, marked: Sequence[SentRow]) -> Context:
        return replace(context, sent=row, marked_dead=sum(each.state == "dead" for each in marked))

    def opens(self, row: SentRow) -> Screen[None]:
        return DeliveryRoom(row)

    def fields(self, row: SentRow) -> Fields:
        return {
            "state": row.state,
            "channel": row.channel.casefold(),
            "type": row.kind,
            "reason": row.reason,
            "title": row.title.casefold(),
            "error": row.last_error.casefold(),
            "id": "" if row.alert_id is None else f"#{row.alert_id}",
        }

    def is_fault(self, row: SentRow) -> bool:
        return row.state == "dead" or (bool(row.last_error) and row.state != "cancelled")

    def grade(self, row: SentRow) -> Grade:
        return Grade.ERROR if row.state == "dead" else Grade.WARNING if self.is_fault(row) else Grade.FINE

    def pieces(self, rows: Sequence[SentRow]) -> Sequence[Piece]:
        pieces: list[Piece] = []
        for rank, state in ((6, "dead"), (5, "queued")):
            pieces += tally(sum(row.state == state for row in rows), mark(DELIVERY, state), rank)
        return pieces
