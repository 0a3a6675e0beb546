"""What a person can do to the definition of a rule: add, change, rename, switch, delete it, by the rules of the file.

What is open by a rule that changes is judged anew in the same transaction: a problem that another rule is about from
then on is told by that one, and none is forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from watchfloor.config.problems import Problem, quoted, suggest
from watchfloor.domain.outcome import Status
from watchfloor.domain.questions.burn import BurnRate
from watchfloor.domain.questions.jobs import Jobs
from watchfloor.domain.rules import BUILT_IN, OWN_RULES, Subject
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.operations.definitions import rule_definition
from watchfloor.operations.editing import Invalid, free_name, gone, held
from watchfloor.operations.raising import raise_and_resolve
from watchfloor.operations.rule_alerts import end_trouble
from watchfloor.operations.suppressing import causes_of
from watchfloor.store import audit, evaluations, reach, results, rules, settings
from watchfloor.store.database import Connection, Database
from watchfloor.store.health import clock
from watchfloor.store.pulse import pulse
from watchfloor.store.services import lock_definitions
from watchfloor.store.written import find_written, rename

if TYPE_CHECKING:
    from watchfloor.config.model import RuleConfig
    from watchfloor.operations.judge import Judge

CHANGED = ("settings", "alerts", "health", "outbox")


async def save_rule(
    database: Database, actor: Actor, judge: Judge, raw: Mapping[str, Any], was: str = "", version: int = 0
) -> str:
    """Add a rule, or change the one called ``was`` as of ``version``; returns its name.

    Raises `Invalid`, `Overtaken` or `Refused`.
    """
    may_change(actor)
    rule = judge.rule(raw)
    async with database.transaction() as connection:
        await lock_definitions(connection)
        before = await held(connection, "rule", was, version) if was else None
        if rule.name != was:
            await free_name(connection, "rule", rule.name)
        if wrong := await wrong_names(connection, rule, judge.kinds):
            raise Invalid(wrong)
        if before is not None and rule.name != was:
            await rename(connection, "rules", before.id, rule.name)
        await rules.put_rule(connection, rule_definition(rule, "console"), actor.name)
        if before is not None:
            await _begin_anew(connection, before.id)
        old = None if before is None else before.written
        verb = "change" if before else "add"
        await audit.record(connection, [audit.Line(actor.name, verb, "rule", rule.name, old, rule.written)])
        await pulse(connection, *CHANGED)
    return rule.name


async def delete_rule(database: Database, actor: Actor, name: str, version: int | None = None) -> None:
    """Delete a rule; what it raised stays on record. Without ``version`` whatever it is now.

    Raises `Overtaken` or `Refused`.
    """
    may_change(actor)
    async with database.transaction() as connection:
        await lock_definitions(connection)
        before = await held(connection, "rule", name, version)
        await rules.retire_rule(connection, before.id, actor.name)
        await _begin_anew(connection, before.id)
        await audit.record(connection, [audit.Line(actor.name, "delete", "rule", name, before.written)])
        await pulse(connection, *CHANGED)


async def set_rule_enabled(database: Database, actor: Actor, name: str, enabled: bool) -> bool:
    """Switch a rule on or off, whoever owns it; False: it was so. Raises `Refused`.

    Like a pause it outlives a reload of the file that leaves what is written there as it was.
    """
    may_change(actor)
    if name in (BUILT_IN, *OWN_RULES):
        raise Refused(f"{name} is what catches the rest: it is never off. A silence keeps it quiet.")
    async with database.transaction() as connection:
        await lock_definitions(connection)
        found = await find_written(connection, "rules", name, lock=True)
        if found is None:
            raise gone("rule", name)
        was = await rules.is_enabled(connection, found.id)
        if was is enabled:
            return False
        await rules.set_enabled(connection, found.id, enabled, actor.name)
        await _begin_anew(connection, found.id)
        word = "switch on" if enabled else "switch off"
        line = audit.Line(actor.name, word, "rule", name, {"enabled": was}, {"enabled": enabled})
        await audit.record(connection, [line])
        await pulse(connection, *CHANGED)
    return True


async def wrong_names(
    connection: Connection, rule: RuleConfig, kinds: Collection[str]
) -> tuple[Problem, ...]:
    """What a rule names and is not there: channels, services, kinds, jobs and objectives."""
    known = await rules.names_known(connection)
    asks = None if rule.condition is None else rule.condition.asks
    named = [
        ("channels", "channel", rule.channels, known.channels),
        ("when.services", "service", rule.services, known.services),
        ("when.kinds", "kind of service", sorted(rule.kinds), kinds),
        ("jobs", "job", asks.jobs if isinstance(asks, Jobs) else (), known.jobs),
        ("objectives", "objective", asks.objectives if isinstance(asks, BurnRate) else (), known.objectives),
    ]
    return tuple(
        _unknown(path, what, name, there)
        for path, what, names, there in named
        for name in names
        if name not in there and not (what not in ("channel", "kind of service") and _is_pattern(name))
    )


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _unknown(path: str, what: str, name: str, there: Collection[str]) -> Problem:
    hint = suggest(name, sorted(there)) or f"Name a {what} that is there."
    return Problem("", 0, 0, path, f"there is no {what} called {quoted(name)}", hint=hint)


@dataclass(frozen=True, slots=True)
class _Standing:
    """A service as it stands: what rules see of one whose state they judge."""

    service_id: int
    subject: Subject
    status: Status
    at: datetime
    summary: str


async def _begin_anew(connection: Connection, rule_id: int) -> None:
    """What was wrong with it is over; it is looked at at once; what it has open about states is judged anew."""
    now = await clock(connection)
    await end_trouble(connection, rule_id, now)
    await evaluations.forget_health(connection, rule_id)
    open_ = await rules.open_by_state(connection, rule_id)
    if not open_:
        return
    states = await results.lock_states(connection, list(open_))
    await reach.lock(connection)
    standing = [
        _Standing(each.id, each.subject, state.hard, state.since or now, open_[each.id].summary)
        for each in await evaluations.watched(connection)
        if each.id in open_ and (state := states[each.id].state).hard is not None
    ]
    causes = {
        each: causes_of(sight, False) for each, sight in (await reach.sights(connection, open_)).items()
    }
    incidents = {each: row.incident_id for each, row in open_.items() if row.incident_id is not None}
    in_force = await rules.load_rules(connection)
    await raise_and_resolve(
        connection, standing, incidents, in_force, await settings.values(connection), now, causes
    )
