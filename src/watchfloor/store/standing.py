"""What is known of services when a reason for which nobody was told could be taken away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from watchfloor.domain.release import Standing, awaited
from watchfloor.domain.slots import next_slot, phase, slot_at
from watchfloor.store.database import Connection, fetch_all

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


async def standings(connection: Connection, service_ids: Sequence[int], now: datetime) -> dict[int, Standing]:
    """How services stand for `watchfloor.domain.release.may_release`; those that are gone are left out."""
    rows = await fetch_all(
        connection,
        "SELECT s.id, s.uuid, s.every_ms, s.timeout_ms, s.paused, t.soft, t.last_started, t.last_ended, r.until "
        "FROM services s JOIN service_state t ON t.service_id = s.id "
        "LEFT JOIN service_reach r ON r.service_id = s.id WHERE s.id = ANY(%(ids)s) AND s.retired_at IS NULL",
        {"ids": list(service_ids)},
    )
    return {row.id: _standing(row, now) for row in rows}


def _standing(row: Any, now: datetime) -> Standing:
    return Standing(
        soft=row.soft and not row.paused,
        last_started=row.last_started,
        next_check=None if row.paused else _next_check(row, now),
        every_s=row.every_ms / 1000,
        reachable_since=None if row.paused else row.until,
        took_s=(row.last_ended - row.last_started).total_seconds() if row.last_started else 0.0,
    )


def _next_check(row: Any, now: datetime) -> datetime:
    interval_ns = row.every_ms * 1_000_000
    now_ns, phase_ns = (now - _EPOCH) // _US * 1000, phase(str(row.uuid), interval_ns)
    latest, following = (
        _EPOCH + timedelta(microseconds=slot // 1000)
        for slot in (slot_at(now_ns, interval_ns, phase_ns), next_slot(now_ns, interval_ns, phase_ns))
    )
    return awaited(row.last_started, latest, following, row.timeout_ms / 1000, now)
