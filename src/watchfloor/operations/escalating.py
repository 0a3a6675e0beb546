"""Takes the steps of chains, and lets chains follow what becomes of their alerts: in the transaction of the event.

A chain begins when an alert fires, stands still while there is a reason for silence, begins again when an
acknowledgement ends, and ends in the transaction in which somebody takes charge or the alert is over. A step, its line
in the history of the alert, its messages and the time of the next step are one transaction as well, so that a step is
taken once whatever happens in between.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from watchfloor.domain import escalation as chains
from watchfloor.domain.alert import Alert, AlertState, Event, EventKind, Suppression, escalate
from watchfloor.domain.duty import Address, Directory
from watchfloor.domain.escalation import FLAPPING_LIMIT, Chain, Progress
from watchfloor.domain.matchers import subject_labels
from watchfloor.domain.message import About, compose
from watchfloor.domain.telling import PROBLEM
from watchfloor.operations.behind import behind
from watchfloor.operations.moved import Moved
from watchfloor.store import alerts, duty, groups, outbox, telling
from watchfloor.store import escalations as store
from watchfloor.store.alerts import ChangedAlert, StoredAlert
from watchfloor.store.database import Connection, Database
from watchfloor.store.escalations import Running
from watchfloor.store.policy import Policy

AT_ONCE = 100
ESCALATED = "escalated"
BEGINS = frozenset({EventKind.FIRED, EventKind.REOPENED})
AGAIN = frozenset(
    {EventKind.UNACKNOWLEDGED, EventKind.ACK_EXPIRED, EventKind.ACK_BROKEN, EventKind.HANDED_OVER}
)
WAKES = frozenset({EventKind.SEVERITY_CHANGED, EventKind.SUPPRESSION_CHANGED})
RISES = AGAIN | {EventKind.SEVERITY_CHANGED}
ENDS = {AlertState.ACKNOWLEDGED: "somebody took charge", AlertState.RESOLVED: "the alert is over"}


async def end_chains(connection: Connection, moved: Sequence[Moved]) -> None:
    """Nobody is told by a chain any more once somebody took charge, or the alert is over.

    Whoever takes charge also takes back the reminders that wait.
    """
    why = {
        each.stored.id: ENDS[each.alert.state] for each in moved if each.before and each.alert.state in ENDS
    }
    await store.end(connection, why)
    taken = [each.stored.id for each in moved if each.alert.state is AlertState.ACKNOWLEDGED]
    if taken:
        await groups.take_back(connection, taken)
        await outbox.take_back(connection, taken)


async def follow(
    connection: Connection,
    policy: Policy,
    moved: Sequence[Moved],
    now: datetime,
    paused: Mapping[int, datetime],
) -> None:
    """Let chains begin, begin again, stand still and go on, as their alerts do. A step due at once is taken here.

    Those of alerts that are ``paused``, because their rule wants a pause between two problems, begin when that is over.
    An alert that is worse than when its chain began gets the chain that is for it now, from the first step on. One that
    has no chain gets none by whatever else happens to it: what the file says by then is for later alerts.
    """
    firing = [each for each in moved if each.alert.state is AlertState.FIRING]
    older = [each.stored.id for each in firing if each.before]
    known = await store.of_alerts(connection, older) if older else {}
    moves: dict[int, Progress] = {}
    due: dict[int, Moved] = {}
    for each in firing:
        begins_at = paused.get(each.stored.id, now)
        running = await _chain_of(connection, policy, each, known.get(each.stored.id), now, begins_at)
        if running is None:
            continue
        progress = _followed(running.chain, running.progress, each, now)
        if progress != running.progress:
            moves[each.stored.id] = progress
        if progress.next_at is not None and progress.next_at <= now:
            due[each.stored.id] = each
    await store.move(connection, moves)
    handed = [each for each in firing if EventKind.HANDED_OVER in each.kinds]
    if handed:
        await _tell_heirs(connection, handed, now)
    if due:
        await _take_at_once(connection, due, now)
    waking = [each for each in firing if each.kinds & WAKES and not each.alert.suppressed]
    if waking:
        await _wake(connection, waking, now)


async def _chain_of(
    connection: Connection,
    policy: Policy,
    each: Moved,
    running: Running | None,
    now: datetime,
    begins_at: datetime,
) -> Running | None:
    """The chain of an alert that fires, begun anew where what happened calls for that."""
    if each.kinds & BEGINS:
        begun = await _begin(connection, policy, each, now, wait=begins_at - now)
        if begun is None and running is not None:
            await store.forget(connection, each.stored.id)
        return begun
    if running is None:
        anew = bool(each.kinds & AGAIN) or each.alert.severity > each.stored.alert.severity
        return await _begin(connection, policy, each, now) if anew else None
    if each.kinds & RISES and each.alert.severity > running.chain.severity:
        return await _begin(connection, policy, each, now, running.chain)
    return running


async def _begin(
    connection: Connection,
    policy: Policy,
    each: Moved,
    now: datetime,
    running: Chain | None = None,
    wait: timedelta = timedelta(),
) -> Running | None:
    stored, severity = each.stored, each.alert.severity
    rule = policy.rule(stored.rule_id).name
    found = chains.chosen(policy.chain(subject_labels(stored.labels, rule, severity)), running)
    if found is None:
        return None
    spec = chains.frozen(found, severity)
    chain = chains.chain_of(spec)
    progress = chains.begin(chain, now, wait)
    await store.begin(connection, {stored.id: spec}, {stored.id: progress}, now)
    return Running(stored.id, chain, progress)


def _followed(chain: Chain, progress: Progress, each: Moved, now: datetime) -> Progress:
    """Where a chain is after what happened to its alert, which fires."""
    if EventKind.HANDED_OVER in each.kinds:
        progress = chains.begin(chain, now, chains.HANDED_OVER)
    elif each.kinds & AGAIN:
        progress = chains.begin(chain, now)
    if not each.alert.suppressed:
        return chains.resume(progress, now)
    if each.alert.suppressed == {Suppression.FLAPPING} and each.alert.fired_at is not None:
        flying = chains.resume(progress, now)
        limit = each.alert.fired_at + FLAPPING_LIMIT
        return Progress(flying.step, flying.round, max(flying.next_at, limit)) if flying.next_at else flying
    return chains.pause(progress, now)


async def _take_at_once(connection: Connection, due: Mapping[int, Moved], now: datetime) -> None:
    """Take steps in the transaction in which they became due, past channels that were told just now."""
    directory = await duty.load_directory(connection, now)
    told = await telling.told_from(connection, {each.stored.id: each.first_seq for each in due.values()})
    running = await store.of_alerts(connection, list(due))
    for stored in await alerts.lock(connection, list(due)):
        step = Due(stored, running[stored.id], due[stored.id].behind)
        await take(connection, directory, step, now, told.get(stored.id, ()))


async def _tell_heirs(connection: Connection, handed: Sequence[Moved], now: datetime) -> None:
    """Whoever an alert was handed over to hears of it, as of a step that tells them."""
    directory = await duty.load_directory(connection, now)
    told = await telling.told_from(connection, {each.stored.id: each.first_seq for each in handed})
    messages: list[outbox.Message] = []
    for each in handed:
        numbered = next(found for found in each.numbered if found[1].kind is EventKind.HANDED_OVER)
        heir, past = str(numbered[1].data["to"]), told.get(each.stored.id, ())
        messages += _to_person(directory, each, numbered, heir, now, str(numbered[1].kind), past)
    await _put(connection, messages)


async def _wake(connection: Connection, changed: Sequence[Moved], now: datetime) -> None:
    """Alerts became worse, or are spoken of again: whom quiet hours kept from hearing of them, and do so no longer,
    hears how they are by now, on the channels that take that.
    """
    by_id = {each.stored.id: each for each in changed}
    held = await store.held_of(connection, list(by_id))
    if not held:
        return
    directory = await duty.load_directory(connection, now)
    told = await telling.told_from(connection, {each.stored.id: each.first_seq for each in changed})
    messages: list[outbox.Message] = []
    for alert_id, name in held:
        each, person = by_id[alert_id], directory.people.get(name)
        if person is None:
            await store.let_go(connection, alert_id, name)
        elif person.quiet_until(each.alert.severity, now) is None:
            numbered = next(found for found in reversed(each.numbered) if found[1].kind in WAKES)
            past = told.get(alert_id, ())
            messages += _to_person(directory, each, numbered, name, now, ESCALATED, past)
    await _put(connection, messages)


def _to_person(
    directory: Directory,
    each: Moved,
    numbered: tuple[int, Event],
    name: str,
    now: datetime,
    reason: str,
    told: Collection[str],
) -> list[outbox.Message]:
    """What tells somebody in particular of an event, past channels that were told of it already."""
    seq, event = numbered
    payload = compose(event, each.alert, each.words, PROBLEM)
    return [
        outbox.Message(
            uuid4(), each.stored.id, seq, address.channel, PROBLEM, payload, now, reason,
            person=address.person, held_until=address.held_until,
        )
        for address in directory.heir(name, each.alert.severity, now)
        if address.channel not in told
    ]  # fmt: skip


async def _put(connection: Connection, messages: Sequence[outbox.Message]) -> None:
    """Queue what tells people; what can go at once waits behind nothing that quiet hours hold."""
    at_once = [
        (each.alert_id, each.channel)
        for each in messages
        if each.held_until is None and each.alert_id is not None
    ]
    await store.take_back_held(connection, at_once)
    if messages:
        await outbox.put(connection, messages)


@dataclass(frozen=True, slots=True)
class Due:
    """An alert and its chain, both locked."""

    stored: StoredAlert
    running: Running
    behind: int = 0  # so many services are out of reach because of it


async def with_behind(connection: Connection, due: Sequence[tuple[StoredAlert, Running]]) -> list[Due]:
    """Alerts and chains, locked, with how many services are out of reach now because of each."""
    many = await behind(connection, [(stored, stored.alert) for stored, _ in due])
    return [Due(stored, running, many.get(stored.id, 0)) for stored, running in due]


async def take_steps(database: Database, now: datetime, limit: int = AT_ONCE) -> tuple[int, datetime | None]:
    """Take the steps that are due by ``now``, at most ``limit``; how many, and when the next one is due."""
    async with database.transaction() as connection:
        due = await store.lock_due(connection, now, limit)
        if due:
            directory = await duty.load_directory(connection, now)
            for each in await with_behind(connection, due):
                await take(connection, directory, each, now)
        return len(due), await store.next_due(connection)


async def take(
    connection: Connection, directory: Directory, due: Due, now: datetime, told: Collection[str] = ()
) -> None:
    """Take the step that is due, and those after it as long as there is nobody to tell."""
    alert, stored, running = due.stored.alert, due.stored, due.running
    progress = running.progress
    if alert.state in ENDS:
        await store.end(connection, {stored.id: ENDS[alert.state]})
        return
    if not chains.goes_on(alert, now):
        await store.move(connection, {stored.id: chains.pause(progress, now)})
        return
    taken: list[_Taken] = []
    for _ in range(len(running.chain.steps)):
        step = _look(directory, running.chain, progress, alert, now)
        taken.append(step)
        progress = chains.advance(running.chain, progress, now, reached=step.reached)
        if progress.next_at is None or progress.next_at > now:
            break
    await _book(connection, due, taken, told, now)
    await store.move(connection, {stored.id: progress})


@dataclass(frozen=True, slots=True)
class _Taken:
    """A step that was taken: who is told, or why nobody is."""

    chain: Chain
    progress: Progress
    addresses: tuple[Address, ...]
    left_out: str
    silent: tuple[str, ...] = ()  # channels that are switched off

    @property
    def reached(self) -> bool:
        """Somebody is told, or was not meant to be."""
        return bool(self.addresses or self.left_out)

    @property
    def note(self) -> str:
        """What the history of the alert says."""
        number = f"step {self.progress.step + 1} of {len(self.chain.steps)}"
        again = f", round {self.progress.round + 1}" if self.progress.round else ""
        return f"{self.chain.name}, {number}{again}: {self._outcome}"

    @property
    def _outcome(self) -> str:
        if self.left_out:
            return f"left out, {self.left_out}"
        off = [f"{channel} is switched off" for channel in self.silent]
        if not self.addresses:
            return ", ".join(off) or "nobody is there to be told"
        said = [
            f"{each.person} on {each.channel}" if each.person else each.channel
            for each in self.addresses
            if each.held_until is None
        ]
        held = [
            f"{each.person} on {each.channel} when quiet hours end"
            for each in self.addresses
            if each.held_until is not None
        ]
        return ", ".join([*said, *held, *off])

    def data(self) -> dict[str, object]:
        """What is stored of it."""
        return {
            "chain": self.chain.name,
            "step": self.progress.step + 1,
            "steps": len(self.chain.steps),
            "round": self.progress.round + 1,
            "due": None if self.progress.next_at is None else self.progress.next_at.isoformat(),
            "left_out": self.left_out,
            "told": [
                [each.person, each.channel, None if each.held_until is None else each.held_until.isoformat()]
                for each in self.addresses
            ],
        }


def _look(directory: Directory, chain: Chain, progress: Progress, alert: Alert, now: datetime) -> _Taken:
    step = chain.steps[progress.step]
    left_out = step.left_out(alert.severity, now)
    addresses = () if left_out else directory.addresses(step.targets, alert.severity, now)
    silent = () if left_out else directory.silent(step.targets, alert.severity, now)
    return _Taken(chain, progress, addresses, left_out, silent)


async def _book(
    connection: Connection, due: Due, taken: Sequence[_Taken], told: Collection[str], now: datetime
) -> None:
    stored = due.stored
    words = About(stored.id, str(stored.uuid), stored.title, stored.summary, stored.labels, due.behind)
    events: list[Event] = []
    for number, step in enumerate(taken):
        alert, (event,) = escalate(stored.alert, now, step.note, step.data())
        events.append(event)
        payload = compose(event, alert, words, PROBLEM)
        messages = [
            outbox.Message(
                uuid4(), stored.id, stored.seq + number, each.channel, PROBLEM, payload, now, ESCALATED,
                person=each.person, held_until=each.held_until,
            )
            for each in step.addresses
            if each.channel not in told
        ]  # fmt: skip
        await _put(connection, messages)
    await alerts.update(connection, [ChangedAlert(stored, stored.alert, events)])
