"""The alert about a node that is cut off from its sentinels: one, however many services it can no longer see."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from watchfloor.domain.alert import condition_false, condition_true_again, raise_alert
from watchfloor.domain.rules import COMPONENT_RULE
from watchfloor.domain.severity import Severity
from watchfloor.operations.transitions import carry_out
from watchfloor.store import alerts as store
from watchfloor.store.alerts import ChangedAlert, NewAlert
from watchfloor.store.database import Connection
from watchfloor.store.rules import own_rule_id

REOPEN_S = 300.0


async def report_link(connection: Connection, node: str, offline: bool, now: datetime) -> bool:
    """Raise the alert, or resolve it; True if anything changed."""
    subject = f"link:{node}"
    known = await store.lock_by_subject(connection, [subject], now - timedelta(seconds=REOPEN_S))
    found = known[-1] if known else None
    if not offline:
        if found is None:
            return False
        changed = ChangedAlert(found, *condition_false(found.alert, now))
        return await carry_out(connection, (), [changed] if changed.events else [], now)
    again = None if found is None else condition_true_again(found.alert, now, REOPEN_S)
    if found is not None and again is not None:
        changed = ChangedAlert(found, *again)
        return await carry_out(connection, (), [changed] if changed.events else [], now)
    alert, events = raise_alert(Severity.CRITICAL, now)
    rule = await own_rule_id(connection, COMPONENT_RULE)
    new = NewAlert(
        uuid=uuid4(),
        subject=subject,
        fingerprint=f"{subject}/{rule}",
        rule_id=rule,
        service_id=None,
        incident_id=None,
        title=f"node {node} is cut off",
        summary="none of its sentinels answers; what it watches is unknown, not down",
        labels={"node": node},
        fire_at=now,
        alert=alert,
        events=events,
    )
    return await carry_out(connection, [new], (), now)
