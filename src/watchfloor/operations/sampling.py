"""An alert as a rule would raise it: about something real that the rule covers, where there is anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchfloor.domain.conditions import EvaluatedRule
from watchfloor.domain.outcome import Status
from watchfloor.domain.questions.jobs import Jobs
from watchfloor.domain.questions.question import Instance, Reading, Watched
from watchfloor.domain.rules import Rule, first_match
from watchfloor.domain.severity import Severity
from watchfloor.store import evaluations, settings
from watchfloor.store.database import Connection
from watchfloor.store.errors import refusal
from watchfloor.store.readings import read
from watchfloor.store.rules import load_rules

NAME = "test"
"""What stands for a service or a job where a rule covers none."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An alert that nobody raised; ``about`` is what it is about, empty where that is made up."""

    about: str
    severity: Severity
    labels: Mapping[str, str]


async def sample(connection: Connection, found: Rule | EvaluatedRule, now: datetime) -> Sample:
    """What an alert of a rule would be like now; of what may be critical or not it is the critical one."""
    plain = found.rule if isinstance(found, EvaluatedRule) else found
    every = [each for each in await evaluations.watched(connection) if plain.selects(each.subject)]
    services = [each for each in every if not each.paused] or every
    if isinstance(found, Rule):
        severity = plain.severity_for(_worst(plain))
        instance = _taken(await load_rules(connection), plain, services)
        made_up = {"service": NAME}
    else:
        condition = found.condition.in_force(await settings.values(connection))
        severity = plain.severity or Severity.WARNING
        if condition.threshold.critical:
            severity = max(severity, Severity.CRITICAL)
        instance = await _read(connection, found, services, now)
        made_up = {"job" if isinstance(condition.asks, Jobs) else "service": NAME}
    labels = made_up if instance is None else instance.labels
    about = "" if instance is None else instance.name
    return Sample(about, severity, {**plain.labels, **labels, "since": now.isoformat()})


def _worst(rule: Rule) -> Status:
    """The worst state that a rule is about."""
    return max(rule.statuses, key=lambda each: (rule.severity_for(each), each), default=Status.FAILING)


def _taken(rules: Sequence[Rule], rule: Rule, services: Sequence[Watched]) -> Instance | None:
    """A service that this rule would raise an alert about, rather than one before it; else one that it selects."""
    status = _worst(rule)
    for each in services:
        first = first_match(rules, each.subject, status)
        if first is not None and first.id == rule.id:
            return each.instance()
    return services[0].instance() if services else None


async def _read(
    connection: Connection, found: EvaluatedRule, services: Sequence[Watched], now: datetime
) -> Instance | None:
    """An instance of a rule that is evaluated, with a value if one has any; else a service that it selects."""
    asks = found.condition.asks
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {evaluations.PATIENCE_MS}")
            readings = await read(connection, asks, services, now)
    except Exception as error:
        if not refusal(error):
            raise
        readings = []
    if readings:
        return max(readings, key=_known).instance
    return services[0].instance() if asks.of_services and services else None


def _known(reading: Reading) -> tuple[bool, bool]:
    return not reading.paused, reading.value is not None
