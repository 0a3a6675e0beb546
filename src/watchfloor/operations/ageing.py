"""What time alone does to alerts: a pending one fires, an acknowledgement runs out."""

from __future__ import annotations

from datetime import datetime

from watchfloor.domain.alert import AlertState, expire_acknowledgement, promote
from watchfloor.operations.transitions import carry_out
from watchfloor.store import alerts as store
from watchfloor.store.alerts import ChangedAlert
from watchfloor.store.database import Database


async def age_alerts(database: Database, now: datetime) -> int:
    """Do what is due by ``now``; returns how many alerts changed."""
    async with database.transaction() as connection:
        changed = []
        for stored in await store.lock_due(connection, now):
            if stored.alert.state is AlertState.PENDING:
                alert, events = promote(stored.alert, now, 0.0)  # the row's fire_at says the wait is over
            else:
                alert, events = expire_acknowledgement(stored.alert, now)
            changed.append(ChangedAlert(stored, alert, events))
        await carry_out(connection, (), changed, now)
    return len(changed)
