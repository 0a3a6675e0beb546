"""The certificate that each service shows, from the log of certificates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from watchfloor.domain.questions.certificate import Certificate
from watchfloor.domain.questions.question import Course, Reading, Watched
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.readings.points import fresh_s

_SHOWN = """
SELECT h.service_id, h.at, c.not_after, c.last_seen FROM certificate_changes h
JOIN certificates c USING (service_id, fingerprint) WHERE h.service_id = ANY(%(ids)s) AND h.at <= %(until)s
ORDER BY h.service_id, h.at
"""
LEAST_FRESH_S = 86_400.0
"""A certificate that was not seen for a day, or for three checks if that is longer, is shown no more."""
DAY_S = 86_400.0


async def read(
    connection: Connection, asks: Certificate, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """Days left of the certificate of every service that shows one."""
    rows = await fetch_all(connection, _SHOWN, {"ids": [each.id for each in services], "until": now})
    latest = {row.service_id: row for row in rows}
    found = []
    for each in services:
        shown = latest.get(each.id)
        if shown is None:
            continue
        fresh = timedelta(seconds=max(LEAST_FRESH_S, fresh_s(each.every_s)))
        left = (shown.not_after - now).total_seconds() / DAY_S
        found.append(Reading(each.instance(), left if now - shown.last_seen <= fresh else None, each.paused))
    return found


async def course(
    connection: Connection, asks: Certificate, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """Days left at each moment of the certificate that was shown last by then."""
    rows = await fetch_all(connection, _SHOWN, {"ids": [each.id for each in services], "until": moments[-1]})
    courses = []
    for each in services:
        shown = [(row.at, row.not_after) for row in rows if row.service_id == each.id]
        values: list[float | None] = []
        for moment in moments:
            ends = [not_after for at, not_after in shown if at <= moment]
            values.append((ends[-1] - moment).total_seconds() / DAY_S if ends else None)
        if shown:
            courses.append(Course(each.instance(), values))
    return courses
