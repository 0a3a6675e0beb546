"""Trying a rule: a marked message to whom it would tell, and what it would have done on stored history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from watchfloor.domain.conditions import EvaluatedRule
from watchfloor.domain.duty import Directory
from watchfloor.domain.escalation import Chain, chain_of
from watchfloor.domain.matchers import subject_labels
from watchfloor.domain.notice import TEST, trial_message
from watchfloor.domain.rehearsal import Rehearsal
from watchfloor.domain.routes import targets
from watchfloor.domain.rules import Rule
from watchfloor.domain.severity import Severity
from watchfloor.domain.text import one_line
from watchfloor.domain.told import Told
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.operations.rehearsing import rehearse
from watchfloor.operations.sampling import sample
from watchfloor.store import audit, evaluations, outbox, policy, rules
from watchfloor.store.database import Connection, Database
from watchfloor.store.duty import load_directory
from watchfloor.store.health import clock
from watchfloor.store.pulse import pulse
from watchfloor.store.readings import TooMuch

LONGEST = timedelta(days=90)


async def fire_test(database: Database, actor: Actor, name: str) -> Told:
    """Send a marked message to whom an alert of a rule would be told; returns whom, and who is left out.

    Told are the channels that routes name, and those whom the first step of the chain names, without waiting for it.
    Left out are channels that are off or whose route is mute now, and people in quiet hours; silences, maintenance and
    a rule's cooldown are not asked. Raises `Refused` where there is no such rule, or nobody would be told.
    """
    may_change(actor)
    async with database.transaction() as connection:
        found = await _find(connection, name)
        plain = found.rule if isinstance(found, EvaluatedRule) else found
        now = await clock(connection)
        shown = await sample(connection, found, now)
        labels = subject_labels(shown.labels, plain.name, shown.severity)
        ears = await _ears(connection, plain, labels, shown.severity, now)
        if not ears.told:
            why = f": {'; '.join(ears.left_out.values())}" if ears.left_out else ""
            raise Refused(
                f"An alert of {plain.name} would be told on no channel now{why or ', for it has none, and no route'}."
            )
        messages = []
        for channel, person in sorted(ears.told.items()):
            made = uuid4()
            payload = trial_message(
                str(made), f"rule {plain.name}", {**shown.labels, "rule": plain.name}, actor.name, now
            )
            messages.append(outbox.Message(made, None, 0, channel, TEST, payload, now, person=person))
        await outbox.put(connection, messages)
        await audit.record(connection, [audit.Line(actor.name, "test", "rule", plain.name)])
        await pulse(connection, "outbox")
    told = tuple(f"{each.person} on {each.channel}" if each.person else each.channel for each in messages)
    return Told(told, tuple(ears.left_out.values()), shown.about)


@dataclass(slots=True)
class _Ears:
    """The channels on which a test is told, and for whom; and those on which it is not, with the reason."""

    told: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


async def _ears(
    connection: Connection, rule: Rule, labels: Mapping[str, str], severity: Severity, now: datetime
) -> _Ears:
    """Who would be told of an alert by routes, and by the first step of its chain."""
    in_force = await policy.load(connection, now)
    directory = await load_directory(connection, now)
    found = _Ears()
    wanted = targets(in_force.root, labels, rule.channels)
    for target in wanted:
        if target.channel in directory.off:
            found.left_out[target.channel] = f"{target.channel} is switched off"
        elif target.route.muted(now):
            found.left_out[target.channel] = f"{target.channel} has a mute time now"
        else:
            found.told[target.channel] = ""
    spec = in_force.chain(labels)
    quiet = bool(wanted) and all(target.route.muted(now) for target in wanted)  # then chains stand still
    if spec is not None and not quiet:
        _begin(found, chain_of(spec), directory, severity, now)
    found.left_out = {channel: why for channel, why in found.left_out.items() if channel not in found.told}
    return found


def _begin(found: _Ears, chain: Chain, directory: Directory, severity: Severity, now: datetime) -> None:
    """Whom a chain tells first: by its first step, or the one after it where that finds nobody."""
    for step in chain.steps:
        why = step.left_out(severity, now)
        if why:
            found.left_out[f"chain {chain.name}"] = f"the first step of {chain.name} is left out, {why}"
            return
        for channel in directory.silent(step.targets, severity, now):
            found.left_out[channel] = f"{channel} is switched off"
        addresses = directory.addresses(step.targets, severity, now)
        for each in addresses:
            if each.held_until is not None:
                found.left_out.setdefault(each.channel, f"{each.person} has quiet hours")
            else:
                found.told.setdefault(each.channel, each.person)
        if addresses:
            return


async def rehearse_named(database: Database, name: str, over: timedelta) -> Rehearsal:
    """What a rule that is in force would have done in the time up to now. Raises `Refused`."""
    async with database.transaction() as connection:
        found = await _find(connection, name)
    return await rehearse_over(database, found, over)


async def rehearse_over(database: Database, rule: Rule | EvaluatedRule, over: timedelta) -> Rehearsal:
    """What any rule would have done in the time up to now. Raises `Refused`."""
    if not timedelta(minutes=1) <= over <= LONGEST:
        raise Refused("A rule can be tried over a minute to 90 days, such as 7d.")
    async with database.transaction() as connection:
        now = await clock(connection)
    try:
        return await rehearse(database, rule, now - over, now)
    except TooMuch as error:
        raise Refused(f"{one_line(str(error))}: try a shorter time.") from None


async def _find(connection: Connection, name: str) -> Rule | EvaluatedRule:
    evaluated = await evaluations.load_evaluated(connection, [name])
    if evaluated:
        return evaluated[0]
    for each in await rules.load_rules(connection):
        if each.name == name:
            return each
    raise Refused(f"There is no rule called {one_line(name, 100)} that is switched on.")
