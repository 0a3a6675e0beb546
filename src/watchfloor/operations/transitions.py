"""What every change of alerts brings with it: rows, history, messages and audit, in the transaction of its cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from watchfloor.domain.alert import Alert, Event, Transition, reword
from watchfloor.domain.circuit import subject
from watchfloor.domain.message import TOLD, compose, told
from watchfloor.store import alerts as store
from watchfloor.store import audit, outbox
from watchfloor.store.alerts import ChangedAlert, NewAlert, StoredAlert
from watchfloor.store.database import Connection
from watchfloor.store.rules import channels_by_rule


@dataclass(frozen=True, slots=True)
class _Moved:
    """An alert as it became, the events that led there, and the number of the first of them."""

    stored: StoredAlert
    before: str
    alert: Alert
    events: Sequence[Event]
    first_seq: int
    title: str
    summary: str


def with_words(
    stored: StoredAlert, transition: Transition, title: str, summary: str, now: datetime
) -> ChangedAlert:
    """A transition together with what the alert says from now on; a new title alone is an event too."""
    alert, events = transition
    if not events and title != stored.title:
        alert, events = reword(alert, now)
    return ChangedAlert(stored, alert, events, title, summary)


async def carry_out(
    connection: Connection,
    new: Sequence[NewAlert],
    changed: Sequence[ChangedAlert],
    now: datetime,
    action: str = "",
) -> bool:
    """Store what became of alerts with everything that follows from it; True if anything did.

    ``action`` is what the audit calls it; empty: the last event's own word. Changes without events only correct
    the summary of an alert.
    """
    await store.update(connection, changed)
    inserted = await store.insert(connection, new)
    moved = [
        _Moved(s, "", n.alert, n.events, 0, n.title, n.summary) for s, n in zip(inserted, new, strict=True)
    ]
    moved += [_after(change) for change in changed if change.events]
    if moved:
        await _enqueue(connection, moved, now)
        await audit.record(connection, [_line(each, action) for each in moved])
    return bool(new or changed)


def _after(change: ChangedAlert) -> _Moved:
    stored = change.stored
    title = stored.title if change.title is None else change.title
    summary = stored.summary if change.summary is None else change.summary
    before = str(stored.alert.state)
    return _Moved(stored, before, change.alert, change.events, stored.seq, title, summary)


async def _enqueue(connection: Connection, moved: Sequence[_Moved], now: datetime) -> None:
    """Queue one message per alert that people are told of, and channel of its rule.

    Of several told events in one step only the last is sent: it carries the state in which the alert is now.
    """
    channels = await channels_by_rule(connection)
    messages = []
    for each in moved:
        stored = each.stored
        numbered = [
            (each.first_seq + n, event) for n, event in enumerate(each.events) if told(event, each.alert)
        ]
        if not numbered:
            continue
        seq, event = numbered[-1]
        payload = compose(
            event, each.alert, stored.id, str(stored.uuid), each.title, each.summary, stored.labels
        )
        messages += [
            outbox.Message(uuid4(), stored.id, seq, channel, TOLD[event.kind], payload, now)
            for channel in channels.get(stored.rule_id, ())
            if subject(channel) != stored.subject  # a channel that fails cannot say so itself
        ]
    if messages:
        await outbox.put(connection, messages)


def _line(each: _Moved, action: str) -> audit.Line:
    last, alert = each.events[-1], each.alert
    return audit.Line(
        actor=last.actor,
        action=action or str(last.kind),
        kind="alert",
        object_id=str(each.stored.id),
        before={"state": each.before} if each.before else None,
        after={
            "state": str(alert.state),
            "title": each.title,
            "note": alert.note,
            "until": alert.acked_until,
        },
    )
