"""The open alerts: the gravest first, then the newest, last those that nobody is told of.

What changed since this operator looked at it last is marked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual.screen import Screen

from watchfloor.console.action import Context, Scope
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment
from watchfloor.console.glyphs import ALERT, QUIET, SEVERITY, TIMES, mark, tally
from watchfloor.console.keys import key_of
from watchfloor.console.line import Line, Piece, clean, says, width
from watchfloor.console.reader import Boards, Reader
from watchfloor.console.screens.alert import AlertRoom
from watchfloor.console.screens.alert_sections.section import AlertSection
from watchfloor.console.screens.listing import Grade
from watchfloor.console.views.alert import alert_lines
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.alert_boards import why_quiet
from watchfloor.domain.boards import AlertDetail, AlertRow, StatusLine
from watchfloor.domain.severity import Severity
from watchfloor.domain.words import out_of_reach

NOTE_ROOM = 14
UNREAD = "*"
"""Stands before the number of what changed since this operator looked at it last."""
URGENCY = {"firing": 0, "acknowledged": 1, "pending": 2, "resolved": 3}


def _severity(row: AlertRow, moment: Moment, cells: int) -> Line:
    look = SEVERITY[row.severity]
    return look.line if row.state == "firing" and not row.quiet else ((f"{look.glyph} {look.word}", "muted"),)


def _state(row: AlertRow, moment: Moment, cells: int) -> Line:
    look = mark(ALERT, row.state)
    if not row.quiet or row.state == "resolved":
        return look.line
    line: Line = ((f"{look.glyph} {look.word}", "muted" if row.state == "firing" else look.role),)
    return (*line, (f" {QUIET.glyph}", QUIET.role)) if width(line) + 2 <= cells else line


def _title(row: AlertRow, moment: Moment, cells: int) -> Line:
    again = ((f" (reopened {row.reopened}{TIMES})", "degraded"),) if row.reopened else ()
    told = row.state in ("firing", "acknowledged") and not row.quiet
    line: Line = says(clean(row.title), "text" if told else "muted")
    why = ", ".join(why_quiet(row.quiet, clean(row.root))) if row.state != "resolved" else ""
    lost = out_of_reach(row.behind)
    extras = [
        says(f"  {lost}", "degraded") if lost else (),
        says(f"  {QUIET.glyph} {why}", QUIET.role) if why else (),
        again,
        says(f"  ✓ {clean(row.acked_by)}", "accent") if row.acked_by else (),
    ]
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
    if row.state != "acknowledged":
        return ()  # who took care of one that is over, or fires again, is bound to nothing
    return (("never" if row.acked_until is None else moment.ahead(row.acked_until), "muted"),)


COLUMNS: tuple[Column[AlertRow], ...] = (
    Column("SEVERITY", _severity, 11, order=lambda row: -row.severity),
    Column("STATE", _state, 14, order=lambda row: URGENCY.get(row.state, 9)),
    Column(
        "ALERT",
        lambda row, *_: says(f"{UNREAD if row.unread else ''}#{row.id}", "key"),
        7,
        rank=1,
        align="right",
        order=lambda row: row.id,
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


def urgency(row: AlertRow) -> tuple[bool, int, float, int]:
    """The gravest first, then the newest; last what nobody is told of, so that the cause stands above what it took."""
    since = row.fired_at or row.active_at
    return bool(row.quiet), -row.severity, -since.timestamp(), -row.id


class AlertRows(AlertSection):
    """A table of alerts."""

    noun: ClassVar[str] = "alert"
    names: ClassVar[str] = "WHAT"
    scopes: ClassVar[tuple[Scope, ...]] = (Scope.ALERT, Scope.ALERTS, Scope.HANDLED)
    searched: ClassVar[frozenset[str]] = frozenset(
        {"state", "severity", "service", "rule", "by", "title", "id", "unread", "quiet"}
    )
    travels: ClassVar[bool] = True
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS

    def fields(self, row: AlertRow) -> Fields:
        return {
            "id": f"#{row.id}",
            "state": row.state,
            "severity": row.severity.word,
            "service": row.service.casefold(),
            "rule": row.rule.casefold(),
            "by": row.acked_by.casefold(),
            "title": row.title.casefold(),
            "unread": "yes" if row.unread else "no",
            "quiet": " ".join(row.quiet) or "no",
        }

    def is_fault(self, row: AlertRow) -> bool:
        return row.state == "firing"

    def grade(self, row: AlertRow) -> Grade:
        if row.state == "resolved" or row.severity < Severity.WARNING:
            return Grade.FINE
        return Grade.WARNING if row.severity is Severity.WARNING else Grade.ERROR

    def context(self, context: Context, row: AlertRow | None, marked: Sequence[AlertRow]) -> Context:
        return replace(
            context,
            alert_id=row.id if row else None,
            alert_state=row.state if row else "",
            began=row.active_at if row else None,
            marked_firing=sum(each.state == "firing" for each in marked),
            marked_open=sum(each.state != "resolved" for each in marked),
            marked_alerts=len(marked),
        )

    def opens(self, row: AlertRow) -> Screen[None]:
        return AlertRoom(row.id)

    async def read_beside(self, boards: Boards, row: AlertRow) -> AlertDetail | None:
        return await boards.alert(row.id)

    def beside(self, row: AlertRow, found: AlertDetail | None, moment: Moment) -> Maker:
        if found is None:
            return lambda cells: []
        return lambda cells: alert_lines(found, moment, cells, titled=True)


class Active(AlertRows):
    """Alerts that are not over."""

    name: ClassVar[str] = "Active"

    async def read(self, reader: Reader) -> Sequence[AlertRow]:
        return await self.read_boards(reader)

    async def read_boards(self, boards: Boards) -> Sequence[AlertRow]:
        return await boards.alerts(resolved=False)

    def order(self) -> Callable[[AlertRow], Any]:
        return urgency

    def notice(self, status: StatusLine | None) -> Line:
        if status is not None and status.nodes_live == 0:
            return (("No alert is open, but no engine is watching either.", "failing"),)
        return (
            ("Nothing needs you. ", "ok"),
            (key_of("history"), "key"),
            (" shows what was resolved.", "muted"),
        )

    def pieces(self, rows: Sequence[AlertRow]) -> Sequence[Piece]:
        pieces: list[Piece] = []
        for severity in sorted(Severity, reverse=True):
            pieces += tally(_firing(rows, severity), SEVERITY[severity], rank=5 + severity)
        for rank, state in ((4, "acknowledged"), (2, "pending")):
            pieces += tally(sum(row.state == state for row in rows), mark(ALERT, state), rank)
        pieces += tally(sum(bool(row.quiet) for row in rows), QUIET, rank=1)
        unread = sum(row.unread for row in rows)
        return [*pieces, *([Piece((says(f"{UNREAD} {unread} unread", "accent"),), rank=3)] if unread else [])]

    def bar(self, rows: Sequence[AlertRow]) -> Sequence[tuple[int, str]]:
        firing = [(_firing(rows, each), SEVERITY[each].role) for each in sorted(Severity, reverse=True)]
        return [*firing, (sum(row.state == "acknowledged" for row in rows), "accent")]


def _firing(rows: Sequence[AlertRow], severity: Severity) -> int:
    return sum(row.state == "firing" and row.severity is severity for row in rows)
