"""One incident in full, and the list of those that a service had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult

from watchfloor.console.action import Context, Scope
from watchfloor.console.copies import Copy, copies
from watchfloor.console.format import clock, span
from watchfloor.console.glyphs import STATUS
from watchfloor.console.line import Line, Piece, clean
from watchfloor.console.screens.commands import Entry, Picker
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.console.screens.dialogs import Dialog, spare
from watchfloor.console.screens.export import write_post_mortem
from watchfloor.console.trail import Place
from watchfloor.console.views.incident import incident_lines
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.console.widgets.words import Words
from watchfloor.domain.boards import IncidentRow
from watchfloor.domain.post_mortem import IncidentReport

if TYPE_CHECKING:
    from watchfloor.console.screens.room import Room


class IncidentRoom(DetailRoom, inherit_bindings=False):
    """What happened from the first check that was not ok to the first good one, and who did what."""

    ROOM: ClassVar[str] = "health"
    SCOPES: ClassVar[tuple[Scope, ...]] = (
        *(Scope.ROOM, Scope.TEXT),
        *(Scope.INCIDENT, Scope.POST_MORTEM),
    )
    TOPICS: ClassVar[frozenset[str]] = frozenset({"alerts", "services"})

    def __init__(self, incident_id: int) -> None:
        super().__init__()
        self._incident_id = incident_id
        self._report: IncidentReport | None = None
        self._gone = False

    def place(self) -> Place:
        return Place(self.ROOM, "incident", self._incident_id)

    def copies(self) -> Sequence[Copy]:
        if self._report is None:
            return []
        return [*copies(self._report, f"{self._report.service}: {self._report.cause}"), *super().copies()]

    async def load(self) -> None:
        self._report = await self.console_app.reader.incident_page(self._incident_id)
        self._gone = self._report is None

    def show(self) -> None:
        report, moment = self._report, self.console_app.moment
        if report is not None:
            self.pane.show(lambda cells: incident_lines(report, moment, cells))
        elif self._gone:
            gone = "This incident is no longer kept: settings say for how long incidents are."
            self.pane.show(lambda _: [((gone, "muted"),)])
        super().show()

    def summary(self) -> Summary:
        if self._report is None:
            return [], []
        mark = STATUS[self._report.worst]
        standing = "is open" if self._report.closed_at is None else "is over"
        role = mark.role if self._report.closed_at is None else "muted"
        return [self.way(), Piece((((standing, role),),), 8)], self.conditions()

    def names(self) -> Sequence[str]:
        return (f"incident #{self._incident_id}",)

    def rule(self, cells: int) -> Line:
        report = self._report
        is_open = report is not None and report.closed_at is None
        return (("━" * cells, STATUS[report.worst].role if is_open and report else "border"),)

    def context(self) -> Context:
        if self._report is None:
            return replace(super().context(), row=False)
        return replace(super().context(), incident_id=self._incident_id)

    def do_post_mortem(self) -> None:
        """Write the incident beside the screen."""
        app = self.console_app
        app.run_worker(write_post_mortem(app, self._incident_id), exit_on_error=True)

    def do_show_service(self) -> None:
        """Go to the service, also where its page is the screen before."""
        if self._report is not None:
            self.console_app.navigator.show(Place(self.ROOM, "service", self._report.service_id))

    def do_note_incident(self) -> None:
        app, incident = self.console_app, self._incident_id

        def done(note: str | None) -> None:
            if note is not None:
                words = f"noted for incident #{incident}"
                app.operate(lambda: app.operator.note_incident(incident, note), words)

        service = self._report.service if self._report is not None else ""
        app.push_screen(IncidentNoteDialog(incident, service), done)


class IncidentNoteDialog(Dialog[str], inherit_bindings=False):
    """Asks for a line of the timeline of an incident; nothing there is ever taken back."""

    grave: ClassVar[bool] = True

    def __init__(self, incident_id: int, service: str) -> None:
        super().__init__(
            (("Note for incident ", "muted"), (f"#{incident_id} ", "key"), (clean(service), "title"))
        )

    def questions(self) -> ComposeResult:
        yield Words("Stands in its timeline and in the post-mortem; nobody is told.", classes="detail")
        yield spare()
        yield TextLine()

    def answer(self) -> str | None:
        note = self.query_one(TextLine).value.strip()
        if not note:
            self.complain("A note needs words.")
        return note or None


class IncidentMenu(Picker):
    """Lists the incidents of a service, the newest first; enter opens one."""

    TITLE: ClassVar[str | None] = "Incidents"
    VERB: ClassVar[str] = "open"
    HEADS: ClassVar[tuple[str, str, str]] = ("INCIDENT", "LASTED", "CAUSE")
    CELLS: ClassVar[tuple[int, int]] = (28, 12)

    def __init__(self, room: Room, incidents: Sequence[IncidentRow]) -> None:
        super().__init__(room)
        self._incidents = incidents

    def entries(self, search: str) -> list[Entry]:
        words, moment = search.casefold().split(), self._room.console_app.moment
        found = []
        for each in self._incidents:
            over = each.closed_at is not None
            lasted = span(((each.closed_at or moment.now) - each.opened_at).total_seconds())
            began = clock(each.opened_at, moment.now, moment.zone, seconds=False).strip()
            label = f"#{each.id} {STATUS[each.worst].word} {began}"
            found.append(Entry(str(each.id), f"{'took' if over else 'open'} {lasted}", label, each.cause))
        return [entry for entry in found if all(word in entry.haystack for word in words)]

    def do_run(self) -> None:
        entry = self.table.selected
        if entry is not None:
            self.dismiss(None)
            self._room.app.push_screen(IncidentRoom(int(entry.id)))
