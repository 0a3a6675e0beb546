"""Boards as they were at a moment: read from results, incidents, spans, versions and the events of alerts.

What was known at a moment is what had ended by then: a check counts from its end, a confirmed state from the end of
the run that confirmed it. Nothing is guessed: what is not kept is left out, and `kept` says from when on it is there.
This module must never read what holds only now (the states and facts of services).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from watchfloor.domain import spark
from watchfloor.domain.boards import AlertRow, HealthRow, IncidentRow, Kept, ResultPoint, ServiceDetail
from watchfloor.domain.outcome import Status
from watchfloor.domain.packed import PackedResult
from watchfloor.domain.past import standing
from watchfloor.store import settings
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one, fetch_value
from watchfloor.store.health import INCIDENTS_SHOWN, RESULTS_SHOWN, clock, point, uptimes
from watchfloor.store.packing import latest_packed, packed_since
from watchfloor.store.partitions import oldest_day
from watchfloor.store.past_alerts import open_alerts
from watchfloor.store.past_why import reasons_at
from watchfloor.store.results import RECENT
from watchfloor.store.uptime import spent_windows

CHUNK = 500
"""Services in one statement: each stays far below the limit of time, and keys are answered in between."""
LONGEST = timedelta(days=31)
"""How far back the latest results of a service are looked for."""
SPARE = 12
"""Results looked for beyond those that are shown, as some may have come late or not at all."""

BOARD = """
SELECT s.id, s.name, v.kind, v.group_name, v.tags, v.every_ms, v.max_attempts, v.paused,
    s.environment, s.owner, s.origin, e.kind AS event, e.since, up.began AS up_since,
    EXISTS (SELECT FROM flapping_spans f WHERE f.service_id = s.id AND f.began > life.began AND f.began <= %(at)s
        AND (f.ended IS NULL OR f.ended > %(at)s)) AS flapping,
    r.statuses, r.latencies, r.ts, r.took_us, r.summary
