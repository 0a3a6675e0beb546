"""What the console says about one watched database, beside what it says about the service that stands for it."""

from __future__ import annotations

from collections.abc import Sequence

from watchfloor.console.format import Moment, number, share
from watchfloor.console.glyphs import PAUSED, PENDING, STATUS, Mark
from watchfloor.console.line import Line, clean, clip, says, width
from watchfloor.console.views.sections import heading, pairs
from watchfloor.domain.databases import DatabaseRow
from watchfloor.domain.words import count

_MARKS = {mark.word: mark for mark in (*STATUS.values(), PENDING, PAUSED)}


def success(row: DatabaseRow) -> Line:
    """Which part of the checks of 7 days was ok."""
    part = row.success_7d
    role = "muted" if part is None or part >= 0.9995 else "text" if part >= 0.99 else "degraded"
    return says(share(part), role)


def connections(row: DatabaseRow) -> Line:
    """The connections in use, of how many there may be."""
    used, most = row.connections_used, row.connections_max
    if used is None:
        return says("—", "muted")
    return says(number(used) if most is None else f"{number(used)}/{number(most)}")


def replication_lag(row: DatabaseRow) -> Line:
    """How far it is behind the one it follows."""
    return (
        says("—", "muted")
        if row.replication_lag is None
        else says(f"{number(round(row.replication_lag, 1))} s")
    )


def queries(row: DatabaseRow) -> Line:
    """How many queries watch it; of those that are not as they should be how many, and the worst by name."""
    if not row.queries:
        return says("·", "muted")
    if not row.over:
        return says(str(len(row.queries)), "muted")
    worst = _mark(next(each.state for each in row.queries if each.name == row.over[0]))
    return (
        (f"{len(row.over)}/{len(row.queries)} ", "text"),
        (f"{worst.glyph} {clean(row.over[0])}", worst.role),
    )


def _mark(state: str) -> Mark:
    return _MARKS.get(state, STATUS[max(STATUS)])


def database_lines(row: DatabaseRow, moment: Moment, cells: int) -> list[Line]:
    """The database and every query that is sent to it."""
    checks: Line = (*success(row), (f" of {count(row.checks_7d, 'check')} in 7 days", "muted"))
    items: list[tuple[str, Line]] = [("address", says(clean(row.address))), ("ok", checks)]
    if row.connections_used is not None:
        items.append(("connections", connections(row)))
    if row.replication_lag is not None:
        items.append(("replication lag", replication_lag(row)))
    lines = [*heading("DATABASE", cells), *pairs(items, cells)]
    if row.queries:
        lines += [*heading("QUERIES", cells), *_queries(row, cells)]
    return lines


def _queries(row: DatabaseRow, cells: int) -> Sequence[Line]:
    found: list[Line] = []
    for each in sorted(row.queries, key=lambda query: (not query.over, query.name.casefold())):
        mark = _mark(each.state)
        lead: Line = ((f"{mark.glyph} {mark.word:<9}", mark.role), (f"{clean(each.name)}  ", "text"))
        room = max(0, cells - width(lead))
        found.append((*lead, (clip(clean(each.summary), room) if room else "", "muted")))
    return found
