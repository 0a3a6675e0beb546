"""Turns the state of services into reasons for silence beside their alerts.

Reasons are put in by the transaction that changes the state, so that no alert of a service out of reach, in a window or
flapping is ever told in between; they are taken out by `release`, when `watchfloor.domain.release` allows it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from watchfloor.domain.alert import Suppression
from watchfloor.domain.reach import Graph, Look, in_doubt
from watchfloor.domain.release import may_release
from watchfloor.domain.suppression import Causes, settle
from watchfloor.operations.transitions import carry_out
from watchfloor.store import alerts, reach
from watchfloor.store.alerts import ChangedAlert, StoredAlert
from watchfloor.store.database import Connection
from watchfloor.store.maintenance import count_muted
from watchfloor.store.reach import Sight
from watchfloor.store.standing import standings


def flapping_key(service_id: int) -> str:
    """Whom the alert is about that says that a service flaps."""
    return f"flapping:{service_id}"


def causes_of(sight: Sight, doubted: bool) -> Causes:
    """Why a service is not spoken of."""
    cover = sight.cover
    return Causes(
        root=cover.root,
        doubted=doubted and cover.root is None,
        planned_since=cover.planned_since if cover.depth else None,
        flapping=sight.flapping,
    )


def looks_of(sights: Mapping[int, Sight]) -> dict[int, Look]:
    """The latest looks at services that are looked at."""
    return {each: look for each, sight in sights.items() if (look := sight.look) is not None}


async def suppress(
    connection: Connection, graph: Graph, service_ids: Collection[int], now: datetime
) -> list[int]:
    """Bring the reasons beside the alerts of services in line with the services; returns the alerts that changed.

    A reason whose cause is over stays until its release is allowed. The caller holds the lock of reachability.
    """
    found = await alerts.lock_by_service(connection, service_ids)
    concerned = {stored.service_id for stored in found if stored.service_id is not None}
    if not concerned:
        return []
    sights = await reach.sights(connection, concerned | graph.above(concerned))
    looks = looks_of(sights)
    standing = await standings(connection, list(concerned), now)
    changed: list[ChangedAlert] = []
    roots: dict[int, int | None] = {}
    muted: list[int] = []
    for stored in found:
        service_id = stored.service_id
        if service_id is None or service_id not in sights:
            continue
        causes = causes_of(sights[service_id], _doubted(graph, stored, sights[service_id], looks, now))
        if stored.subject == flapping_key(service_id):
            causes = Causes(causes.root, causes.doubted, causes.planned_since, flapping=False)
        allowed = service_id in standing and may_release(standing[service_id], now)
        alert, events = settle(stored.alert, causes, allowed, now)
        if events:
            changed.append(ChangedAlert(stored, alert, events))
        if causes.root != stored.root_id:
            roots[stored.id] = causes.root
        if Suppression.MAINTENANCE in alert.suppressed - stored.alert.suppressed:
            muted.append(service_id)
    await carry_out(connection, (), changed, now)
    await alerts.set_roots(connection, roots)
    await count_muted(connection, muted)
    return [each.stored.id for each in changed]


def _doubted(
    graph: Graph, stored: StoredAlert, sight: Sight, looks: Mapping[int, Look], now: datetime
) -> bool:
    """Whether an alert that is held back because of what is above stays held back."""
    if Suppression.DEPENDENCY not in stored.alert.suppressed or sight.state.first_bad is None:
        return False
    return in_doubt(graph, sight.service_id, sight.state.first_bad, stored.alert.active_at, looks, now)


async def release(connection: Connection, graph: Graph, now: datetime) -> list[int]:
    """Take out reasons whose cause is over, as far as that is allowed now; returns the alerts that changed."""
    if not await reach.try_lock(connection):
        return []  # whoever has it changes what this would read; the next look is a second away
    ended = await alerts.with_reasons_that_ended(connection)
    if not ended:
        return []
    standing = await standings(connection, ended, now)
    ready = [each for each, found in standing.items() if may_release(found, now)]
    return await suppress(connection, graph, ready, now) if ready else []
