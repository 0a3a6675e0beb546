"""The Jobs room: for now what the program itself runs at intervals, one row for each run."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment, clock, latency
from watchfloor.console.glyphs import RUN, mark, tally
from watchfloor.console.line import Line, Piece, clean, says, wrap
from watchfloor.console.screens.beside import BesideRoom
from watchfloor.console.screens.listing import Grade
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.views.sections import heading, pairs
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import TaskRunRow
from watchfloor.domain.words import count


def _error(row: TaskRunRow, moment: Moment, cells: int) -> Line:
    return ((clean(row.error), "failing" if row.outcome == "failed" else "muted"),)


def _next(row: TaskRunRow, moment: Moment, cells: int) -> Line:
    """When the task runs again; of runs that were followed by others there is nothing to say."""
    ahead = row.next_run_at is not None and row.next_run_at > moment.now
    return says(moment.ahead(row.next_run_at), "muted") if ahead else ()


COLUMNS: tuple[Column[TaskRunRow], ...] = (
    Column("OUTCOME", lambda row, *_: mark(RUN, row.outcome).line, 9, order=lambda row: row.outcome),
    Column(
        "TASK", lambda row, *_: ((clean(row.task), "text"),), 16, grow=2, limit=32, order=lambda row: row.task
    ),
    Column(
        "NODE",
        lambda row, *_: ((clean(row.node), "muted"),),
        9,
        grow=1,
        limit=20,
        rank=4,
        order=lambda r: r.node,
    ),
    Column(
        "STARTED",
        lambda row, moment, _: ((moment.brief(row.started_at), "text"),),
        7,
        align="right",
        order=lambda row: row.started_at,
    ),
    Column(
        "TOOK",
        lambda row, *_: ((latency(row.duration), "text"),),
        8,
        rank=1,
        align="right",
        order=lambda row: row.duration,
    ),
    Column(
        "NEXT RUN",
        _next,
        9,
        rank=3,
        align="right",
        order=lambda row: (row.next_run_at is None, row.next_run_at),
    ),
    Column("ERROR", _error, 8, grow=5, rank=2),
)


class JobsRoom(BesideRoom[TaskRunRow], inherit_bindings=False):
    """Runs of the program's own tasks, newest first."""

    ROOM: ClassVar[str] = "jobs"
    NOUN: ClassVar[str] = "run"
    FOLLOWS: ClassVar[bool] = True
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.LIST, Scope.ACROSS, Scope.OPENS)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"jobs", "nodes"})
    FIELDS: ClassVar[frozenset[str]] = frozenset({"task", "node", "outcome", "error"})

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[TaskRunRow] = ()

    async def read_rows(self) -> Sequence[TaskRunRow]:
        return await self.console_app.reader.task_runs()

    def take(self, rows: Sequence[TaskRunRow]) -> None:
        self._rows = rows

    def columns(self) -> Sequence[Column[TaskRunRow]]:
        return COLUMNS

    def key(self, row: TaskRunRow) -> Hashable:
        return row.node, row.task, row.started_at

    def fields(self, row: TaskRunRow) -> Fields:
        return {
            "task": row.task.casefold(),
            "node": row.node.casefold(),
            "outcome": row.outcome,
            "error": row.error.casefold(),
        }

    def is_fault(self, row: TaskRunRow) -> bool:
        return row.outcome != "ok"

    def grade(self, row: TaskRunRow) -> Grade:
        return {"ok": Grade.FINE, "failed": Grade.ERROR}.get(row.outcome, Grade.WARNING)

    def empty(self) -> Line:
        return (("No task has run yet; an engine runs its own every few minutes.", "muted"),)

    def pieces(self) -> Sequence[Piece]:
        runs = count(len(self._rows), "run")
        tasks = count(len({row.task for row in self._rows}), "internal task")
        pieces = [Piece((says(f"{tasks}, latest {runs}", "title"), says(runs, "title")), 3)]
        for rank, outcome in ((6, "failed"), (4, "skipped"), (2, "ok")):
            pieces += tally(sum(row.outcome == outcome for row in self._rows), mark(RUN, outcome), rank)
        return pieces

    def context(self) -> Context:
        return replace(super().context(), row=self.selected is not None)

    def do_open(self) -> None:
        row = self.selected
        if row is not None:
            self.app.push_screen(
                TextRoom("jobs", ("Jobs", clean(row.task)), lambda m, cells: run_lines(row, m, cells))
            )

    async def read_beside(self) -> None:
        """A row holds all there is about a run."""

    def beside(self) -> Maker:
        row, moment = self.selected, self.console_app.moment
        return lambda cells: [] if row is None else run_lines(row, moment, cells)


def run_lines(row: TaskRunRow, moment: Moment, cells: int) -> list[Line]:
    """One run in full."""
    items: list[tuple[str, Line]] = [
        ("task", ((clean(row.task), "title"),)),
        ("outcome", mark(RUN, row.outcome).line),
        ("node", ((clean(row.node), "text"),)),
        ("started", ((clock(row.started_at, moment.now, moment.zone), "text"),)),
        ("took", ((latency(row.duration), "text"),)),
        ("next run", ((clock(row.next_run_at, moment.now, moment.zone), "text"),)),
    ]
    lines = pairs(items, cells)
    if row.error:
        lines += [*heading("ERROR", cells), *wrap(row.error, cells, "failing", limit=40)]
    return lines
