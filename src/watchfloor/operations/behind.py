"""How many services are out of reach behind what alerts tell of, for the messages that are made now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watchfloor.domain.alert import Alert, AlertState, Suppression
from watchfloor.operations.moved import subject_key
from watchfloor.store import reach
from watchfloor.store.alerts import StoredAlert
from watchfloor.store.database import Connection


async def behind(connection: Connection, found: Sequence[tuple[StoredAlert, Alert]]) -> Mapping[int, int]:
    """How many services are out of reach because of what each alert tells, by alert; none is left out as 0.

    The alerts are given as stored and as they became. Only what says that a service fails can put others out of
    reach: not that its certificate ends, nor what is over, nor what is out of reach itself.
    """
    services = {
        stored.id: stored.service_id
        for stored, alert in found
        if stored.service_id is not None
        and stored.subject == subject_key(stored.service_id)
        and alert.state is not AlertState.RESOLVED
        and Suppression.DEPENDENCY not in alert.suppressed
    }
    if not services:
        return {}
    many = await reach.behind(connection, set(services.values()))
    return {alert: many[service] for alert, service in services.items() if service in many}
