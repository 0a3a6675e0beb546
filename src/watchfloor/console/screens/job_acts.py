"""What can be done to jobs, runs and dead letters from any screen that has one under its cursor.

Whatever starts, ends or removes something asks first, and says what and how many; pausing offers its undo.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

from textual.app import ComposeResult

from watchfloor.console.action import Scope
from watchfloor.console.format import clock, latency
from watchfloor.console.line import Line, clean, says
from watchfloor.console.screens.dialogs import Choice, ConfirmDialog, Dialog, spare
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.screens.job_form import JobForm
from watchfloor.console.screens.run_with import RunWithRoom
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.words import Words
from watchfloor.domain.backfill import Again
from watchfloor.domain.job_boards import JobRow, RunRow
from watchfloor.domain.moments import parse_moment
from watchfloor.domain.words import count, named
from watchfloor.store.dead_letters import Selection

if TYPE_CHECKING:
    from watchfloor.operations.backfill import Backfill

AGAIN = {
    Again.MISSING: "without a run",
    Again.FAILED: "without success",
    Again.ALL: "all of them",
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """The answer of `BackfillDialog`."""

    since: datetime
    until: datetime
    again: Again


class BackfillDialog(Dialog[Stretch], inherit_bindings=False):
    """Asks for a stretch of the past and which of its fires; what that comes to is asked afterwards."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.DIALOG, Scope.CHOICE)

    def __init__(self, job: JobRow) -> None:
        super().__init__((("Backfill ", "muted"), (clean(job.name), "title")))
        self._chosen = 0

    def questions(self) -> ComposeResult:
        yield Words(
            "From which moment; write two with “to” between them, else up to now.", "muted", classes="detail"
        )
        yield TextLine(placeholder="-7d   yesterday 3:00   2026-11-01 to 2026-11-05")
        yield spare()
        yield spare("Which fires")
        yield Choice([*AGAIN.values()], lambda: self._chosen)

    def do_next_choice(self) -> None:
        self._choose(1)

    def do_previous_choice(self) -> None:
        self._choose(-1)

    def _choose(self, step: int) -> None:
        self._chosen = (self._chosen + step) % len(AGAIN)
        self.query_one(Choice).renew()

    def answer(self) -> Stretch | None:
        app = self.console_app
        now = app.present.now
        first, _, last = self.query_one(TextLine).value.partition(" to ")
        try:
            since = parse_moment(first, now, app.zone)
            until = parse_moment(last, now, app.zone) if last.strip() else now
        except ValueError as mistake:
            self.complain(str(mistake))
            return None
        if until < since:
            self.complain("It ends before it begins.")
            return None
        return Stretch(since, until, [*AGAIN][self._chosen])


