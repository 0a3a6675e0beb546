"""Where the field of a form is typed: one line, or a text of several. Their keys are in the table of actions."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.geometry import Size
from textual.widgets import TextArea

from watchfloor.console.action import Scope
from watchfloor.console.keys import bindings_for
from watchfloor.console.line import EMPTY, Line, as_typed, clip_line, width
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.lines import Bar

FEWEST, MOST, AROUND = 3, 20, 9
"""Lines of a text of several, and those of the dialog around it."""
LONGEST = 500
"""More characters than this are typed in the text of several lines."""


class EntryLine(TextLine, inherit_bindings=False):
    """The line in which a field is typed."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.TYPING, Scope.ENTRY)


class _Label(Bar):
    DEFAULT_CSS: ClassVar[str] = "_Label { width: 0; }"
    ground: ClassVar[str] = "panel"
    words: Line = EMPTY

    def content(self, cells: int) -> Line:
        return clip_line(self.words, cells)


class EntryBar(Horizontal):
    """The line of a field with its name; takes the place of the status bar while it is open."""

    DEFAULT_CSS: ClassVar[str] = """
    EntryBar { display: none; height: 1; }
    EntryBar.-shown { display: block; }
    EntryBar EntryLine { width: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._label = _Label()
        self.secret = False

    def compose(self) -> ComposeResult:
        yield self._label
        yield EntryLine()

    @property
    def line(self) -> EntryLine:
        """Where is typed."""
        return self.query_one(EntryLine)

    def open(self, name: str, text: str, hint: str, *, secret: bool) -> None:
        """Show it with `text` and give it the focus; `hint` stands there while nothing is typed."""
        words: Line = ((f" {name} ", "key"),)
        self._label.words = words
        self._label.styles.width = min(width(words), self.size.width or width(words))
        self._label.renew()
        self.secret = secret
        self.add_class("-shown")
        line = self.line
        line.placeholder = hint
        line.value = text
        line.cursor_position = len(text)
        self.hide_secret()
        line.focus()

    def hide_secret(self) -> None:
        """Show dots for a secret that is typed as it is; a reference may be seen."""
        self.line.password = self.secret and not self.line.value.startswith("$")

    def close(self) -> None:
        """Hide it; whoever calls moves the focus."""
        self.remove_class("-shown")


class LinesArea(TextArea, inherit_bindings=False):
    """A text of several lines to type in, without blinking."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.WRITING, Scope.LINES)
    DEFAULT_CSS: ClassVar[str] = """
    LinesArea, LinesArea:focus {
        border: none; padding: 0; width: 100%; height: auto; background: $wf-surface; color: $wf-text;
        scrollbar-size: 1 1;
    }
    LinesArea .text-area--cursor { background: $wf-text; color: $wf-surface; text-style: none; }
    LinesArea .text-area--cursor-line { background: $wf-surface; }
    LinesArea .text-area--selection { background: $wf-selection; color: $wf-text; }
    LinesArea .text-area--placeholder { color: $wf-muted; }
    """

    def __init__(self, text: str, *, placeholder: str = "") -> None:
        super().__init__(
            text, soft_wrap=False, compact=True, highlight_cursor_line=False, placeholder=placeholder
        )
        self.cursor_blink = False
        self.move_cursor(self.document.end)
        self._bindings = bindings_for(self.SCOPES)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """What the terminal has beside the rest of a dialog, whatever is typed: what grows moves the rest about."""
        return max(FEWEST, min(MOST, viewport.height - AROUND))

    def get_line(self, line_index: int) -> Text:
        """What is drawn of a line; tabs are kept, they become blanks later."""
        parts = self.document.get_line(line_index).split("\t")
        return Text("\t".join(map(as_typed, parts)), end="", no_wrap=True)
