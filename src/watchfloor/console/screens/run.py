"""One run of a job: how it stands, what happens next, its attempts, its log as it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.glyphs import RUN, mark
from watchfloor.console.line import Piece, clean
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.console.screens.job_acts import RunActs
from watchfloor.console.trail import Place
from watchfloor.console.views.run import run_lines
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.job_boards import FINAL_STATES, RunDetail, RunLine

KEPT_LINES = 20_000
"""Lines of a log that the screen holds; of a longer one the newest."""


class RunRoom(RunActs, DetailRoom, inherit_bindings=False):
    """A run in full. Who stands at the end of its log stays with what comes."""

    ROOM: ClassVar[str] = "jobs"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT, Scope.RUNS, Scope.RUN)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"jobs"})

    def __init__(self, run_id: int) -> None:
        super().__init__()
        self._run_id = run_id
        self._detail: RunDetail | None = None
        self._log: list[RunLine] = []

    def place(self) -> Place:
        return Place(self.ROOM, "run", self._run_id)

    async def load(self) -> None:
        reader = self.console_app.reader
        ended = self._detail is not None and self._detail.row.state in FINAL_STATES
        self._detail = await reader.run(self._run_id)
        if ended:
            return
        last = (self._log[-1].attempt, self._log[-1].seq) if self._log else (0, 0)
        while lines := await reader.run_log(self._run_id, last):
            self._log = [*self._log, *lines][-KEPT_LINES:]
            last = (lines[-1].attempt, lines[-1].seq)

    def show(self) -> None:
        detail, log, moment = self._detail, self._log, self.console_app.moment
        follows = self.pane.top > 0 and self.pane.top + self.pane.page >= self.pane.count()
        if detail is None:
            self.pane.show(lambda _: [(("This run is gone.", "muted"),)])
        else:
            self.pane.show(lambda cells: run_lines(detail, log, moment, cells))
        if follows:
            self.pane.move(self.pane.count())
        super().show()

    def context(self) -> Context:
        found = self._detail
        if found is None:
            return super().context()
        return replace(super().context(), run=found.row, alert_id=found.alert_id)

    def do_show_alert(self) -> None:
        from watchfloor.console.screens.alert import AlertRoom

        alert = self.context().alert_id
        if alert is not None:
            self.app.push_screen(AlertRoom(alert))

    def summary(self) -> Summary:
        pieces = [self.way()]
        if self._detail is not None:
            pieces.append(Piece((mark(RUN, self._detail.row.state).line,), 8))
        return pieces, self.conditions()

    def names(self) -> Sequence[str]:
        job = self._detail.row.job if self._detail is not None else "run"
        return (clean(f"{job} #{self._run_id}"),)
