"""A room whose body is a text: scrolling and finding words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.widgets import Input

from watchfloor.console.action import Context, Scope
from watchfloor.console.copies import Copy
from watchfloor.console.keys import key_of
from watchfloor.console.line import Piece, clean
from watchfloor.console.screens.room import Room
from watchfloor.console.widgets.filter_line import FilterBar, FilterLine
from watchfloor.console.widgets.pane import Pane
from watchfloor.domain.words import count


class DetailRoom(Room, inherit_bindings=False):
    """Lines to scroll through. `/` marks words in them, `n` and `N` go from one to the next."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT)

    def __init__(self) -> None:
        super().__init__()
        self.needle = ""
        self._hits = 0
        self.pane = Pane(id="body")
        self.filter_bar = FilterBar()

    def body(self) -> ComposeResult:
        yield self.pane
        yield self.filter_bar

    def copies(self) -> Sequence[Copy]:
        return [Copy("text", self.pane.text())]

    def context(self) -> Context:
        return replace(self.base_context(), row=True, filtered=bool(self.needle))

    def scopes(self) -> Sequence[Scope]:
        return (Scope.FILTER,) if isinstance(self.focused, FilterLine) else self.SCOPES

    def conditions(self) -> list[Piece]:
        """What is looked for, for the right end of the summary."""
        if not self.needle:
            return []
        hits = count(self._hits, "line")
        return [
            Piece(
                (((key_of("filter"), "key"), (clean(self.needle), "accent"), (f" {hits}", "muted")),), rank=8
            )
        ]

    def position(self) -> str:
        pane = self.pane
        if pane.count() <= pane.page:
            return ""
        return f"line {pane.top + 1} of {pane.count()}"

    @on(Input.Changed, "FilterLine")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.needle = event.value.strip()
        self._find()

    def _find(self) -> None:
        self._hits = self.pane.find(self.needle)
        self.renew_bars()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.renew_bars()

    def do_filter(self) -> None:
        self.filter_bar.open(self.needle)
        self.status_bar.display = False

    def use_filter(self, text: str) -> None:
        self.needle = text.strip()
        self._find()

    def do_keep_filter(self) -> None:
        self.filter_bar.close()
        self.status_bar.display = not self.is_short
        self.pane.focus()

    def do_drop_filter(self) -> None:
        self.needle = ""
        self.do_keep_filter()
        self._find()

    def do_back(self) -> None:
        if self.needle and not self.leaves_past:
            self.needle = ""
            self._find()
        else:
            super().do_back()

    def do_next_hit(self) -> None:
        self._hit(1)

    def do_previous_hit(self) -> None:
        self._hit(-1)

    def _hit(self, direction: int) -> None:
        if not self.pane.to_hit(direction):
            self.console_app.say(((f"no hit; {key_of('filter')} looks for words", "muted"),))
        self.renew_bars()

    def _scroll(self, distance: int) -> None:
        self.pane.move(distance)
        self.renew_bars()

    def do_move_down(self) -> None:
        self._scroll(1)

    def do_move_up(self) -> None:
        self._scroll(-1)

    def do_half_down(self) -> None:
        self._scroll(max(1, self.pane.page // 2))

    def do_half_up(self) -> None:
        self._scroll(-max(1, self.pane.page // 2))

    def do_page_down(self) -> None:
        self._scroll(self.pane.page)

    def do_page_up(self) -> None:
        self._scroll(-self.pane.page)

    def do_to_top(self) -> None:
        self._scroll(-self.pane.count())

    def do_to_bottom(self) -> None:
        self._scroll(self.pane.count())
