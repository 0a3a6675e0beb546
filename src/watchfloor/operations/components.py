"""The health of Watchfloor's own loops: stored row by row, and an alert where one is not running."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from watchfloor.domain.alert import condition_false, condition_true_again, raise_alert
from watchfloor.domain.boards import ComponentRow
from watchfloor.domain.component import ComponentState
from watchfloor.domain.rules import COMPONENT_RULE
from watchfloor.domain.severity import Severity
from watchfloor.operations.transitions import carry_out, with_words
from watchfloor.store import alerts as store
from watchfloor.store.alerts import ChangedAlert, NewAlert, StoredAlert
from watchfloor.store.database import Connection
from watchfloor.store.nodes import save_components
from watchfloor.store.rules import own_rule_id

REOPEN_S = 300.0


async def report(
    connection: Connection,
    rows: Sequence[ComponentRow],
    node: str,
    now: datetime,
    failing: Collection[str] = (),
) -> bool:
    """Overwrite the health of a node's components; True if an alert changed.

    An alert is raised about those whose names are in ``failing`` and resolved about the others.
    """
    await save_components(connection, rows)
    subjects = {f"component:{node}/{row.component}": row for row in rows}
    known: dict[str, StoredAlert] = {}
    for stored in await store.lock_by_subject(connection, list(subjects), now - timedelta(seconds=REOPEN_S)):
        known[stored.subject] = stored
    changed: list[ChangedAlert] = []
    new: list[NewAlert] = []
    for subject, row in subjects.items():
        found = known.get(subject)
        again = None if found is None else condition_true_again(found.alert, now, REOPEN_S)
        if row.component not in failing:
            if found is not None:
                changed.append(ChangedAlert(found, *condition_false(found.alert, now)))
        elif found is not None and again is not None:
            changed.append(with_words(found, again, _title(row, node), row.last_error, now))
        else:
            new.append(_new(subject, row, node, await own_rule_id(connection, COMPONENT_RULE), now))
    return await carry_out(connection, new, [change for change in changed if change.events], now)


def _title(row: ComponentRow, node: str) -> str:
    return f"{row.component} of node {node} is {'stuck' if row.state == ComponentState.STUCK else 'failing'}"


def _new(subject: str, row: ComponentRow, node: str, rule: int, now: datetime) -> NewAlert:
    alert, events = raise_alert(Severity.CRITICAL, now)
    return NewAlert(
        uuid=uuid4(),
        subject=subject,
        fingerprint=f"{subject}/{rule}",
        rule_id=rule,
        service_id=None,
        incident_id=None,
        title=_title(row, node),
        summary=row.last_error,
        labels={"node": node, "component": row.component},
        fire_at=now,
        alert=alert,
        events=events,
    )
