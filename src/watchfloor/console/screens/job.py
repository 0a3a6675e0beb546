"""One job: when it runs, how it does, whose it is, and its runs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.app import ComposeResult

from watchfloor.console.action import Context, Scope
from watchfloor.console.book import Book
from watchfloor.console.filters import Fields
from watchfloor.console.line import Line, Piece, clean
from watchfloor.console.screens.job_acts import RunActs
from watchfloor.console.screens.job_sections import FAULTS, RUN_COLUMNS, run_book, run_fields
from watchfloor.console.screens.paged import PagedRoom
from watchfloor.console.screens.run import RunRoom
from watchfloor.console.trail import Place
from watchfloor.console.views.job import job_lines
from watchfloor.console.views.jobs import job_mark
from watchfloor.console.widgets.pane import Maker, Pane
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.console.widgets.table import Column
from watchfloor.domain.job_boards import JobDay, JobRow, RunRow

FACT_LINES = 9


class JobRoom(RunActs, PagedRoom, inherit_bindings=False):
    """The runs of a job under its facts; where the screen is wide, beside them."""

    ROOM: ClassVar[str] = "jobs"
    NOUN: ClassVar[str] = "run"
    FOLLOWS: ClassVar[bool] = True
    SCOPES: ClassVar[tuple[Scope, ...]] = (
        *(Scope.ROOM, Scope.LIST, Scope.ACROSS, Scope.OPENS),
        *(Scope.JOBS, Scope.RUNS),
    )
    TOPICS: ClassVar[frozenset[str]] = frozenset({"jobs", "runs"})
    FIELDS: ClassVar[frozenset[str]] = frozenset({"kind", "state", "node", "from", "error", "id"})
    DEFAULT_CSS: ClassVar[str] = """
    JobRoom #facts { height: 9; border-bottom: solid $wf-border; }
    JobRoom.-low #facts { display: none; }
    JobRoom #facts.-hidden { display: none; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-roomy")]

    def __init__(self, job_id: int) -> None:
        super().__init__()
        self._job_id = job_id
        self._job: JobRow | None = None
        self._day: JobDay | None = None
        self._looked = False
        self._book = run_book()
        self.facts = Pane(id="facts")
        self.facts.can_focus = False

    def place(self) -> Place:
        return Place(self.ROOM, "job", self._job_id)

    def body(self) -> ComposeResult:
        yield self.facts
        yield from super().body()

    async def read_rows(self) -> Sequence[RunRow]:
        reader = self.console_app.reader
        self._job = next((job for job in await reader.jobs() if job.id == self._job_id), None)
        self._looked = True
        if self._job is None:
            return []
        name = self._job.name
        self._day = await reader.job_day(name)
        return await self._book.read(lambda before: reader.runs(name, before=before))

    @property
    def book(self) -> Book[RunRow]:
        return self._book

    def columns(self) -> Sequence[Column[RunRow]]:
        return [column for column in RUN_COLUMNS if column.title != "JOB"]

    def key(self, row: RunRow) -> Hashable:
        return row.id

    def fields(self, row: RunRow) -> Fields:
        return run_fields(row)

    def is_fault(self, row: RunRow) -> bool:
        return row.state in FAULTS

    def marked_letters(self) -> Sequence[RunRow]:
        return [row for row in self.table.rows.marked if row.open_letter]

    def marks_used(self) -> None:
        self.do_clear_marks()

    def empty(self) -> Line:
        gone = self._looked and self._job is None
        return (("This job is gone." if gone else "It has not run yet.", "muted"),)

    def context(self) -> Context:
        marking = self._marking
        return replace(
            super().context(),
            job=self._job,
            run=self.selected,
            marked_letters=len(self.marked_letters()) if marking else 0,
        )

    def summary(self) -> Summary:
        pieces = [self.way()]
        if self._job is not None:
            pieces.append(Piece((job_mark(self._job).line,), 8))
        return [*pieces, *self.further()], self._conditions()

    def names(self) -> Sequence[str]:
        return (clean(self._job.name if self._job else f"job {self._job_id}"),)

    def show(self) -> None:
        super().show()
        job, moment = self._job, self.console_app.moment
        self.facts.show(lambda cells: [] if job is None else job_lines(job, moment, cells)[: FACT_LINES - 1])

    def show_rows(self, rows: Sequence[RunRow]) -> None:
        super().show_rows(rows)
        self.show()

    async def read_beside(self) -> None:
        """The facts are read with the runs."""

    def beside(self) -> Maker:
        job, day, moment = self._job, self._day, self.console_app.moment
        return lambda cells: [] if job is None else job_lines(job, moment, cells, day)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.facts.set_class(self.is_wide, "-hidden")

    def do_open(self) -> None:
        if self.selected is not None:
            self.app.push_screen(RunRoom(self.selected.id))
