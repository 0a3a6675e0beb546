"""Analytics: what alerts cost lately, by rule and by service, the noisiest first; and in which hours of the week.

The hours are those of the selected rule or service, or of all alerts.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from textual.screen import Screen

from watchfloor.console.draw.heat import heat
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment
from watchfloor.console.line import Line, clean, says
from watchfloor.console.reader import Reader
from watchfloor.console.screens.alert_sections.section import AlertSection
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.views.sections import heading, pairs
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Column
from watchfloor.domain.alert_stats import AlertCounts, AlertStats
from watchfloor.domain.durations import compact_duration, whole_duration

LOOKED_BACK = timedelta(days=30)
NEVER = 1e12
"""Sorts what never was behind everything else."""


@dataclass(frozen=True, slots=True)
class Row:
    """The counts of all alerts, of a rule or of a service; ``stats`` are those they come from."""

    what: str
    counts: AlertCounts
    stats: AlertStats

    @property
    def name(self) -> str:
        return self.counts.name or f"all of {LOOKED_BACK.days} days"


def _time(seconds: float | None) -> str:
    return "—" if seconds is None else compact_duration(seconds)


def _share(row: Row, moment: Moment, cells: int) -> Line:
    """How much of all alerts is of this row, as a bar."""
    whole = max(1, row.stats.all.alerts)
    full = min(cells, round(cells * row.counts.alerts / whole))
    return (("▮" * full, "accent"), ("·" * (cells - full), "muted"))


def _number(value: int) -> Line:
    return says(str(value)) if value else says("·", "muted")


COLUMNS: tuple[Column[Row], ...] = (
    Column("OF", lambda row, *_: says(row.what, "muted"), 7, order=lambda row: row.what),
    Column("NAME", lambda row, *_: says(clean(row.name)), 20, grow=3, limit=60, order=lambda row: row.name),
    Column(
        "ALERTS",
        lambda row, *_: _number(row.counts.alerts),
        6,
        align="right",
        order=lambda row: -row.counts.alerts,
    ),
    Column("SHARE", _share, 10, grow=1, limit=20, rank=1),
    Column(
        "TO ACK",
        lambda row, *_: says(_time(row.counts.to_acknowledge)),
        7,
        align="right",
        order=lambda row: row.counts.to_acknowledge or NEVER,
    ),
    Column(
        "TO RESOLVE",
        lambda row, *_: says(_time(row.counts.to_resolve)),
        10,
        align="right",
        order=lambda row: row.counts.to_resolve or NEVER,
    ),
    Column("ACKED", lambda row, *_: _number(row.counts.acknowledged), 5, rank=2, align="right"),
    Column("REOPENED", lambda row, *_: _number(row.counts.reopened), 8, rank=3, align="right"),
)


class Analytics(AlertSection):
    """All alerts, then rules and services by how many alerts they raised."""

    name: ClassVar[str] = "Analytics"
    noun: ClassVar[str] = "line"
    names: ClassVar[str] = "NAME"
    topics: ClassVar[frozenset[str]] = frozenset({"alerts"})
    searched: ClassVar[frozenset[str]] = frozenset({"of", "name"})
    empty: ClassVar[str] = "No alert fired in the last 30 days."
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS

    async def read(self, reader: Reader) -> Sequence[Row]:
        found = await reader.alert_stats(LOOKED_BACK)
        if not found.all.alerts:
            return []
        return [
            Row("all", found.all, found),
            *(Row("rule", each, found) for each in found.rules),
            *(Row("service", each, found) for each in found.services),
        ]

    def key(self, row: Row) -> Hashable:
        return row.what, row.counts.name

    def fields(self, row: Row) -> Fields:
        return {"of": row.what, "name": row.name.casefold()}

    def opens(self, row: Row) -> Screen[None]:
        return TextRoom("alerts", clean(row.name), lambda moment, cells: _lines(row, cells))

    def beside(self, row: Row, found: Row, moment: Moment) -> Maker:
        return lambda cells: _lines(row, cells)


def _when(number: int, seconds: float | None) -> Line:
    return says(str(number) if seconds is None else f"{number}, on average after {whole_duration(seconds)}")


def _lines(row: Row, cells: int) -> list[Line]:
    counts = row.counts
    facts: list[tuple[str, Line]] = [
        ("alerts", says(str(counts.alerts))),
        ("acknowledged", _when(counts.acknowledged, counts.to_acknowledge)),
        ("resolved", _when(counts.resolved, counts.to_resolve)),
        ("reopened", says(str(counts.reopened))),
    ]
    whose = "EVERY ALERT" if row.what == "all" else f"ALERTS OF THIS {row.what.upper()}"
    title = f"{whose} BY HOUR OF THE WEEK, {LOOKED_BACK.days} DAYS"
    return [*pairs(facts, cells), *heading(title, cells), *heat(counts.week, cells, f"{row.stats.end:%Z}")]
