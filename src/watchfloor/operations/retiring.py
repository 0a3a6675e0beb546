"""What ends with a service that left the configuration: its alerts, its incident, its state. Its history stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchfloor.domain.alert import condition_false
from watchfloor.operations.moved import subject_key
from watchfloor.operations.suppressing import flapping_key
from watchfloor.operations.transitions import carry_out
from watchfloor.store import alerts, reach, results
from watchfloor.store.alerts import ChangedAlert
from watchfloor.store.database import Connection
from watchfloor.store.flapping import end_flapping
from watchfloor.store.results import IncidentEnd


async def end_services(connection: Connection, service_ids: Sequence[int], now: datetime) -> None:
    """Resolve alerts, close incidents and forget the states of retired services.

    A service that is defined again begins like a new one, so that a problem it still has is raised anew.
    """
    await results.lock_states(connection, service_ids)
    await reach.lock(connection)
    subjects = [key(service_id) for service_id in service_ids for key in (subject_key, flapping_key)]
    changed = [
        ChangedAlert(stored, *condition_false(stored.alert, now))
        for stored in await alerts.lock_by_subject(connection, subjects, now)
    ]
    await carry_out(connection, (), [change for change in changed if change.events], now)
    ends = [IncidentEnd(service_id, now, now, "retired") for service_id in service_ids]
    await results.close_incidents(connection, ends)
    await results.forget_states(connection, service_ids, now)
    await end_flapping(connection, service_ids, now)
