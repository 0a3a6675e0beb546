"""What a person can do to a service: pause and resume its checks, ask for one now."""

from __future__ import annotations

from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.store import audit
from watchfloor.store.database import Database
from watchfloor.store.health import clock
from watchfloor.store.pauses import book_pauses
from watchfloor.store.pulse import pulse
from watchfloor.store.services import find_service, request_check
from watchfloor.store.services import set_paused as store_paused


async def set_paused(database: Database, actor: Actor, service_id: int, paused: bool) -> bool:
    """Pause or resume checks; False when that is how it was. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        service = await find_service(connection, service_id, lock=True)
        if service is None:
            raise Refused(f"There is no service #{service_id} any more.")
        if service.paused == paused:
            return False
        await store_paused(connection, service_id, paused)
        await book_pauses(connection, [service.name], await clock(connection))
        word = "pause" if paused else "resume"
        line = audit.Line(
            actor.name, word, "service", str(service_id), {"paused": service.paused}, {"paused": paused}
        )
        await audit.record(connection, [line])
        await pulse(connection, "services", "health")
    return True


async def check_now(database: Database, actor: Actor, service_id: int) -> None:
    """Ask the engine for a check right away. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        service = await find_service(connection, service_id)
        if service is None:
            raise Refused(f"There is no service #{service_id} any more.")
        if service.paused:
            raise Refused(f"{service.name} is paused; resume it first.")
        await request_check(connection, service_id, actor.name)
        await audit.record(connection, [audit.Line(actor.name, "check now", "service", str(service_id))])
        await pulse(connection, "checks")
