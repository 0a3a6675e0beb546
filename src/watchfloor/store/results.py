"""The write side of checking: one batch of results, the states they lead to, spans and incidents.

Everything here runs inside the recorder's one transaction. Statements work on whole batches: their number does
not grow with the number of results, only with the kinds of change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watchfloor.domain.check_state import CheckState
from watchfloor.domain.cover import BARE, Cover
from watchfloor.domain.flapping import STEADY, Flapping, pack, unpack
from watchfloor.domain.outcome import Status
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.heartbeats import forget
from watchfloor.store.jsonb import dumps
from watchfloor.store.reach import COVER, COVER_JOINS, cover

RECENT = 48
"""Results kept per service for the sparkline, one byte each."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One check as it is stored; its whole run (``took_us``), latency, lag and phases in microseconds.

    ``phases`` are in the order of `watchfloor.domain.outcome.PHASES`, each None where it was not reached.
    """

    service_id: int
    ts: datetime
    node_id: int
    status: int
    latency_us: int | None
    lag_us: int
    phases: Sequence[int | None] | None
    summary: str | None
    took_us: int


@dataclass(frozen=True, slots=True)
class StateRow:
    """The new state of one service after a batch; ``recent`` holds the bytes to append."""

    service_id: int
    state: CheckState
    last_ended: datetime
    latency_us: int | None
    summary: str
    recent: bytes
    flapping: Flapping = STEADY


@dataclass(frozen=True, slots=True)
class Stored:
    """A service's state as found, with the end of its latest check (None: never checked) and what lies over it."""

    state: CheckState
    last_ended: datetime | None
    flapping: Flapping = STEADY
    cover: Cover = BARE


async def lock_states(connection: Connection, service_ids: Sequence[int]) -> dict[int, Stored]:
    """The states of ``service_ids``, locked until the transaction ends; ids that are gone are left out."""
    rows = await fetch_all(
        connection,
        "SELECT t.service_id, t.status, t.hard, t.soft, t.attempt, t.ok_streak, t.since, t.first_bad, t.first_ok, "
        "t.unknown_since, t.last_started, t.last_ended, t.flap, t.flapping, "
        f"{COVER} FROM service_state t {COVER_JOINS} "
        "WHERE t.service_id = ANY(%(ids)s) ORDER BY t.service_id FOR UPDATE OF t",
        {"ids": list(service_ids)},
    )
    return {
        row.service_id: Stored(_state(row), row.last_ended, unpack(row.flap, row.flapping), cover(row))
        for row in rows
    }


def _state(row: Any) -> CheckState:
    return CheckState(
        status=None if row.status is None else Status(row.status),
        hard=None if row.hard is None else Status(row.hard),
        soft=row.soft,
        attempt=row.attempt,
        ok_streak=row.ok_streak,
        since=row.since,
        first_bad=row.first_bad,
        last_started=row.last_started,
        first_ok=row.first_ok,
        unknown_since=row.unknown_since,
    )


_SAVE_STATES = f"""
UPDATE service_state AS s SET
    status = v.status, hard = v.hard, soft = v.soft, attempt = v.attempt, ok_streak = v.ok_streak,
    since = v.since, first_bad = v.first_bad, first_ok = v.first_ok, unknown_since = v.unknown_since,
    last_started = v.last_started, last_ended = v.last_ended, flap = v.flap, flapping = v.flapping,
    latency_us = v.latency_us, summary = v.summary,
    recent = substring(s.recent || v.recent FROM greatest(1, length(s.recent) + length(v.recent) - {RECENT - 1})),
    updated_at = clock_timestamp()
FROM unnest(%(ids)s::int[], %(status)s::smallint[], %(hard)s::smallint[], %(soft)s::boolean[],
    %(attempt)s::smallint[], %(ok_streak)s::int[], %(since)s::timestamptz[],
    %(first_bad)s::timestamptz[], %(first_ok)s::timestamptz[],
    %(last_started)s::timestamptz[], %(last_ended)s::timestamptz[],
    %(latency_us)s::bigint[], %(summary)s::text[], %(recent)s::bytea[], %(flap)s::int[], %(flapping)s::boolean[],
    %(unknown_since)s::timestamptz[])
    AS v(id, status, hard, soft, attempt, ok_streak, since, first_bad, first_ok, last_started, last_ended,
         latency_us, summary, recent, flap, flapping, unknown_since)
WHERE s.service_id = v.id
"""


