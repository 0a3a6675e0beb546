"""The widget under all others: a window on lines that are made only when they are visible.

A view knows how many lines it has and can make any one of them. It remembers what it drew, so that after a
change of data only the lines that differ are drawn again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeAlias, cast

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from watchfloor.console.line import EMPTY, Line, fit_line

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp
    from watchfloor.console.ink import Inks

Drawn: TypeAlias = tuple[Line, str]
"""A line and the ground it is drawn on."""

WHEEL = 3
THIN_CELLS = 2
"""On a line on which each byte counts only so many cells of the chosen line stand out: moving it is cheaper still."""


def strip_of(line: Line, ground: str, inks: Inks) -> Strip:
    """A line as Textual draws it, in as few pieces as can be: blanks take the style of what stands before them.

    The last guard: nothing unprintable passes, and no width changes.
    """
    segments: list[Segment] = []
    pending, style = "", None
    for text, role in line:
        own = inks.style(role, ground)
        if style is None or (own is not style and not (text.isspace() and _alike(own, style))):
            if pending and style is not None:
                segments.append(Segment(pending, style))
            pending, style = "", own
        pending += text if text.isprintable() else _printable(text)
    if pending and style is not None:
        segments.append(Segment(pending, style))
    return Strip(segments)


def _alike(one: Style, other: Style) -> bool:
    """Whether a blank looks the same in both styles."""
    return one.bgcolor == other.bgcolor and not (
        one.reverse or other.reverse or one.underline or other.underline
    )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "�" * cell_len(c) for c in text)


def _lit(bright: Strip, dim: Strip, cells: Sequence[tuple[int, int]]) -> Strip:
    """The cells of `bright`, and between them those of `dim`."""
    parts, at = [], 0
    for start, end in cells:
        parts += [dim.crop(at, start), bright.crop(start, end)]
        at = end
    return Strip.join([*parts, dim.crop(at, dim.cell_length)])


class Lines(Widget, inherit_bindings=False):
    """A window on lines. Subclasses say how many there are (`count`) and make each (`line`)."""

    DEFAULT_CSS: ClassVar[str] = """
    Lines { width: 1fr; height: 1fr; }
    """
    ground: ClassVar[str] = "background"
    headed: ClassVar[bool] = False
    margin: ClassVar[int] = 1
    """The column of the scroll mark, kept free so that nothing jumps when it appears."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.top = 0
        self._drawn: dict[int, Drawn] = {}

    @property
    def console_app(self) -> WatchfloorApp:
        """The application, by its real type."""
        return cast("WatchfloorApp", self.app)

    def count(self) -> int:
        """How many lines there are to scroll through."""
        raise NotImplementedError

    def line(self, index: int, cells: int) -> Drawn:
        """Line `index`, to be shown in `cells` cells."""
        raise NotImplementedError

    def head(self, cells: int) -> Drawn:
        """The line above the others that does not scroll, where `headed`."""
        raise NotImplementedError

    @property
    def lit(self) -> Sequence[tuple[int, int]]:
        """Which cells of a line on another ground have it, each from a cell to before another.

        To move a highlight is to send every cell of it twice: it covers what the line is called, not the whole line.
        """
        return [(0, self.size.width)]

    @property
    def page(self) -> int:
        """How many scrolling lines are visible."""
        return max(1, self.size.height - int(self.headed))

    def scroll_top(self, top: int) -> None:
        """Show the lines from `top` on, as far as there are any."""
        top = max(0, min(top, self.count() - self.page))
        if top != self.top:
            self.top = top
            self.renew()

    def renew(self) -> None:
        """Draw the lines that differ from those on the screen."""
        if not self.is_attached or not self.size:
            return
        self.top = max(0, min(self.top, self.count() - self.page))
        self._look_at(range(self.size.height))

    def _look_at(self, lines: Iterable[int]) -> None:
        for y in lines:
            before, after = self._drawn.get(y), self._make(y)
            if before != after:
                self.refresh(Region(0, y, self.size.width, 1))
                self._drawn[y] = after

    def render_line(self, y: int) -> Strip:
        """Called by Textual for each line that must be drawn."""
        line, ground = self._drawn[y] = self._make(y)
        app = self.console_app
        strip = strip_of(line, ground, app.inks)
        if ground == self.ground:
            return strip
        thin = app.outlet is not None and app.outlet.is_thin
        return _lit(strip, strip_of(line, self.ground, app.inks), [(0, THIN_CELLS)] if thin else self.lit)

    def _make(self, y: int) -> Drawn:
        cells = self.size.width
        if y < self.headed:
            line, ground = self.head(cells)
            return fit_line(line, cells), ground
        index = self.top + y - self.headed
        inner = cells - self.margin
        line, ground = self.line(index, inner) if index < self.count() else (EMPTY, self.ground)
        line = fit_line(line, inner)
        if self.margin:
            line = (*line, ("▐" if y - self.headed in self._thumb else " ", "border"))
        return line, ground

    @property
    def _thumb(self) -> range:
        """The lines of the window beside which the scroll mark stands; empty where all lines fit."""
        count, page = self.count(), self.page
        if count <= page:
            return range(0)
        size = max(1, page * page // count)
        start = round((page - size) * self.top / (count - page))
        return range(start, start + size)

    def on_resize(self, event: events.Resize) -> None:
        self._drawn.clear()
        self.top = max(0, min(self.top, self.count() - self.page))
        self.refresh()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.scroll_top(self.top + WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.scroll_top(self.top - WHEEL)


class Bar(Lines):
    """One line that never scrolls. Subclasses implement `content`."""

    DEFAULT_CSS: ClassVar[str] = """
    Bar { height: 1; width: 1fr; }
    """
    ground: ClassVar[str] = "surface"
    margin: ClassVar[int] = 0

    def count(self) -> int:
        return 1

    def line(self, index: int, cells: int) -> Drawn:
        return self.content(cells), self.ground

    def content(self, cells: int) -> Line:
        """The line for this width."""
        raise NotImplementedError
