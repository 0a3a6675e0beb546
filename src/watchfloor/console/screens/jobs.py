"""The Jobs room: the latest runs of jobs and of what the program itself does at intervals, one row for each."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment, clock, latency
from watchfloor.console.glyphs import RUN, mark, tally
from watchfloor.console.line import Line, Piece, clean, says, wrap
from watchfloor.console.screens.beside import BesideRoom
from watchfloor.console.screens.listing import Grade
from watchfloor.console.screens.run import RunRoom
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.views.sections import heading, pairs
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import JobRow, RunRow, TaskRunRow
from watchfloor.domain.words import count


@dataclass(frozen=True, slots=True)
class Work:
    """A run of a job (``run_id`` is its number) or of an internal task."""

    task: str
    node: str
    outcome: str
    started_at: datetime
    duration: float | None
    error: str
    next_run_at: datetime | None
    run_id: int | None = None


FAULTS = frozenset({"failed", "dead", "missed"})


def of_task(row: TaskRunRow) -> Work:
    """The run of an internal task as the room lists it."""
    return Work(row.task, row.node, row.outcome, row.started_at, row.duration, row.error, row.next_run_at)


def of_job(row: RunRow, next_fire_at: datetime | None) -> Work:
    """The run of a job as the room lists it."""
    began, ended = row.started_at, row.finished_at
    took = None if began is None or ended is None else (ended - began).total_seconds()
    at = began or row.scheduled_for
    return Work(row.job, row.node, row.state, at, took, row.error, next_fire_at, row.id)


def _error(row: Work, moment: Moment, cells: int) -> Line:
    return ((clean(row.error), "failing" if row.outcome in FAULTS else "muted"),)


def _took(row: Work) -> str:
    return "—" if row.duration is None else latency(row.duration)


def _next(row: Work, moment: Moment, cells: int) -> Line:
    """When the task runs again; of runs that were followed by others there is nothing to say."""
    ahead = row.next_run_at is not None and row.next_run_at > moment.now
    return says(moment.ahead(row.next_run_at), "muted") if ahead else ()


COLUMNS: tuple[Column[Work], ...] = (
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
        lambda row, *_: ((_took(row), "text"),),
        8,
        rank=1,
        align="right",
        order=lambda row: row.duration or 0.0,
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


class JobsRoom(BesideRoom[Work], inherit_bindings=False):
    """Runs of jobs and of the program's own tasks, newest first."""

    ROOM: ClassVar[str] = "jobs"
    NOUN: ClassVar[str] = "run"
    FOLLOWS: ClassVar[bool] = True
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.LIST, Scope.ACROSS, Scope.OPENS)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"jobs", "nodes"})
    FIELDS: ClassVar[frozenset[str]] = frozenset({"task", "node", "outcome", "error"})

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[Work] = ()
        self._jobs: Sequence[JobRow] = ()

    async def read_rows(self) -> Sequence[Work]:
        reader = self.console_app.reader
        self._jobs = await reader.jobs()
        ahead = {job.name: job.next_fire_at for job in self._jobs}
        work = [of_task(row) for row in await reader.task_runs()]
        seen: set[str] = set()
        for row in await reader.runs(None):
            work.append(of_job(row, None if row.job in seen else ahead.get(row.job)))
            seen.add(row.job)
        return sorted(work, key=lambda row: row.started_at, reverse=True)

    def take(self, rows: Sequence[Work]) -> None:
        self._rows = rows

    def columns(self) -> Sequence[Column[Work]]:
        return COLUMNS

    def key(self, row: Work) -> Hashable:
        return row.run_id or (row.node, row.task, row.started_at)

    def fields(self, row: Work) -> Fields:
        return {
            "task": row.task.casefold(),
            "node": row.node.casefold(),
            "outcome": row.outcome,
            "error": row.error.casefold(),
        }

    def is_fault(self, row: Work) -> bool:
        return row.outcome in FAULTS or row.outcome == "skipped"

    def grade(self, row: Work) -> Grade:
        if row.outcome in ("failed", "dead"):
            return Grade.ERROR
        return Grade.WARNING if self.is_fault(row) else Grade.FINE

    def empty(self) -> Line:
        return (("No task has run yet; an engine runs its own every few minutes.", "muted"),)

    def pieces(self) -> Sequence[Piece]:
        runs = count(len(self._rows), "run")
        tasks = count(len({row.task for row in self._rows if row.run_id is None}), "internal task")
        jobs = f"{count(len(self._jobs), 'job')}, " if self._jobs else ""
        pieces = [Piece((says(f"{jobs}{tasks}, latest {runs}", "title"), says(runs, "title")), 3)]
        for rank, outcome in ((7, "dead"), (6, "failed"), (5, "running"), (4, "skipped"), (2, "ok")):
            pieces += tally(sum(row.outcome == outcome for row in self._rows), mark(RUN, outcome), rank)
        return pieces

    def context(self) -> Context:
        return replace(super().context(), row=self.selected is not None)

    def do_open(self) -> None:
        row = self.selected
        if row is not None and row.run_id is not None:
            self.app.push_screen(RunRoom(row.run_id))
        elif row is not None:
            self.app.push_screen(
                TextRoom("jobs", ("Jobs", clean(row.task)), lambda m, cells: run_lines(row, m, cells))
            )

    async def read_beside(self) -> None:
        """A row holds all there is about a run."""

    def beside(self) -> Maker:
        row, moment = self.selected, self.console_app.moment
        return lambda cells: [] if row is None else run_lines(row, moment, cells)


def run_lines(row: Work, moment: Moment, cells: int) -> list[Line]:
    """One run in full."""
    items: list[tuple[str, Line]] = [
        ("task", ((clean(row.task), "title"),)),
        ("outcome", mark(RUN, row.outcome).line),
        ("node", ((clean(row.node), "text"),)),
        ("started", ((clock(row.started_at, moment.now, moment.zone), "text"),)),
        ("took", ((_took(row), "text"),)),
        ("next run", ((clock(row.next_run_at, moment.now, moment.zone), "text"),)),
    ]
    lines = pairs(items, cells)
    if row.error:
        lines += [*heading("ERROR", cells), *wrap(row.error, cells, "failing", limit=40)]
    return lines
