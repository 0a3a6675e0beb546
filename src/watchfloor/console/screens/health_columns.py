"""The columns of the board of services; the same columns say of a group what can be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from watchfloor.console.draw.spark import spark
from watchfloor.console.format import Moment, latency, share
from watchfloor.console.glyphs import PAUSED, PENDING, STATUS, health
from watchfloor.console.line import EMPTY, Line, clean
from watchfloor.console.views.group import score_role, score_words, tallies
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import HealthRow
from watchfloor.domain.grouping import Group
from watchfloor.domain.outcome import Status

URGENCY = {
    Status.FAILING.word: 0,
    Status.DEGRADED.word: 1,
    Status.UNKNOWN.word: 2,
    PENDING.word: 3,
    Status.OK.word: 4,
    PAUSED.word: 5,
}
LONG_AGO = datetime.min.replace(tzinfo=UTC)


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


def latency_cell(row: HealthRow, moment: Moment, cells: int) -> Line:
    return ((latency(row.latency), "text" if row.latency is not None and not row.paused else "muted"),)


def _trend(row: HealthRow, moment: Moment, cells: int) -> Line:
    return spark(row.recent, cells)


def _uptime(row: HealthRow, moment: Moment, cells: int) -> Line:
    part = row.uptime_24h
    role = "muted" if part is None or part >= 0.9995 else "text" if part >= 0.99 else "degraded"
    return ((share(part), role),)


def _since(row: HealthRow, moment: Moment, cells: int) -> Line:
    return ((moment.brief(row.since), "text"),)


def age_cell(row: HealthRow, moment: Moment, cells: int) -> Line:
    late = row.checked_at is not None and (moment.now - row.checked_at).total_seconds() > 3 * row.every + 5
    return ((moment.brief(row.checked_at), "degraded" if late and not row.paused else "muted"),)


_SERVICES: tuple[Column[HealthRow], ...] = (
    Column("STATE", state_cell, 12, grow=1, limit=14, order=lambda row: URGENCY[health(row).word]),
    Column("SERVICE", _name, 15, grow=4, limit=40, order=lambda row: row.name.casefold()),
    Column("KIND", lambda row, *_: ((clean(row.kind), "muted"),), 9, rank=5, order=lambda row: row.kind),
    Column(
        "GROUP",
        lambda row, *_: ((clean(row.group), "muted"),),
        16,
        rank=6,
        order=lambda r: r.group,
    ),
    Column("LATENCY", latency_cell, 8, rank=1, align="right", order=lambda row: row.latency or -1.0),
    Column("TREND", _trend, 10, grow=4, limit=48, rank=3),
    Column(
        "UP 24H",
        _uptime,
        7,
        rank=2,
        align="right",
        order=lambda r: 2.0 if r.uptime_24h is None else r.uptime_24h,
    ),
    Column("SINCE", _since, 6, rank=1, align="right", order=lambda row: row.since or LONG_AGO),
    Column("AGE", age_cell, 5, rank=4, align="right", order=lambda row: row.checked_at or LONG_AGO),
)


Shown: TypeAlias = HealthRow | Group
"""What stands on the board: services, and the heads of groups between them."""

GroupCell: TypeAlias = Callable[[Group, bool, int], Line]


def _group_state(group: Group, folded: bool, cells: int) -> Line:
    return ((f"{'▸' if folded else '▾'} {score_words(group)}", score_role(group)),)


def _group_name(group: Group, folded: bool, cells: int) -> Line:
    return ((clean(group.title), "title"), (f"  {len(group.rows)}", "muted"))


_GROUP_CELLS: dict[str, GroupCell] = {
    "STATE": _group_state,
    "SERVICE": _group_name,
    "TREND": lambda group, folded, cells: tallies(group, cells),
}


def columns(is_folded: Callable[[Group], bool]) -> tuple[Column[Shown], ...]:
    """The columns; ``is_folded`` says of which groups only the head is shown."""
    return tuple(_with_groups(column, is_folded) for column in _SERVICES)


def _with_groups(column: Column[HealthRow], is_folded: Callable[[Group], bool]) -> Column[Shown]:
    of_group = _GROUP_CELLS.get(column.title)

    def cell(row: Shown, moment: Moment, cells: int) -> Line:
        if isinstance(row, Group):
            return EMPTY if of_group is None else of_group(row, is_folded(row), cells)
        return column.cell(row, moment, cells)

    whole: Any = column
    return replace(whole, cell=cell)
