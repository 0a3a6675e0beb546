"""The Health room: every service with its state, the most urgent first; on wide screens the selected one beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.draw.spark import spark
from watchfloor.console.draw.uptime import proportions
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment, latency, share
from watchfloor.console.glyphs import PAUSED, PENDING, STATUS, Mark, health, tally
from watchfloor.console.line import Line, Piece, clean, says
from watchfloor.console.screens.acts import AlertActs, ServiceActs, Subject
from watchfloor.console.screens.beside import BesideRoom
from watchfloor.console.screens.listing import Grade
from watchfloor.console.screens.service import ServiceRoom, problem_began
from watchfloor.console.screens.travel import Travels
from watchfloor.console.views.service import service_lines
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import HealthRow, ServiceDetail
from watchfloor.domain.history import RANGES, History
from watchfloor.domain.outcome import Status
from watchfloor.domain.words import count

URGENCY = {
    Status.FAILING.word: 0,
    Status.DEGRADED.word: 1,
    Status.UNKNOWN.word: 2,
    PENDING.word: 3,
    Status.OK.word: 4,
    PAUSED.word: 5,
}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def state_cell(row: HealthRow, moment: Moment, cells: int) -> Line:
    """The hard state; a change not yet confirmed is counted beside it, an acknowledged alert has its mark."""
    mark = health(row)
    line = mark.line
    if row.acknowledged and not row.paused:
        line = (*line, (" ✓", "accent"))
    if row.soft and row.status is not None and not row.paused:
        line = (*line, (f" {row.attempt}/{row.max_attempts}", STATUS[row.status].role))
    return line


def _name(row: HealthRow, moment: Moment, cells: int) -> Line:
    return ((clean(row.name), "muted" if row.paused else "text"),)


def _latency(row: HealthRow, moment: Moment, cells: int) -> Line:
    return ((latency(row.latency), "text" if row.latency is not None and not row.paused else "muted"),)


def _trend(row: HealthRow, moment: Moment, cells: int) -> Line:
    return spark(row.recent, cells)


def _uptime(row: HealthRow, moment: Moment, cells: int) -> Line:
    part = row.uptime_24h
    role = "muted" if part is None or part >= 0.9995 else "text" if part >= 0.99 else "degraded"
    return ((share(part), role),)


def _since(row: HealthRow, moment: Moment, cells: int) -> Line:
    return ((moment.brief(row.since), "text"),)


def _age(row: HealthRow, moment: Moment, cells: int) -> Line:
    late = row.checked_at is not None and (moment.now - row.checked_at).total_seconds() > 3 * row.every + 5
    return ((moment.brief(row.checked_at), "degraded" if late and not row.paused else "muted"),)


COLUMNS: tuple[Column[HealthRow], ...] = (
    Column("STATE", state_cell, 12, grow=1, limit=14, order=lambda row: URGENCY[health(row).word]),
    Column("SERVICE", _name, 15, grow=4, limit=40, order=lambda row: row.name.casefold()),
    Column("KIND", lambda row, *_: ((clean(row.kind), "muted"),), 8, rank=5, order=lambda row: row.kind),
    Column(
        "GROUP",
        lambda row, *_: ((clean(row.group), "muted"),),
        16,
        rank=6,
        order=lambda r: r.group,
    ),
    Column("LATENCY", _latency, 8, rank=1, align="right", order=lambda row: row.latency or -1.0),
    Column("TREND", _trend, 10, grow=4, limit=48, rank=3),
    Column(
        "UP 24H",
        _uptime,
        7,
        rank=2,
        align="right",
        order=lambda r: 2.0 if r.uptime_24h is None else r.uptime_24h,
    ),
    Column("SINCE", _since, 6, rank=1, align="right", order=lambda row: row.since or _LONG_AGO),
    Column("AGE", _age, 5, rank=4, align="right", order=lambda row: row.checked_at or _LONG_AGO),
)


def fleet(rows: Sequence[HealthRow]) -> list[tuple[int, Mark]]:
    """How many services are in each state, the most urgent state first."""
    marks = [STATUS[status] for status in (Status.FAILING, Status.DEGRADED, Status.UNKNOWN)]
    numbers = Counter(health(row) for row in rows)
    return [(numbers[mark], mark) for mark in (*marks, PENDING, STATUS[Status.OK], PAUSED)]


class HealthRoom(ServiceActs, AlertActs, Travels, BesideRoom[HealthRow], inherit_bindings=False):
    """The board of services."""

    ROOM: ClassVar[str] = "health"
    NOUN: ClassVar[str] = "service"
    SCOPES: ClassVar[tuple[Scope, ...]] = (
        Scope.ROOM,
        Scope.LIST,
        Scope.ACROSS,
        Scope.OPENS,
        Scope.SERVICE,
        Scope.ALERT,
        Scope.PAST,
    )
    TRAVELS: ClassVar[bool] = True
    TOPICS: ClassVar[frozenset[str]] = frozenset({"health", "services", "alerts", "checks"})
    FROZEN: ClassVar[int] = 2
    FIELDS: ClassVar[frozenset[str]] = frozenset({"name", "state", "kind", "group", "tag", "says"})

    def __init__(self) -> None:
        super().__init__()
        self._detail: ServiceDetail | None = None
        self._history: History | None = None
        self._detail_of: HealthRow | None = None
        self._fleet: list[tuple[int, Mark]] = []

    async def read_rows(self) -> Sequence[HealthRow]:
        return await self.read(lambda boards: boards.health())

    def take(self, rows: Sequence[HealthRow]) -> None:
        self._fleet = fleet(rows)

    def columns(self) -> Sequence[Column[HealthRow]]:
        return COLUMNS

    def key(self, row: HealthRow) -> Hashable:
        return row.id

    def order(self) -> Callable[[HealthRow], Any]:
        return lambda row: (URGENCY[health(row).word], row.acknowledged, row.name.casefold(), row.id)

    def fields(self, row: HealthRow) -> Fields:
        return {
            "name": row.name.casefold(),
            "state": health(row).word,
            "kind": row.kind.casefold(),
            "group": row.group.casefold(),
            "tag": " ".join(row.tags).casefold(),
            "says": row.summary.casefold(),
        }

    def is_fault(self, row: HealthRow) -> bool:
        return not row.paused and (row.hard not in (Status.OK, None) or row.status not in (Status.OK, None))

    def grade(self, row: HealthRow) -> Grade:
        if not self.is_fault(row):
            return Grade.FINE
        return Grade.ERROR if row.hard is Status.FAILING else Grade.WARNING

    def empty(self) -> Line:
        if self.journey is not None:
            return (("No service was watched then.", "muted"),)
        return (
            ("No services yet. Write some under ", "muted"),
            ("services:", "key"),
            (" in config.yaml; they appear here as it is saved.", "muted"),
        )

    def pieces(self) -> Sequence[Piece]:
        total = sum(number for number, _ in self._fleet)
        found = [Piece((says(count(total, "service"), "title"), says(str(total), "title")), rank=3)]
        for rank, (number, mark) in enumerate(self._fleet):
            found += tally(number, mark, rank=9 - rank)
        return found if total else []

    def rule(self, cells: int) -> Line:
        return proportions(
            [(number, "border" if mark in (PAUSED, PENDING) else mark.role) for number, mark in self._fleet],
            cells,
        )

    def context(self) -> Context:
        row = self.selected
        state = "" if row is None else "acknowledged" if row.acknowledged else "firing"
        return replace(
            super().context(),
            service=row,
            alert_id=row.alert_id if row else None,
            alert_state=state,
            began=problem_began(row) if row else None,
            marked_firing=len(self.marked_subjects()),
        )

    def marked_subjects(self) -> Sequence[Subject]:
        return [
            Subject(row.alert_id, f"{row.name} is {health(row).word}", health(row).word)
            for row in self.table.rows.marked
            if row.alert_id is not None and not row.acknowledged
        ]

    def marks_used(self) -> None:
        self.do_clear_marks()

    def alert_title(self) -> str:
        row = self.selected
        return "" if row is None else f"{row.name} is {health(row).word}"

    def do_open(self) -> None:
        if self.selected is not None:
            self.app.push_screen(ServiceRoom(self.selected.id))

    async def read_beside(self) -> None:
        row = self.selected
        if row != self._detail_of:
            self._detail = None if row is None else await self.read(lambda boards: boards.service(row.id))
            self._history = None if row is None else await self._read_history(row.id)
            self._detail_of = row

    async def _read_history(self, service_id: int) -> History:
        app = self.console_app
        end = app.moment.now
        return await app.reader.history(service_id, end - RANGES[app.stretch], end)

    def beside(self) -> Maker:
        detail, history, moment = self._detail, self._history, self.console_app.moment
        if detail is None or self.selected is None:
            return lambda cells: []
        return lambda cells: service_lines(detail, history, moment, cells, titled=True)
