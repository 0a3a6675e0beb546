"""Asks an engine to check a service once before it is saved. The console itself never probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from watchfloor.operations.actor import Actor, may_change
from watchfloor.store import audit, trials
from watchfloor.store.database import Database
from watchfloor.store.pulse import pulse

if TYPE_CHECKING:
    from watchfloor.operations.judge import Judge


async def try_service(database: Database, actor: Actor, judge: Judge, raw: Mapping[str, Any]) -> UUID:
    """Ask for a trial of a service as it is written; returns its id. Raises `Invalid` or `Refused`."""
    may_change(actor)
    service = judge.service(raw)
    trial_id = uuid4()
    async with database.transaction() as connection:
        timeout_ms = round(service.timeout_s * 1000)
        await trials.ask(connection, trial_id, actor.name, service.kind, service.raw, timeout_ms)
        await audit.record(connection, [audit.Line(actor.name, "test", "service", service.name)])
        await pulse(connection, "checks")
    return trial_id
