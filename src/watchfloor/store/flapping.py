"""The times in which services flapped: a row for each, kept for views of the past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchfloor.store.database import Connection


async def switch_flapping(connection: Connection, service_id: int, active: bool, at: datetime) -> None:
    """Book that a service began or ceased to flap at ``at``."""
    if not active:
        await end_flapping(connection, [service_id], at)
        return
    await connection.execute(
        "INSERT INTO flapping_spans (service_id, began) VALUES (%(id)s, %(at)s) ON CONFLICT DO NOTHING",
        {"id": service_id, "at": at},
    )


async def end_flapping(connection: Connection, service_ids: Sequence[int], at: datetime) -> None:
    """Book that services no longer flap, where they did."""
    await connection.execute(
        "UPDATE flapping_spans SET ended = greatest(began, %(at)s::timestamptz) "
        "WHERE service_id = ANY(%(ids)s) AND ended IS NULL",
        {"ids": list(service_ids), "at": at},
    )
