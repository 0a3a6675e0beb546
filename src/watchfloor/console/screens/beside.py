"""A board that, where the screen is wide, shows the selected row in full at its right."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer

from watchfloor.console.screens.board import BoardRoom
from watchfloor.console.widgets.pane import Maker, Pane

R = TypeVar("R")

WIDE = 140
SETTLE_S = 0.08
"""A cursor on the move is not followed; it must rest this long before the row beside it is read."""


class BesideRoom(BoardRoom[R], Generic[R], inherit_bindings=False):
    """A table, and a pane about its selected row."""

    DEFAULT_CSS: ClassVar[str] = """
    BesideRoom #beside { width: 5fr; display: none; border-left: solid $wf-border; padding: 0 0 0 1; }
    BesideRoom #beside.-shown { display: block; }
    BesideRoom #body, BesideRoom .section { width: 8fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._rest: Timer | None = None
        self.pane = Pane(id="beside")
        self.pane.can_focus = False

    def body(self) -> ComposeResult:
        with Horizontal():
            yield from self.tables
            yield self.pane
        yield self.filter_bar

    # For subclasses

    async def read_beside(self) -> None:
        """Read the selected row in full."""
        raise NotImplementedError

    def beside(self) -> Maker:
        """The lines about the selected row, or the one before it until that is read: nothing flickers."""
        raise NotImplementedError

    # Machinery

    @property
    def is_wide(self) -> bool:
        """Whether there is room for the pane."""
        return self.app.size.width >= WIDE

    async def load(self) -> None:
        await super().load()
        await self.load_beside()

    async def load_beside(self) -> None:
        """Read and show the selected row, where there is room."""
        if self.is_wide:
            await self.read_beside()
            self._show_beside()

    def show(self) -> None:
        super().show()
        if self.is_wide:
            self._show_beside()

    def _show_beside(self) -> None:
        self.pane.show(self.beside())

    def selected_changed(self) -> None:
        if self.is_wide:
            if self._rest is not None:
                self._rest.stop()
            self._rest = self.set_timer(SETTLE_S, self._rested)

    def _rested(self) -> None:
        self._rest = None
        self.look_again()

    @property
    def settled(self) -> bool:
        return self._rest is None and super().settled

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.pane.set_class(self.is_wide, "-shown")
        self.look_again()
