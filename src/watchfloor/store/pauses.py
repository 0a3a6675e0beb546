"""What the time of a pause counts as: nobody looks, so that it is unknown, neither up nor down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchfloor.domain.cover import layered
from watchfloor.domain.spans import SpanState
from watchfloor.store import reach, results
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.results import SpanStart

_OPEN = """
SELECT s.id, s.paused, p.state FROM services s JOIN state_spans p ON p.service_id = s.id AND p.ended IS NULL
WHERE s.name = ANY(%(names)s) AND s.retired_at IS NULL
"""


async def book_pauses(connection: Connection, names: Sequence[str], now: datetime) -> None:
    """Begin unknown time where one of these services was paused, and end it where one goes on.

    Planned time stays planned. What is as it should be is left alone, so that a service may be named in vain.
    """
    moved = [
        row.id
        for row in await fetch_all(connection, _OPEN, {"names": list(names)})
        if (
            row.state not in (SpanState.UNKNOWN, SpanState.PLANNED)
            if row.paused
            else row.state == SpanState.UNKNOWN
        )
    ]
    if not moved:
        return
    starts = [
        SpanStart(each, at, state)
        for each, sight in (await reach.sights(connection, moved)).items()
        if sight.paused or sight.counts_as is not SpanState.UNKNOWN
        for at, state in layered(sight.cover, sight.counts_as, now)
    ]
    if starts:
        await results.switch_spans(connection, starts)
