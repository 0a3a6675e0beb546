"""What can be done to services, alerts and settings, wherever they are shown or named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult

from watchfloor.config.forms import Form
from watchfloor.console.line import clean
from watchfloor.console.screens.dialogs import (
    AcknowledgeDialog,
    AcknowledgeManyDialog,
    Acknowledgement,
    ChangeDialog,
    ConfirmDialog,
    Dialog,
    ResolveDialog,
    shown_setting,
    spare,
)
from watchfloor.console.screens.form import FormRoom
from watchfloor.console.screens.handing_over import ask_to_hand_over
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.screens.maintenance import MaintenanceRoom
from watchfloor.console.screens.several import Subject, done_to, heading, named, names, what
from watchfloor.console.screens.silencing import ask_to_silence
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.words import Words
from watchfloor.domain.boards import HealthRow, SettingRow

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp


def _nothing() -> None:
    """For what need not be heard of."""


def check_now(app: WatchfloorApp, service: HealthRow) -> None:
    """Ask for a check out of turn."""
    app.operate(lambda: app.operator.check_now(service.id), f"asked for a check of {clean(service.name)}")


def set_paused(app: WatchfloorApp, service: HealthRow, pausing: bool) -> None:
    """Stop or resume watching a service; the undo is offered."""
    operator, name = app.operator, clean(service.name)
    words = (f"paused {name}", f"resumed {name}")
    app.operate(
        lambda: operator.set_paused(service.id, pausing),
        words[0 if pausing else 1],
        undo=(
            "pause" if pausing else "resume",
            lambda: operator.set_paused(service.id, not pausing),
            words[1 if pausing else 0],
        ),
    )


def ask_to_acknowledge(app: WatchfloorApp, alert_id: int, title: str, note: str = "") -> None:
    """Ask for a note and an end, then acknowledge; the undo is offered."""
    operator = app.operator

    def done(answer: Acknowledgement | None) -> None:
        if answer is not None:
            app.operate(
                lambda: operator.acknowledge([alert_id], answer.note, answer.lasts, sticky=answer.sticky),
                f"acknowledged #{alert_id} {answer.until}",
                undo=(
                    "acknowledge",
                    lambda: operator.unacknowledge([alert_id]),
                    f"took back the acknowledgement of #{alert_id}",
                ),
            )

    app.push_screen(AcknowledgeDialog(f"#{alert_id} {title}", [alert_id], app.ack_lasts, note), done)


def ask_to_acknowledge_many(
    app: WatchfloorApp, subjects: Sequence[Subject], done: Callable[[], None]
) -> None:
    """Name what and how many, ask for a note and an end, then acknowledge all at once; the undo takes all back.

    `done` is called when the person agreed. Those that somebody else acknowledged meanwhile stay theirs.
    """
    changed: list[int] = []

    async def acknowledge(answer: Acknowledgement) -> None:
        ids = [subject.id for subject in subjects]
        changed.extend(await app.operator.acknowledge(ids, answer.note, answer.lasts, sticky=answer.sticky))

    def answered(answer: Acknowledgement | None) -> None:
        if answer is None:
            return
        done()
        app.operate(
            lambda: acknowledge(answer),
            lambda: f"acknowledged {done_to(subjects, changed)} {answer.until}",
            undo=(
                "acknowledge",
                lambda: app.operator.unacknowledge(changed),
                "took back these acknowledgements",
            ),
            things=len(subjects),
        )

    alerts = [subject.id for subject in subjects]
    app.push_screen(AcknowledgeManyDialog(what(subjects), names(subjects), alerts, app.ack_lasts), answered)


def ask_to_resolve(
    app: WatchfloorApp, subjects: Sequence[Subject], note: str = "", done: Callable[[], None] = _nothing
) -> None:
    """Ask whether to close alerts by hand, then do it; `done` is called when the person agreed."""
    changed: list[int] = []

    async def resolve(note: str) -> None:
        changed.extend(await app.operator.resolve([subject.id for subject in subjects], note))

    def answered(answer: str | None) -> None:
        if answer is not None:
            done()
            app.operate(
                lambda: resolve(answer),
                lambda: f"resolved {done_to(subjects, changed)}",
                things=len(subjects),
            )

    app.push_screen(ResolveDialog(subjects, note), answered)


def ask_to_change(app: WatchfloorApp, row: SettingRow, wanted: str | None = None) -> None:
    """Ask for another value of a setting, then change it."""

    def done(answer: tuple[object] | None) -> None:
        if answer is not None:
            words = shown_setting(row, answer[0])
            app.operate(lambda: app.operator.change_setting(row.key, answer[0]), f"{row.key} is {words} now")

    app.push_screen(ChangeDialog(row, wanted), done)


def ask_to_delete(app: WatchfloorApp, service: HealthRow) -> None:
    """Watch a service no more, after asking; undo defines it again as it was, and its history is still there."""
    written: list[Form] = []

    async def delete() -> None:
        found = await app.reader.form("service", service.name, "")
        await app.operator.delete_thing("service", service.name)
        written.extend([found] if found else [])

    async def again() -> None:
        for each in written:
            await app.operator.save_form("service", each.values, "", 0)

    def done(sure: bool | None) -> None:
        if sure:
            name = clean(service.name)
            undo = ("delete", again, f"{name} is watched again")
            app.operate(delete, f"deleted {name}", undo=undo)

    alert = " Its open alert is resolved." if service.alert_id is not None else ""
    words = [f"It is checked no more; what is known of it stays.{alert}"]
    app.push_screen(ConfirmDialog((("Delete ", "muted"), (clean(service.name), "title")), words), done)


class ServiceActs(ActionHost):
    """What can be done to a service: check, pause, define, delete."""

    def do_check_now(self) -> None:
        service = self.context().service
        if service is not None:
            check_now(self.console_app, service)

    def do_pause(self) -> None:
        service = self.context().service
        if service is not None:
            set_paused(self.console_app, service, not service.paused)

    def do_add_service(self) -> None:
        self.console_app.push_screen(FormRoom("health", "service"))

    def do_edit_service(self) -> None:
        service = self.context().service
        if service is not None:
            self.console_app.push_screen(FormRoom("health", "service", service.name))

    def do_copy_service(self) -> None:
        service = self.context().service
        if service is not None:
            self.console_app.push_screen(FormRoom("health", "service", service.name, copy=True))

    def do_show_maintenance(self) -> None:
        self.console_app.push_screen(MaintenanceRoom())

    def do_delete_service(self) -> None:
        service = self.context().service
        if service is not None:
            ask_to_delete(self.console_app, service)


class NoteDialog(Dialog[str], inherit_bindings=False):
    """Asks for a line of the history of alerts; nothing there is ever taken back."""

    grave: ClassVar[bool] = True

    def __init__(self, subjects: Sequence[Subject]) -> None:
        super().__init__(heading("Note for", subjects))
        self._subjects = subjects

    def questions(self) -> ComposeResult:
        yield from named(self._subjects)
        yield Words("Stands in its history for those who come after you; nobody is told.", classes="detail")
        yield spare()
        yield TextLine()

    def answer(self) -> str | None:
        note = self.query_one(TextLine).value.strip()
        if not note:
            self.complain("A note needs words.")
        return note or None


def _is_open(subject: Subject) -> bool:
    return subject.state != "resolved"


class AlertActs(ActionHost):
    """What can be done to one alert, or to those that are marked."""

    def marked_subjects(self) -> Sequence[Subject]:
        """The alerts among the marked rows, where there can be any."""
        return ()

    def marks_used(self) -> None:
        """What was marked has been acted upon."""

    def alert_title(self) -> str:
        """What the selected alert says, for the head of a dialog."""
        raise NotImplementedError

    def _subjects(self) -> list[Subject]:
        """The marked alerts if there are marks, else the selected one."""
        context = self.context()
        if context.marked:
            return list(self.marked_subjects())
        if context.alert_id is None:
            return []
        return [Subject(context.alert_id, self.alert_title(), state=context.alert_state)]

    def do_acknowledge(self) -> None:
        if self.context().marked:
            subjects = [each for each in self.marked_subjects() if each.state == "firing"]
            ask_to_acknowledge_many(self.console_app, subjects, self.marks_used)
            return
        alert_id = self.context().alert_id
        if alert_id is not None:
            ask_to_acknowledge(self.console_app, alert_id, self.alert_title())

    def do_note(self) -> None:
        subjects, app = self._subjects(), self.console_app

        def done(note: str | None) -> None:
            if note is not None:
                self.marks_used()
                ids = [subject.id for subject in subjects]
                said = f"noted for {done_to(subjects, ids)}"
                app.operate(lambda: app.operator.add_note(ids, note), said, things=len(ids))

        if subjects:
            app.push_screen(NoteDialog(subjects), done)

    def do_hand_over(self) -> None:
        subjects, app = list(filter(_is_open, self._subjects())), self.console_app
        changed: list[int] = []

        async def hand_over(person: str) -> None:
            changed.extend(await app.operator.hand_over([subject.id for subject in subjects], person))

        def done(person: str | None) -> None:
            if person is not None:
                self.marks_used()
                app.operate(
                    lambda: hand_over(person),
                    lambda: f"handed {done_to(subjects, changed)} over to {clean(person)}",
                    things=len(subjects),
                )

        if subjects:
            ask_to_hand_over(app, subjects, done)

    def do_silence(self) -> None:
        subjects = self._subjects()
        if subjects:
            ask_to_silence(self.console_app, subjects, self.marks_used)

    def do_resolve(self) -> None:
        subjects = list(filter(_is_open, self._subjects()))
        if subjects:
            ask_to_resolve(self.console_app, subjects, done=self.marks_used)
