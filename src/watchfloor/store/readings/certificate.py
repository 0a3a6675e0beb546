"""The certificate that each service shows, from the log of certificates; of several the first to end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from watchfloor.domain.questions.certificate import Certificate
from watchfloor.domain.questions.question import Course, Reading, Watched
from watchfloor.store.certificates import AT_ONCE
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.readings.points import fresh_s

_SHOWN = """
SELECT h.service_id, h.at, c.not_after,
    CASE WHEN lead(h.at) OVER of_print IS NULL THEN c.last_seen ELSE lead(h.at) OVER of_service END AS last_seen
FROM certificate_changes h JOIN certificates c USING (service_id, fingerprint)
WHERE h.service_id = ANY(%(ids)s) AND h.at <= %(until)s
WINDOW of_service AS (PARTITION BY h.service_id ORDER BY h.at),
    of_print AS (PARTITION BY h.service_id, h.fingerprint ORDER BY h.at)
ORDER BY h.service_id, h.at
"""
LEAST_FRESH_S = 86_400.0
"""A certificate that was not seen for a day, or for three checks if that is longer, is shown no more."""
DAY_S = 86_400.0


async def read(
    connection: Connection, asks: Certificate, services: Sequence[Watched], now: datetime
) -> list[Reading]:
    """Days left of the certificate of every service that shows one."""
    shown = await _shown(connection, services, now)
    found = []
    for each in services:
        changes = shown.get(each.id)
        if changes is None:
            continue
        fresh = timedelta(seconds=max(LEAST_FRESH_S, fresh_s(each.every_s)))
        seen = max(row.last_seen for row in changes)
        found.append(
            Reading(each.instance(), _left(changes, now) if now - seen <= fresh else None, each.paused)
        )
    return found


async def course(
    connection: Connection, asks: Certificate, services: Sequence[Watched], moments: Sequence[datetime]
) -> list[Course]:
    """Days left at each moment of the certificate that was shown last by then."""
    shown = await _shown(connection, services, moments[-1])
    return [
        Course(each.instance(), [_left(shown[each.id], moment) for moment in moments])
        for each in services
        if each.id in shown
    ]


async def _shown(
    connection: Connection, services: Sequence[Watched], until: datetime
) -> dict[int, list[Any]]:
    """The changes of each service that has any, and until when each was seen."""
    rows = await fetch_all(connection, _SHOWN, {"ids": [each.id for each in services], "until": until})
    return {service_id: list(found) for service_id, found in groupby(rows, key=lambda row: row.service_id)}


def _left(changes: Sequence[Any], moment: datetime) -> float | None:
    """Days left at a moment of what was shown since the last change before it, and not given up since."""
    by_then = [row for row in changes if row.at <= moment]
    if not by_then:
        return None
    lately = min(moment, max(row.last_seen for row in by_then)) - AT_ONCE
    ends = min(row.not_after for row in by_then if row.last_seen >= max(lately, by_then[-1].at))
    return float((ends - moment).total_seconds() / DAY_S)
