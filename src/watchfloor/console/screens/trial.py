"""A service that is not saved yet, checked once by an engine: asked through the database, answered by a node."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from watchfloor.console.action import Scope
from watchfloor.console.line import Piece, clean
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.console.views.trial import trial_lines, trial_mark
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.trial import Stage, Trial, stage

LOOK_S = 1.0
"""While no answer has come it is looked for this often: that none comes is an answer, too."""


class TrialRoom(DetailRoom, inherit_bindings=False):
    """The verdict, its phases and what was learned."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"checks"})

    def __init__(self, name: str, trial_id: UUID) -> None:
        super().__init__()
        self._called, self._trial_id = name, trial_id
        self._found: tuple[Trial | None, datetime] | None = None

    def tab(self) -> str:
        return "health"

    def place(self) -> None:
        """What was tried is saved nowhere yet."""

    async def load(self) -> None:
        self._found = await self.console_app.reader.trial(self._trial_id)
        trial, now = self._found
        if trial is not None and stage(trial, now) in (Stage.WAITING, Stage.RUNNING):
            self.set_timer(LOOK_S, self.look_again)

    def show(self) -> None:
        if self._found is not None:
            (trial, now), moment = self._found, self.console_app.moment
            self.pane.show(lambda cells: trial_lines(trial, now, moment, cells))
        super().show()

    def summary(self) -> Summary:
        pieces = [self.way()]
        if self._found is not None and self._found[0] is not None:
            pieces.append(Piece((trial_mark(self._found[0], self._found[1]).line,), 8))
        return pieces, self.conditions()

    def names(self) -> Sequence[str]:
        return (f"test of {clean(self._called)}",)
