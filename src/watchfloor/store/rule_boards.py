"""Every rule with what it does now and what came of it lately, for people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from watchfloor.domain.conditions import condition_from
from watchfloor.domain.rule_boards import BY_STATE, OWN, STATE, RuleRow, about, states
from watchfloor.domain.rules import OWN_RULES
from watchfloor.domain.severity import Severity
from watchfloor.store import policy, settings
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.policy import Policy
from watchfloor.store.rules import COLUMNS, rule

_BOARD = f"""
SELECT {", ".join("r." + name for name in COLUMNS.split(", "))}, r.kind, r.condition, r.enabled, r.origin, r.owner,
    coalesce(a.firing, 0) AS firing, coalesce(a.fired_week, 0) AS fired_week, a.fired_at,
    h.tried_at, h.took_ms, h.instances, coalesce(h.over_limit, false) AS over_limit, coalesce(h.error, '') AS error
FROM rules r LEFT JOIN rule_health h ON h.rule_id = r.id LEFT JOIN (
    SELECT rule_id, count(*) FILTER (WHERE state IN ('firing', 'acknowledged')) AS firing,
        count(*) FILTER (WHERE fired_at > %(now)s - interval '7 days') AS fired_week, max(fired_at) AS fired_at
    FROM alerts WHERE fired_at IS NOT NULL GROUP BY rule_id
) a ON a.rule_id = r.id
WHERE r.retired_at IS NULL ORDER BY r.position, r.name = ANY(%(own)s), r.id
"""


async def rule_board(connection: Connection, now: datetime) -> list[RuleRow]:
    """Every rule that is in force or switched off, in the order in which they are asked."""
    rows = await fetch_all(connection, _BOARD, {"now": now, "own": list(OWN_RULES)})
    in_force = await settings.values(connection)
    told = await policy.load(connection, now)
    return [_row(row, in_force, told) for row in rows]


def _row(row: Any, in_force: dict[str, object], told: Policy) -> RuleRow:
    found = rule(row)
    own = row.name in OWN_RULES
    if own:
        kind, words, of = OWN, row.name, "Watchfloor itself"
    elif row.kind == STATE:
        kind, words, of = STATE, states(found), about(found)
    else:
        condition = condition_from(row.kind, row.condition, found.for_s).in_force(in_force)
        kind, words, of = (
            row.kind,
            condition.asks.words(condition.threshold),
            condition.asks.scope or about(found),
        )
    usual = BY_STATE if kind == STATE else Severity.WARNING.word
    severity = usual if found.severity is None else found.severity.word
    return RuleRow(
        id=found.id, name=found.name, kind=kind, words=words, about=of, severity=severity, waits_s=found.for_s,
        channels=found.channels, enabled=row.enabled, origin=row.origin, firing=row.firing,
        fired_week=row.fired_week, fired_at=row.fired_at, tried_at=row.tried_at, took_ms=row.took_ms,
        instances=row.instances, over_limit=row.over_limit, error=row.error,
        owner=row.owner, unheard=told.unheard(found.channels),
    )  # fmt: skip
