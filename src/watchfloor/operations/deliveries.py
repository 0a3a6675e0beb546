"""What follows from a delivery: its row, the circuit of its channel, the alert about a channel that fails.

And what a person can do about deliveries: replay dead letters, try a channel, switch one on or off.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from watchfloor.domain import circuit as breaker
from watchfloor.domain.alert import condition_false, condition_true_again, raise_alert
from watchfloor.domain.channel_boards import Replayed
from watchfloor.domain.notice import TEST, trial_message
from watchfloor.domain.rules import CHANNEL_RULE
from watchfloor.domain.severity import Severity
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.operations.transitions import carry_out
from watchfloor.store import alerts, audit, channels, groups, outbox
from watchfloor.store.alerts import ChangedAlert, NewAlert, StoredAlert
from watchfloor.store.database import Connection, Database
from watchfloor.store.health import clock
from watchfloor.store.outbox import Leased, Overtaken
from watchfloor.store.pulse import pulse
from watchfloor.store.rules import own_rule_id
from watchfloor.store.watchdog import CHANNEL as WATCHDOG

REOPEN_S = 300.0


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed: why, when to try again (None: never), and what it says about the channel.

    ``blames`` is False where the channel is not at fault, as for a test; ``works``: it took the message for some.
    ``wish_s`` is the wait the receiver asked for.
    """

    reason: str
    retry_in_s: float | None
    blames: bool = True
    works: bool = False
    gone: bool = False
    wish_s: float = 0.0


async def book_deliveries(connection: Connection, messages: Sequence[Leased], now: datetime) -> None:
    """Receivers took messages; a channel that had failed works again."""
    grouped = [message.id for message in messages if message.grouped]
    if grouped:
        await groups.lock_of(connection, grouped)
    await outbox.delivered(connection, messages)
    if grouped:
        await groups.settle(connection, grouped, delivered=True)
    await _work(connection, {message.channel for message in messages}, now)


async def _work(connection: Connection, names: Collection[str], now: datetime) -> None:
    again = await channels.recovered(connection, list(names))
    if again:
        known = await _known(connection, again, now)
        changed = [ChangedAlert(each, *condition_false(each.alert, now)) for each in known]
        await carry_out(connection, (), [change for change in changed if change.events], now)


async def book_failure(
    connection: Connection, message: Leased, failure: Failure, now: datetime, pause: breaker.Pause
) -> None:
    """An attempt failed. A channel that fails again and again is spared, and so told of through the others."""
    if message.grouped:
        await groups.lock_of(connection, [message.id])
    if not await outbox.failed(connection, message, failure.reason, failure.retry_in_s):
        return
    if message.grouped and failure.retry_in_s is None:
        await groups.settle(connection, [message.id], delivered=False)
    if failure.works:
        await _work(connection, [message.channel], now)
    if not failure.blames:
        return
    channel = message.channel
    before = await channels.circuit(connection, channel)
    after = breaker.failed(
        before, now, pause, probe=message.probe, gone=failure.gone, at_least=failure.wish_s
    )
    await channels.save_circuit(connection, channel, after, failure.reason, now)
    if (after.open and not before.open) or failure.retry_in_s is None:
        await _raise_alert(connection, channel, failure, now)


async def _known(connection: Connection, names: Sequence[str], now: datetime) -> list[StoredAlert]:
    since = now - timedelta(seconds=REOPEN_S)
    return await alerts.lock_by_subject(connection, [breaker.subject(name) for name in names], since)


async def _raise_alert(connection: Connection, channel: str, failure: Failure, now: datetime) -> None:
    title = f"channel {channel} fails"
    summary = f"{failure.reason}; {breaker.GONE}" if failure.gone else failure.reason
    known = (await _known(connection, [channel], now))[-1:]
    again = condition_true_again(known[0].alert, now, REOPEN_S) if known else None
    if again is not None:
        changed = [ChangedAlert(known[0], *again, title=title, summary=summary)]
        await carry_out(connection, (), [change for change in changed if change.events], now)
        return
    alert, events = raise_alert(Severity.CRITICAL, now)
    rule, subject = await own_rule_id(connection, CHANNEL_RULE), breaker.subject(channel)
    new = NewAlert(
        uuid=uuid4(),
        subject=subject,
        fingerprint=f"{subject}/{rule}",
        rule_id=rule,
        service_id=None,
        incident_id=None,
        title=title,
        summary=summary,
        labels={"channel": channel},
        fire_at=now,
        alert=alert,
        events=events,
    )
    await carry_out(connection, [new], (), now)


