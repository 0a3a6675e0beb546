"""The Alerts room: what needs somebody, the gravest first; on wide screens the selected one beside."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.draw.uptime import proportions
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment
from watchfloor.console.glyphs import ALERT, SEVERITY, TIMES, mark, tally
from watchfloor.console.keys import key_of
from watchfloor.console.line import Line, Piece, clean, says, width
from watchfloor.console.screens.acts import AlertActs, Subject, ask_to_acknowledge_many
from watchfloor.console.screens.alert import AlertRoom
from watchfloor.console.screens.beside import BesideRoom
from watchfloor.console.screens.listing import Grade
from watchfloor.console.screens.travel import Travels
from watchfloor.console.views.alert import alert_lines
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import AlertDetail, AlertRow
from watchfloor.domain.severity import Severity
from watchfloor.domain.words import count

NOTE_ROOM = 14
URGENCY = {"firing": 0, "acknowledged": 1, "pending": 2, "resolved": 3}


def _severity(row: AlertRow, moment: Moment, cells: int) -> Line:
    look = SEVERITY[row.severity]
    return look.line if row.state == "firing" else ((f"{look.glyph} {look.word}", "muted"),)


def _state(row: AlertRow, moment: Moment, cells: int) -> Line:
    return mark(ALERT, row.state).line


def _title(row: AlertRow, moment: Moment, cells: int) -> Line:
    again = ((f" (reopened {row.reopened}{TIMES})", "degraded"),) if row.reopened else ()
    line: Line = says(clean(row.title), "text" if row.state in ("firing", "acknowledged") else "muted")
    extras = [again, says(f"  ✓ {clean(row.acked_by)}", "accent") if row.acked_by else ()]
    for extra in extras:
        if width((*line, *extra)) <= cells:
            line = (*line, *extra)
    room = cells - width(line) >= NOTE_ROOM
    return (
        (*line, (f": {clean(row.note)}", "muted")) if row.note and room and line[-1][1] == "accent" else line
    )


def _since(row: AlertRow, moment: Moment, cells: int) -> Line:
    return ((moment.brief(row.resolved_at or row.fired_at or row.active_at), "text"),)


def _ends(row: AlertRow, moment: Moment, cells: int) -> Line:
    if not row.acked_by:
        return ()
    return (("never" if row.acked_until is None else moment.ahead(row.acked_until), "muted"),)


COLUMNS: tuple[Column[AlertRow], ...] = (
    Column("SEVERITY", _severity, 11, order=lambda row: -row.severity),
    Column("STATE", _state, 14, order=lambda row: URGENCY.get(row.state, 9)),
    Column(
        "ALERT", lambda row, *_: ((f"#{row.id}", "key"),), 6, rank=1, align="right", order=lambda row: row.id
    ),
    Column("WHAT", _title, 28, grow=8, order=lambda row: row.title.casefold()),
    Column("SINCE", _since, 6, align="right", order=lambda row: row.fired_at or row.active_at),
    Column("ACK ENDS", _ends, 9, rank=2, order=lambda row: row.acked_until is None),
    Column(
        "RULE",
        lambda row, *_: ((clean(row.rule), "muted"),),
        14,
        grow=1,
        limit=24,
        rank=5,
        order=lambda r: r.rule,
    ),
)


def urgency(row: AlertRow) -> tuple[int, int, float, int]:
    """Firing before acknowledged, the gravest first, then the newest."""
    since = row.resolved_at or row.fired_at or row.active_at
    return URGENCY.get(row.state, len(URGENCY)), -row.severity, -since.timestamp(), -row.id


class AlertsRoom(AlertActs, Travels, BesideRoom[AlertRow], inherit_bindings=False):
    """The list of open alerts; `H` adds the resolved ones."""

    ROOM: ClassVar[str] = "alerts"
    NOUN: ClassVar[str] = "alert"
    SCOPES: ClassVar[tuple[Scope, ...]] = (
        Scope.ROOM,
        Scope.LIST,
        Scope.ACROSS,
        Scope.OPENS,
        Scope.ALERT,
        Scope.ALERTS,
        Scope.PAST,
    )
    TRAVELS: ClassVar[bool] = True
    TOPICS: ClassVar[frozenset[str]] = frozenset({"alerts", "outbox"})
    FIELDS: ClassVar[frozenset[str]] = frozenset(
        {"state", "severity", "service", "rule", "by", "title", "id"}
    )

    def __init__(self) -> None:
        super().__init__()
        self.with_history = False
        self._rows: Sequence[AlertRow] = ()
        self._detail: AlertDetail | None = None

    def keep(self) -> dict[str, object]:
        return {**super().keep(), "history": self.with_history}

    def restore(self, kept: Mapping[str, object]) -> None:
        self.with_history = kept.get("history") is True
        super().restore(kept)

    async def read_rows(self) -> Sequence[AlertRow]:
        return await self.read(lambda boards: boards.alerts(resolved=self.with_history))

    def take(self, rows: Sequence[AlertRow]) -> None:
        self._rows = rows

    def columns(self) -> Sequence[Column[AlertRow]]:
        return COLUMNS

    def key(self, row: AlertRow) -> Hashable:
        return row.id

    def order(self) -> Callable[[AlertRow], Any]:
        return urgency

    def fields(self, row: AlertRow) -> Fields:
        return {
            "id": f"#{row.id}",
            "state": row.state,
            "severity": row.severity.word,
            "service": row.service.casefold(),
            "rule": row.rule.casefold(),
            "by": row.acked_by.casefold(),
            "title": row.title.casefold(),
        }

    def is_fault(self, row: AlertRow) -> bool:
        return row.state == "firing"

    def grade(self, row: AlertRow) -> Grade:
        if row.state == "resolved" or row.severity < Severity.WARNING:
            return Grade.FINE
        return Grade.WARNING if row.severity is Severity.WARNING else Grade.ERROR

    def empty(self) -> Line:
        if self.journey is not None:
            return (("No alert was open then.", "muted"),)
        status = self.console_app.status
        if status is not None and status.nodes_live == 0:
            return (("No alert is open, but no engine is watching either.", "failing"),)
        return (
            ("Nothing needs you. ", "ok"),
            (key_of("history"), "key"),
            (" shows what was resolved.", "muted"),
        )

    def pieces(self) -> Sequence[Piece]:
        pieces = [Piece((says(count(self._open(), "open alert"), "title"),), rank=3)]
        for severity in sorted(Severity, reverse=True):
            pieces += tally(self._firing(severity), SEVERITY[severity], rank=5 + severity)
        if self.journey is not None:
            pieces.append(Piece((says("those that never fired are not kept", "muted"),), rank=0))
        for rank, state in ((4, "acknowledged"), (2, "pending"), (1, "resolved")):
            pieces += tally(sum(row.state == state for row in self._rows), mark(ALERT, state), rank)
        return pieces

    def _firing(self, severity: Severity) -> int:
        return sum(row.state == "firing" and row.severity is severity for row in self._rows)

    def _open(self) -> int:
        return sum(row.state != "resolved" for row in self._rows)

    def rule(self, cells: int) -> Line:
        firing = [(self._firing(each), SEVERITY[each].role) for each in sorted(Severity, reverse=True)]
        acknowledged = sum(row.state == "acknowledged" for row in self._rows)
        return proportions([*firing, (acknowledged, "accent")], cells)

    def context(self) -> Context:
        row = self.selected
        return replace(
            super().context(),
            alert_id=row.id if row else None,
            alert_state=row.state if row else "",
            began=row.active_at if row else None,
            marked_firing=len(self.marked_subjects()),
        )

    def marked_subjects(self) -> Sequence[Subject]:
        return self._subjects(self.table.rows.marked)

    def marks_used(self) -> None:
        self.do_clear_marks()

    def do_acknowledge_all(self) -> None:
        subjects = self._subjects(self.table.rows.shown)
        if subjects:
            ask_to_acknowledge_many(self.console_app, subjects, self.do_clear_marks)
        else:
            self.console_app.say((("acknowledge all: no alert that is shown is firing", "degraded"),))

    def _subjects(self, rows: Sequence[AlertRow]) -> list[Subject]:
        return [Subject(row.id, row.title, row.severity.word) for row in rows if row.state == "firing"]

    def alert_title(self) -> str:
        return self.selected.title if self.selected else ""

    def do_open(self) -> None:
        if self.selected is not None:
            self.app.push_screen(AlertRoom(self.selected.id))

    def do_toggle_history(self) -> None:
        self.with_history = not self.with_history
        words = "resolved alerts too" if self.with_history else "only open alerts"
        self.console_app.say(((f"showing {words}", "muted"),))
        self.look_again()

    async def read_beside(self) -> None:
        row = self.selected
        self._detail = None if row is None else await self.read(lambda boards: boards.alert(row.id))

    def beside(self) -> Maker:
        detail, moment = self._detail, self.console_app.moment
        if detail is None or self.selected is None:
            return lambda cells: []
        return lambda cells: alert_lines(detail, moment, cells, titled=True)
