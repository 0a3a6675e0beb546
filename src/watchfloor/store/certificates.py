"""The log of certificates: what each service showed, since when, and when it changed.

`certificates` holds each once, `certificate_changes` every time that one took the place of another and was not
seen for a day. So servers that take turns behind one address, each with a certificate of its own, change nothing:
all certificates that were seen lately, and since the last change, are shown now.
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
KNOWN = timedelta(days=1)
"""How long a certificate is remembered: if it comes back within this time, nothing has changed."""
AT_ONCE = timedelta(hours=1)
"""Certificates are shown at the same time if they were seen no further apart than this."""


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
        "known": KNOWN,
    }
    await connection.execute(
        f"INSERT INTO certificate_changes (service_id, at, fingerprint) SELECT v.id, v.at, v.fingerprint FROM {_GIVEN} "
        "WHERE v.fingerprint IS DISTINCT FROM (SELECT c.fingerprint FROM certificate_changes c "
        "  WHERE c.service_id = v.id ORDER BY c.at DESC LIMIT 1) AND NOT EXISTS (SELECT FROM certificates k "
        "  WHERE k.service_id = v.id AND k.fingerprint = v.fingerprint AND k.last_seen > v.at - %(known)s) "
        "ON CONFLICT DO NOTHING",
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
    c.last_seen >= greatest(max(h.at) OVER of_service, max(c.last_seen) OVER of_service - %(at_once)s) AS current,
    coalesce(h.at, c.first_seen) AS changed_at
FROM certificates c JOIN services s ON s.id = c.service_id
LEFT JOIN (SELECT service_id, fingerprint, max(at) AS at FROM certificate_changes GROUP BY 1, 2) h
    ON h.service_id = c.service_id AND h.fingerprint = c.fingerprint
"""
_OF_SERVICE = "WINDOW of_service AS (PARTITION BY c.service_id)"


async def certificate_log(connection: Connection, service_id: int) -> list[CertificateRow]:
    """Every certificate a service showed, the newest change first."""
    rows = await fetch_all(
        connection,
        f"{_LOG} WHERE c.service_id = %(id)s {_OF_SERVICE} ORDER BY changed_at DESC, c.fingerprint LIMIT %(most)s",
        {"id": service_id, "most": SHOWN, "at_once": AT_ONCE},
    )
    return [CertificateRow(*row) for row in rows]


async def current_certificates(
    connection: Connection, now: datetime, within: timedelta | None = None
) -> list[CertificateRow]:
    """The certificates that services show now, the first to expire first; only those that expire ``within``."""
    rows = await fetch_all(
        connection,
        f"SELECT * FROM ({_LOG} WHERE s.retired_at IS NULL {_OF_SERVICE}) x WHERE current "
        "AND (%(until)s::timestamptz IS NULL OR not_after < %(until)s) ORDER BY not_after, service_id LIMIT %(most)s",
        {"until": None if within is None else now + within, "most": MOST, "at_once": AT_ONCE},
    )
    return [CertificateRow(*row) for row in rows]
