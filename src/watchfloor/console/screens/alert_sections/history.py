"""Alerts that are over, the latest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from watchfloor.console.book import Book
from watchfloor.console.reader import Boards, Reader
from watchfloor.console.screens.alert_sections.active import AlertRows
from watchfloor.domain.boards import AlertRow


class History(AlertRows):
    """What was resolved."""

    name: ClassVar[str] = "History"
    empty: ClassVar[str] = "No alert was resolved yet."

    def __init__(self) -> None:
        super().__init__()
        self.pages = Book[AlertRow](lambda row: (row.resolved_at, row.id), lambda row: True)
        self.book = self.pages

    async def read(self, reader: Reader) -> Sequence[AlertRow]:
        return await self.pages.read(reader.alerts_over)

    async def read_boards(self, boards: Boards) -> Sequence[AlertRow]:
        return [row for row in await boards.alerts(resolved=True) if row.state == "resolved"]
