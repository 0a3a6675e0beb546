"""Rules that are evaluated: those in force, how each stands with its instances, and how its evaluations went.

A row of ``rule_standings`` says that a condition is true, or was and still fires; where there is none, all is well.
``last_true`` is null while it is true at every look, so that nothing is written as long as nothing changes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchfloor.domain.conditions import EvaluatedRule, condition_from
from watchfloor.domain.judging import Standing
from watchfloor.domain.questions.question import Watched
from watchfloor.domain.rule_health import RuleHealth, RuleHour
from watchfloor.domain.rules import Subject
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one, fetch_value
from watchfloor.store.rules import COLUMNS, rule

_LOCK = 0x5746_0012  # one node evaluates a rule at a time

PATIENCE_MS = 5_000
"""No query of a rule may take longer: it would keep the others waiting."""

KEPT = timedelta(hours=25)
"""So long the hours of a rule are kept: a day, and the hour that is going on."""


@dataclass(frozen=True, slots=True)
class StoredStanding:
    """How a rule stands with an instance, as it is stored."""

    since: datetime
    last_true: datetime | None
    firing: bool
    service_id: int | None

    def standing(self, judged_at: datetime) -> Standing:
        """As of the last evaluation."""
        return Standing(judged_at, self.since, self.last_true or judged_at, self.firing)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How one evaluation went."""

    rule_id: int
    at: datetime
    took_ms: float
    instances: int = 0
    pending: int = 0
    firing: int = 0
    over_limit: bool = False
    error: str = ""
    resumed_at: datetime | None = None


async def load_evaluated(connection: Connection, names: Collection[str] = ()) -> list[EvaluatedRule]:
    """The rules that are evaluated and in force, in the order of the file; only those called ``names`` if given."""
    rows = await fetch_all(
        connection,
        f"SELECT {COLUMNS}, kind, condition FROM rules WHERE kind <> 'state' AND retired_at IS NULL AND enabled "
        "AND (%(names)s::text[] IS NULL OR name = ANY(%(names)s)) ORDER BY position, id",
        {"names": list(names) or None},
    )
    return [
        EvaluatedRule(rule(row), condition_from(row.kind, row.condition, row.for_ms / 1000)) for row in rows
    ]


async def last_tries(connection: Connection) -> dict[int, datetime]:
    """When each rule was last evaluated, well or not."""
    return {
        row[0]: row[1] for row in await fetch_all(connection, "SELECT rule_id, tried_at FROM rule_health")
    }


async def take_turn(connection: Connection, rule_id: int) -> bool:
    """Whether this transaction may evaluate a rule: no other does. None of its statements may take long from here."""
    await connection.execute(f"SET LOCAL statement_timeout = {PATIENCE_MS}")
    taken: bool = await fetch_value(
        connection, "SELECT pg_try_advisory_xact_lock(%(key)s, %(rule)s)", {"key": _LOCK, "rule": rule_id}
    )
    return taken


@dataclass(frozen=True, slots=True)
class Last:
    """What came of the last evaluation of a rule: when it was, when one last went well, and what was wrong.

    ``resumed_at`` is when it was looked at again after nobody had for long (None: that never was).
    """

    tried_at: datetime | None = None
    judged_at: datetime | None = None
    error: str = ""
    over_limit: bool = False
    resumed_at: datetime | None = None


async def last(connection: Connection, rule_id: int) -> Last:
    """The last evaluation of a rule."""
    row = await fetch_one(
        connection,
        "SELECT tried_at, judged_at, error, over_limit, resumed_at FROM rule_health WHERE rule_id = %(id)s",
        {"id": rule_id},
    )
    return Last() if row is None else Last(*row)


async def watched(connection: Connection) -> list[Watched]:
    """Every service that may be asked about."""
    rows = await fetch_all(
        connection,
        "SELECT id, name, kind, group_name, tags, paused, every_ms, changed_at FROM services "
        "WHERE retired_at IS NULL ORDER BY id",
    )
    return [
        Watched(
            row.id,
            Subject(row.name, row.kind, row.group_name, frozenset(row.tags)),
            row.paused,
            row.every_ms / 1000,
            row.changed_at,
        )
        for row in rows
    ]