async def replay(
    database: Database,
    actor: Actor,
    ids: Sequence[UUID] = (),
    channel: str | None = None,
    since: datetime | None = None,
) -> Replayed:
    """Queue dead letters again, with the same ids and bytes, but for those that come too late. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        queued, late = await outbox.replay(connection, ids, channel, since)
        if not queued:
            raise Refused(_too_late(late) if late else "There is no such dead letter.")
        if channel is not None:
            await channels.try_soon(connection, channel)
        after = {"messages": len(queued), "channel": channel, "left_out": len(late)}
        object_id = channel if channel is not None else str(queued[0])
        await audit.record(connection, [audit.Line(actor.name, "replay", "delivery", object_id, None, after)])
        await pulse(connection, "outbox", "alerts")
    return Replayed(len(queued), len(late), _too_late(late) if late else "")


def _too_late(late: Sequence[Overtaken]) -> str:
    """Why dead letters are not sent any more, and what to do with them."""
    first = late[0]
    when = first.delivered_at
    became = (
        "is on its way now"
        if when is None
        else f"was delivered at {when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    )
    about = "its group" if first.alert_id is None else f"alert #{first.alert_id}"
    place = f"{about} ({first.later}) {became} to {one_line(first.channel, 100)}"
    if len(late) == 1:
        return (
            f"This dead letter ({first.kind}) comes too late: a later message about {place}. "
            "Sent after it, this one would open again what the receiver takes for over; discard it instead."
        )
    return (
        f"{count(len(late), 'dead letter')} come too late, such as {first.kind}: a later message about {place}. "
        "Sent after that, they would open again what receivers take for over; discard them instead."
    )


async def discard(database: Database, actor: Actor, ids: Sequence[UUID]) -> int:
    """Take dead letters off the list without sending them; returns how many. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        gone = await outbox.discard(connection, ids, actor.name)
        if not gone:
            raise Refused("There is no such dead letter.")
        after = {"messages": len(gone)}
        await audit.record(
            connection, [audit.Line(actor.name, "discard", "delivery", str(gone[0]), None, after)]
        )
        await pulse(connection, "outbox", "alerts")
    return len(gone)


async def try_channel(database: Database, actor: Actor, channel: str) -> UUID:
    """Send a test message through the engine, past a circuit that is open; returns its id. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        if not await channels.exists(connection, channel):
            raise Refused(f"There is no channel {one_line(channel, 100)} that is switched on.")
        now, made = await clock(connection), uuid4()
        payload = trial_message(str(made), f"channel {channel}", {"channel": channel}, actor.name, now)
        await outbox.put(connection, [outbox.Message(made, None, 0, channel, TEST, payload, now)])
        await audit.record(connection, [audit.Line(actor.name, "test", "channel", channel)])
        await pulse(connection, "outbox")
    return made


async def set_channel_enabled(database: Database, actor: Actor, channel: str, enabled: bool) -> int | None:
    """Switch a channel on or off; how many messages it is told after all (None: it was so). Raises `Refused`.

    Of a channel that is off what waits goes on waiting, and what is new is left out: each alert says so. Once it is on,
    it is told what still fires; what is over by then is not told to people.
    """
    may_change(actor)
    async with database.transaction() as connection:
        was = await channels.is_on(connection, channel)
        if was is None:
            raise Refused(f"There is no channel {one_line(channel, 100)}.")
        if channel == WATCHDOG:
            raise Refused("The watchdog's own channel is switched off where it stands: in the config file.")
        if was is enabled:
            return None
        await channels.switch(connection, channel, enabled)
        told = await outbox.tell_after_all(connection, channel) if enabled else 0
        if not enabled and await channels.recovered(connection, [channel]):
            now = await clock(connection)
            known = await _known(connection, [channel], now)
            changed = [ChangedAlert(each, *condition_false(each.alert, now)) for each in known]
            await carry_out(connection, (), [change for change in changed if change.events], now)
        word = "switch on" if enabled else "switch off"
        line = audit.Line(actor.name, word, "channel", channel, {"enabled": was}, {"enabled": enabled})
        await audit.record(connection, [line])
        await pulse(connection, "settings", "outbox", "alerts")
    return told
