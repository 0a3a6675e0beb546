"""What a person can do to an incident: leave a note in its timeline."""

from __future__ import annotations

from watchfloor.domain.text import clean
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.store import audit, incidents
from watchfloor.store.database import Database
from watchfloor.store.pulse import pulse

NOTE_LIMIT = 2000


async def note(database: Database, actor: Actor, incident_id: int, text: str) -> None:
    """Put a note into the timeline of an incident, open or closed. Raises `Refused`."""
    may_change(actor)
    words = clean(text, NOTE_LIMIT).strip()
    if not words:
        raise Refused("A note needs words.")
    async with database.transaction() as connection:
        if not await incidents.exists(connection, incident_id):
            raise Refused(f"There is no incident #{incident_id}.")
        await incidents.add_note(connection, incident_id, actor.name, words)
        line = audit.Line(actor.name, "note", "incident", str(incident_id), None, {"note": words})
        await audit.record(connection, [line])
        await pulse(connection, "health", "alerts")
