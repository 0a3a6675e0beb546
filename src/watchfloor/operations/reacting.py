"""Runs jobs because alerts fire or are over, in the transaction in which that is told.

The run is recorded together with the event that caused it: neither exists without the other, and an occasion that has a
run already never gets a second one. Whatever comes of a reaction, and why nothing does, stands in the alert's history.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
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
from watchfloor.store.policy import Policy
from watchfloor.store.pulse import pulse

ORIGIN = "reaction"


async def react(connection: Connection, policy: Policy, moved: Sequence[Moved], now: datetime) -> None:
    """Record the runs that alerts which changed ask for."""
    asked = [
        (reaction, each, item)
        for each in moved
        if policy.reactions and (item := news(each.alert, each.numbered)) is not None
        for reaction in wanted(policy.reactions, item, each.alert, _labels(policy, each))
    ]
    events: dict[int, list[Event]] = {}
    for reaction, each, item in sorted(asked, key=lambda ask: ask[0].name):
        event = await _carry_out(connection, reaction, each, item, now)
        if event is not None:
            events.setdefault(each.stored.id, []).append(event)
    if events:
        stored = await alerts.lock(connection, sorted(events))
        await alerts.update(connection, [ChangedAlert(each, each.alert, events[each.id]) for each in stored])


def _labels(policy: Policy, each: Moved) -> dict[str, str]:
    stored = each.stored
    return subject_labels(stored.labels, policy.rule(stored.rule_id).name, each.alert.severity)


async def _carry_out(
    connection: Connection, reaction: Reaction, each: Moved, item: News, now: datetime
) -> Event | None:
    """Record one run; the event says what came of it, None: this occasion has its run already."""
    from watchfloor.config.template import TemplateFailure  # and all of Jinja: most alerts have no reaction

    await store.lock(connection, reaction.name)
    job = await jobs.find_job(connection, reaction.job)
    if job is None:
        return _event(reaction, now, f"did not run: there is no job called {reaction.job}")
    if job.paused:
        return _event(reaction, now, f"did not run: {job.name} is paused")
    if await store.count_since(connection, reaction.name, now - timedelta(seconds=reaction.per_s)) >= (
        reaction.at_most
    ):
        limit = f"{count(reaction.at_most, 'run')} in {compact_duration(reaction.per_s)}"
        return _event(reaction, now, f"did not run {job.name}: the limit of {limit} is reached")
    try:
        parameters = _rendered(
            reaction.parameters, facts(read(compose(item.event, each.alert, each.words, item.type)))
        )
    except TemplateFailure as failure:
        return _event(reaction, now, f"did not run {job.name}: its template fails: {failure}")
    run = NewRun(
        uuid=uuid7(time.time_ns()),
        job_id=job.id,
        fire_key=occasion(reaction, each.stored.id, each.alert),
        origin=ORIGIN,
        scheduled_for=now,
        available_at=now,
        priority=job.priority,
        capped=job.capped,
        asked_by=f"{reaction.name} (alert #{each.stored.id})",
        deadline_at=job.deadline_after(now),
        parameters=parameters,
    )
    made = await fires.record(connection, [run])
    if not made:
        return None
    if job.capped:
        await runs.promote_jobs(connection, [job.id])
    await store.note_run(connection, reaction.name, each.stored.id, made[0], now)
    after = {"run": made[0], "alert": each.stored.id}
    await audit.record(
        connection, [audit.Line(f"reaction {reaction.name}", "run", "job", job.name, None, after)]
    )
    await pulse(connection, "runs" if job.capped else "ready", "jobs")
    return _event(reaction, now, f"runs {job.name}", run=made[0], job=job.name)


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
