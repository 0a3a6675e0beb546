"""What a report is made of, before it has a form: tables, charts over them, how values are shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from watchfloor.domain.durations import format_duration
from watchfloor.domain.text import one_line

SECONDS = " (s)"
PERCENT = " %"
LONGEST = 1000
BARS = 15
"""Bars of a chart; with more rows the rest is left to the table."""


@dataclass(frozen=True, slots=True)
class Table:
    """A section: columns, rows of plain values, the chart over it. ``cut``: there are more rows than these."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    chart: str = ""
    label: int = 0
    value: int = 0
    cut: bool = False

    def is_number(self, at: int) -> bool:
        """Whether a column holds numbers, which are set to the right."""
        values = [row[at] for row in self.rows if row[at] is not None]
        return bool(values) and all(number_of(value) is not None for value in values)

    @property
    def points(self) -> list[tuple[str, float]]:
        """Labels and values of the chart."""
        pairs = ((row[self.label], number_of(row[self.value])) for row in self.rows)
        return [(one_line(str(label), 40), value) for label, value in pairs if value is not None]


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its title, the time that it covers, its sections."""

    title: str
    since: datetime
    until: datetime
    zone: tzinfo
    made_at: datetime
    tables: Sequence[Table] = field(default_factory=tuple)

    @property
    def period(self) -> str:
        """The time in words.

        >>> from datetime import UTC
        >>> start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC)
        >>> Report("x", start, end, UTC, end).period
        '2026-03-01 to 2026-03-07 (UTC)'
        """
        since, until = self.since.astimezone(self.zone), self.until.astimezone(self.zone)
        whole = (since.hour, since.minute, until.hour, until.minute) == (0, 0, 0, 0)
        if whole:
            last = until - timedelta(days=1)
            days = (
                f"{since:%Y-%m-%d}" if last.date() == since.date() else f"{since:%Y-%m-%d} to {last:%Y-%m-%d}"
            )
            return f"{days} ({self.zone})"
        return f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} ({self.zone})"


def number_of(value: Any) -> float | None:
    """A value as a number; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return float(value)


def heading(column: str) -> str:
    """The name of a column as people see it: the unit is in its values."""
    return column.removesuffix(SECONDS)


def shown(value: Any, column: str, zone: tzinfo) -> str:
    """A value as people see it.

    >>> from datetime import UTC
    >>> [shown(value, name, UTC) for value, name in ((99.5, "Uptime %"), (5400.0, "Down (s)"), (1234567, "Runs"))]
    ['99.5 %', '1h30m', '1,234,567']
    """
    if value is None:
        return ""
    number = number_of(value)
    if number is not None and column.endswith(SECONDS):
        return format_duration(round(number, 3 if number < 1 else 1 if number < 10 else 0))
    if number is not None:
        text = f"{number:,.3f}".rstrip("0").rstrip(".")
        return f"{text} %" if column.endswith(PERCENT) else text
    if isinstance(value, datetime):
        return f"{value.astimezone(zone) if value.tzinfo else value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, bytes):
        return "0x" + value[: LONGEST // 2].hex()
    return one_line(str(value), LONGEST)
