"""Trying a rule: a marked message to whom it would tell, and what it would have done on stored history."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from watchfloor.domain.conditions import EvaluatedRule
from watchfloor.domain.matchers import subject_labels
from watchfloor.domain.notice import TEST, trial_message
from watchfloor.domain.rehearsal import Rehearsal
from watchfloor.domain.routes import targets
from watchfloor.domain.rules import Rule
from watchfloor.domain.severity import Severity
from watchfloor.domain.text import one_line
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.operations.rehearsing import rehearse
from watchfloor.store import audit, evaluations, outbox, policy, rules
from watchfloor.store import channels as store_channels
from watchfloor.store.database import Connection, Database
from watchfloor.store.health import clock
from watchfloor.store.pulse import pulse
from watchfloor.store.readings import TooMuch

LONGEST = timedelta(days=90)


async def fire_test(database: Database, actor: Actor, name: str) -> list[str]:
    """Send a marked message to every channel on which an alert of a rule would be told; returns their names.

    Raises `Refused` where there is no such rule, or nobody would be told.
    """
    may_change(actor)
    async with database.transaction() as connection:
        found = await _find(connection, name)
        plain = found.rule if isinstance(found, EvaluatedRule) else found
        now = await clock(connection)
        root = (await policy.load(connection, now)).root
        labels = subject_labels({"service": "test"}, plain.name, plain.severity or Severity.CRITICAL)
        off = await store_channels.switched_off(connection)
        channels = sorted({target.channel for target in targets(root, labels, plain.channels)} - set(off))
        if not channels:
            raise Refused(
                f"An alert of {plain.name} would be told on no channel that is on: give it some, or a route."
            )
        messages = []
        for channel in channels:
            made = uuid4()
            payload = trial_message(str(made), f"rule {plain.name}", {"rule": plain.name}, actor.name, now)
            messages.append(outbox.Message(made, None, 0, channel, TEST, payload, now))
        await outbox.put(connection, messages)
        await audit.record(connection, [audit.Line(actor.name, "test", "rule", plain.name)])
        await pulse(connection, "outbox")
    return channels


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
