"""Why a service was not ok at a moment of the past, as far as what is kept tells it.

What it needed then, the word of every node and who was told are not kept in this form: they are not told. This module
must never read what holds only now.
"""

from __future__ import annotations

from datetime import datetime

from watchfloor.domain.boards import HealthRow
from watchfloor.domain.outcome import Status
from watchfloor.domain.why import Findings, Other, Reason, explain
from watchfloor.store.database import Connection, fetch_one
from watchfloor.store.looks import looks_since
from watchfloor.store.why import changes, last_good, together, versions

_INCIDENT = """
SELECT i.opened_at, i.confirmed_at, i.cause, root.name AS root FROM incidents i
LEFT JOIN state_spans p ON p.service_id = i.service_id AND p.state = 'unreachable' AND p.began <= %(at)s
    AND (p.ended IS NULL OR p.ended > %(at)s)
LEFT JOIN LATERAL (SELECT root_id FROM alerts WHERE incident_id = i.id AND root_id IS NOT NULL AND p.began IS NOT NULL
    ORDER BY id LIMIT 1) a ON true
LEFT JOIN services root ON root.id = a.root_id
WHERE i.service_id = %(id)s AND i.opened_at <= %(at)s AND i.confirmed_at <= %(at)s
    AND (i.closed_at IS NULL OR i.closed_at > %(at)s)
ORDER BY i.opened_at DESC LIMIT 1
"""

_FIRST_BAD = """
SELECT ts FROM check_results WHERE service_id = %(id)s AND ts <= %(at)s AND status <> 0 AND ts > (
    SELECT max(ts) FROM check_results WHERE service_id = %(id)s AND ts <= %(at)s AND status = 0
) ORDER BY ts LIMIT 1
"""


async def reasons_at(connection: Connection, row: HealthRow, at: datetime) -> tuple[Reason, ...]:
    """Why the service of ``row``, which says how it stood at ``at``, was not ok; nothing where it was."""
    if row.paused or row.status is None or (row.hard is Status.OK and row.status is Status.OK):
        return ()
    values = {"id": row.id, "at": at}
    incident = await fetch_one(connection, _INCIDENT, values)
    first = None if incident is not None else await fetch_one(connection, _FIRST_BAD, values)
    began = incident.opened_at if incident is not None else first.ts if first is not None else None
    if began is None:
        return ()
    looked = await looks_since(connection, row.id, began, at)
    named, more = await together(connection, row.id, began, at)
    root = None if incident is None or incident.root is None else Other(incident.root, "failing", None)
    return explain(
        Findings(
            state="pending" if row.hard is None else row.hard.word,
            latest=row.status.word,
            soft=row.soft,
            attempt=row.attempt,
            max_attempts=row.max_attempts,
            recover_attempts=1,
            every_s=row.every,
            retry_every_s=row.every,
            summary=row.summary,
            checked_at=row.checked_at,
            latency=row.latency,
            began=began,
            confirmed_at=None if incident is None else incident.confirmed_at,
            first_said="" if incident is None else incident.cause,
            looks=looked.looks,
            cut=looked.cut,
            kept_since=looked.kept_since,
            good=await last_good(connection, row.id, began),
            versions=await versions(connection, row.id, began, at),
            events=await changes(connection, row.id, (), began, at),
            root=root,
            together=named,
            together_more=more,
            flapping=row.flapping,
            past=True,
        )
    )
