"""One alert in full, with its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.copies import Copy, copies
from watchfloor.console.glyphs import SEVERITY
from watchfloor.console.line import Line, clean
from watchfloor.console.screens.acts import AlertActs
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.console.screens.export import write_post_mortem
from watchfloor.console.screens.incident import IncidentRoom
from watchfloor.console.screens.run import RunRoom
from watchfloor.console.screens.travel import Travels
from watchfloor.console.trail import Place
from watchfloor.console.views.alert import alert_lines
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.boards import AlertDetail


class AlertRoom(AlertActs, Travels, DetailRoom, inherit_bindings=False):
    """What happened, who did what, which messages left the house."""

    ROOM: ClassVar[str] = "alerts"
    SCOPES: ClassVar[tuple[Scope, ...]] = (
        *(Scope.ROOM, Scope.TEXT, Scope.ALERT),
        *(Scope.HANDLED, Scope.STORY, Scope.INCIDENTS, Scope.POST_MORTEM, Scope.PAST),
    )
    TRAVELS: ClassVar[bool] = True
    TOPICS: ClassVar[frozenset[str]] = frozenset({"alerts", "outbox"})

    def __init__(self, alert_id: int) -> None:
        super().__init__()
        self._alert_id = alert_id
        self._detail: AlertDetail | None = None
        self._gone = False

    def place(self) -> Place:
        return Place(self.ROOM, "alert", self._alert_id)

    def copies(self) -> Sequence[Copy]:
        if self._detail is None:
            return []
        return [*copies(self._detail, self.alert_title()), *super().copies()]

    async def load(self) -> None:
        self._detail = await self.read(lambda boards: boards.alert(self._alert_id))
        if self.journey is None and self._detail is not None and self._detail.row.unread:
            await self.console_app.operator.look([self._alert_id])
        self._gone = self._detail is None

    def show(self) -> None:
        detail, moment = self._detail, self.console_app.moment
        if detail is not None:
            self.pane.show(lambda cells: alert_lines(detail, moment, cells))
        elif self._gone:
            gone = "This alert is gone: it ended before it fired."
            words = gone if self.journey is None else "This alert was not there yet."
            self.pane.show(lambda _: [((words, "muted"),)])
        super().show()

    def summary(self) -> Summary:
        if self._detail is None:
            return [], []
        return [self.way()], self.conditions()

    def names(self) -> Sequence[str]:
        return (f"#{self._alert_id}",)

    def heading(self) -> Line:
        return ((f"#{self._alert_id} ", "key"), (clean(self.alert_title()), "title"))

    def rule(self, cells: int) -> Line:
        if self._detail is None or self._detail.row.state != "firing":
            return (("━" * cells, "border"),)
        return (("━" * cells, SEVERITY[self._detail.row.severity].role),)

    def context(self) -> Context:
        if self._detail is None:
            return replace(super().context(), row=False)
        row = self._detail.row
        return replace(
            super().context(),
            alert_id=row.id,
            alert_state=row.state,
            cause_id=self._detail.story.root_alert,
            incident_id=self._detail.story.incident_id,
            run_id=self._detail.story.run_id,
            began=row.active_at,
        )

    def do_show_cause(self) -> None:
        cause = self.context().cause_id
        if cause is not None:
            self.app.push_screen(AlertRoom(cause))

    def do_show_run(self) -> None:
        run = self.context().run_id
        if run is not None:
            self.app.push_screen(RunRoom(run))

    def do_incident(self) -> None:
        incident = self.context().incident_id
        if incident is not None:
            self.app.push_screen(IncidentRoom(incident))

    def do_post_mortem(self) -> None:
        """Write the incident beside the screen."""
        app, incident = self.console_app, self.context().incident_id
        if incident is not None:
            app.run_worker(write_post_mortem(app, incident), exit_on_error=True)

    def alert_title(self) -> str:
        return self._detail.row.title if self._detail else ""
