"""The log of certificates: what each service showed, since when, and when it changed.

A certificate that comes back after another is a change, too: `certificates` holds each once, `certificate_changes`
every time one took the place of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.domain.boards import CertificateRow
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.jsonb import dumps

SHOWN = 50
MOST = 10_000


@dataclass(frozen=True, slots=True)
class SeenCertificate:
    """The certificate a service presented."""

    service_id: int
    seen_at: datetime
    fingerprint: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    detail: Mapping[str, object]


_GIVEN = (
    "unnest(%(ids)s::int[], %(prints)s::text[], %(subjects)s::text[], %(issuers)s::text[], %(befores)s::timestamptz[], "
    "%(afters)s::timestamptz[], %(details)s::jsonb[], %(at)s::timestamptz[]) "
    "AS v(id, fingerprint, subject, issuer, not_before, not_after, detail, at)"
)


async def save_certificates(connection: Connection, rows: Sequence[SeenCertificate]) -> None:
    """Log certificates, at most one of each service: a new row for a new one, else when it was last seen."""
    values = {
        "ids": [row.service_id for row in rows],
        "prints": [row.fingerprint for row in rows],
        "subjects": [row.subject for row in rows],
        "issuers": [row.issuer for row in rows],
        "befores": [row.not_before for row in rows],
        "afters": [row.not_after for row in rows],
        "details": [dumps(row.detail) for row in rows],
        "at": [row.seen_at for row in rows],
    }
    await connection.execute(
        f"INSERT INTO certificate_changes (service_id, at, fingerprint) SELECT v.id, v.at, v.fingerprint FROM {_GIVEN} "
        "WHERE v.fingerprint IS DISTINCT FROM (SELECT c.fingerprint FROM certificate_changes c "
        "  WHERE c.service_id = v.id ORDER BY c.at DESC LIMIT 1) ON CONFLICT DO NOTHING",
        values,
    )
    await connection.execute(
        "INSERT INTO certificates (service_id, fingerprint, subject, issuer, not_before, not_after, detail, "
        f"first_seen, last_seen) SELECT v.*, v.at FROM {_GIVEN} ON CONFLICT (service_id, fingerprint) "
        "DO UPDATE SET last_seen = greatest(certificates.last_seen, EXCLUDED.last_seen)",
        values,
    )


_LOG = """
SELECT c.service_id, s.name, c.fingerprint, c.subject, c.issuer, c.not_before, c.not_after, c.first_seen, c.last_seen,
    c.fingerprint IS NOT DISTINCT FROM n.fingerprint AS current, coalesce(h.at, c.first_seen) AS changed_at
FROM certificates c JOIN services s ON s.id = c.service_id
LEFT JOIN LATERAL (
    SELECT fingerprint FROM certificate_changes WHERE service_id = c.service_id ORDER BY at DESC LIMIT 1
) n ON true
LEFT JOIN LATERAL (
    SELECT max(at) AS at FROM certificate_changes WHERE service_id = c.service_id AND fingerprint = c.fingerprint
) h ON true
"""


async def certificate_log(connection: Connection, service_id: int) -> list[CertificateRow]:
    """Every certificate a service showed, the newest change first."""
    rows = await fetch_all(
        connection,
        _LOG + "WHERE c.service_id = %(id)s ORDER BY changed_at DESC, c.fingerprint LIMIT %(most)s",
        {"id": service_id, "most": SHOWN},
    )
    return [CertificateRow(*row) for row in rows]


async def current_certificates(
    connection: Connection, now: datetime, within: timedelta | None = None
) -> list[CertificateRow]:
    """The certificates that services show now, the first to expire first; only those that expire ``within``."""
    rows = await fetch_all(
        connection,
        f"SELECT * FROM ({_LOG} WHERE s.retired_at IS NULL) x WHERE current "
        "AND (%(until)s::timestamptz IS NULL OR not_after < %(until)s) ORDER BY not_after, service_id LIMIT %(most)s",
        {"until": None if within is None else now + within, "most": MOST},
    )
    return [CertificateRow(*row) for row in rows]
