"""Words of any length, folded into as many lines as the width asks for: never clipped while there is room below."""

from __future__ import annotations

from textual.geometry import Size

from watchfloor.console.line import Line, wrap
from watchfloor.console.widgets.lines import Drawn, Lines

LOW = 9
"""On terminals lower than this every sentence has one line."""


class Words(Lines):
    """A paragraph of at most `limit` lines; without words it takes no room."""

    DEFAULT_CSS = """
    Words { width: 100%; height: auto; }
    """
    ground = "panel"
    margin = 0

    def __init__(
        self,
        text: str = "",
        role: str = "text",
        *,
        limit: int = 4,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._text, self._role, self._limit = text, role, limit

    def say(self, text: str, role: str) -> None:
        """Say something else."""
        if (text, role) != (self._text, self._role):
            self._text, self._role = text, role
            self._drawn.clear()
            self.refresh(layout=True)

    def _folded(self, cells: int) -> list[Line]:
        limit = 1 if self.app.size.height < LOW else self._limit
        return wrap(self._text, max(1, cells), self._role, limit=limit)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._folded(width))

    def count(self) -> int:
        return len(self._folded(self.size.width))

    def line(self, index: int, cells: int) -> Drawn:
        return self._folded(cells)[index], self.ground
