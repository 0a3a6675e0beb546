"""Tries a rule on what is stored: when it would have fired, for what, and how long. It changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from itertools import groupby
from math import ceil

from watchfloor.config.problems import suggest
from watchfloor.domain.conditions import Condition, EvaluatedRule
from watchfloor.domain.durations import format_duration
from watchfloor.domain.outcome import Status
from watchfloor.domain.questions.absence import Absence
from watchfloor.domain.questions.metric import LATENCY
from watchfloor.domain.questions.question import Course, MetricQuestion, Question, Watched
from watchfloor.domain.rehearsal import Rehearsal, WouldFire, replay
from watchfloor.domain.rule_boards import UNHEARD
from watchfloor.domain.rules import Rule
from watchfloor.domain.severity import Severity
from watchfloor.domain.spans import Span, SpanState
from watchfloor.store import evaluations, policy, readings, settings
from watchfloor.store.database import Connection, Database
from watchfloor.store.readings.points import metric_names
from watchfloor.store.readings.states import spans_between

SERVICES = Question.most
"""A rehearsal of a rule on states looks at so many services at most: those that have been known for longest."""

_STATUS = {
    SpanState.DOWN: Status.FAILING,
    SpanState.DEGRADED: Status.DEGRADED,
    SpanState.UNKNOWN: Status.UNKNOWN,
}


async def rehearse(
    database: Database, rule: Rule | EvaluatedRule, since: datetime, until: datetime
) -> Rehearsal:
    """What ``rule`` would have done from ``since`` to ``until``, given what is stored.

    Silences, maintenance and dependencies are left out of account: they keep people from being told, not a rule from
    firing. Raises `ValueError` where ``until`` is not after ``since``, `watchfloor.store.readings.TooMuch` where the
    rule asks for more than can be looked at.
    """
    if until <= since:
        raise ValueError("a rehearsal must end after it begins")
    plain = rule.rule if isinstance(rule, EvaluatedRule) else rule
    async with database.transaction() as connection:
        unheard = (await policy.load(connection, until)).unheard(plain.channels)
        every = await evaluations.watched(connection)
        selected = [each for each in every if plain.selects(each.subject)]
        services = selected[: SERVICES if isinstance(rule, Rule) else rule.condition.asks.most]
        if isinstance(rule, Rule):
            spans = await spans_between(connection, [each.id for each in services], since, until)
        else:
            condition = rule.condition.in_force(await settings.values(connection))
            least = ceil((until - since).total_seconds() / condition.asks.steps)
            step = timedelta(seconds=max(condition.every_s, least))
            moments = [since + step * n for n in range((until - since) // step + 1)]
            courses = await readings.course(connection, condition.asks, services, moments)
            missing = await _missing(connection, condition.asks, selected, courses)
    left_out = len(selected) - len(services)
    nobody = (f"It tells {UNHEARD}.",) if unheard else ()
    if isinstance(rule, Rule):
        fired = _fired_by_states(rule, services, spans, until)
        return Rehearsal(since, until, timedelta(0), fired, len(services), left_out, (*nobody, *_STATE_NOTES))
    fired = await asyncio.to_thread(_fired_by_values, plain, condition, courses, moments, step)
    seen = sum(any(value is not None for value in each.values) for each in courses)
    return Rehearsal(since, until, step, fired, seen, left_out, (*missing, *nobody, *_notes(condition, step)))


_STATE_NOTES = (
    "What this rule waits for counts from the first failed check here, in reality from the one that confirms it.",
    "Rules before this one in the file are left out of account; what they take does not reach it.",
)


async def _missing(
    connection: Connection, asks: Question, selected: Sequence[Watched], courses: Sequence[Course]
) -> list[str]:
    """Why a rule finds nothing at all, where it does: it selects nothing, or its metric does not exist."""
    if any(value is not None for course in courses for value in course.values):
        return []
    if asks.of_services and not selected:
        return ["It selects no service."]
    metric = asks.metric if isinstance(asks, MetricQuestion | Absence) else ""
    known = await metric_names(connection) if metric and metric != LATENCY else ()
    if not known or any(fnmatchcase(each, metric) for each in known):
        return ["What it looks at had no value in this time."]
    return [f"No check has ever reported {metric}. {suggest(metric, known)}".rstrip()]


def _notes(condition: Condition, step: timedelta) -> tuple[str, ...]:
    notes = [condition.asks.note] if condition.asks.note else []
    if step.total_seconds() > condition.every_s:
        looked, every = format_duration(step.total_seconds()), format_duration(condition.every_s)
        notes.append(f"Looked at every {looked} instead of every {every}: what was over sooner is not seen.")
    return tuple(notes)


def _fired_by_values(
    rule: Rule,
    condition: Condition,
    courses: Sequence[Course],
    moments: Sequence[datetime],
    step: timedelta,
) -> tuple[WouldFire, ...]:
    found = []
    for course in courses:
        began = course.began or [None] * len(moments)
        for each in replay(condition.threshold, zip(moments, course.values, began, strict=True), step):
            severity = rule.severity or Severity.WARNING
            found.append(
                WouldFire(
                    course.instance,
                    max(severity, Severity.CRITICAL) if each.critical else severity,
                    each.since,
                    each.fired_at,
                    each.ended_at,
                    condition.title(course.instance),
                    condition.summary(course.instance, each.value),
                )
            )
    return _in_order(found)


def _fired_by_states(
    rule: Rule, services: Sequence[Watched], spans: Iterable[tuple[int, Span]], until: datetime
) -> tuple[WouldFire, ...]:
    """The stretches in which a service was in a state that the rule is about, as long as ``for`` asks at least."""
    known = {each.id: each for each in services}
    found: list[WouldFire] = []
    for service_id, pieces in groupby(spans, key=lambda each: each[0]):
        service = known[service_id]
        for began, ended, worst in _stretches(rule, service, (span for _, span in pieces)):
            fired_at = began + timedelta(seconds=rule.for_s)
            if fired_at <= (ended or until):
                title, severity = f"{service.subject.name} is {worst.word}", rule.severity_for(worst)
                found.append(WouldFire(service.instance(), severity, began, fired_at, ended, title, ""))
    return _in_order(found)


def _stretches(
    rule: Rule, service: Watched, spans: Iterable[Span]
) -> Iterator[tuple[datetime, datetime | None, Status]]:
    """From when to when one service was in states that a rule is about, and the worst of them."""
    begun: tuple[datetime, Status] | None = None
    ended: datetime | None = None
    for span in spans:
        status = _STATUS.get(span.state)
        if status is not None and rule.matches(service.subject, status):
            began, worst = begun or (span.start, status)
            begun, ended = (began, max(worst, status)), span.end
        elif begun is not None:
            yield begun[0], ended, begun[1]
            begun = None
    if begun is not None:
        yield begun[0], ended, begun[1]


def _in_order(found: Iterable[WouldFire]) -> tuple[WouldFire, ...]:
    return tuple(sorted(found, key=lambda each: (each.fired_at, each.instance.key)))