FROM services s
JOIN LATERAL (
    SELECT * FROM service_versions WHERE service_id = s.id AND began <= %(at)s ORDER BY began DESC LIMIT 1
) v ON NOT v.retired
LEFT JOIN LATERAL (
    SELECT coalesce(max(began), '-infinity') AS began FROM service_versions
    WHERE service_id = s.id AND began <= %(at)s AND retired
) life ON true
LEFT JOIN LATERAL (
    SELECT id FROM incidents WHERE service_id = s.id AND confirmed_at <= %(at)s ORDER BY opened_at DESC, id DESC LIMIT 1
) i ON true
LEFT JOIN LATERAL (
    SELECT kind, (data->>'since')::timestamptz AS since FROM incident_events
    WHERE incident_id = i.id AND kind <> 'note' AND at <= %(at)s AND at > life.began ORDER BY seq DESC LIMIT 1
) e ON true
LEFT JOIN LATERAL (
    SELECT began FROM state_spans
    WHERE service_id = s.id AND state = 'up' AND began > life.began AND began <= %(at)s ORDER BY began LIMIT 1
) up ON true
LEFT JOIN LATERAL (
    SELECT array_agg(status ORDER BY ts DESC) AS statuses, array_agg(latency_us ORDER BY ts DESC) AS latencies,
        max(ts) AS ts, (array_agg(took_us ORDER BY ts DESC))[1] AS took_us,
        (array_agg(summary ORDER BY ts DESC))[1] AS summary
    FROM (
        SELECT ts, took_us, status, latency_us, summary FROM check_results
        WHERE service_id = s.id AND ts <= %(at)s AND ts > %(since)s AND ts > life.began
            AND ts + took_us * interval '1 microsecond' <= %(at)s
        ORDER BY ts DESC LIMIT greatest(%(recent)s, v.max_attempts)
    ) latest
) r ON true
WHERE s.id = ANY(%(ids)s) ORDER BY s.id
"""


async def kept(connection: Connection) -> Kept:
    """From when on the past can be told."""
    now = await clock(connection)
    values = await settings.values(connection)
    days = min(cast(int, values[f"retention.{what}"]) for what in ("alerts", "incidents", "spans"))
    found = [await oldest_day(connection, "check_results"), await packed_since(connection)]
    return Kept(
        story=now - timedelta(days=days),
        results=min((each for each in found if each is not None), default=now),
    )


async def board(connection: Connection, at: datetime) -> list[HealthRow]:
    """The health board as it was at ``at``: the services that were watched then, and what was known of them.

    The words of a good result are not kept. The uptime of the day before ``at`` is what was booked since.
    """
    uptime = await uptimes(connection, at, timedelta(days=1))
    ids = await fetch_column(connection, "SELECT id FROM services ORDER BY id")
    since = await _since(connection, at)
    found = []
    for start in range(0, len(ids), CHUNK):
        found += await _rows(connection, at, since, ids[start : start + CHUNK], uptime)
        await asyncio.sleep(0)
    return await _with_alerts(connection, at, found)


async def _since(connection: Connection, at: datetime) -> datetime:
    """How far back results are looked for: far enough for the slowest rhythm, and bound to few partitions."""
    slowest = await fetch_value(connection, "SELECT max(every_ms) FROM service_versions")
    window = timedelta(milliseconds=slowest or 0) * (RECENT + SPARE)
    return at - min(max(window, timedelta(days=1)), LONGEST)


async def _rows(
    connection: Connection, at: datetime, since: datetime, ids: Sequence[int], uptime: dict[int, float | None]
) -> list[HealthRow]:
    values = {"at": at, "since": since, "ids": list(ids), "recent": RECENT}
    rows = await fetch_all(connection, BOARD, values)
    full_since = await oldest_day(connection, "check_results")
    if full_since is not None and since < full_since:
        packed = await latest_packed(connection, ids, since, min(at, full_since), RECENT)
        rows = [_with_packed(row, packed.get(row.id, [])) for row in rows]
    return [_health_row(row, at, since, uptime.get(row.id)) for row in rows]


def _with_packed(row: Any, older: Sequence[PackedResult]) -> Any:
    """A row of the board with results that are kept packed only, behind those that are kept in full."""
    older = older[: max(0, max(RECENT, row.max_attempts) - len(row.statuses or ()))]
    if not older:
        return row
    newest = older[0]
    changes: dict[str, object] = {
        "statuses": [*(row.statuses or ()), *(int(each.status) for each in older)],
        "latencies": [*(row.latencies or ()), *(each.latency_us for each in older)],
    }
    if not row.statuses:
        changes |= {"ts": newest.slot, "took_us": newest.latency_us or 0, "summary": newest.summary or None}
    return row._replace(**changes)


def _health_row(row: Any, at: datetime, since: datetime, uptime: float | None) -> HealthRow:
    statuses = [Status(code) for code in row.statuses or ()]
    latencies = [None if us is None else us / 1e6 for us in row.latencies or ()]
    # The span of a first good run is booked from its start, but the run was known only when it had ended.
    up_known = row.up_since is not None and row.up_since <= (row.ts or since)
    stood = standing(row.event, row.since, row.up_since if up_known else None, statuses)
    recent = bytes(spark.encode(*each) for each in zip(statuses, latencies, strict=True))
    return HealthRow(
        id=row.id,
        name=row.name,
        kind=row.kind,
        group=row.group_name,
        tags=tuple(row.tags),
        hard=stood.hard,
        status=stood.status,
        soft=stood.soft,
        attempt=stood.attempt,
        max_attempts=row.max_attempts,
        latency=latencies[0] if latencies else None,
        recent=recent[:RECENT][::-1],
        uptime_24h=uptime,
        since=stood.since,
        checked_at=row.ts and row.ts + timedelta(microseconds=row.took_us),
        every=row.every_ms / 1000,
        paused=row.paused,
        summary=row.summary or "",
        alert_id=None,
        acknowledged=False,
        environment=row.environment,
        owner=row.owner,
        origin=row.origin,
        flapping=row.flapping,
    )


async def _with_alerts(connection: Connection, at: datetime, rows: list[HealthRow]) -> list[HealthRow]:
    """The rows with the gravest alert that was open about each."""
    worst: dict[int | None, AlertRow] = {}
    for alert in await open_alerts(connection, at):
        if alert.state in ("firing", "acknowledged"):
            known = worst.get(alert.service_id)
            if known is None or alert.severity > known.severity:  # they come by id
                worst[alert.service_id] = alert
    return [_alerted(row, worst.get(row.id)) for row in rows]


def _alerted(row: HealthRow, alert: AlertRow | None) -> HealthRow:
    if alert is None:
        return row
    return replace(row, alert_id=alert.id, acknowledged=alert.state == "acknowledged")


async def service_detail(connection: Connection, service_id: int, at: datetime) -> ServiceDetail | None:
    """One service as it was at ``at``; None when it was not watched then.

    Its facts and settings are not kept, so there are none here.
    """
    spent = await spent_windows(connection, service_id, at)
    day = {service_id: spent["24h"].ratio}
    rows = await _rows(connection, at, await _since(connection, at), [service_id], day)
    if not rows:
        return None
    (row,) = await _with_alerts(connection, at, rows)
    service = await fetch_one(
        connection, "SELECT description, runbook, origin FROM services WHERE id = %(id)s", {"id": service_id}
    )
    return ServiceDetail(
        row=row,
        description=service.description,
        runbook=service.runbook,
        origin=service.origin,
        editable=False,
        settings={},
        results=tuple(await _results(connection, service_id, at)),
        incidents=tuple(await _incidents(connection, service_id, at)),
        facts={},
        metrics={},
        uptime={name: window.ratio for name, window in spent.items()},
        spent=spent,
        why=await reasons_at(connection, row, at),
    )


async def _results(connection: Connection, service_id: int, at: datetime) -> list[ResultPoint]:
    rows = await fetch_all(
        connection,
        "SELECT ts, status, latency_us, phases, summary, lag_us FROM check_results WHERE service_id = %(id)s "
        "AND ts > %(since)s AND ts <= %(at)s AND ts + took_us * interval '1 microsecond' <= %(at)s "
        "ORDER BY ts DESC LIMIT %(limit)s",
        {"id": service_id, "since": at - timedelta(days=1), "at": at, "limit": RESULTS_SHOWN},
    )
    found = [point(row) for row in rows]
    full_since = await oldest_day(connection, "check_results")
    since = at - timedelta(days=1)
    if full_since is not None and since < full_since and len(found) < RESULTS_SHOWN:
        until, most = min(at, full_since), RESULTS_SHOWN - len(found)
        older = (await latest_packed(connection, [service_id], since, until, most)).get(service_id, [])
        found += [
            ResultPoint(
                each.slot,
                each.status,
                None if each.latency_us is None else each.latency_us / 1e6,
                (),
                each.summary,
                0.0,
            )
            for each in older
        ]
    return found


async def _incidents(connection: Connection, service_id: int, at: datetime) -> list[IncidentRow]:
    rows = await fetch_all(
        connection,
        "SELECT i.id, s.name, i.opened_at, i.closed_at, i.cause, e.kinds FROM incidents i "
        "JOIN services s ON s.id = i.service_id CROSS JOIN LATERAL (SELECT array_agg(kind ORDER BY seq) AS kinds "
        "  FROM incident_events WHERE incident_id = i.id AND kind <> 'note' AND at <= %(at)s) e "
        "WHERE i.service_id = %(id)s AND i.confirmed_at <= %(at)s ORDER BY i.opened_at DESC LIMIT %(limit)s",
        {"id": service_id, "at": at, "limit": INCIDENTS_SHOWN},
    )
    found = []
    for row in rows:
        ended = row.kinds[-1] in ("recovered", "retired")
        seen = row.kinds[:-1] if ended else row.kinds
        worst = Status.FAILING.word if Status.FAILING.word in seen else seen[-1]
        closed_at = row.closed_at if ended else None
        found.append(
            IncidentRow(
                row.id, service_id, row.name, row.opened_at, closed_at, Status[worst.upper()], row.cause
            )
        )
    return found
