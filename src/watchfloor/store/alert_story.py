"""What belongs to one alert, for the screen about it: its cause, its chain, those before it, runs and log lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from watchfloor.domain.alert import Suppression
from watchfloor.domain.alert_boards import AlertChain, AlertStory, ChainStep, Earlier, EarlierAlert, QuietBy
from watchfloor.domain.post_mortem import window
from watchfloor.store.database import Connection, fetch_all, fetch_one
from watchfloor.store.escalations import of_alerts
from watchfloor.store.incidents import logs_about, runs_about
from watchfloor.store.job_links import run_of_alert

EARLIER_SHOWN = 20
SILENCE = str(Suppression.SILENCE)

_ALERT = """
SELECT a.subject, a.fingerprint, a.incident_id, coalesce(a.fired_at, a.active_at) AS began, a.resolved_at,
    a.suppressed, a.silenced_by, coalesce(s.name, '') AS root, root.id AS root_alert
FROM alerts a LEFT JOIN services s ON s.id = a.root_id
LEFT JOIN LATERAL (SELECT o.id FROM alerts o WHERE o.service_id = a.root_id AND o.state <> 'resolved'
    AND o.id <> a.id ORDER BY o.root_id IS NOT NULL, o.id LIMIT 1) root ON true
WHERE a.id = %(id)s
"""

_EARLIER = """
SELECT a.id, a.fired_at, a.resolved_at, coalesce(acked.actor, '') AS acked_by,
    CASE WHEN over.kind = 'resolved_by_hand' THEN over.actor ELSE '' END AS ended_by, coalesce(said.note, '') AS note
FROM alerts a
LEFT JOIN LATERAL (SELECT actor FROM alert_events e WHERE e.alert_id = a.id AND e.kind = 'acknowledged'
    ORDER BY seq DESC LIMIT 1) acked ON true
LEFT JOIN LATERAL (SELECT kind, actor FROM alert_events e WHERE e.alert_id = a.id
    AND e.kind IN ('resolved', 'resolved_by_hand') ORDER BY seq DESC LIMIT 1) over ON true
LEFT JOIN LATERAL (SELECT note FROM alert_events e WHERE e.alert_id = a.id AND e.note <> ''
    ORDER BY seq DESC LIMIT 1) said ON true
WHERE a.subject = %(subject)s AND a.fingerprint = %(fingerprint)s AND a.id < %(id)s AND a.fired_at IS NOT NULL
ORDER BY a.id DESC LIMIT %(limit)s
"""

_OFTEN = """
SELECT count(*) FILTER (WHERE fired_at >= %(began)s - interval '7 days')::int AS week, count(*)::int AS month
FROM alerts WHERE subject = %(subject)s AND fingerprint = %(fingerprint)s AND id < %(id)s
    AND fired_at >= %(began)s - interval '30 days'
"""


async def story(connection: Connection, alert_id: int) -> AlertStory:
    """What belongs to an alert that there is."""
    row = await fetch_one(connection, _ALERT, {"id": alert_id})
    if row is None:
        return AlertStory()
    since, until = window(row.began, row.resolved_at)
    return AlertStory(
        root=row.root,
        root_alert=row.root_alert,
        chain=await _chain(connection, alert_id),
        earlier=await _earlier(connection, alert_id, row),
        runs=tuple(await runs_about(connection, since, until)),
        logs=tuple(await logs_about(connection, since, until)),
        incident_id=row.incident_id,
        run_id=await run_of_alert(connection, alert_id),
        silences=await _silences(connection, row.silenced_by) if SILENCE in row.suppressed else (),
    )


async def _silences(connection: Connection, ids: Sequence[int]) -> tuple[QuietBy, ...]:
    """The silences of these that are not over."""
    rows = await fetch_all(
        connection,
        "SELECT id, author, ends_at, until_resolved, comment FROM silences WHERE id = ANY(%(ids)s) "
        "AND (ends_at IS NULL OR ends_at > statement_timestamp()) ORDER BY ends_at DESC NULLS FIRST, id",
        {"ids": list(ids)},
    )
    return tuple(QuietBy(*row) for row in rows)


async def _chain(connection: Connection, alert_id: int) -> AlertChain | None:
    found = (await of_alerts(connection, [alert_id])).get(alert_id)
    if found is None:
        return None
    chain, progress = found.chain, found.progress
    ended = found.ended_why or ("nothing follows its last step" if progress.over else "")
    steps = (
        ChainStep(each.after_s, ", ".join(map(str, each.targets)), each.severity) for each in chain.steps
    )
    return AlertChain(chain.name, tuple(steps), progress.step, progress.round, progress.next_at, ended)


async def _earlier(connection: Connection, alert_id: int, row: Any) -> Earlier:
    asked = {"id": alert_id, "subject": row.subject, "fingerprint": row.fingerprint, "began": row.began}
    often = await fetch_one(connection, _OFTEN, asked)
    found = await fetch_all(connection, _EARLIER, {**asked, "limit": EARLIER_SHOWN})
    assert often is not None
    return Earlier(often.week, often.month, tuple(EarlierAlert(*each) for each in found))
