"""Rules: what each fires for, what it does now, and what came of it lately."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual.screen import Screen

from watchfloor.console.action import Context, Scope
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment
from watchfloor.console.glyphs import RULE, mark, tally
from watchfloor.console.line import Line, Piece, clean, says
from watchfloor.console.reader import Reader
from watchfloor.console.screens.alert_sections.section import AlertSection
from watchfloor.console.screens.rule import RuleRoom
from watchfloor.console.views.rule import rule_lines, standing, trouble
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.durations import compact_duration
from watchfloor.domain.rule_boards import RuleRow


def _words(row: RuleRow, moment: Moment, cells: int) -> Line:
    why = trouble(row)
    return says(clean(why), "failing") if why else says(clean(row.words))


def _counted(number: int, role: str) -> Line:
    return says(str(number), role) if number else says("·", "muted")


COLUMNS: tuple[Column[RuleRow], ...] = (
    Column("STATE", lambda row, *_: mark(RULE, standing(row)).line, 9, order=standing),
    Column("RULE", lambda row, *_: says(clean(row.name)), 18, grow=2, limit=40, order=lambda row: row.name),
    Column("FIRES WHEN", _words, 20, grow=4),
    Column(
        "FOR",
        lambda row, *_: says(compact_duration(row.waits_s) if row.waits_s else "", "muted"),
        4,
        rank=3,
        align="right",
        order=lambda row: row.waits_s,
    ),
    Column(
        "SEVERITY", lambda row, *_: says(row.severity, "muted"), 9, rank=4, order=lambda row: row.severity
    ),
    Column(
        "NOW",
        lambda row, *_: _counted(row.firing, "failing"),
        4,
        align="right",
        order=lambda row: -row.firing,
    ),
    Column(
        "7 DAYS",
        lambda row, *_: _counted(row.fired_week, "text"),
        6,
        rank=1,
        align="right",
        order=lambda row: -row.fired_week,
    ),
    Column("ABOUT", lambda row, *_: says(clean(row.about), "muted"), 14, grow=1, limit=40, rank=5),
)


class Rules(AlertSection):
    """Rules in the order in which they are asked."""

    name: ClassVar[str] = "Rules"
    noun: ClassVar[str] = "rule"
    names: ClassVar[str] = "RULE"
    scopes: ClassVar[tuple[Scope, ...]] = (Scope.RULES,)
    topics: ClassVar[frozenset[str]] = frozenset({"alerts", "settings"})
    searched: ClassVar[frozenset[str]] = frozenset({"state", "name", "when", "about", "kind", "severity"})
    empty: ClassVar[str] = "No rule yet: an engine that starts makes those of the product."
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS

    async def read(self, reader: Reader) -> Sequence[RuleRow]:
        return await reader.rules()

    def key(self, row: RuleRow) -> Hashable:
        return row.name

    def fields(self, row: RuleRow) -> Fields:
        return {
            "state": mark(RULE, standing(row)).word,
            "name": row.name.casefold(),
            "when": row.words.casefold(),
            "about": row.about.casefold(),
            "kind": row.kind,
            "severity": row.severity,
        }

    def is_fault(self, row: RuleRow) -> bool:
        return standing(row) in ("firing", "fault")

    def pieces(self, rows: Sequence[RuleRow]) -> Sequence[Piece]:
        pieces: list[Piece] = []
        for rank, word in ((7, "fault"), (6, "firing"), (4, "off")):
            pieces += tally(sum(standing(row) == word for row in rows), mark(RULE, word), rank)
        return pieces

    def context(self, context: Context, row: RuleRow | None, marked: Sequence[RuleRow]) -> Context:
        return replace(context, rule=row)

    def opens(self, row: RuleRow) -> Screen[None]:
        return RuleRoom(row)

    def beside(self, row: RuleRow, found: RuleRow, moment: Moment) -> Maker:
        return lambda cells: rule_lines(row, moment, cells, titled=True)
