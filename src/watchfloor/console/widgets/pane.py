"""A scrolling text made of lines: the body of every detail screen. Knows how to find words in itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events

from watchfloor.console.line import Line, Span, plain
from watchfloor.console.widgets.lines import Drawn, Lines

Maker = Callable[[int], list[Line]]
"""Makes the lines for a width; called again when the width or the data change."""


class Pane(Lines, can_focus=True, inherit_bindings=False):
    """Lines made by a function of the width."""

    DEFAULT_CSS: ClassVar[str] = """
    Pane { width: 1fr; height: 1fr; padding: 0 0 0 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._maker: Maker = lambda _: [(("Reading …", "muted"),)]
        self._made: list[Line] = []
        self._needle = ""
        self._hits: list[int] = []

    def show(self, maker: Maker) -> None:
        """Show the lines of `maker`; the place in the text stays."""
        self._maker = maker
        self._remake()
        self.renew()

    def text(self) -> str:
        """All lines as plain text."""
        return "\n".join(plain(line).rstrip() for line in self._made)

    def find(self, needle: str) -> int:
        """Mark every line that holds `needle` (case does not matter); the number of such lines."""
        self._needle = needle.casefold()
        self._remake()
        self.renew()
        if self._hits:
            self.to_hit(1, include_top=True)
        return len(self._hits)

    def to_hit(self, direction: int, *, include_top: bool = False) -> bool:
        """Scroll to the next (1) or previous (-1) line with the words looked for, round the end."""
        if not self._hits:
            return False
        beyond = [
            hit for hit in self._hits if (hit - self.top) * direction > 0 or (include_top and hit == self.top)
        ]
        ordered = beyond or self._hits
        self.scroll_top(ordered[0] if direction > 0 else ordered[-1])
        return True

    def move(self, distance: int) -> None:
        """Scroll by so many lines."""
        self.scroll_top(self.top + distance)

    def move_to(self, place: int) -> None:
        """Scroll so that line `place` is the first."""
        self.scroll_top(place)

    def count(self) -> int:
        return len(self._made)

    def line(self, index: int, cells: int) -> Drawn:
        line = self._made[index]
        return (_marked(line, self._needle) if index in self._hits else line), self.ground

    def on_resize(self, event: events.Resize) -> None:
        self._remake()
        super().on_resize(event)

    def _remake(self) -> None:
        self._made = self._maker(max(10, self.size.width - self.margin)) if self.size else []
        needle = self._needle
        self._hits = [i for i, line in enumerate(self._made) if needle and needle in plain(line).casefold()]


def _marked(line: Line, needle: str) -> Line:
    """The line with every occurrence of `needle` in the role ``found``."""
    spans: list[Span] = []
    for text, role in line:
        folded, start = text.casefold(), 0
        if len(folded) != len(text):  # case folding that changes lengths: mark nothing rather than wrongly
            spans.append((text, role))
            continue
        while (place := folded.find(needle, start)) >= 0:
            spans += [(text[start:place], role), (text[place : place + len(needle)], "found")]
            start = place + len(needle)
        spans.append((text[start:], role))
    return tuple(span for span in spans if span[0])
