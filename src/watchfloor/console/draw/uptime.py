"""The uptime bar: a stretch of time as a row of marks, each the worst state of its part."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from watchfloor.console.line import Line
from watchfloor.domain.boards import IncidentRow
from watchfloor.domain.outcome import Status

MARKS = {
    None: ("·", "muted"),
    Status.OK: ("▮", "ok"),
    Status.DEGRADED: ("▲", "degraded"),
    Status.UNKNOWN: ("?", "unknown"),
    Status.FAILING: ("✘", "failing"),
}
_BADNESS = (None, Status.OK, Status.UNKNOWN, Status.DEGRADED, Status.FAILING)


def uptime_bar(
    incidents: Sequence[IncidentRow],
    observed_since: datetime | None,
    now: datetime,
    window: timedelta,
    cells: int,
) -> Line:
    """`window` until `now` in `cells` cells. What lies before `observed_since` is drawn as unobserved."""
    start, step = now - window, window / cells
    states: list[Status | None] = []
    for cell in range(cells):
        begin, end = start + step * cell, start + step * (cell + 1)
        worst: Status | None = Status.OK if observed_since is not None and observed_since < end else None
        for incident in incidents:
            if incident.opened_at < end and (incident.closed_at is None or incident.closed_at > begin):
                worst = max(worst, incident.worst, key=_BADNESS.index)
        states.append(worst)
    return tuple((MARKS[state][0] * len(list(run)), MARKS[state][1]) for state, run in groupby(states))


def proportions(parts: Sequence[tuple[int, str]], cells: int) -> Line:
    """A rule divided in proportion to numbers: a glance says how much of a fleet is well.

    Each part is a number and a role; every part that is not zero gets at least one cell.
    """
    present = [(number, role) for number, role in parts if number > 0]
    total = sum(number for number, _ in present)
    if not total or cells < len(present):
        return (("━" * cells, "border"),)
    sizes = [max(1, number * cells // total) for number, _ in present]
    largest = max(range(len(sizes)), key=lambda index: present[index][0])
    sizes[largest] += cells - sum(sizes)
    return tuple(("━" * size, role) for size, (_, role) in zip(sizes, present, strict=True))
