"""Runs jobs because alerts fire or are over, in the transaction in which that is told.

The run is recorded together with the event that caused it: neither exists without the other, and an occasion that has a
run already never gets a second one. Whatever comes of a reaction, and why nothing does, stands in the alert's history.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.alert import Event, EventKind
from watchfloor.domain.durations import compact_duration
from watchfloor.domain.ids import uuid7
from watchfloor.domain.matchers import subject_labels
from watchfloor.domain.message import compose
from watchfloor.domain.notice import facts, read
from watchfloor.domain.reactions import Reaction, occasion, wanted
from watchfloor.domain.telling import News, news
from watchfloor.domain.words import count
from watchfloor.operations.moved import Moved
from watchfloor.store import alerts, audit, fires, jobs, runs
from watchfloor.store import reactions as store
from watchfloor.store.alerts import ChangedAlert
from watchfloor.store.database import Connection
from watchfloor.store.fires import NewRun
from watchfloor.store.jobs import Job
from watchfloor.store.policy import Policy
from watchfloor.store.pulse import pulse

ORIGIN = "reaction"


Asked = tuple[Moved, News]
"""An alert that asks for a run, and what is told of it."""

Outcome = tuple[int, Event]
"""An alert, and the event that says what came of a reaction."""


async def react(connection: Connection, policy: Policy, moved: Sequence[Moved], now: datetime) -> None:
    """Record the runs that alerts which changed ask for."""
    asked: dict[str, tuple[Reaction, list[Asked]]] = {}
    for each in moved if policy.reactions else ():
        item = news(each.alert, each.numbered)
        if item is not None and not _stands_for_many(policy, each):
            for reaction in wanted(policy.reactions, item, each.alert, _labels(policy, each)):
                asked.setdefault(reaction.name, (reaction, []))[1].append((each, item))
    events: dict[int, list[Event]] = {}
    for _, (reaction, by) in sorted(asked.items()):
        for alert_id, event in await _carry_out(connection, reaction, by, now):
            events.setdefault(alert_id, []).append(event)
    if events:
        stored = await alerts.lock(connection, sorted(events))
        await alerts.update(connection, [ChangedAlert(each, each.alert, events[each.id]) for each in stored])


def _stands_for_many(policy: Policy, each: Moved) -> bool:
    """Whether an alert stands for all that its rule fires for, being too many: it names nothing to act on."""
    return each.stored.labels.get("about_rule") == policy.rule(each.stored.rule_id).name


def _labels(policy: Policy, each: Moved) -> dict[str, str]:
    stored = each.stored
    return subject_labels(stored.labels, policy.rule(stored.rule_id).name, each.alert.severity)


async def _carry_out(
    connection: Connection, reaction: Reaction, asked: Sequence[Asked], now: datetime
) -> list[Outcome]:
    """Record the runs of one reaction. Nothing is said of an occasion that has its run already."""
    await store.lock(connection, reaction.name)
    job = await jobs.find_job(connection, reaction.job)
    if job is None:
        return _none(reaction, asked, now, f"did not run: there is no job called {reaction.job}")
    names = [occasion(reaction, each.stored.id, each.alert) for each, _ in asked]
    known = await fires.of_occasions(connection, job.id, names)
    new = {name: ask for name, ask in zip(names, asked, strict=True) if name not in known}
    if job.paused:
        return _none(reaction, new.values(), now, f"did not run: {job.name} is paused")
    if not new:
        return []
    since = now - timedelta(seconds=reaction.per_s)
    room = reaction.at_most - await store.count_since(connection, reaction.name, since)
    planned, said = _plan(reaction, job, new, room, now)
    return [*await _record(connection, reaction, job, planned, now), *said]


def _none(reaction: Reaction, asked: Iterable[Asked], now: datetime, words: str) -> list[Outcome]:
    return [(each.stored.id, _event(reaction, now, words)) for each, _ in asked]


def _plan(
    reaction: Reaction, job: Job, new: Mapping[str, Asked], room: int, now: datetime
) -> tuple[list[tuple[int, NewRun]], list[Outcome]]:
    """The runs to record, ``room`` at most, each with its alert, and why the others are not made."""
    from watchfloor.config.template import TemplateFailure  # and all of Jinja: most alerts have no reaction

    limit = f"{count(reaction.at_most, 'run')} in {compact_duration(reaction.per_s)}"
    over = f"did not run {job.name}: the limit of {limit} is reached"
    planned: list[tuple[int, NewRun]] = []
    said: list[Outcome] = []
    for name, (each, item) in new.items():
        if len(planned) >= room:
            said += _none(reaction, [(each, item)], now, over)
            continue
        try:
            planned.append((each.stored.id, _run(reaction, job, name, (each, item), now)))
        except TemplateFailure as failure:
            words = f"did not run {job.name}: its template fails: {failure}"
            said += _none(reaction, [(each, item)], now, words)
    return planned, said


def _run(reaction: Reaction, job: Job, name: str, asked: Asked, now: datetime) -> NewRun:
    """The run for an occasion. Raises `TemplateFailure`."""
    each, item = asked
    known = facts(read(compose(item.event, each.alert, each.words, item.type)))
    return NewRun(
        uuid=uuid7(time.time_ns()),
        job_id=job.id,
        fire_key=name,
        origin=ORIGIN,
        scheduled_for=now,
        available_at=now,
        priority=job.priority,
        capped=job.capped,
        asked_by=f"{reaction.name} (alert #{each.stored.id})",
        deadline_at=job.deadline_after(now),
        parameters=_rendered(reaction.parameters, known),
    )


async def _record(
    connection: Connection, reaction: Reaction, job: Job, planned: Sequence[tuple[int, NewRun]], now: datetime
) -> list[Outcome]:
    """Record runs with what belongs to them; the events say that they were made."""
    if not planned:
        return []
    await fires.record(connection, [run for _, run in planned])
    numbers = await fires.of_occasions(connection, job.id, [run.fire_key for _, run in planned])
    made = [(alert_id, numbers[run.fire_key]) for alert_id, run in planned if run.fire_key in numbers]
    if job.capped:
        await runs.promote_jobs(connection, [job.id])
    await store.note_runs(connection, reaction.name, made, now)
    actor = f"reaction {reaction.name}"
    lines = [
        audit.Line(actor, "run", "job", job.name, None, {"run": number, "alert": alert_id})
        for alert_id, number in made
    ]
    await audit.record(connection, lines)
    await pulse(connection, "runs" if job.capped else "ready", "jobs")
    return [
        (alert_id, _event(reaction, now, f"runs {job.name}", run=number, job=job.name))
        for alert_id, number in made
    ]


def _event(reaction: Reaction, now: datetime, words: str, **data: object) -> Event:
    note = f"{reaction.name}: {words}"
    if "run" in data:
        note += f" (run #{data['run']})"
    return Event(EventKind.REACTED, now, note=note, data={"reaction": reaction.name, **data})


def _rendered(value: Any, known: Mapping[str, object]) -> Any:
    """A parameter with its templates filled in. What an alert says is never read as a reference to a secret."""
    from watchfloor.config.reactions import templates_in
    from watchfloor.config.template import compiled

    if isinstance(value, str):
        if not templates_in(value):
            return value
        return compiled(value).render(known).replace("${", "$${")
    if isinstance(value, Mapping):
        return {key: _rendered(inner, known) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rendered(inner, known) for inner in value]
    return value
