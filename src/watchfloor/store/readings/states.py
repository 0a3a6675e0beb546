"""The confirmed states of services over a stretch of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchfloor.domain.spans import Span, SpanState
from watchfloor.store.database import Connection, fetch_all


async def spans_between(
    connection: Connection, service_ids: Sequence[int], since: datetime, until: datetime
) -> list[tuple[int, Span]]:
    """What services were from ``since`` to ``until``, cut at ``since``, in order of time for each service."""
    rows = await fetch_all(
        connection,
        "SELECT service_id, greatest(began, %(since)s) AS began, ended, state FROM state_spans "
        "WHERE service_id = ANY(%(ids)s) AND began < %(until)s AND (ended IS NULL OR ended > %(since)s) "
        "ORDER BY service_id, began",
        {"ids": list(service_ids), "since": since, "until": until},
    )
    return [(row.service_id, Span(SpanState(row.state), row.began, row.ended)) for row in rows]
