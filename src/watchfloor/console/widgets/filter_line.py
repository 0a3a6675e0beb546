"""One line of input, without blinking and without keys of its own: its editing keys are in the table of actions."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input

from watchfloor.console.action import Scope
from watchfloor.console.keys import bindings_for
from watchfloor.console.line import EMPTY, Line, as_typed, clip_line, width
from watchfloor.console.widgets.lines import Bar


class TextLine(Input, inherit_bindings=False):
    """A line to type in."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.TYPING,)
    DEFAULT_CSS: ClassVar[str] = """
    TextLine, TextLine:focus {
        height: 1; border: none; padding: 0;
        background: $wf-surface; background-tint: $wf-surface 0%; color: $wf-text;
    }
    TextLine > .input--placeholder { color: $wf-muted; }
    """

    def __init__(self, value: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(
            value, placeholder=placeholder, id=id, compact=True, select_on_focus=False, max_length=500
        )
        self.cursor_blink = False
        self.rebind()

    @property
    def _value(self) -> Text:
        """What is drawn: what came from outside may stand in a line before anybody typed."""
        text = "•" * len(self.value) if self.password else as_typed(self.value)
        return Text(text, no_wrap=True, overflow="ignore", end="")

    def _position_to_cell(self, position: int) -> int:
        return cell_len(as_typed(self.value[:position]))

    def rebind(self) -> None:
        """Take the keys of the key map in use."""
        self._bindings = bindings_for(self.SCOPES)


class FilterLine(TextLine, inherit_bindings=False):
    """Where a filter is typed; what it says takes effect at each key."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.TYPING, Scope.FILTER)


class _Prompt(Bar):
    DEFAULT_CSS: ClassVar[str] = "_Prompt { width: 3; }"
    ground: ClassVar[str] = "panel"

    def content(self, cells: int) -> Line:
        return ((" / ", "key"),)


class _Remark(Bar):
    DEFAULT_CSS: ClassVar[str] = "_Remark { width: 0; }"

    words: Line = EMPTY

    def content(self, cells: int) -> Line:
        return ((" ", "text"), *clip_line(self.words, cells - 2), (" ", "text"))


class FilterBar(Horizontal):
    """The filter line with its prompt; takes the place of the status bar while it is open."""

    DEFAULT_CSS: ClassVar[str] = """
    FilterBar { display: none; height: 1; }
    FilterBar.-shown { display: block; }
    FilterBar FilterLine { width: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._remark = _Remark()

    def compose(self) -> ComposeResult:
        yield _Prompt()
        yield FilterLine(placeholder="words  !without  ~fuzzy  field:value")
        yield self._remark

    def tell(self, remark: Line) -> None:
        """Say something about what is typed at the right end; it takes at most two thirds of the line."""
        self._remark.words = remark
        self._remark.styles.width = min(width(remark) + 2 * bool(remark), self.size.width * 2 // 3)
        self._remark.renew()

    def open(self, text: str) -> None:
        """Show it with `text` and give it the focus."""
        self.add_class("-shown")
        line = self.query_one(FilterLine)
        line.value = text
        line.cursor_position = len(text)
        line.focus()

    def close(self) -> None:
        """Hide it; whoever calls moves the focus."""
        self.remove_class("-shown")
