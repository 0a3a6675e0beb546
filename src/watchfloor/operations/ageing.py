"""What time alone does to alerts: pending ones fire, acknowledgements run out, reminders come, silences end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watchfloor.domain.alert import (
    SYSTEM,
    AlertState,
    Transition,
    expire_acknowledgement,
    promote,
    remind,
    warn_of_expiry,
)
from watchfloor.domain.matchers import match, subject_labels
from watchfloor.domain.restore import Unseen, put_off
from watchfloor.operations.muting import OURS, look
from watchfloor.operations.transitions import carry_out
from watchfloor.store import alerts as store
from watchfloor.store import audit, policy, silences, telling
from watchfloor.store.alerts import ChangedAlert, StoredAlert
from watchfloor.store.database import Connection, Database
from watchfloor.store.policy import Policy


async def age_alerts(database: Database, now: datetime) -> int:
    """Do what is due by ``now``; returns how many alerts changed."""
    async with database.transaction() as connection:
        due = await store.lock_due(connection, now)
        changed = [ChangedAlert(stored, *_aged(stored, now)) for stored in due]
        await carry_out(connection, (), [change for change in changed if change.events], now)
    return len(changed)


def _aged(stored: StoredAlert, now: datetime) -> Transition:
    alert = stored.alert
    if alert.state is AlertState.PENDING:
        return promote(alert, now, 0.0)  # the row's fire_at says the wait is over
    if alert.state is AlertState.FIRING:
        return remind(alert, now)
    after, events = expire_acknowledgement(alert, now)
    return (after, events) if events else warn_of_expiry(alert, now)


async def wait_longer(connection: Connection, unseen: Sequence[Unseen]) -> None:
    """Set the waits of pending alerts right whose services were unseen for a while; one such time of each service."""
    times = {each.service_id: each for each in unseen}
    until = {
        each.id: put_off(each.active_at, each.fire_at, times[each.service_id])
        for each in await telling.lock_pending(connection, list(times))
    }
    if until:
        await telling.put_off(connection, until)


@dataclass(frozen=True, slots=True)
class Mark:
    """What was so when silences, inhibitions and mute times were last looked at; if it still is, nothing changed."""

    change: datetime | None
    policy: tuple[object, ...]


async def age_silences(database: Database, now: datetime, before: Mark | None) -> tuple[Mark | None, int]:
    """Bring reasons for silence in line with what is in force now.

    Returns what to pass as ``before`` next time, and how many alerts changed. Of several nodes only one looks.
    """
    async with database.transaction() as connection:
        if not await telling.only_one(connection):
            return before, 0
        in_force = await policy.load(connection, now)
        mark = Mark(await telling.newest_change(connection), _shape(in_force, now))
        if before == mark:
            return before, 0
        changed, waiting = await bring_in_line(connection, now)
    return (None if waiting or changed else mark), changed


async def bring_in_line(connection: Connection, now: datetime) -> tuple[int, bool]:
    """Make reasons for silence what they should be now; how many alerts changed, and whether a release has to wait."""
    in_force = await policy.load(connection, now)
    muting = in_force.silences or in_force.inhibitions or _mute_times(in_force)
    if not muting and not await telling.any_quiet(connection, sorted(OURS)):
        return 0, False
    found = await telling.concerned(connection)
    in_force = await _end_of_what_is_resolved(connection, in_force, found, now)
    wanted, silenced, waiting = await look(connection, in_force, found, now)
    ids = sorted({*(change.stored.id for change in wanted), *silenced})
    if not ids:
        return 0, waiting
    locked = await store.lock(connection, ids)  # they may have moved since they were read
    changed, silenced, _ = await look(connection, in_force, locked, now)
    if silenced:
        await telling.set_silenced_by(connection, silenced)
    await carry_out(connection, (), changed, now)
    return len(changed), waiting


def _shape(in_force: Policy, now: datetime) -> tuple[object, ...]:
    active = tuple(silence.id for silence in in_force.silences if silence.active(now))
    minute = int(now.timestamp()) // 60 if _mute_times(in_force) else 0
    return active, in_force.inhibitions, in_force.root, minute


def _mute_times(in_force: Policy) -> bool:
    pending = [in_force.root]
    while pending:
        route = pending.pop()
        if route.mute_times:
            return True
        pending.extend(route.routes)
    return False


async def _end_of_what_is_resolved(
    connection: Connection, in_force: Policy, found: list[StoredAlert], now: datetime
) -> Policy:
    """End silences that hold until what they match is over, where nothing of it is open any more."""
    over: list[int] = []
    for silence in in_force.silences:
        if not silence.until_resolved or not silence.active(now):
            continue
        open_ = any(
            match(
                silence.matchers,
                subject_labels(each.labels, in_force.rule(each.rule_id).name, each.alert.severity),
            )
            for each in found
            if each.alert.state is not AlertState.RESOLVED
        )
        if not open_:
            over.append(silence.id)
    if not over:
        return in_force
    await silences.end(connection, over, now, SYSTEM)
    lines = [audit.Line(SYSTEM, "expire", "silence", str(each)) for each in over]
    await audit.record(connection, lines)
    return await policy.load(connection, now)
