"""What a confirmed change of one service means for those that need it: who is out of reach, and since when.

Everything here runs inside the transaction that stores the change, under the lock of reachability.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from watchfloor.domain.cover import Cover, layered
from watchfloor.domain.reach import Graph, spread
from watchfloor.domain.spans import SpanState, span_state
from watchfloor.store import reach, results
from watchfloor.store.database import Connection
from watchfloor.store.reach import Reached, Sight
from watchfloor.store.results import SpanStart


async def follow(
    connection: Connection, graph: Graph, changed: Collection[int], now: datetime
) -> frozenset[int]:
    """Work out and store who is out of reach now that ``changed`` are as they are; returns whose lot changed."""
    sights = await reach.sights(connection, graph.concerned(changed))
    roots = {each: sight.cover.root for each, sight in sights.items()}
    moved = spread(graph, changed, lambda each: each in sights and sights[each].failing, roots)
    moved = {each: root for each, root in moved.items() if each in sights}
    if not moved:
        return frozenset()
    rows: list[Reached] = []
    spans: list[SpanStart] = []
    for each, root in moved.items():
        row = _row(sights, each, root, now)
        rows.append(row)
        spans += _spans(sights[each], row)
    await reach.save_reached(connection, rows)
    if spans:
        await results.switch_spans(connection, spans)
    return frozenset(moved)


def _row(sights: Mapping[int, Sight], each: int, root: int | None, now: datetime) -> Reached:
    cover = sights[each].cover
    if root is None:
        return Reached(each, None, cover.lost_since or now, now)
    if cover.root is not None and cover.lost_since is not None:
        return Reached(each, root, cover.lost_since, None)
    return Reached(each, root, min(now, _last_good(sights.get(root), now)), None)


def _last_good(root: Sight | None, now: datetime) -> datetime:
    """From when the failure of ``root`` may have put others out of reach: the check before its first failed one."""
    if root is None or root.state.first_bad is None:
        return now
    return root.state.first_bad - root.every


def _spans(sight: Sight, row: Reached) -> list[SpanStart]:
    """Book an outage that goes on as unreachable; one that is within reach again stays so until it is seen again."""
    if row.root_id is None or sight.cover.root is not None or sight.state.since is None:
        return []
    if span_state(sight.state) is not SpanState.DOWN:
        return []
    old = sight.cover
    cover = Cover(row.root_id, row.since, None, old.depth, old.planned_since, old.planned_until)
    start = max(sight.state.since, row.since)
    return [SpanStart(row.service_id, at, state) for at, state in layered(cover, SpanState.DOWN, start)]
