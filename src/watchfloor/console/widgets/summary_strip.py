"""The line under the rooms that says what a screen holds, over a rule that may show proportions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from watchfloor.console.line import Line, Piece, bar
from watchfloor.console.widgets.lines import Drawn, Lines

Summary = tuple[Sequence[Piece], Sequence[Piece]]


class SummaryStrip(Lines):
    """Two lines: pieces at the left and at the right, and a rule."""

    DEFAULT_CSS: ClassVar[str] = """
    SummaryStrip { height: 2; width: 1fr; }
    """
    margin: ClassVar[int] = 0

    def __init__(self, summary: Callable[[], Summary], rule: Callable[[int], Line]) -> None:
        super().__init__()
        self._summary, self._rule = summary, rule

    def count(self) -> int:
        return 2

    def line(self, index: int, cells: int) -> Drawn:
        if index == 1:
            return self._rule(cells), self.ground
        left, right = self._summary()
        return ((" ", "text"), *bar(left, right, cells - 2), (" ", "text")), self.ground


def plain_rule(cells: int) -> Line:
    """A rule that says nothing but "here ends the head"."""
    return (("━" * cells, "border"),)
