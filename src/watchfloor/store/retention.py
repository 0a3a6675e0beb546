"""Retention of the small tables: old rows go in small batches, so nobody waits for a lock."""

from __future__ import annotations

from datetime import datetime

from watchfloor.store.database import Connection

BATCH = 1_000
CERTIFICATES = 200
"""Certificates of one service that are kept at most, and changes of them: some servers make one for each guest."""

KEYS = {
    "alerts": "retention.alerts",
    "incidents": "retention.incidents",
    "state_spans": "retention.spans",
    "flapping_spans": "retention.spans",
    "runs": "retention.runs",
    "workers": "retention.runs",
    "job_hours": "retention.job_figures",
    "queue_minutes": "retention.metrics",
    "node_minutes": "retention.metrics",
    "audit": "retention.audit",
    "service_versions": "retention.spans",
    "certificates": "retention.spans",
    "certificate_changes": "retention.spans",  # as long as the certificate
    "outbox": "retention.alerts",
    "notice_groups": "retention.alerts",
}
"""Tables and the setting that says how many days they keep."""

_DELETE = {
    "notice_groups": "DELETE FROM notice_groups WHERE id IN "
    "(SELECT id FROM notice_groups WHERE closed_at < %(before)s LIMIT %(batch)s)",
    "alerts": "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE state = 'resolved' AND NOT held "
    "AND resolved_at < %(before)s ORDER BY resolved_at LIMIT %(batch)s)",
    "incidents": "DELETE FROM incidents WHERE id IN "
    "(SELECT id FROM incidents WHERE closed_at < %(before)s LIMIT %(batch)s)",
    "state_spans": "DELETE FROM state_spans WHERE (service_id, began) IN "
    "(SELECT service_id, began FROM state_spans WHERE ended < %(before)s LIMIT %(batch)s)",
    "flapping_spans": "DELETE FROM flapping_spans WHERE (service_id, began) IN "
    "(SELECT service_id, began FROM flapping_spans WHERE ended < %(before)s LIMIT %(batch)s)",
    "service_versions": "DELETE FROM service_versions WHERE (service_id, began) IN (SELECT service_id, began FROM "
    "(SELECT service_id, began, lead(began) OVER (PARTITION BY service_id ORDER BY began) AS ended "
    "FROM service_versions) v WHERE ended < %(before)s LIMIT %(batch)s)",
    "certificates": "DELETE FROM certificates WHERE (service_id, fingerprint) IN (SELECT service_id, fingerprint FROM "
    "(SELECT service_id, fingerprint, last_seen, row_number() OVER (PARTITION BY service_id ORDER BY last_seen DESC) "
    "AS place FROM certificates) c WHERE (last_seen < %(before)s AND place > 1) OR place > %(certificates)s "
    "LIMIT %(batch)s)",
    "certificate_changes": "DELETE FROM certificate_changes WHERE (service_id, at) IN (SELECT service_id, at FROM "
    "(SELECT service_id, at, fingerprint, row_number() OVER (PARTITION BY service_id ORDER BY at DESC) AS place "
    "FROM certificate_changes) h WHERE place > %(certificates)s OR NOT EXISTS (SELECT FROM certificates c "
    "WHERE c.service_id = h.service_id AND c.fingerprint = h.fingerprint) LIMIT %(batch)s)",
    "outbox": "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE alert_id IS NULL "
    "AND created_at < %(before)s LIMIT %(batch)s)",  # those of an alert go with it
    "runs": "DELETE FROM runs WHERE id IN (SELECT r.id FROM runs r LEFT JOIN dead_letters d ON d.run_id = r.id "
    "WHERE r.finished_at < %(before)s AND (d.run_id IS NULL OR d.settled_at IS NOT NULL) LIMIT %(batch)s)",
    "job_hours": "DELETE FROM job_hours WHERE (job_id, hour) IN "
    "(SELECT job_id, hour FROM job_hours WHERE hour < %(before)s LIMIT %(batch)s)",
    "queue_minutes": "DELETE FROM queue_minutes WHERE (queue, minute) IN "
    "(SELECT queue, minute FROM queue_minutes WHERE minute < %(before)s LIMIT %(batch)s)",
    "node_minutes": "DELETE FROM node_minutes WHERE (node_id, minute) IN "
    "(SELECT node_id, minute FROM node_minutes WHERE minute < %(before)s LIMIT %(batch)s)",
    "workers": "DELETE FROM workers WHERE id IN (SELECT id FROM workers w WHERE state IN ('dead', 'stopped') "
    "AND beat_at < %(before)s AND NOT EXISTS (SELECT FROM runs r WHERE r.state = 'running' AND r.worker_id = w.id) "
    "LIMIT %(batch)s)",
    "audit": "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < %(before)s ORDER BY at LIMIT %(batch)s)",
}


async def delete_batch(connection: Connection, table: str, before: datetime) -> int:
    """Delete up to `BATCH` rows of ``table`` that ended before ``before``; returns how many."""
    values = {"before": before, "batch": BATCH, "certificates": CERTIFICATES}
    done = await connection.execute(_DELETE[table], values)
    return done.rowcount
