"""The Jobs room: jobs, their runs, dead letters, what is to come, who carries it out, and the program's own tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.book import Book
from watchfloor.console.glyphs import RUN, Mark, mark, tally
from watchfloor.console.line import Piece, clean
from watchfloor.console.screens.job import JobRoom
from watchfloor.console.screens.job_acts import RunActs
from watchfloor.console.screens.job_sections import (
    CALENDARS,
    JOBS,
    LETTERS,
    RUNS,
    SECTIONS,
    JobSection,
    run_book,
)
from watchfloor.console.screens.listing import Grade
from watchfloor.console.screens.paged import PagedRoom
from watchfloor.console.screens.queue import QueueRoom
from watchfloor.console.screens.run import RunRoom
from watchfloor.console.screens.sectioned import SectionedRoom
from watchfloor.console.screens.settings import row_lines
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.views.job import job_lines
from watchfloor.console.views.jobs import job_mark
from watchfloor.console.views.run import run_lines
from watchfloor.console.widgets.pane import Maker
from watchfloor.domain.calendar import CalendarFire
from watchfloor.domain.job_boards import JobRow, QueueRow, RunDetail, RunRow

TALLIED: Mapping[str, tuple[str, ...]] = {
    JOBS.name: ("dead", "tripped", "running", "paused"),
    RUNS.name: ("dead", "running", "ready", "waiting"),
    LETTERS.name: ("dead",),
}


class JobsRoom(RunActs, PagedRoom, SectionedRoom, inherit_bindings=False):
    """Eight tables, one at a time."""

    ROOM: ClassVar[str] = "jobs"
    SCOPES: ClassVar[tuple[Scope, ...]] = (
        *(Scope.ROOM, Scope.LIST, Scope.ACROSS, Scope.OPENS),
        *(Scope.JOBS, Scope.RUNS, Scope.SECTIONS),
    )
    TOPICS: ClassVar[frozenset[str]] = frozenset({"jobs", "runs", "nodes"})
    FIELDS: ClassVar[frozenset[str]] = frozenset(
        {
            "job",
            "kind",
            "state",
            "owner",
            "queue",
            "node",
            "from",
            "error",
            "id",
            "task",
            "outcome",
            "clocks",
            "beside",
        }
    )

    def __init__(self) -> None:
        super().__init__()
        self._jobs: Mapping[str, JobRow] = {}
        self._run: RunDetail | None = None
        self._books = {RUNS.name: run_book(), LETTERS.name: run_book()}

    def make_parts(self) -> Sequence[JobSection]:
        return SECTIONS

    async def read_rows(self) -> Sequence[Any]:
        part = self.part
        assert isinstance(part, JobSection)
        reader = self.console_app.reader
        if part.read is None:
            dead = part is LETTERS
            return await self._books[part.name].read(
                lambda before: reader.runs(None, dead=dead, before=before)
            )
        rows = await part.read(reader)
        if part is JOBS:
            self._jobs = {row.name: row for row in rows}
        elif part.name in CALENDARS and not self._jobs:
            self._jobs = {row.name: row for row in await self.console_app.reader.jobs()}
        return rows

    @property
    def book(self) -> Book[RunRow] | None:
        return self._books.get(self.part.name)

    def grade(self, row: Any) -> Grade:
        if isinstance(row, JobRow | RunRow):
            state = row.last_state if isinstance(row, JobRow) else row.state
            return Grade.ERROR if state == "dead" else Grade.WARNING if self.is_fault(row) else Grade.FINE
        return super().grade(row)

    def pieces(self) -> Sequence[Piece]:
        pieces = list(super().pieces())
        marks = [self._mark(row) for row in self.table.rows.all] if self.part.name in TALLIED else []
        words = [each.word for each in marks]
        for rank, word in enumerate(TALLIED.get(self.part.name, ())):
            found = next((each for each in marks if each.word == word), None)
            if found is not None:
                pieces += tally(words.count(word), found, 7 - rank)
        return [*pieces, *self.further()]

    def _mark(self, row: Any) -> Mark:
        return job_mark(row) if isinstance(row, JobRow) else mark(RUN, row.state)

    # What is under the cursor

    @property
    def _job(self) -> JobRow | None:
        row = self.selected
        if isinstance(row, CalendarFire):
            return self._jobs.get(row.job)
        return row if isinstance(row, JobRow) else None

    def marked_letters(self) -> Sequence[RunRow]:
        return [row for row in self.table.rows.marked if isinstance(row, RunRow) and row.open_letter]

    def marks_used(self) -> None:
        self.do_clear_marks()

    def context(self) -> Context:
        row = self.selected
        return replace(
            super().context(),
            job=self._job,
            run=row if isinstance(row, RunRow) else None,
            marked_letters=len(self.marked_letters()) if self._marking else 0,
        )

    def do_open(self) -> None:
        row, job = self.selected, self._job
        if job is not None:
            self.app.push_screen(JobRoom(job.id))
        elif isinstance(row, RunRow):
            self.app.push_screen(RunRoom(row.id))
        elif isinstance(row, QueueRow):
            self.app.push_screen(QueueRoom(row.name))
        elif row is not None:
            name = clean(str(getattr(row, "task", "") or getattr(row, "node", self.part.noun)))
            self.app.push_screen(TextRoom("jobs", name, lambda m, cells: row_lines(row, m, cells)))

    # Beside the list

    async def read_beside(self) -> None:
        row = self.selected
        self._run = await self.console_app.reader.run(row.id) if isinstance(row, RunRow) else None

    def beside(self) -> Maker:
        row, job, moment = self.selected, self._job, self.console_app.moment
        detail = self._run
        if job is not None:
            return lambda cells: job_lines(job, moment, cells)
        if isinstance(row, RunRow):
            return lambda cells: [] if detail is None else run_lines(detail, (), moment, cells)
        return lambda cells: [] if row is None else row_lines(row, moment, cells)
