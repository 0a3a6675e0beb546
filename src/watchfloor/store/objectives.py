"""Objectives as they are stored, the budgets of services, and how fast they burn.

`burns` is what a rule on objectives asks: for every service of every objective the rate of each window of
`watchfloor.domain.objectives.BURN_WINDOWS`, with the number of results and failures in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.domain.boards import ObjectiveRow
from watchfloor.domain.objectives import (
    BURN_WINDOWS,
    POLICIES,
    Budget,
    Burn,
    Objective,
    budget,
    burn,
    burning_policies,
    covering,
    promise,
)
from watchfloor.domain.rules import Subject
from watchfloor.domain.spans import SpanState
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.jsonb import dumps
from watchfloor.store.rollups import watermarks
from watchfloor.store.uptime import totals

CHUNK = 1_000
"""Services in one statement."""
_SHORT = tuple(sorted({policy.short_s for policy in POLICIES}))
_LATE_S = 60.0
"""Results are counted for so much longer than a window: of one check a minute the last one may still be under way."""


@dataclass(frozen=True, slots=True)
class ObjectiveDefinition:
    """An objective as a config file defines it; ``selector`` holds the JSON-able selectors."""

    name: str
    target: float
    window_ms: int
    planned_counts: bool
    unreachable_counts: bool
    selector: Mapping[str, Sequence[str]]
    origin: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How one service stands with one objective."""

    objective: Objective
    service_id: int
    service: str
    budget: Budget
    burns: Mapping[float, Burn]


def objective_row(standing: Standing) -> ObjectiveRow:
    """A standing as boards show it."""
    objective, budget_ = standing.objective, standing.budget
    burning = burning_policies(objective, standing.burns)
    return ObjectiveRow(
        objective=objective.name,
        promise=promise(objective),
        service_id=standing.service_id,
        service=standing.service,
        target=objective.target,
        ratio=budget_.ratio,
        left=budget_.left,
        allowed_s=budget_.allowed_s,
        bad_s=budget_.bad_s,
        burns={policy.name: standing.burns[policy.long_s].rate for policy in POLICIES},
        burning=tuple(policy.name for policy in burning),
        urgent=any(policy.urgent for policy in burning),
    )


async def apply_objectives(connection: Connection, definitions: Sequence[ObjectiveDefinition]) -> None:
    """Make the file-owned objectives equal to ``definitions``, in that order."""
    rows = [
        {**{f: getattr(d, f) for f in ObjectiveDefinition.__slots__}, "position": n}
        for n, d in enumerate(definitions)
    ]
    await connection.execute(
        "INSERT INTO objectives (name, target, window_ms, planned_counts, unreachable_counts, selector, position, "
        "owner, origin) SELECT d.name, d.target, d.window_ms, d.planned_counts, d.unreachable_counts, d.selector, "
        "d.position, 'file', d.origin FROM jsonb_to_recordset(%(rows)s::jsonb) AS d(name text, target float8, "
        "window_ms bigint, planned_counts boolean, unreachable_counts boolean, selector jsonb, position int, "
        "origin text) ORDER BY d.name ON CONFLICT (name) DO UPDATE SET target = EXCLUDED.target, "
        "window_ms = EXCLUDED.window_ms, planned_counts = EXCLUDED.planned_counts, "
        "unreachable_counts = EXCLUDED.unreachable_counts, selector = EXCLUDED.selector, "
        "position = EXCLUDED.position, owner = 'file', origin = EXCLUDED.origin, retired_at = NULL",
        {"rows": dumps(rows)},
    )
    await connection.execute(
        "UPDATE objectives SET retired_at = now() WHERE owner = 'file' AND retired_at IS NULL "
        "AND NOT name = ANY(%(names)s)",
        {"names": [d.name for d in definitions]},
    )


async def load_objectives(connection: Connection) -> list[Objective]:
    """The objectives that are in force, in their order."""
    rows = await fetch_all(
        connection,
        "SELECT id, name, target, window_ms, planned_counts, unreachable_counts, selector FROM objectives "
        "WHERE retired_at IS NULL ORDER BY position, id",
    )
    return [
        Objective(
            id=row.id,
            name=row.name,
            target=row.target,
            window_s=row.window_ms / 1000,
            planned_counts=row.planned_counts,
            unreachable_counts=row.unreachable_counts,
            services=tuple(row.selector.get("services", ())),
            groups=tuple(row.selector.get("groups", ())),
            kinds=frozenset(row.selector.get("kinds", ())),
            tags=frozenset(row.selector.get("tags", ())),
        )
        for row in rows
    ]


