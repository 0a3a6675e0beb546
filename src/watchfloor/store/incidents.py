"""Incidents as people look at them: the list, one with everything that belongs to it, and notes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchfloor.domain.alert_boards import why_quiet
from watchfloor.domain.boards import IncidentRow
from watchfloor.domain.outcome import Status
from watchfloor.domain.post_mortem import (
    HEAD,
    NAMED,
    NOTE,
    TAIL,
    Dependant,
    IncidentReport,
    LinkedRun,
    LogLine,
    TimelineEntry,
    in_order,
    window,
)
from watchfloor.store.database import Connection, fetch_all, fetch_one, fetch_value
from watchfloor.store.jsonb import dumps
from watchfloor.store.services import needs_by_name

SHOWN = 100
RUNS, LOGS = 20, 50


async def incidents(
    connection: Connection, limit: int = SHOWN, *, only_open: bool = False
) -> list[IncidentRow]:
    """The newest incidents, those that are open first."""
    rows = await fetch_all(
        connection,
        "SELECT i.id, i.service_id, s.name, i.opened_at, i.closed_at, i.worst, i.cause FROM incidents i "
        "JOIN services s ON s.id = i.service_id WHERE i.closed_at IS NULL OR NOT %(open)s "
        "ORDER BY i.closed_at IS NULL DESC, i.id DESC LIMIT %(limit)s",
        {"open": only_open, "limit": limit},
    )
    return [
        IncidentRow(
            row.id, row.service_id, row.name, row.opened_at, row.closed_at, Status(row.worst), row.cause
        )
        for row in rows
    ]


async def exists(connection: Connection, incident_id: int) -> bool:
    """Whether there is such an incident; its row is locked."""
    found = await fetch_value(
        connection, "SELECT id FROM incidents WHERE id = %(id)s FOR UPDATE", {"id": incident_id}
    )
    return found is not None


async def add_note(connection: Connection, incident_id: int, actor: str, text: str) -> None:
    """Put a note into the timeline of an incident that is locked."""
    await connection.execute(
        "INSERT INTO incident_events (incident_id, seq, at, kind, actor, data) SELECT %(id)s, "
        "(SELECT coalesce(max(seq) + 1, 0) FROM incident_events WHERE incident_id = %(id)s), clock_timestamp(), "
        "%(kind)s, %(actor)s, %(data)s::jsonb",
        {"id": incident_id, "kind": NOTE, "actor": actor, "data": dumps({"text": text})},
    )


async def report(
    connection: Connection, incident_id: int, now: datetime, *, whole: bool = True
) -> IncidentReport | None:
    """One incident with everything that belongs to it; None where there is none.

    Where the ``whole`` is not asked for, a long timeline is its beginning and its end, and only the first of many
    dependants are named: what a screen shows, however long the incident is.
    """
    row = await fetch_one(
        connection,
        "SELECT i.*, s.name, s.kind, s.group_name, s.runbook, coalesce(root.name, '') AS root FROM incidents i "
        "JOIN services s ON s.id = i.service_id "
        "LEFT JOIN LATERAL (SELECT a.root_id FROM alerts a WHERE a.incident_id = i.id AND a.root_id IS NOT NULL "
        "  ORDER BY a.id LIMIT 1) a ON true LEFT JOIN services root ON root.id = a.root_id WHERE i.id = %(id)s",
        {"id": incident_id},
    )
    if row is None:
        return None
    since, until = window(row.opened_at, row.closed_at)
    timeline, left_out = await _timeline(connection, row, whole)
    dependants = await _dependants(connection, row, now)
    named = dependants if whole else dependants[:NAMED]
    return IncidentReport(
        id=row.id,
        service_id=row.service_id,
        service=row.name,
        kind=row.kind,
        group=row.group_name,
        opened_at=row.opened_at,
        confirmed_at=row.confirmed_at,
        closed_at=row.closed_at,
        worst=Status(row.worst),
        cause=row.cause,
        root=row.root,
        previous_id=row.previous_id,
        runbook=row.runbook,
        timeline=timeline,
        dependants=named,
        runs=await runs_about(connection, since, until),
        logs=await logs_about(connection, since, until),
        left_out=left_out,
        unnamed=len(dependants) - len(named),
    )


_TOLD = """
SELECT * FROM (
    SELECT told.*, row_number() OVER (ORDER BY at, source, seq) AS place, count(*) OVER () AS number FROM (
        SELECT at, kind, actor, data, '' AS note, 0 AS source, seq FROM incident_events WHERE incident_id = %(id)s
        UNION ALL
        SELECT e.at, 'alert ' || e.kind, e.actor, CASE WHEN e.kind = 'suppression_changed' THEN e.data END,
            '#' || e.alert_id || ' ' || coalesce(nullif(e.note, ''), e.title),
            e.alert_id, e.seq
        FROM alert_events e JOIN alerts a ON a.id = e.alert_id WHERE a.incident_id = %(id)s
    ) told
) lines WHERE %(whole)s OR place <= %(head)s OR place > number - %(tail)s ORDER BY place
"""


async def _timeline(connection: Connection, row: Any, whole: bool) -> tuple[Sequence[TimelineEntry], int]:
    """The lines of an incident and of its alerts, oldest first, and how many are left out after the first."""
    told = await fetch_all(
        connection, _TOLD, {"id": row.id, "whole": whole, "head": HEAD - 1, "tail": TAIL - 1}
    )
    ends = (
        []
        if row.closed_at is None
        else [TimelineEntry(row.closed_at, "closed", "watchfloor", "the first good check")]
    )
    lines = in_order(
        [TimelineEntry(row.opened_at, "opened", "watchfloor", "the first check that was not ok")],
        [
            TimelineEntry(each.at, each.kind, each.actor, _words(each.note, each.data, row.root or ""))
            for each in told
        ],
        ends,
    )
    return lines, (told[0].number if told else 0) - len(told)


def _words(note: str, data: Mapping[str, Any] | None, root: str) -> str:
    """What happened; where something began or ceased to keep an alert quiet also what it is.

    >>> _words("#2 shop is failing", {"reasons": ["dependency", "maintenance"]}, "router")
    '#2 shop is failing: nobody is told: behind router, in maintenance'
    >>> _words("#2 shop is failing", {"reasons": []}, ""), _words("", {"cause": "refused"}, "")
    ('#2 shop is failing: nothing keeps it quiet any more', 'refused')
    """
    data = data or {}
    if "reasons" in data:
        quiet = ", ".join(why_quiet(data["reasons"], root))
        return f"{note}: nobody is told: {quiet}" if quiet else f"{note}: nothing keeps it quiet any more"
    return note or str(data.get("text") or data.get("cause") or "")


async def _dependants(connection: Connection, row: Any, now: datetime) -> list[Dependant]:
    """What needs the service, however indirectly, and was out of reach meanwhile."""
    below = _below(await needs_by_name(connection), row.name)
    rows = await fetch_all(
        connection,
        "SELECT s.name, min(p.began) AS began, sum(extract(epoch FROM coalesce(p.ended, %(now)s) - p.began))::float8 "
        "FROM state_spans p JOIN services s ON s.id = p.service_id WHERE s.name = ANY(%(names)s) "
        "AND p.state = 'unreachable' AND p.began < coalesce(%(closed)s, %(now)s) "
        "AND coalesce(p.ended, %(now)s) > %(opened)s GROUP BY s.name ORDER BY 2, 1",
        {"names": sorted(below), "now": now, "opened": row.opened_at, "closed": row.closed_at},
    )
    return [Dependant(*each) for each in rows]


def _below(needs: Mapping[str, Sequence[str]], name: str) -> set[str]:
    """Everything that needs ``name``, however indirectly.

    >>> sorted(_below({"shop": ["database"], "till": ["shop"], "apart": []}, "database"))
    ['shop', 'till']
    """
    needed_by = defaultdict(list)
    for child, parents in needs.items():
        for parent in parents:
            needed_by[parent].append(child)
    found: set[str] = set()
    line = [name]
    while line:
        fresh = [child for child in needed_by[line.pop()] if child not in found]
        found.update(fresh)
        line += fresh
    return found


async def runs_about(connection: Connection, since: datetime, until: datetime) -> list[LinkedRun]:
    """Runs of jobs that went on between two moments, those that did not succeed before others, by their start."""
    rows = await fetch_all(
        connection,
        "SELECT r.id, j.name, r.state, r.started_at, r.error FROM runs r JOIN jobs j ON j.id = r.job_id "
        "WHERE r.started_at < %(until)s AND (r.finished_at >= %(since)s OR r.state = 'running') "
        "ORDER BY r.state <> 'succeeded' DESC, r.started_at, r.id LIMIT %(most)s",
        {"since": since, "until": until, "most": RUNS},
    )
    return sorted((LinkedRun(*row) for row in rows), key=lambda run: (run.started_at, run.id))


async def logs_about(connection: Connection, since: datetime, until: datetime) -> list[LogLine]:
    """The first warnings and errors of the log between two moments."""
    rows = await fetch_all(
        connection,
        "SELECT l.ts, coalesce(n.name, '#' || l.source_id), c.name, l.msg FROM logs l "
        "JOIN log_channels c ON c.id = l.channel_id LEFT JOIN nodes n ON n.id = l.source_id "
        "WHERE l.ts >= %(since)s AND l.ts <= %(until)s AND l.sev >= 13 ORDER BY l.ts, l.id LIMIT %(most)s",
        {"since": since, "until": until, "most": LOGS},
    )
    return [LogLine(*row) for row in rows]
