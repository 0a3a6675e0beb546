"""One message in full: what became of it, and what it said, so that sending it again is decided on its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.glyphs import DELIVERY, mark
from watchfloor.console.line import Piece, clean, says
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.console.screens.replaying import DeliveryActs
from watchfloor.console.screens.settings import row_lines
from watchfloor.console.views.delivery import said_lines
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.boards import SentDetail, SentRow


class DeliveryRoom(DeliveryActs, DetailRoom, inherit_bindings=False):
    """A message, and what can be done with it while it is a dead letter."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT, Scope.DELIVERIES)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"outbox"})

    def __init__(self, row: SentRow) -> None:
        super().__init__()
        self._row = row
        self._detail: SentDetail | None = None

    def place(self) -> None:
        """What it shows is kept for a while only."""

    def tab(self) -> str:
        return "alerts"

    def context(self) -> Context:
        return replace(super().context(), sent=self._row)

    def letters(self, *, shown: bool) -> Sequence[SentRow]:
        return [self._row] if shown and self._row.state == "dead" else []

    async def load(self) -> None:
        self._detail = await self.console_app.reader.sent(self._row.id)
        self._row = self._row if self._detail is None else self._detail.row

    def show(self) -> None:
        row, detail, moment = self._row, self._detail, self.console_app.moment
        self.pane.show(lambda cells: [*said_lines(detail, cells), *row_lines(row, moment, cells)])
        super().show()

    def summary(self) -> Summary:
        words = f"{self._row.kind} to {self._row.channel}"
        pieces = [self.way(), Piece((mark(DELIVERY, self._row.state).line,), 7)]
        return [*pieces, Piece((says(clean(words), "accent"),), 5)], self.conditions()

    def names(self) -> Sequence[str]:
        return ("message",)