async def burns(
    connection: Connection, now: datetime, service_ids: Sequence[int] | None = None
) -> list[Standing]:
    """How services stand with their objectives at ``now``: all that have one, or those of the ids given."""
    objectives = await load_objectives(connection)
    if not objectives:
        return []
    services = await fetch_all(
        connection,
        "SELECT id, name, kind, group_name, tags FROM services WHERE retired_at IS NULL "
        "AND (%(ids)s::int[] IS NULL OR id = ANY(%(ids)s)) ORDER BY id",
        {"ids": None if service_ids is None else list(service_ids)},
    )
    covered = {
        row.id: (row.name, found)
        for row in services
        if (found := covering(objectives, Subject(row.name, row.kind, row.group_name, frozenset(row.tags))))
    }
    ids, standings = list(covered), []
    for place in range(0, len(ids), CHUNK):
        some = ids[place : place + CHUNK]
        windows = sorted({*BURN_WINDOWS, *(o.window_s for i in some for o in covered[i][1])})
        spent = await _spent(connection, some, windows, now)
        counted = await _counted(connection, some, now)
        for service_id in some:
            name, found = covered[service_id]
            standings += [
                _standing(objective, service_id, name, spent[service_id], counted.get(service_id, {}))
                for objective in found
            ]
    return standings


def _standing(
    objective: Objective,
    service_id: int,
    name: str,
    spent: Mapping[float, Mapping[SpanState, float]],
    counted: Mapping[float, tuple[int, int]],
) -> Standing:
    return Standing(
        objective,
        service_id,
        name,
        budget(objective, spent[objective.window_s]),
        {window: burn(objective, spent[window], *counted.get(window, (0, 0))) for window in BURN_WINDOWS},
    )


async def _spent(
    connection: Connection, ids: Sequence[int], windows: Sequence[float], now: datetime
) -> dict[int, dict[float, dict[SpanState, float]]]:
    """Seconds in each state, by service and window."""
    moments = [*(now - timedelta(seconds=window) for window in windows), now]
    found = await totals(connection, ids, moments)
    return {
        service_id: {
            window: {state: (upto[-1][state] - before[state]) / 1e6 for state in before}
            for window, before in zip(windows, upto, strict=False)
        }
        for service_id, upto in found.items()
    }


async def _counted(
    connection: Connection, ids: Sequence[int], now: datetime
) -> dict[int, dict[float, tuple[int, int]]]:
    """Results and failures in each short window and `_LATE_S` before it, by service; from minutes, and single results
    after them.
    """
    since = now - timedelta(seconds=_SHORT[-1] + _LATE_S)
    mark = (await watermarks(connection)).get("minute", since)
    columns = ", ".join(
        f"sum(n) FILTER (WHERE ts >= %(now)s - {window + _LATE_S} * interval '1 second') AS n{place}, "
        f"sum(failing) FILTER (WHERE ts >= %(now)s - {window + _LATE_S} * interval '1 second') AS f{place}"
        for place, window in enumerate(_SHORT)
    )
    rows = await fetch_all(
        connection,
        f"SELECT service_id, {columns} FROM ("
        "SELECT service_id, ts, n, failing FROM result_1m WHERE service_id = ANY(%(ids)s) AND ts >= %(since)s "
        "AND ts < least(%(mark)s, %(recent)s) UNION ALL "
        "SELECT service_id, ts, 1, (status = 2)::int FROM check_results WHERE service_id = ANY(%(ids)s) "
        "AND ts >= least(greatest(%(mark)s, %(since)s), %(recent)s) AND ts <= %(now)s) x GROUP BY service_id",
        {
            "ids": list(ids),
            "now": now,
            "since": since,
            "recent": (now - timedelta(seconds=_SHORT[0] + _LATE_S)).replace(second=0, microsecond=0),
            "mark": mark,
        },
    )
    return {
        row[0]: {
            window: (int(row[1 + 2 * n] or 0), int(row[2 + 2 * n] or 0)) for n, window in enumerate(_SHORT)
        }
        for row in rows
    }
