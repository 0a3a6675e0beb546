"""One run of a job: how it stands, its attempts, its log as it grows."""

from __future__ import annotations

from typing import ClassVar

from watchfloor.console.action import Scope
from watchfloor.console.format import Moment, clock
from watchfloor.console.glyphs import CRUMB, RUN, mark
from watchfloor.console.line import Line, Piece, clean, wrap
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.console.trail import Place
from watchfloor.console.views.sections import heading, pairs
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.boards import FINAL_STATES, RunDetail, RunLine

KEPT_LINES = 20_000
"""Lines of a log that the screen holds; of a longer one the newest."""


class RunRoom(DetailRoom, inherit_bindings=False):
    """A run in full."""

    ROOM: ClassVar[str] = "jobs"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"jobs"})

    def __init__(self, run_id: int) -> None:
        super().__init__()
        self._run_id = run_id
        self._detail: RunDetail | None = None
        self._log: list[RunLine] = []
        self._complete = False

    def place(self) -> Place:
        return Place(self.ROOM, "run", self._run_id)

    async def load(self) -> None:
        if self._complete:
            return
        reader = self.console_app.reader
        self._detail = await reader.run(self._run_id)
        last = (self._log[-1].attempt, self._log[-1].seq) if self._log else (0, 0)
        while lines := await reader.run_log(self._run_id, last):
            self._log = [*self._log, *lines][-KEPT_LINES:]
            last = (lines[-1].attempt, lines[-1].seq)
        self._complete = self._detail is not None and self._detail.row.state in FINAL_STATES

    def show(self) -> None:
        detail, log, moment = self._detail, self._log, self.console_app.moment
        if detail is None:
            self.pane.show(lambda _: [(("This run is gone.", "muted"),)])
        else:
            self.pane.show(lambda cells: run_lines(detail, log, moment, cells))
        super().show()

    def summary(self) -> Summary:
        job = self._detail.row.job if self._detail is not None else "run"
        name = clean(f"{job} #{self._run_id}")
        trail: Line = (("Jobs ", "muted"), (f"{CRUMB} ", "muted"), (name, "title"))
        pieces = [Piece((trail, ((name, "title"),)), 9)]
        if self._detail is not None:
            pieces.append(Piece((mark(RUN, self._detail.row.state).line,), 8))
        return pieces, self.conditions()


def run_lines(detail: RunDetail, log: list[RunLine], moment: Moment, cells: int) -> list[Line]:
    """A run with its attempts and its log."""
    row = detail.row
    items: list[tuple[str, Line]] = [
        ("state", mark(RUN, row.state).line),
        ("asked for by", ((clean(row.asked_by or "its schedule"), "text"),)),
        ("due", ((clock(row.scheduled_for, moment.now, moment.zone), "text"),)),
        ("started", ((clock(row.started_at, moment.now, moment.zone), "text"),)),
        ("ended", ((clock(row.finished_at, moment.now, moment.zone), "text"),)),
        ("exit code", (("—" if row.exit_code is None else str(row.exit_code), "text"),)),
    ]
    if row.reason:
        items.append(("dead because", ((clean(row.reason), "failing"),)))
    lines = pairs(items, cells)
    if row.error:
        lines += [*heading("ERROR", cells), *wrap(row.error, cells, "failing", limit=40)]
    lines += heading("ATTEMPTS", cells)
    for attempt in detail.attempts:
        words = attempt.error or ("ok" if attempt.finished_at else "goes on")
        role = "failing" if attempt.error_class else "text"
        lead = f"{attempt.attempt:>3}  {clock(attempt.started_at, moment.now, moment.zone)}  {clean(attempt.node)}  "
        lines.append(((lead, "muted"), (clean(words), role)))
    lines += heading("LOG", cells)
    for line in log:
        lines.append(((clean(line.text), "failing" if line.stream == "stderr" else "text"),))
    return lines
