"""What follows from a batch of results: who is out of reach, which alerts rise and end, why some are not spoken of.

One transaction stores the states and all of this, so that nobody is told of a service out of reach in between. The
caller holds the lock of reachability, and has saved the states of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from watchfloor.domain.outcome import Status
from watchfloor.domain.reach import Graph, Look, in_doubt
from watchfloor.domain.rules import Rule
from watchfloor.domain.suppression import Causes
from watchfloor.operations.flapping import FlappedState, tell_flapping
from watchfloor.operations.raising import ConfirmedState, raise_and_resolve
from watchfloor.operations.reaching import follow
from watchfloor.operations.suppressing import causes_of, looks_of, suppress
from watchfloor.store import reach
from watchfloor.store.database import Connection
from watchfloor.store.reach import Sight


class ConfirmedChange(ConfirmedState, Protocol):
    """A service whose hard status changed, with the one before."""

    @property
    def before(self) -> Status | None: ...


@dataclass(frozen=True, slots=True)
class News:
    """What a batch found out; ``suspects`` are new failures, soft or hard, and when they began."""

    confirmed: Sequence[ConfirmedChange]
    flapped: Sequence[FlappedState]
    suspects: Mapping[int, datetime]


@dataclass(frozen=True, slots=True)
class Consequences:
    """Whether alerts changed, and which services should be looked at now because others fail that need them."""

    alerts: bool = False
    look_at: frozenset[int] = field(default_factory=frozenset)


async def bring_about(
    connection: Connection,
    graph: Graph,
    news: News,
    incidents: Mapping[int, int],
    rules: Sequence[Rule],
    settings: Mapping[str, object],
    now: datetime,
) -> Consequences:
    """Carry out everything that follows from ``news``."""
    turned = [each.service_id for each in news.confirmed if _turned(graph, each)]
    moved = await follow(connection, graph, turned, now) if turned else frozenset[int]()
    flapped = {each.service_id for each in news.flapped}
    ids = flapped.union(each.service_id for each in news.confirmed)
    sights = await reach.sights(connection, ids | graph.above(ids.union(news.suspects)))
    looks = looks_of(sights)
    causes = {each: _causes(graph, sights[each], looks, now) for each in ids if each in sights}
    alerts = False
    if news.confirmed:
        alerts = await raise_and_resolve(connection, news.confirmed, incidents, rules, settings, now, causes)
    if flapped:
        alerts |= await tell_flapping(connection, news.flapped, rules, settings, causes, now)
    if moved or flapped:
        alerts |= bool(await suppress(connection, graph, moved | flapped, now))
    return Consequences(alerts, unseen(graph, news.suspects, sights))


async def look_above(
    connection: Connection, graph: Graph, suspects: Mapping[int, datetime]
) -> frozenset[int]:
    """What should be looked at now where nothing is confirmed yet; reads only."""
    above = graph.above(suspects)
    return unseen(graph, suspects, await reach.sights(connection, above)) if above else frozenset()


def unseen(graph: Graph, suspects: Mapping[int, datetime], sights: Mapping[int, Sight]) -> frozenset[int]:
    """Those above new failures that seem well but were not looked at since."""
    found: set[int] = set()
    for each, since in suspects.items():
        for parent in graph.above((each,)):
            look = sights[parent].look if parent in sights else None
            if look is None or look.failing:
                continue
            if look.last_started is None or look.last_started < since:
                found.add(parent)
    return frozenset(found)


def _turned(graph: Graph, each: ConfirmedChange) -> bool:
    """Whether a change matters to those that need the service."""
    failing, failed = each.status is Status.FAILING, each.before is Status.FAILING
    return failing is not failed and bool(graph.children(each.service_id))


def _causes(graph: Graph, sight: Sight, looks: Mapping[int, Look], now: datetime) -> Causes:
    state = sight.state
    doubted = (
        state.hard is not Status.OK
        and state.first_bad is not None
        and in_doubt(graph, sight.service_id, state.first_bad, now, looks, now)
    )
    return causes_of(sight, doubted)