async def save_states(connection: Connection, rows: Sequence[StateRow]) -> None:
    """Overwrite the states of a batch."""
    await connection.execute(
        _SAVE_STATES,
        {
            "ids": [row.service_id for row in rows],
            "status": [_code(row.state.status) for row in rows],
            "hard": [_code(row.state.hard) for row in rows],
            "soft": [row.state.soft for row in rows],
            "attempt": [row.state.attempt for row in rows],
            "ok_streak": [row.state.ok_streak for row in rows],
            "since": [row.state.since for row in rows],
            "first_bad": [row.state.first_bad for row in rows],
            "first_ok": [row.state.first_ok for row in rows],
            "unknown_since": [row.state.unknown_since for row in rows],
            "last_started": [row.state.last_started for row in rows],
            "last_ended": [row.last_ended for row in rows],
            "latency_us": [row.latency_us for row in rows],
            "summary": [row.summary for row in rows],
            "recent": [row.recent for row in rows],
            "flap": [pack(row.flapping) for row in rows],
            "flapping": [row.flapping.active for row in rows],
        },
    )


async def forget_states(connection: Connection, service_ids: Sequence[int], now: datetime) -> None:
    """Drop the states of services that are watched no more and end their spans."""
    ids = {"ids": list(service_ids)}
    for table in ("service_state", "service_reach", "service_planned"):
        await connection.execute(f"DELETE FROM {table} WHERE service_id = ANY(%(ids)s)", ids)
    await forget(connection, service_ids)
    await connection.execute(
        "UPDATE state_spans SET ended = greatest(began, %(now)s::timestamptz) "
        "WHERE service_id = ANY(%(ids)s) AND ended IS NULL",
        {**ids, "now": now},
    )


def _code(status: Status | None) -> int | None:
    return None if status is None else int(status)


async def copy_rows(connection: Connection, statement: str, rows: Iterable[Sequence[object]]) -> None:
    """COPY ``rows`` into a fact table inside the caller's transaction."""
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            await copy.write_row(row)


async def copy_results(connection: Connection, rows: Sequence[ResultRow]) -> None:
    """Append results; ``(service_id, ts)`` must be new."""
    await copy_rows(
        connection,
        "COPY check_results (service_id, ts, node_id, status, latency_us, lag_us, phases, summary, took_us) "
        "FROM STDIN",
        (
            (r.service_id, r.ts, r.node_id, r.status, r.latency_us, r.lag_us, r.phases, r.summary, r.took_us)
            for r in rows
        ),
    )