class JobActs(ActionHost):
    """The actions of jobs."""

    def do_add_job(self) -> None:
        self.console_app.push_screen(JobForm())

    def do_edit_job(self) -> None:
        job = self.context().job
        if job is not None:
            self.console_app.push_screen(JobForm(job.name))

    def do_copy_job(self) -> None:
        job = self.context().job
        if job is not None:
            self.console_app.push_screen(JobForm(job.name, copy=True))

    def do_run_job_with(self) -> None:
        job = self.context().job
        if job is not None:
            self.console_app.push_screen(RunWithRoom(job.name))

    def do_run_job(self) -> None:
        job, app, key = self.context().job, self.console_app, uuid4()
        if job is None:
            return
        made: list[int] = []

        async def run() -> None:
            made.append(await app.operator.run_now(job.name, key))

        usual = f" A run usually takes {latency(job.median)}." if job.median else ""
        going = f" {count(job.running, 'run')} of it go on already." if job.running else ""
        words = f"One run more, now, as {job.kind}; its schedules stay as they are.{usual}{going}"
        self._confirm("Run", job.name, [words], run, lambda: f"{clean(job.name)} runs as #{made[0]}")

    def do_pause_job(self) -> None:
        job, app = self.context().job, self.console_app
        if job is None:
            return
        name, pausing = job.name, not job.paused
        words = (f"paused {clean(name)}", f"resumed {clean(name)}; what was due meanwhile is not made up for")
        app.operate(
            lambda: app.operator.set_job_paused(name, pausing),
            words[0 if pausing else 1],
            undo=(
                "pause" if pausing else "resume",
                lambda: app.operator.set_job_paused(name, not pausing),
                words[1 if pausing else 0],
            ),
        )

    def do_backfill_job(self) -> None:
        job, app = self.context().job, self.console_app
        if job is None:
            return

        def asked(stretch: Stretch | None) -> None:
            if stretch is not None:
                app.ask(
                    lambda: app.reader.backfill_plan(job.name, stretch.since, stretch.until, stretch.again),
                    lambda plan: self._confirm_backfill(job, stretch, plan),
                )

        app.push_screen(BackfillDialog(job), asked)

    def _confirm_backfill(self, job: JobRow, stretch: Stretch, plan: Backfill) -> None:
        app, number = self.console_app, len(plan.chosen)
        if not number:
            app.say(
                says(
                    f"nothing to do: {count(plan.fires, 'fire')} in that time, and none {AGAIN[stretch.again]}",
                    "muted",
                )
            )
            return
        first, last = (
            clock(fire.at, app.present.now, app.zone).strip() for fire in (plan.chosen[0], plan.chosen[-1])
        )
        words = [
            f"{count(number, 'run')} for fires from {first} to {last}, of {count(plan.fires, 'fire')} in that time.",
            "None is skipped because another goes on; they run as there is room.",
        ]
        self._confirm(
            f"Make {count(number, 'run')} of",
            job.name,
            words,
            lambda: app.operator.backfill(job.name, stretch.since, stretch.until, stretch.again),
            f"made {count(number, 'run')} of {clean(job.name)}",
        )

    def _confirm(
        self,
        verb: str,
        name: str,
        words: Sequence[str],
        operation: Callable[[], Awaitable[object]],
        said: str | Callable[[], str],
    ) -> None:
        app = self.console_app
        title: Line = ((f"{verb} ", "muted"), (clean(name), "title"))

        def done(sure: bool | None) -> None:
            if sure:
                app.operate(operation, said)

        app.push_screen(ConfirmDialog(title, words), done)


class RunActs(JobActs):
    """The actions of runs and dead letters."""

    def marked_letters(self) -> Sequence[RunRow]:
        """The open dead letters among the marked rows, where there can be any."""
        return ()

    def marks_used(self) -> None:
        """What was marked has been acted upon."""

    def do_cancel_run(self) -> None:
        run, app = self.context().run, self.console_app
        if run is not None:
            going = run.state == "running"
            words = (
                "It is told to end, and killed with all it started when its grace is over."
                if going
                else "It never begins."
            )
            self._confirm(
                "Cancel", f"#{run.id} {run.job}", [f"One run ends as cancelled. {words}"],
                lambda: app.operator.cancel_run(run.id), f"cancelled #{run.id}",
            )  # fmt: skip

    def do_kill_run(self) -> None:
        run, app = self.context().run, self.console_app
        if run is not None:
            words = "It is killed at once with everything that it started; it cannot clean up behind itself."
            self._confirm(
                "Kill",
                f"#{run.id} {run.job}",
                [words],
                lambda: app.operator.kill_run(run.id),
                f"killed #{run.id}",
            )

    def do_requeue(self) -> None:
        self._settle("Requeue", "requeued", discard=False)

    def do_remove(self) -> None:
        job = self.context().job
        if self.context().run is not None or self.context().marked:
            self._settle("Discard", "discarded", discard=True)
        elif job is not None:
            app = self.console_app
            app.ask(
                lambda: app.reader.left_behind(job.name),
                lambda left: self._confirm_delete(job, left),
            )

    def _confirm_delete(self, job: JobRow, left: str) -> None:
        app, ends = self.console_app, job.running + job.waiting
        going = f" {count(ends, 'run')} of it end with it." if ends else ""
        words = [f"One job and its schedules go; its history stays.{going}"]
        if left:
            words.append(f"It is {left}.")
        self._confirm(
            "Delete",
            job.name,
            words,
            lambda: app.operator.delete_thing("job", job.name),
            f"deleted {clean(job.name)}",
        )

    def _settle(self, verb: str, done: str, *, discard: bool) -> None:
        context, app = self.context(), self.console_app
        letters = self.marked_letters() if context.marked else [context.run] if context.run else []
        if not letters:
            return
        ids = tuple(letter.id for letter in letters)
        names = named([f"#{each.id} {each.job}: {each.reason or each.error}" for each in letters])

        async def settle() -> None:
            await app.operator.settle_letters(Selection(run_ids=ids), discard=discard)
            self.marks_used()

        self._confirm(
            verb, count(len(ids), "dead letter"), names, settle, f"{done} {count(len(ids), 'dead letter')}"
        )
