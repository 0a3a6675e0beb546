"""From values to alerts: every rule that is due is evaluated in a transaction of its own, by one node.

The alert of a rule about an instance has a subject of its own, so that it lives beside the alert about the state of a
service. It is raised when it fires: what waits to fire is in the standing of the rule. A rule that cannot be evaluated
harms no other; that it cannot is an alert about the rule itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import perf_counter

from watchfloor.domain.conditions import Condition, EvaluatedRule
from watchfloor.domain.judging import NEVER, OUTAGE, NoData, Standing, interrupted, judge
from watchfloor.domain.questions.question import MetricQuestion, Question, Reading, Watched
from watchfloor.operations.rule_alerts import (
    Ended,
    Firing,
    Trouble,
    end_trouble,
    tell,
    tell_of_many,
    tell_trouble,
)
from watchfloor.store import evaluations as store
from watchfloor.store.database import Connection, Database
from watchfloor.store.errors import refusal
from watchfloor.store.evaluations import Evaluation, Last, StoredStanding
from watchfloor.store.readings import TooMuch, read
from watchfloor.store.readings.points import vanished

log = logging.getLogger(__name__)

PATIENCE_S = 30.0
"""No evaluation of a rule may take longer."""

EARLY = 0.1
"""A rule is due so much of its interval early: nodes that look in turn must not look twice as often."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of evaluations did: how many rules it evaluated, and whether an alert changed."""

    evaluated: int = 0
    changed: bool = False


async def evaluate_due(database: Database, settings: Mapping[str, object], now: datetime) -> Round:
    """Evaluate every rule that is due, unless another node does; raises only where the database is away."""
    async with database.transaction() as connection:
        rules = await store.load_evaluated(connection)
        tried = await store.last_tries(connection)
        due = [each for each in rules if _is_due(each, tried.get(each.rule.id), now)]
        of_services = any(each.condition.asks.of_services for each in due)
        services = await store.watched(connection) if of_services else []
        changed = await _end_left_behind(connection, settings, now)
        await store.forget(connection, now)
    evaluated = 0
    for each in due:
        outcome = await _evaluate_one(database, each, services, settings, now)
        evaluated += outcome.evaluated
        changed |= outcome.changed
    return Round(evaluated, changed)


def _is_due(rule: EvaluatedRule, tried: datetime | None, now: datetime) -> bool:
    wait = timedelta(seconds=rule.condition.every_s * (1 - EARLY))
    return tried is None or abs(now - tried) >= wait  # a clock that went back is no reason to wait


async def _end_left_behind(connection: Connection, settings: Mapping[str, object], now: datetime) -> bool:
    """Resolve what rules raised that are no longer evaluated."""
    changed = False
    for rule_id, standings in (await store.left_behind(connection)).items():
        ended = {
            key: Ended(each.service_id, each.last_true) for key, each in standings.items() if each.firing
        }
        changed |= await tell(connection, rule_id, [], ended, settings, now)
        await store.save_standings(connection, rule_id, {}, list(standings))
    for rule_id in await store.left_in_trouble(connection):
        changed |= await end_trouble(connection, rule_id, now)
    return changed


async def _evaluate_one(
    database: Database,
    rule: EvaluatedRule,
    services: Sequence[Watched],
    settings: Mapping[str, object],
    now: datetime,
) -> Round:
    began = perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_S), database.transaction() as connection:
            if not await store.take_turn(connection, rule.rule.id):
                return Round()
            last = await store.last(connection, rule.rule.id)
            if not _is_due(rule, last.tried_at, now):
                return Round()
            return await _evaluate(connection, rule, services, last, settings, now)
    except Exception as error:
        words = _why(error)
        if not words:
            raise
        log.warning("rule %s cannot be evaluated: %s", rule.rule.name, words)
        took_ms = (perf_counter() - began) * 1000
        async with database.transaction() as connection:
            await store.save_evaluation(connection, Evaluation(rule.rule.id, now, took_ms, error=words))
            changed = await tell_trouble(connection, rule.rule, Trouble.ERROR, words, now)
        return Round(1, changed)


def _why(error: Exception) -> str:
    """Why one rule cannot be evaluated; empty where it is not the rule's fault."""
    if isinstance(error, TooMuch):
        return str(error)
    if isinstance(error, TimeoutError):
        return f"it took more than {PATIENCE_S:g} s"
    return refusal(error)