async def load_standings(connection: Connection, rule_id: int) -> dict[str, StoredStanding]:
    """How a rule stands with those instances that are not simply well."""
    rows = await fetch_all(
        connection,
        "SELECT instance, since, last_true, firing, service_id FROM rule_standings WHERE rule_id = %(id)s",
        {"id": rule_id},
    )
    return {row.instance: StoredStanding(*row[1:]) for row in rows}


async def save_standings(
    connection: Connection, rule_id: int, changed: Mapping[str, StoredStanding], gone: Sequence[str]
) -> None:
    """Store the standings that changed and drop those of instances that are well or ``gone``."""
    if gone:
        await connection.execute(
            "DELETE FROM rule_standings WHERE rule_id = %(id)s AND instance = ANY(%(gone)s)",
            {"id": rule_id, "gone": list(gone)},
        )
    if changed:
        rows = list(changed.values())
        await connection.execute(
            "INSERT INTO rule_standings (rule_id, instance, since, last_true, firing, service_id) "
            "SELECT %(id)s, * FROM unnest(%(keys)s::text[], %(since)s::timestamptz[], %(last)s::timestamptz[], "
            "%(firing)s::boolean[], %(services)s::int[]) ON CONFLICT (rule_id, instance) DO UPDATE SET "
            "since = EXCLUDED.since, last_true = EXCLUDED.last_true, firing = EXCLUDED.firing",
            {
                "id": rule_id,
                "keys": list(changed),
                "since": [row.since for row in rows],
                "last": [row.last_true for row in rows],
                "firing": [row.firing for row in rows],
                "services": [row.service_id for row in rows],
            },
        )


def stored(standing: Standing, service_id: int | None) -> StoredStanding | None:
    """A standing as it is stored; None where all is well."""
    if standing.since is None:
        return None
    last_true = None if standing.last_true == standing.at else standing.last_true
    return StoredStanding(standing.since, last_true, standing.firing, service_id)


async def left_behind(connection: Connection) -> dict[int, dict[str, StoredStanding]]:
    """Standings of rules that are no longer evaluated."""
    rows = await fetch_all(
        connection,
        "SELECT s.rule_id, s.instance, s.since, s.last_true, s.firing, s.service_id FROM rule_standings s "
        "JOIN rules r ON r.id = s.rule_id WHERE r.kind = 'state' OR r.retired_at IS NOT NULL OR NOT r.enabled",
    )
    found: dict[int, dict[str, StoredStanding]] = {}
    for row in rows:
        found.setdefault(row.rule_id, {})[row.instance] = StoredStanding(*row[2:])
    return found


_KEPT = ("instances", "pending", "firing", "over_limit", "resumed_at")
_LATEST = f"""
INSERT INTO rule_health (rule_id, tried_at, judged_at, took_ms, instances, pending, firing, over_limit, resumed_at,
    error, error_since)
VALUES (%(rule_id)s, %(at)s, CASE WHEN %(error)s = '' THEN %(at)s::timestamptz END, %(took_ms)s, %(instances)s,
    %(pending)s, %(firing)s, %(over_limit)s, %(resumed_at)s::timestamptz, %(error)s,
    CASE WHEN %(error)s <> '' THEN %(at)s::timestamptz END)
ON CONFLICT (rule_id) DO UPDATE SET tried_at = EXCLUDED.tried_at, took_ms = EXCLUDED.took_ms, error = EXCLUDED.error,
    judged_at = coalesce(EXCLUDED.judged_at, rule_health.judged_at),
    error_since = CASE WHEN EXCLUDED.error <> '' THEN coalesce(rule_health.error_since, EXCLUDED.tried_at) END,
    {", ".join(f"{k} = CASE WHEN EXCLUDED.error = '' THEN EXCLUDED.{k} ELSE rule_health.{k} END" for k in _KEPT)}
"""


