"""Lets maintenance windows open and close: whose time is planned from now on, and whose no more.

Everything runs in one transaction under the lock of reachability, so that it does not matter how many nodes do it. The
reasons beside alerts are put in here, and taken out by `watchfloor.operations.suppressing` when release is allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from watchfloor.domain.cover import layered
from watchfloor.domain.reach import Graph
from watchfloor.domain.rules import Subject
from watchfloor.domain.windows import Inside, Run, Window, due, inside, moved, triggered, waiting
from watchfloor.operations.suppressing import suppress
from watchfloor.store import maintenance as store
from watchfloor.store import reach, results
from watchfloor.store.database import Connection
from watchfloor.store.maintenance import Planned
from watchfloor.store.results import SpanStart

BY_CHANGE = "a change of its definition"
"""Who ended a window that is open no more by what a config file says now."""


class Watched(Protocol):
    """A service as selectors see it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def group_name(self) -> str: ...
    @property
    def tags(self) -> Sequence[str]: ...


def subjects_of(services: Mapping[int, Watched]) -> dict[int, Subject]:
    """Services as selectors see them."""
    return {
        each: Subject(service.name, service.kind, service.group_name, frozenset(service.tags))
        for each, service in services.items()
    }


@dataclass(frozen=True, slots=True)
class Plan:
    """The windows in force, and the runs that matter now."""

    windows: Sequence[Window]
    runs: Sequence[Run]

    @property
    def mark(self) -> tuple[object, ...]:
        """A value that differs whenever somebody may have come into a window or out of one."""
        return (tuple(self.windows), tuple((run.window_id, run.began, run.ends) for run in self.runs))


async def current_plan(connection: Connection, now: datetime, changed_by: str = BY_CHANGE) -> Plan:
    """Open what is due, close what by its present definition is not open, move ends, and read what is open.

    ``changed_by`` is noted as who ended what closes because its definition changed.
    """
    windows = [stored.window for stored in await store.load_windows(connection)]
    if not windows:
        return Plan((), ())
    runs = await store.recent_runs(connection, now)
    if closed := moved(windows, runs, now):
        for each in closed:
            await store.end_runs(connection, each, now, changed_by)
        runs = await store.recent_runs(connection, now)
    if begin := due(windows, runs, now):
        await store.begin_runs(connection, begin)
        runs = await store.recent_runs(connection, now)
    return Plan(windows, runs)


def waiting_windows(plan: Plan, now: datetime) -> tuple[Window, ...]:
    """The flexible windows that wait for a failure."""
    return tuple(window for window in plan.windows if waiting(window, plan.runs, now) is not None)


def by_service(windows: Sequence[Window], services: Mapping[int, Watched]) -> dict[int, list[int]]:
    """Which of ``windows`` cover a service, of all that one covers. Costs every service for every window."""
    found: dict[int, list[int]] = {}
    subjects = subjects_of(services) if windows else {}
    for window in windows:
        for each, subject in subjects.items():
            if window.selector.matches(subject):
                found.setdefault(each, []).append(window.id)
    return found


async def open_flexible(
    connection: Connection,
    graph: Graph,
    opens: Mapping[int, datetime],
    services: Mapping[int, Watched],
    now: datetime,
) -> bool:
    """Open windows that waited for a failure, each since the failure that it waited for; True if any was."""
    plan = await current_plan(connection, now)
    begin = []
    for window in plan.windows:
        opening = waiting(window, plan.runs, now) if window.id in opens else None
        if opening is not None:
            begin.append(triggered(window, opening, opens[window.id], now))
    if begin:
        await store.begin_runs(connection, begin)
        await keep_time(connection, graph, services, await current_plan(connection, now), now)
    return bool(begin)


async def failures_awaited(
    connection: Connection, flexible: Mapping[int, Collection[int]]
) -> dict[int, datetime]:
    """Windows of ``flexible`` (which wait for a failure, by service) whose services fail, and since when."""
    opens: dict[int, datetime] = {}
    for each, first_bad in (await reach.failing_since(connection)).items():
        for window in flexible.get(each, ()):
            opens[window] = min(first_bad, opens.get(window, first_bad))
    return opens


async def plan_time(
    connection: Connection, plan: Plan, services: Mapping[int, Watched], now: datetime
) -> frozenset[int]:
    """Store whose time is planned now and book it so; returns whose lot changed."""
    wanted = inside(plan.windows, plan.runs, subjects_of(services), now)
    known = await store.planned(connection)
    ends = {run.window_id: run.ends for run in plan.runs}
    rows = [row for each, found in wanted.items() if (row := _entered(known.get(each), each, found))]
    rows += [_left(row, ends, now) for each, row in known.items() if row.depth and each not in wanted]
    if not rows:
        return frozenset()
    before = {each: row.depth for each, row in known.items()}
    await store.save_planned(connection, rows)
    crossed = [row.service_id for row in rows if bool(row.depth) is not bool(before.get(row.service_id, 0))]
    await _book(connection, crossed, rows)
    return frozenset(crossed)


def _entered(known: Planned | None, each: int, found: Inside) -> Planned | None:
    if known is None or known.depth == 0:
        return Planned(each, len(found.windows), found.since, None, found.windows)
    row = replace(known, depth=len(found.windows), windows=found.windows)
    return None if row == known else row


def _left(row: Planned, ends: Mapping[int, datetime], now: datetime) -> Planned:
    """Out of the last window since it closed; one that is gone altogether closed just now."""
    until = min(now, max((ends.get(window, now) for window in row.windows), default=now))
    return replace(row, depth=0, until=max(until, row.since), windows=())


async def _book(connection: Connection, crossed: Collection[int], rows: Sequence[Planned]) -> None:
    sights = await reach.sights(connection, crossed)
    spans = []
    for row in rows:
        sight = sights.get(row.service_id)
        if sight is None or sight.state.last_started is None:
            continue
        start = row.since if row.until is None else row.until
        spans += [
            SpanStart(row.service_id, at, state) for at, state in layered(sight.cover, sight.counts_as, start)
        ]
    if spans:
        await results.switch_spans(connection, spans)


async def keep_time(
    connection: Connection, graph: Graph, services: Mapping[int, Watched], plan: Plan, now: datetime
) -> bool:
    """Bring planned time and the reasons beside alerts in line with the windows; True if anything changed."""
    crossed = await plan_time(connection, plan, services, now)
    if crossed:
        await suppress(connection, graph, crossed, now)
    return bool(crossed)