async def _evaluate(
    connection: Connection,
    rule: EvaluatedRule,
    services: Sequence[Watched],
    last: Last,
    settings: Mapping[str, object],
    now: datetime,
) -> Round:
    began, condition = perf_counter(), rule.condition.in_force(settings)
    stored = await store.load_standings(connection, rule.rule.id)
    resumed = _resumed(condition, last, now)
    fires = {each.service_id for each in stored.values() if each.firing}
    selected = [
        each if each.id in fires else _known_again(each, resumed)
        for each in services
        if rule.rule.selects(each.subject)
    ]
    readings = await _read(connection, condition.asks, selected, stored.keys(), now)
    before = {key: each.standing(last.judged_at or now) for key, each in stored.items()}
    judged = {
        each.instance.key: (each, _judge(condition, before.get(each.instance.key), each, now))
        for each in readings
        if _concerns(condition, each, before)
    }
    firing = [
        Firing(rule.rule, condition, each, standing) for each, standing in judged.values() if standing.firing
    ]
    ended = {
        key: Ended(each.service_id, before[key].last_true)
        for key, each in stored.items()
        if each.firing and not (key in judged and judged[key][1].firing)
    }
    over = condition.limit is not None and len(firing) > condition.limit
    changed = await tell(connection, rule.rule.id, firing, ended, settings, now, raising=not over)
    if over and condition.limit is not None:
        changed |= await tell_of_many(connection, rule.rule, firing, condition.limit, now)
    changed |= await _end_troubles(connection, rule, last, over, now)
    await _save(connection, rule.rule.id, stored, judged)
    pending = sum(standing.since is not None for _, standing in judged.values()) - len(firing)
    took_ms = (perf_counter() - began) * 1000
    done = Evaluation(rule.rule.id, now, took_ms, len(judged), pending, len(firing), over, resumed_at=resumed)
    await store.save_evaluation(connection, done)
    return Round(1, changed)


async def _read(
    connection: Connection, asks: Question, selected: Sequence[Watched], known: Collection[str], now: datetime
) -> list[Reading]:
    """The value of each instance, also of a ``known`` one whose metric no check reports any more: it has none."""
    readings = [*await read(connection, asks, selected, now)]
    missed = {*known} - {each.instance.key for each in readings}
    if isinstance(asks, MetricQuestion):
        readings += await vanished(connection, asks.metric, selected, missed, now)
    return readings


def _known_again(service: Watched, resumed: datetime | None) -> Watched:
    """A service of which nothing is known from before the rule was looked at again; what fires by then goes on."""
    return (
        service
        if resumed is None or service.known_since >= resumed
        else replace(service, known_since=resumed)
    )


def _concerns(condition: Condition, reading: Reading, before: Mapping[str, Standing]) -> bool:
    """Whether an instance has a value at all, or had; where a lack of data counts it need not."""
    known = reading.value is not None or reading.instance.key in before
    return known or condition.threshold.no_data is NoData.FIRE


def _judge(condition: Condition, before: Standing | None, reading: Reading, now: datetime) -> Standing:
    value, threshold, standing = reading.value, condition.threshold, before or NEVER
    if reading.began is not None:
        standing = interrupted(threshold, standing, reading.began)
    if reading.paused:  # nobody looks, so that nothing is known
        value, threshold = None, replace(threshold, no_data=NoData.KEEP)
    return judge(threshold, standing, value, now, _outage(condition), reading.counts_from)


def _outage(condition: Condition) -> timedelta:
    """Nobody looked where a rule was not evaluated for longer than this."""
    return max(OUTAGE, 3 * timedelta(seconds=condition.every_s))


def _resumed(condition: Condition, last: Last, now: datetime) -> datetime | None:
    """Since when the rule is looked at without a gap, if there ever was one."""
    if last.judged_at is not None and now - last.judged_at > _outage(condition):
        return now
    return last.resumed_at


async def _save(
    connection: Connection,
    rule_id: int,
    before: Mapping[str, StoredStanding],
    judged: Mapping[str, tuple[Reading, Standing]],
) -> None:
    """Store what differs from what is stored, and nothing else."""
    after = {
        key: row
        for key, (reading, standing) in judged.items()
        if (row := store.stored(standing, reading.instance.service_id)) is not None
    }
    changed = {key: row for key, row in after.items() if before.get(key) != row}
    await store.save_standings(connection, rule_id, changed, [key for key in before if key not in after])


async def _end_troubles(
    connection: Connection, rule: EvaluatedRule, last: Last, over_limit: bool, now: datetime
) -> bool:
    """Resolve the alerts about the rule itself, after an evaluation that went well."""
    over = [
        trouble
        for trouble, was in ((Trouble.ERROR, bool(last.error)), (Trouble.LIMIT, last.over_limit))
        if was and not (trouble is Trouble.LIMIT and over_limit)
    ]
    return await end_trouble(connection, rule.rule.id, now, over) if over else False
