"""What decides about the future of a run, and what it was given."""

from __future__ import annotations

from dataclasses import replace

from watchfloor.domain.job_boards import RunDetail
from watchfloor.domain.lanes import parts_of
from watchfloor.domain.outlook import Outlook, link_in_words
from watchfloor.store.database import Connection, fetch_one
from watchfloor.store.jobs import retry_of

_OUTLOOK = """
SELECT r.state, r.attempt, r.used, j.retry, j.at_most_once, j.timeout_ms, r.available_at, r.started_at,
    r.deadline_at, r.cancel_by, r.cancel_requested_at, r.kill, j.paused,
    j.tripped_at IS NOT NULL AND j.paused AS tripped,
    (SELECT min(s.next_fire_at) FROM schedules s WHERE s.job_id = j.id AND s.state = 'active') AS next_fire_at,
    r.lane, j.chains,
    ARRAY(SELECT k.name FROM jobs k WHERE k.retired_at IS NULL
        AND k.name IN (SELECT c ->> 'job' FROM jsonb_array_elements(j.chains) c)) AS linked,
    d.settled_by, d.requeued_as, r.parameters, j.settings, r.upstream_id,
    CASE WHEN r.state = 'waiting' AND r.capped THEN (SELECT array_agg(o.id ORDER BY o.id) FROM runs o
        WHERE o.job_id = r.job_id AND o.state IN ('ready', 'running') AND o.slot IS NOT NULL AND o.id <> r.id
        AND r.available_at <= clock_timestamp()) END AS holders,
    (SELECT array_agg(f.id ORDER BY f.id) FROM runs f WHERE f.upstream_id = r.id) AS downstream
FROM runs r JOIN jobs j ON j.id = r.job_id LEFT JOIN dead_letters d ON d.run_id = r.id WHERE r.id = %(id)s
"""


async def with_outlook(connection: Connection, detail: RunDetail) -> RunDetail:
    """The run with what is known of its future."""
    row = await fetch_one(connection, _OUTLOOK, {"id": detail.row.id})
    outlook = Outlook(
        state=row.state,
        attempt=row.attempt,
        used=row.used,
        retry=retry_of(row.retry),
        at_most_once=row.at_most_once,
        timeout_s=row.timeout_ms / 1000,
        available_at=row.available_at,
        started_at=row.started_at,
        deadline_at=row.deadline_at,
        cancel_by=row.cancel_by,
        cancel_at=row.cancel_requested_at,
        kill=row.kill,
        paused=row.paused,
        tripped=row.tripped,
        next_fire_at=row.next_fire_at,
        queue=parts_of(row.lane)[0],
        holders=tuple(row.holders or ()),
        follows=tuple(
            link_in_words(link["job"], link["when"], there=link["job"] in row.linked) for link in row.chains
        ),
        settled_by=row.settled_by or "",
        requeued_as=row.requeued_as,
    )
    return replace(
        detail,
        outlook=outlook,
        parameters=row.parameters,
        settings=row.settings,
        upstream=row.upstream_id,
        downstream=tuple(row.downstream or ()),
    )
