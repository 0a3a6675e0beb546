"""Rules that are evaluated, for tests: made by hand, looked at in steps, and the history that they look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from support.make import make_rules, rule
from support.sql import rows
from watchfloor.domain.conditions import Condition, EvaluatedRule
from watchfloor.domain.judging import Operator, Threshold
from watchfloor.domain.questions.question import Question
from watchfloor.domain.rules import Rule
from watchfloor.domain.settings import SETTINGS
from watchfloor.operations.evaluating import evaluate_due
from watchfloor.operations.rehearsing import rehearse
from watchfloor.store.database import Database
from watchfloor.store.logs import LogRecord, append
from watchfloor.store.rules import RuleDefinition

DEFAULTS: dict[str, object] = {setting.key: setting.default for setting in SETTINGS}
APART = {**DEFAULTS, "alerts.reopen_window": 0.0}
"""Settings with which every time that a rule fires is an alert of its own."""


def above(*fire: float, **values: Any) -> Threshold:
    """Above a value."""
    return Threshold(Operator.GT, fire, values.pop("clear", fire), **values)


def at_most(*fire: float, **values: Any) -> Threshold:
    """At most a value."""
    return Threshold(Operator.LTE, fire, values.pop("clear", fire), **values)


def asking(asks: Question, threshold: Threshold, every_s: float = 10.0) -> EvaluatedRule:
    """A rule that nobody stored, about everything."""
    return EvaluatedRule(Rule(0, "tried", frozenset()), Condition(asks, threshold, every_s))


def stored(tried: EvaluatedRule, name: str = "tried", **values: Any) -> RuleDefinition:
    """The same rule as a file would define it."""
    condition = tried.condition
    made = rule(name, for_ms=round(condition.threshold.for_s * 1000), **values)
    return replace(made, selector={}, kind=condition.asks.kind, condition=condition.spec())


Told = tuple[str, datetime, datetime | None]
"""The name of an instance, when its alert fired, and when it was resolved."""


async def rehearsed(database: Database, tried: EvaluatedRule, since: datetime, until: datetime) -> list[Told]:
    """What a rehearsal says."""
    found = await rehearse(database, tried, since, until)
    return [(each.instance.name, each.fired_at, each.ended_at) for each in found.fired]


async def happened(database: Database, tried: EvaluatedRule, since: datetime, until: datetime) -> list[Told]:
    """What becomes of alerts when the rule is evaluated over the same stretch, as often as it asks."""
    await make_rules(database, stored(tried))
    step = timedelta(seconds=tried.condition.every_s)
    for n in range((until - since) // step + 1):
        await evaluate_due(database, APART, since + step * n)
    found = await rows(
        database,
        "SELECT title, fired_at, resolved_at FROM alerts WHERE title LIKE '%: %' ORDER BY fired_at, id",
    )
    return [(title.partition(": ")[0], fired, resolved) for title, fired, resolved in found]


async def measure(
    database: Database, service_id: int, metric: str, values: Iterable[tuple[datetime, float]]
) -> None:
    """Values as they are kept of single checks."""
    pairs = list(values)
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO series (name) VALUES (%s) ON CONFLICT DO NOTHING", (metric,))
        await connection.execute(
            "INSERT INTO metric_raw (service_id, series_id, ts, v) SELECT %(id)s, s.id, u.ts, u.v FROM series s, "
            "unnest(%(at)s::timestamptz[], %(v)s::float8[]) AS u(ts, v) WHERE s.name = %(name)s",
            {"id": service_id, "name": metric, "at": [t for t, _ in pairs], "v": [v for _, v in pairs]},
        )


async def make_job(database: Database, name: str, **columns: object) -> int:
    """A job that does nothing; ``columns`` of its row are set besides."""
    async with database.transaction() as connection:
        made = await connection.execute(
            "INSERT INTO jobs (name, kind, settings, priority, overlap, at_most_once, timeout_ms, retry, contact, "
            "description, runbook, owner, origin, paused, paused_by_file, created_at) VALUES (%s, 'fake', '{}', 5, "
            "'allow', false, 1000, '{}', '', '', '', 'file', '', false, false, '2031-02-01') RETURNING id",
            (name,),
        )
        job_id = int((await made.fetchone())[0])  # type: ignore[index]
        for column, value in columns.items():
            await connection.execute(f"UPDATE jobs SET {column} = %s WHERE id = %s", (value, job_id))
        return job_id


async def make_run(
    database: Database, job_id: int, started: datetime, finished: datetime | None, state: str, error: str = ""
) -> None:
    """A run of a job that was begun."""
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, priority, capped, "
            "started_at, finished_at, error) VALUES (gen_random_uuid(), %(job)s, %(key)s, 'manual', %(state)s, "
            "%(started)s, %(started)s, 5, false, %(started)s, %(finished)s, %(error)s)",
            {
                "job": job_id,
                "key": str(started),
                "state": state,
                "started": started,
                "finished": finished,
                "error": error,
            },
        )


async def make_records(database: Database, *records: tuple[datetime, int, str, str]) -> None:
    """Records of the log: when, how severe, on which channel, what."""
    made = [LogRecord(1, at, n, sev, channel, msg, {}) for n, (at, sev, channel, msg) in enumerate(records)]
    async with database.transaction() as connection:
        await append(connection, made)


async def alerts_of(database: Database) -> list[tuple[str, str, str, int]]:
    """Title, summary, state and severity of every alert."""
    said = "SELECT title, summary, state, severity FROM alerts ORDER BY id"
    return [tuple(row) for row in await rows(database, said)]


def spread(values: Sequence[float], since: datetime, step_s: float) -> list[tuple[datetime, float]]:
    """Values one step apart."""
    return [(since + timedelta(seconds=step_s * n), value) for n, value in enumerate(values)]
