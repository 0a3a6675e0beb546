"""Between the events of alerts and the outbox: who is told, by itself or in a group, now or later or not at all.

This is the one place that turns news into messages; the steps of chains, which tell people, are taken in
`watchfloor.operations.escalating`. What is decided is in `watchfloor.domain.telling`; everything happens in the
transaction of the event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from watchfloor.domain.alert import AlertState, EventKind
from watchfloor.domain.circuit import subject as about_channel
from watchfloor.domain.matchers import subject_labels
from watchfloor.domain.message import compose
from watchfloor.domain.routes import STORM_INTERVAL_S, STORM_WAIT_S, Target, targets
from watchfloor.domain.severity import Severity
from watchfloor.domain.telling import HELD, OVER, News, Told, news, worth_telling
from watchfloor.domain.words import count
from watchfloor.operations.grouping import flush
from watchfloor.operations.moved import Moved
from watchfloor.store import escalations, groups, outbox, telling
from watchfloor.store.database import Connection
from watchfloor.store.groups import Wanted
from watchfloor.store.policy import Policy
from watchfloor.store.telling import Diary

MINUTE = timedelta(minutes=1)
BEGINS = frozenset({EventKind.FIRED, EventKind.REOPENED})


@dataclass(slots=True)
class _Plan:
    """What one transaction sends, and which groups it moves."""

    messages: list[outbox.Message] = field(default_factory=list)
    diaries: dict[int, Diary] = field(default_factory=dict)
    joins: dict[tuple[str, str], tuple[Wanted, list[int]]] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    storm: dict[str, int] = field(default_factory=dict)

    def join(self, wanted: Wanted, alert_id: int) -> None:
        self.joins.setdefault((wanted.key, wanted.channel), (wanted, []))[1].append(alert_id)


async def notify(
    connection: Connection, policy: Policy, moved: Sequence[Moved], now: datetime
) -> Mapping[int, datetime]:
    """Queue what is to be told of alerts that changed, and note what is to be told later.

    Returns the alerts that begin within a pause that their rule wants, and until when that lasts.
    """
    found = [(each, item) for each in moved if (item := news(each.alert, each.numbered)) is not None]
    older = [each.stored.id for each in moved if each.before]
    last = await telling.last_told(connection, older) if older else {}
    member_of = await groups.memberships(connection, older) if older else {}
    plan = _Plan()
    for each in moved:
        plan.touched.update(group for group, _ in member_of.get(each.stored.id, ()))
    paused = await _paused(
        connection, policy, [each for each, item in found if item.event.kind in BEGINS], now
    )
    for each, item in found:
        inside = frozenset(channel for _, channel in member_of.get(each.stored.id, ()))
        until = paused.get(each.stored.id)
        if until is not None and item.event.kind in BEGINS:
            plan.diaries[each.stored.id] = Diary(None, until, each.stored.unsaid + 1)
        else:
            await _tell(connection, plan, policy, each, item, last.get(each.stored.id, {}), inside, now)
    await escalations.take_back_held(connection, _past_quiet_hours(plan, found, last, member_of))
    await _carry_out(connection, plan, now)
    over = [each.stored.id for each, item in found if item.type == OVER]
    if over:
        await outbox.only_the_end(connection, over)
    return paused


def _past_quiet_hours(
    plan: _Plan,
    found: Sequence[tuple[Moved, News]],
    last: Mapping[int, Mapping[str, Told]],
    member_of: Mapping[int, Sequence[tuple[int, str]]],
) -> list[tuple[int, str]]:
    """Where alerts are told now, so that nothing which quiet hours hold of them there is to be waited for.

    The end of what nobody heard of on a channel waits with it. Where a group tells of the end it does so alone.
    """
    pairs = [
        (each.alert_id, each.channel)
        for each in plan.messages
        if each.alert_id is not None
        and each.alert_id in last
        and not (each.kind == OVER and _unheard(last[each.alert_id].get(each.channel)))
    ]
    over = [each.stored.id for each, item in found if item.type == OVER]
    return pairs + [(each, channel) for each in over for _, channel in member_of.get(each, ())]


def _unheard(last: Told | None) -> bool:
    return last is not None and last.type == HELD


def _targets(policy: Policy, each: Moved) -> list[Target]:
    """Who is told of an alert. A channel that fails cannot say so itself."""
    rule = policy.rule(each.stored.rule_id)
    labels = subject_labels(each.stored.labels, rule.name, each.alert.severity)
    found = targets(policy.root, labels, rule.channels)
    return [target for target in found if about_channel(target.channel) != each.stored.subject]


async def _paused(
    connection: Connection, policy: Policy, begun: Sequence[Moved], now: datetime
) -> dict[int, datetime]:
    """Until when alerts are not told because their rules want a pause between two problems of the same kind."""
    waits = {each.stored.id: policy.rule(each.stored.rule_id).cooldown_s for each in begun}
    patient = [each for each in begun if waits[each.stored.id] > 0]
    if not patient:
        return {}
    since = await telling.told_since(connection, [each.stored.fingerprint for each in patient])
    until = {
        each.stored.id: since[each.stored.fingerprint] + timedelta(seconds=waits[each.stored.id])
        for each in patient
        if each.stored.fingerprint in since
    }
    return {alert_id: moment for alert_id, moment in until.items() if moment > now}


async def _tell(
    connection: Connection,
    plan: _Plan,
    policy: Policy,
    each: Moved,
    item: News,
    last: Mapping[str, Told],
    inside: frozenset[str],
    now: datetime,
) -> None:
    firing = each.alert.state is AlertState.FIRING
    if item.type == OVER or not firing:
        wanted: list[Target] = []
        alone = [
            name
            for name, told in last.items()
            if name not in inside and worth_telling(item, each.alert.severity, told)
        ]
        if item.event.kind is EventKind.ACK_WARNED:
            alone += sorted(inside)  # no group says so
    else:
        wanted = [target for target in _targets(policy, each) if target.channel not in inside]
        alone = await _now(connection, plan, wanted, each, item, last, now)
    payload = compose(item.event, each.alert, each.words, item.type, _note(each, item))
    reason = str(item.event.kind)
    plan.messages += [
        outbox.Message(uuid4(), each.stored.id, item.seq, name, item.type, payload, now, reason)
        for name in alone
    ]
    knowing = {*alone, *(name for name, told in last.items() if told.type != OVER)}
    repeat = min(
        (to.route.repeat_s for to in wanted if to.channel in knowing and not to.route.gathers), default=None
    )
    remind_at = None if repeat is None else now + timedelta(seconds=repeat)
    plan.diaries[each.stored.id] = Diary(remind_at, None, 0 if firing else each.stored.unsaid)


async def _now(
    connection: Connection,
    plan: _Plan,
    wanted: Sequence[Target],
    each: Moved,
    item: News,
    last: Mapping[str, Told],
    now: datetime,
) -> list[str]:
    """The channels on which an alert that fires is told at once and by itself; it joins the groups of the others."""
    alone: list[str] = []
    for target in wanted:
        if target.route.muted(now):
            continue
        if target.route.gathers:
            plan.join(_group(target, each), each.stored.id)
        elif not worth_telling(item, each.alert.severity, last.get(target.channel)):
            continue
        elif item.event.kind in BEGINS and await _stormy(connection, plan, target, each.alert.severity, now):
            plan.join(_storm(target), each.stored.id)
        else:
            alone.append(target.channel)
    return alone


def _note(each: Moved, item: News) -> str:
    unsaid = each.stored.unsaid
    if not unsaid or each.alert.state is not AlertState.FIRING:
        return item.event.note
    missed = f"It fired {count(unsaid, 'time')} without a message, because its rule wants a pause."
    return f"{item.event.note} {missed}".strip()


async def _stormy(
    connection: Connection, plan: _Plan, target: Target, severity: Severity, now: datetime
) -> bool:
    """Whether a channel has had enough messages in this minute; an emergency is always told by itself."""
    most, channel = target.route.storm, target.channel
    if most <= 0 or severity is Severity.EMERGENCY:
        return False
    if channel not in plan.storm:
        plan.storm[channel] = await groups.recent(connection, channel, now - MINUTE, most)
    plan.storm[channel] += 1
    return plan.storm[channel] > most


def _group(target: Target, each: Moved) -> Wanted:
    route = target.route
    labels = route.group_labels(each.stored.labels)
    key = json.dumps([route.key, sorted(labels.items())], ensure_ascii=False)
    return Wanted(
        key,
        target.channel,
        labels,
        route.group_wait_s,
        route.group_interval_s,
        route.repeat_s,
        route.send_resolved,
    )


def _storm(target: Target) -> Wanted:
    """The group of what is too much to be told one by one."""
    repeat = target.route.repeat_s
    return Wanted("storm", target.channel, {}, STORM_WAIT_S, STORM_INTERVAL_S, repeat, send_resolved=True)


async def _carry_out(connection: Connection, plan: _Plan, now: datetime) -> None:
    if plan.joins:
        wanted = [group for group, _ in plan.joins.values()]
        ids = await groups.ensure(connection, wanted, [uuid4() for _ in wanted], now)
        pairs = [
            (group, alert)
            for group, (_, alerts) in zip(ids, plan.joins.values(), strict=True)
            for alert in alerts
        ]
        await groups.join(connection, pairs)
        plan.touched.update(ids)
    if plan.touched:
        await groups.touch(connection, sorted(plan.touched), now)
        await flush(connection, now, sorted(plan.touched))
    if plan.messages:
        await outbox.put(connection, plan.messages)
    if plan.diaries:
        await telling.write_diaries(connection, plan.diaries)