async def series_ids(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """The ids of metric series, created where missing."""
    await connection.execute(
        "INSERT INTO series (name) SELECT n FROM unnest(%(names)s::text[]) AS n "
        "WHERE NOT EXISTS (SELECT FROM series WHERE name = n) ORDER BY n ON CONFLICT DO NOTHING",
        {"names": list(names)},
    )
    rows = await fetch_all(
        connection, "SELECT name, id FROM series WHERE name = ANY(%(names)s)", {"names": list(names)}
    )
    return {row.name: row.id for row in rows}


async def copy_metrics(connection: Connection, rows: Iterable[tuple[int, int, datetime, float]]) -> None:
    """Append ``(service_id, series_id, ts, value)`` rows."""
    await copy_rows(connection, "COPY metric_raw (service_id, series_id, ts, v) FROM STDIN", rows)


FactRow = tuple[int, datetime, Mapping[str, object], Mapping[str, float]]
"""Of a service: its id, the end of its check, its facts and its figures."""


async def save_facts(connection: Connection, rows: Sequence[FactRow]) -> None:
    """Overwrite the latest known facts and figures of services."""
    await connection.execute(
        "INSERT INTO service_facts (service_id, at, facts, metrics) "
        "SELECT * FROM unnest(%(ids)s::int[], %(at)s::timestamptz[], %(facts)s::jsonb[], "
        "%(metrics)s::jsonb[]) ON CONFLICT (service_id) "
        "DO UPDATE SET at = EXCLUDED.at, facts = EXCLUDED.facts, metrics = EXCLUDED.metrics",
        {
            "ids": [row[0] for row in rows],
            "at": [row[1] for row in rows],
            "facts": [dumps(row[2]) for row in rows],
            "metrics": [dumps(row[3]) for row in rows],
        },
    )


@dataclass(frozen=True, slots=True)
class SpanStart:
    """From ``at`` on, a service is in ``state`` (a `watchfloor.domain.spans.SpanState` value)."""

    service_id: int
    at: datetime
    state: str


async def switch_spans(connection: Connection, starts: Sequence[SpanStart]) -> None:
    """End the open span of each service where the new one begins, and open the new one.

    A start before the open span's own beginning replaces that span: the past is booked once. Several starts of one
    service come oldest first.
    """
    for layer in _layers(starts):
        await _switch_once(connection, layer)


def _layers(starts: Sequence[SpanStart]) -> list[list[SpanStart]]:
    """The starts in rounds of one per service."""
    layers: list[list[SpanStart]] = []
    seen: Counter[int] = Counter()
    for start in starts:
        place = seen[start.service_id]
        seen[start.service_id] += 1
        if place == len(layers):
            layers.append([])
        layers[place].append(start)
    return layers


async def _switch_once(connection: Connection, starts: Sequence[SpanStart]) -> None:
    values = {
        "ids": [start.service_id for start in starts],
        "at": [start.at for start in starts],
        "state": [start.state for start in starts],
    }
    given = "unnest(%(ids)s::int[], %(at)s::timestamptz[], %(state)s::text[]) AS v(id, at, state)"
    await connection.execute(
        f"DELETE FROM state_spans s USING {given} WHERE s.service_id = v.id AND s.began >= v.at", values
    )
    await connection.execute(
        f"UPDATE state_spans s SET ended = v.at FROM {given} "
        "WHERE s.service_id = v.id AND (s.ended IS NULL OR s.ended > v.at)",
        values,
    )
    await connection.execute(
        f"INSERT INTO state_spans (service_id, began, state) SELECT id, at, state FROM {given}", values
    )


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """A confirmed change of a service: ``opened_at`` is the first failing run, ``at`` the moment of confirmation."""

    service_id: int
    status: Status
    opened_at: datetime
    at: datetime
    cause: str


async def open_incidents(connection: Connection, changes: Sequence[IncidentChange]) -> dict[int, int]:
    """Open (or worsen) the incidents of services that are not ok; returns incident ids by service."""
    rows = await fetch_all(
        connection,
        "INSERT INTO incidents AS i (service_id, opened_at, confirmed_at, worst, cause, previous_id) "
        "SELECT v.id, v.opened_at, v.at, v.status, v.cause, "
        "  (SELECT p.id FROM incidents p WHERE p.service_id = v.id "
        "   AND p.closed_at > v.opened_at - interval '1 day' ORDER BY p.opened_at DESC LIMIT 1) "
        "FROM unnest(%(ids)s::int[], %(opened)s::timestamptz[], %(at)s::timestamptz[], "
        "  %(status)s::smallint[], %(cause)s::text[]) AS v(id, opened_at, at, status, cause) "
        "ON CONFLICT (service_id) WHERE closed_at IS NULL "
        "DO UPDATE SET worst = CASE WHEN i.worst = 2 THEN 2 ELSE EXCLUDED.worst END "
        "RETURNING i.service_id, i.id",
        {
            "ids": [c.service_id for c in changes],
            "opened": [c.opened_at for c in changes],
            "at": [c.at for c in changes],
            "status": [int(c.status) for c in changes],
            "cause": [c.cause for c in changes],
        },
    )
    found: dict[int, int] = {row.service_id: row.id for row in rows}
    await _append_events(
        connection,
        [_IncidentEvent(found[c.service_id], c.at, c.status.word, c.cause, c.opened_at) for c in changes],
    )
    return found


@dataclass(frozen=True, slots=True)
class IncidentEnd:
    """The end of an incident: ``closed_at`` is the first good run, ``at`` the moment this was certain.

    ``kind`` says why it ended: ``recovered``, or ``retired`` where the service is watched no more.
    """

    service_id: int
    closed_at: datetime
    at: datetime
    kind: str = "recovered"


async def close_incidents(connection: Connection, ends: Sequence[IncidentEnd]) -> None:
    """Close the open incidents of services."""
    rows = await fetch_all(
        connection,
        "UPDATE incidents i SET closed_at = greatest(v.closed_at, i.opened_at) "
        "FROM unnest(%(ids)s::int[], %(closed)s::timestamptz[]) AS v(id, closed_at) "
        "WHERE i.service_id = v.id AND i.closed_at IS NULL RETURNING i.id, i.service_id, i.closed_at",
        {"ids": [end.service_id for end in ends], "closed": [end.closed_at for end in ends]},
    )
    by_service = {end.service_id: end for end in ends}
    await _append_events(
        connection,
        [
            _IncidentEvent(row.id, end.at, end.kind, "", row.closed_at)
            for row in rows
            for end in (by_service[row.service_id],)
        ],
    )


@dataclass(frozen=True, slots=True)
class _IncidentEvent:
    """A line of an incident's timeline: ``at`` is when it was known, ``since`` from when it counts."""

    incident_id: int
    at: datetime
    kind: str
    cause: str
    since: datetime


async def _append_events(connection: Connection, events: Sequence[_IncidentEvent]) -> None:
    if not events:
        return
    await connection.execute(
        "INSERT INTO incident_events (incident_id, seq, at, kind, actor, data) "
        "SELECT v.id, (SELECT count(*) FROM incident_events e WHERE e.incident_id = v.id), v.at, v.kind, "
        "  'watchfloor', jsonb_build_object('cause', v.cause, 'since', v.since) "
        "FROM unnest(%(ids)s::int[], %(at)s::timestamptz[], %(kind)s::text[], "
        "  %(cause)s::text[], %(since)s::timestamptz[]) AS v(id, at, kind, cause, since)",
        {
            "ids": [event.incident_id for event in events],
            "at": [event.at for event in events],
            "kind": [event.kind for event in events],
            "cause": [event.cause for event in events],
            "since": [event.since for event in events],
        },
    )
