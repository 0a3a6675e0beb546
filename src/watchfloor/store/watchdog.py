"""What the watchdog looks at, and what it found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from watchfloor.domain.component import LOOP
from watchfloor.domain.heartbeats import KIND
from watchfloor.domain.notice import ALIVE, alive_message
from watchfloor.domain.rules import COMPONENT_RULE
from watchfloor.domain.watch import LATE_S, SLOTS, Late, Loop, Signs
from watchfloor.store import outbox
from watchfloor.store.channels import IS_OFF
from watchfloor.store.database import Connection, fetch_all, fetch_one
from watchfloor.store.nodes import LIVE, RUNS

CHANNEL = "watchdog"
"""The channel that leads to the dead man's switch outside; no rule and no route can name it."""

_AGE = "extract(epoch FROM clock_timestamp() - {0})::float8"

_SIGNS = f"""
SELECT f.every_ms, f.timeout_ms,
    (SELECT {_AGE.format("max(t.last_ended)")} FROM service_state t JOIN services s ON s.id = t.service_id
        WHERE s.retired_at IS NULL AND NOT s.paused) AS newest,
    (SELECT max((n.stats ->> 'lag_p99_ms')::float8) FROM nodes n WHERE {LIVE}) AS lag_ms,
    (SELECT {_AGE.format("min(greatest(o.not_before, c.on_since))")} FROM outbox o
        LEFT JOIN channels c ON c.name = o.channel WHERE o.state IN ('queued', 'leased')
        AND o.not_before <= clock_timestamp() AND o.kind <> %(alive)s
        AND NOT EXISTS (SELECT FROM channel_health h
            WHERE h.channel = o.channel AND h.opened_at IS NOT NULL) AND NOT {IS_OFF}) AS oldest,
    (SELECT count(*) FROM channels c WHERE c.enabled AND c.retired_at IS NULL AND c.name <> %(own)s)::int AS channels,
    (SELECT count(*) FROM channels c JOIN channel_health h ON h.channel = c.name WHERE c.enabled
        AND c.retired_at IS NULL AND h.opened_at IS NOT NULL AND c.name <> %(own)s)::int AS failing
FROM (SELECT 1) one LEFT JOIN LATERAL (SELECT every_ms, timeout_ms FROM services WHERE retired_at IS NULL AND NOT paused
    AND kind <> '{KIND}'
    ORDER BY every_ms, id LIMIT 1) f ON true
"""

_LATE = f"""
SELECT s.name, {_AGE.format("due.since")} AS silent, count(*) OVER ()::int AS many
FROM services s LEFT JOIN service_state t ON t.service_id = s.id
CROSS JOIN (SELECT min(n.started_at) AS at FROM nodes n WHERE {RUNS}) begun
CROSS JOIN LATERAL (SELECT greatest(t.last_ended, s.changed_at, begun.at) AS since) due
WHERE s.retired_at IS NULL AND NOT s.paused AND s.kind <> '{KIND}' AND due.since < clock_timestamp()
    - make_interval(secs => ({SLOTS} * s.every_ms::float8 + s.timeout_ms) / 1000 + %(late)s)
ORDER BY due.since, s.id LIMIT 1
"""
"""A service is due since its last result, since it is as it is, or since somebody is there to check it."""

_LOOPS = f"""
SELECT n.name AS node, coalesce(h.component, '{LOOP}') AS name, coalesce(h.state, 'running') AS state,
    {_AGE.format("coalesce(h.since, n.started_at)")} AS held,
    {_AGE.format("coalesce(h.beat_at, n.started_at)")} AS silent,
    EXISTS (SELECT FROM alerts a JOIN rules r ON r.id = a.rule_id WHERE r.name = %(rule)s
        AND a.subject = 'component:' || n.name || '/' || h.component AND a.state IN ('firing', 'acknowledged'))
        AS failing
FROM nodes n LEFT JOIN component_health h ON h.node_id = n.id WHERE n.id = %(id)s OR {RUNS}
ORDER BY n.name, h.component
"""
"""A node of which no loop was ever reported has been silent since it was started."""


async def signs(
    connection: Connection, node_id: int, node: str, wanted: Sequence[str], further: Sequence[str]
) -> Signs:
    """Take every sign, of all nodes. ``wanted`` are the loops of this one, ``further`` what other audits found."""
    row = await fetch_one(connection, _SIGNS, {"alive": ALIVE, "own": CHANNEL})
    return Signs(
        every_s=None if row.every_ms is None else row.every_ms / 1000,
        timeout_s=(row.timeout_ms or 0) / 1000,
        newest_result_s=row.newest,
        late=await _late(connection),
        lag_p99_s=None if row.lag_ms is None else row.lag_ms / 1000,
        oldest_message_s=row.oldest,
        channels=row.channels,
        failing=row.failing,
        loops=await _loops(connection, node_id),
        node=node,
        wanted=wanted,
        further=further,
    )


async def _late(connection: Connection) -> Late | None:
    row = await fetch_one(connection, _LATE, {"late": LATE_S})
    return None if row is None else Late(row.many, row.name, row.silent)


async def _loops(connection: Connection, node_id: int) -> list[Loop]:
    rows: list[Any] = await fetch_all(connection, _LOOPS, {"rule": COMPONENT_RULE, "id": node_id})
    return [Loop(row.node, row.name, row.state, row.held, row.silent, row.failing) for row in rows]


async def note(connection: Connection, node_id: int, url: bool, found: Sequence[str]) -> None:
    """Store the outcome of an audit: the write of this period."""
    await connection.execute(
        "INSERT INTO watchdog (node_id, outside, passed, findings, at) VALUES (%(id)s, %(outside)s, %(passed)s, "
        "%(found)s, clock_timestamp()) ON CONFLICT (node_id) DO UPDATE SET outside = EXCLUDED.outside, "
        "passed = EXCLUDED.passed, findings = EXCLUDED.findings, at = EXCLUDED.at",
        {"id": node_id, "outside": url, "passed": not found, "found": list(found)},
    )


async def say_alive(connection: Connection, node: str, now: datetime) -> None:
    """Queue the message of this minute; those before it that did not get through are of no use any more."""
    await connection.execute(
        "UPDATE outbox SET state = 'cancelled' WHERE channel = %(own)s AND kind = %(alive)s AND state = 'queued'",
        {"own": CHANNEL, "alive": ALIVE},
    )
    await connection.execute(
        "DELETE FROM outbox WHERE channel = %(own)s AND kind = %(alive)s AND state IN ('delivered', 'cancelled') "
        "AND created_at < clock_timestamp() - interval '1 day'",
        {"own": CHANNEL, "alive": ALIVE},
    )
    made = uuid4()
    message = outbox.Message(made, None, 0, CHANNEL, ALIVE, alive_message(str(made), node, now), now, "alive")
    await outbox.put(connection, [message])