async def save_evaluation(connection: Connection, done: Evaluation) -> None:
    """Keep how an evaluation went: as the latest of its rule, and in the sums of its hour."""
    values = {each: getattr(done, each) for each in Evaluation.__slots__}
    await connection.execute(_LATEST, values)
    await connection.execute(
        "INSERT INTO rule_hours VALUES (%(rule_id)s, date_trunc('hour', %(at)s::timestamptz), 1, "
        "(%(error)s <> '')::int, %(took_ms)s, %(took_ms)s, %(firing)s) ON CONFLICT (rule_id, hour) DO UPDATE SET "
        "evaluations = rule_hours.evaluations + 1, failures = rule_hours.failures + EXCLUDED.failures, "
        "took_ms = rule_hours.took_ms + EXCLUDED.took_ms, "
        "took_most_ms = greatest(rule_hours.took_most_ms, EXCLUDED.took_most_ms), "
        "firing_most = greatest(rule_hours.firing_most, EXCLUDED.firing_most)",
        values,
    )


async def left_in_trouble(connection: Connection) -> list[int]:
    """Rules that are no longer evaluated and were out of order when they last were."""
    return await fetch_column(
        connection,
        "SELECT h.rule_id FROM rule_health h JOIN rules r ON r.id = h.rule_id WHERE (h.error <> '' OR h.over_limit) "
        "AND (r.kind = 'state' OR r.retired_at IS NOT NULL OR NOT r.enabled)",
    )


async def forget(connection: Connection, now: datetime) -> None:
    """Drop the hours of rules that are older than a day, and the health of rules that are no longer evaluated."""
    await connection.execute("DELETE FROM rule_hours WHERE hour < %(before)s", {"before": now - KEPT})
    await connection.execute(
        "DELETE FROM rule_health h USING rules r WHERE r.id = h.rule_id "
        "AND (r.kind = 'state' OR r.retired_at IS NOT NULL OR NOT r.enabled)"
    )


async def forget_health(connection: Connection, rule_id: int) -> None:
    """Drop how a rule fared: it changed, and is looked at as one that nobody ever looked at."""
    await connection.execute("DELETE FROM rule_health WHERE rule_id = %(id)s", {"id": rule_id})


_HEALTH = """
SELECT r.name, r.kind, r.enabled, h.tried_at, h.judged_at, h.took_ms, h.instances, h.pending, h.firing,
    h.over_limit, h.error, h.error_since, coalesce(d.evaluations, 0) AS evaluations,
    coalesce(d.failures, 0) AS failures,
    d.took_ms / nullif(d.evaluations, 0) AS took_mean_ms, d.took_most_ms, coalesce(d.firing_most, 0) AS firing_most
FROM rules r LEFT JOIN rule_health h ON h.rule_id = r.id LEFT JOIN LATERAL (
    SELECT sum(evaluations)::int AS evaluations, sum(failures)::int AS failures, sum(took_ms) AS took_ms,
        max(took_most_ms) AS took_most_ms, max(firing_most) AS firing_most
    FROM rule_hours WHERE rule_id = r.id AND hour > %(now)s - interval '1 day'
) d ON true
WHERE r.kind <> 'state' AND r.retired_at IS NULL AND (%(name)s::text IS NULL OR r.name = %(name)s)
ORDER BY r.position, r.id
"""

_HOURS = """
SELECT r.name, h.hour, h.evaluations, h.failures, h.took_ms / h.evaluations AS took_mean_ms, h.took_most_ms,
    h.firing_most
FROM rule_hours h JOIN rules r ON r.id = h.rule_id
WHERE h.hour > %(now)s - interval '1 day' AND (%(name)s::text IS NULL OR r.name = %(name)s) ORDER BY h.hour
"""


async def rule_health(connection: Connection, now: datetime, name: str | None = None) -> list[RuleHealth]:
    """How every rule that is evaluated fares, or the one called ``name``: its last evaluation, and the last day."""
    asked = {"now": now, "name": name}
    hours: dict[str, list[RuleHour]] = {}
    for rule_name, *values in await fetch_all(connection, _HOURS, asked):
        hours.setdefault(rule_name, []).append(RuleHour(*values))
    rows = await fetch_all(connection, _HEALTH, asked)
    return [replace(RuleHealth(*row), hours=tuple(hours.get(row.name, ()))) for row in rows]
