"""Tells of groups: looks at those that are due, decides, and queues one message for all their alerts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from watchfloor.domain.alert import AlertState
from watchfloor.domain.message import About, Member, compose_group
from watchfloor.domain.severity import Severity
from watchfloor.domain.telling import Members, Reason, decide
from watchfloor.operations.behind import behind
from watchfloor.store import channels, groups, outbox
from watchfloor.store.alerts import StoredAlert
from watchfloor.store.database import Connection, Database
from watchfloor.store.groups import Group

AT_ONCE = 50
UNDER_WAY = timedelta(seconds=30)
"""A message that was tried and that nobody needs any more is looked at again after this: it may be withdrawn then."""


async def tell_groups(database: Database, now: datetime) -> int:
    """Look at every group that is due, a few in one transaction; returns how many that were."""
    total = 0
    while True:
        async with database.transaction() as connection:
            looked = await flush(connection, now)
        total += looked
        if looked < AT_ONCE:
            return total


async def flush(connection: Connection, now: datetime, only: Sequence[int] | None = None) -> int:
    """Look at groups that are due (of ``only`` these); returns how many that were."""
    due = await groups.lock_due(connection, now, AT_ONCE, only)
    for group in due:
        await _look(connection, group, now)
    return len(due)


async def _look(connection: Connection, group: Group, now: datetime) -> None:
    """Decide. What waits to be sent gives way to what says more, and is not sent where nobody needs it any more."""
    alerts = await groups.alerts_of(connection, group)
    members = split(alerts)
    reason = decide(group.log, members, now, group.repeat_s, group.send_resolved)
    waits = group.outstanding
    if waits is not None and (reason is not None or not members.ongoing):
        if not await groups.withdraw(connection, waits, taken=not members.firing):
            again = None if members.firing else now + UNDER_WAY  # else what becomes of it decides when
            await groups.rest(connection, group.id, again, None)
            return
        waits = None
    if reason is None:
        await _rest(connection, group, members, waits is not None, now)
    else:
        await _send(connection, group, alerts, members, reason, now)


async def _rest(connection: Connection, group: Group, members: Members, waits: bool, now: datetime) -> None:
    over = not members.ongoing and not waits
    until = None
    if members.firing and group.log is not None:
        until = max(group.log.at + timedelta(seconds=group.repeat_s), now + timedelta(seconds=1))
    await groups.rest(connection, group.id, until, now if over else None)


async def _send(
    connection: Connection,
    group: Group,
    alerts: Sequence[StoredAlert],
    members: Members,
    reason: Reason,
    now: datetime,
) -> None:
    known = frozenset[int]() if group.log is None else group.log.open
    told = members.firing | members.acknowledged | (members.resolved & known)
    named = [each for each in alerts if each.id in told]
    many = await behind(connection, [(each, each.alert) for each in named])
    said = [Member(_words(each, many.get(each.id, 0)), each.alert) for each in named]
    kind, payload = compose_group(str(group.uuid), group.labels, said, str(reason), "", now)
    message = outbox.Message(
        uuid4(), None, group.seq + 1, group.channel, kind, payload, now, str(reason), group.id
    )
    await outbox.put(connection, [message])
    await groups.told(connection, group, message.id, members, now)
    if group.channel in await channels.switched_off(connection):
        await groups.settle(connection, [message.id], delivered=False)  # nobody sends it


def _words(stored: StoredAlert, lost: int) -> About:
    return About(stored.id, str(stored.uuid), stored.title, stored.summary, stored.labels, lost)


def split(alerts: Sequence[StoredAlert]) -> Members:
    """The alerts of a group by how they stand."""
    firing, quiet, acknowledged, resolved = set[int](), set[int](), set[int](), set[int]()
    severity = Severity.INFO
    for each in alerts:
        if each.alert.state is AlertState.RESOLVED:
            resolved.add(each.id)
        elif each.alert.state is AlertState.ACKNOWLEDGED:
            acknowledged.add(each.id)
        elif each.alert.suppressed:
            quiet.add(each.id)
        else:
            firing.add(each.id)
            severity = max(severity, each.alert.severity)
    return Members(
        frozenset(firing), frozenset(acknowledged), frozenset(quiet), frozenset(resolved), severity
    )
