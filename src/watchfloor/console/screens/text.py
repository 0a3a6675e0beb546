"""A detail screen for what its board holds completely already: a run, a log record, a node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from watchfloor.console.action import Scope
from watchfloor.console.format import Moment
from watchfloor.console.line import Line
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.console.widgets.summary_strip import Summary


class TextRoom(DetailRoom, inherit_bindings=False):
    """Lines made by a function of the moment and the width."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT)

    def __init__(self, room: str, name: str, lines: Callable[[Moment, int], list[Line]]) -> None:
        super().__init__()
        self._tab, self._title, self._make_lines = room, name, lines

    def place(self) -> None:
        """What it shows came from a row that may not be there any more."""

    def tab(self) -> str:
        return self._tab

    def show(self) -> None:
        moment = self.console_app.moment
        self.pane.show(lambda cells: self._make_lines(moment, cells))
        super().show()

    def summary(self) -> Summary:
        return [self.way()], self.conditions()

    def names(self) -> Sequence[str]:
        return (self._title,)
