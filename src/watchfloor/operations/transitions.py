"""What every change of alerts brings with it: rows, history, messages and audit, in the transaction of its cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from watchfloor.domain.alert import EventKind, Transition, reword
from watchfloor.operations.behind import behind
from watchfloor.operations.escalating import end_chains, follow
from watchfloor.operations.moved import Moved
from watchfloor.operations.muting import put_in
from watchfloor.operations.notifying import notify
from watchfloor.operations.reacting import react
from watchfloor.store import alerts as store
from watchfloor.store import audit, job_links, policy, telling
from watchfloor.store.alerts import ChangedAlert, NewAlert, StoredAlert
from watchfloor.store.database import Connection


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
    if not new and not any(change.events for change in changed):
        await store.update(connection, changed)
        return bool(changed)
    in_force = await policy.load(connection, now)
    new = await _with_runbooks(connection, new)
    new, changed, silenced, silenced_new = await put_in(connection, in_force, new, changed, now)
    await store.update(connection, changed)
    inserted = await store.insert(connection, new)
    silenced |= {stored.id: by for stored, by in zip(inserted, silenced_new, strict=True) if by}
    if silenced:
        await telling.set_silenced_by(connection, silenced)
    moved = [
        Moved(s, "", n.alert, n.events, 0, n.title, n.summary) for s, n in zip(inserted, new, strict=True)
    ]
    moved += [_after(change) for change in changed if change.events]
    many = await behind(connection, [(each.stored, each.alert) for each in moved])
    moved = [replace(each, behind=many.get(each.stored.id, 0)) for each in moved] if many else moved
    await end_chains(connection, moved)
    paused = await notify(connection, in_force, moved, now)
    await follow(connection, in_force, moved, now, paused)
    await react(connection, in_force, moved, now)
    await audit.record(connection, [_line(each, action) for each in moved])
    return True


async def _with_runbooks(connection: Connection, new: Sequence[NewAlert]) -> list[NewAlert]:
    """New alerts with where to read what to do: what their rule says, else their service or their job."""
    services = {each.service_id for each in new if each.service_id is not None}
    jobs = {each.labels["job"] for each in new if "job" in each.labels}
    if not services and not jobs:
        return list(new)
    of_services, of_jobs = await job_links.runbooks(connection, services, jobs)

    def linked(each: NewAlert) -> NewAlert:
        found = of_services.get(each.service_id or 0) or of_jobs.get(each.labels.get("job", ""))
        return each if not found else replace(each, labels={"runbook": found, **each.labels})

    return [linked(each) for each in new]


def _after(change: ChangedAlert) -> Moved:
    stored = change.stored
    title = stored.title if change.title is None else change.title
    summary = stored.summary if change.summary is None else change.summary
    return Moved(stored, str(stored.alert.state), change.alert, change.events, stored.seq, title, summary)


def _line(each: Moved, action: str) -> audit.Line:
    alert = each.alert
    last = next(
        (event for event in reversed(each.events) if event.kind is not EventKind.SUPPRESSION_CHANGED),
        each.events[-1],
    )
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
