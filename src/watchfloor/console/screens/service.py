"""One service in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.copies import Copy, copies
from watchfloor.console.glyphs import health
from watchfloor.console.line import Line, Piece, clean
from watchfloor.console.screens.acts import AlertActs, ServiceActs
from watchfloor.console.screens.charts import ChartRoom
from watchfloor.console.screens.export import ExportMenu
from watchfloor.console.screens.incident import IncidentMenu, IncidentRoom
from watchfloor.console.screens.travel import Travels
from watchfloor.console.trail import Place
from watchfloor.console.views.service import service_lines
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.boards import HealthRow, ServiceDetail
from watchfloor.domain.history import RANGES, SLICES, History
from watchfloor.domain.outcome import Status

PACE_S = 1.0


def problem_began(row: HealthRow) -> datetime | None:
    """When the confirmed problem of a service began; None while it has none."""
    return None if row.hard in (None, Status.OK) else row.since


class ServiceRoom(ServiceActs, AlertActs, Travels, ChartRoom, inherit_bindings=False):
    """History, phases, incidents, facts and settings of a service."""

    ROOM: ClassVar[str] = "health"
    SCOPES: ClassVar[tuple[Scope, ...]] = (
        Scope.ROOM,
        Scope.TEXT,
        Scope.SERVICE,
        Scope.ALERT,
        Scope.CHARTS,
        Scope.EXPORTS,
        Scope.INCIDENTS,
        Scope.PAST,
    )
    TRAVELS: ClassVar[bool] = True
    TOPICS: ClassVar[frozenset[str]] = frozenset({"health", "services", "alerts", "checks"})

    def __init__(self, service_id: int) -> None:
        super().__init__()
        self._service_id = service_id
        self._detail: ServiceDetail | None = None
        self._history: History | None = None
        self._gone = False
        self._read_at = 0.0

    def place(self) -> Place:
        return Place(self.ROOM, "service", self._service_id)

    def copies(self) -> Sequence[Copy]:
        if self._detail is None:
            return []
        return [*copies(self._detail, self.alert_title()), *super().copies()]

    async def load(self) -> None:
        self._detail = await self.read(lambda boards: boards.service(self._service_id))
        await self._read_history()
        self._gone = self._detail is None
        self._read_at = monotonic()

    async def _read_history(self) -> None:
        """Read the charts again where a slice of them is over, or another stretch of time is wanted."""
        app, known = self.console_app, self._history
        length, now = RANGES[app.stretch], app.moment.now
        if (
            known is None
            or known.end - known.start != length
            or not timedelta(0) <= now - known.end < length / SLICES
        ):
            self._history = await app.reader.history(self._service_id, now - length, now)

    def wants(self, topics: frozenset[str]) -> bool:
        """Pulses tell of all services; this one need not be read in full for each of them."""
        if self.console_app.wanted is not None:
            return super().wants(topics)
        urgent = topics - {"health", "checks"}
        return super().wants(urgent) or monotonic() - self._read_at >= PACE_S

    def show(self) -> None:
        detail, history, moment = self._detail, self._history, self.console_app.moment
        if detail is not None:
            self.pane.show(lambda cells: service_lines(detail, history, moment, cells))
        elif self._gone:
            gone = "This service is gone: it is no longer in the configuration."
            words = gone if self.journey is None else "This service was not watched then."
            self.pane.show(lambda _: [((words, "muted"),)])
        super().show()

    def summary(self) -> Summary:
        if self._detail is None:
            return [], []
        row = self._detail.row
        mark = health(row)
        state: Line = mark.line
        labels = " · ".join(clean(word) for word in (row.kind, row.group, *row.tags) if word)
        return [self.way(), Piece((state,), 8)], [
            *self.conditions(),
            Piece((((labels, "muted"),),), 2),
        ]

    def names(self) -> Sequence[str]:
        return (clean(self._detail.row.name) if self._detail else f"service {self._service_id}",)

    def rule(self, cells: int) -> Line:
        role = health(self._detail.row).role if self._detail else "border"
        return (("━" * cells, "border" if role == "muted" else role),)

    def context(self) -> Context:
        if self._detail is None:
            return replace(super().context(), row=False)
        row = self._detail.row
        state = "acknowledged" if row.acknowledged else "firing"
        return replace(
            super().context(),
            service=row,
            alert_id=row.alert_id,
            alert_state=state,
            began=problem_began(row),
            incident_id=self._detail.incidents[0].id if self._detail.incidents else None,
        )

    def do_export(self) -> None:
        if self._detail is not None and self._history is not None:
            row = self._detail.row
            self.app.push_screen(ExportMenu(self, row.id, row.name, self._history))

    def do_incident(self) -> None:
        """Open the incident, or let one choose where there were several."""
        incidents = self._detail.incidents if self._detail is not None else ()
        if len(incidents) == 1:
            self.app.push_screen(IncidentRoom(incidents[0].id))
        elif incidents:
            self.app.push_screen(IncidentMenu(self, incidents))

    def alert_title(self) -> str:
        return f"{self._detail.row.name} is {health(self._detail.row).word}" if self._detail else ""
