"""The part of the desk that has to do with incidents."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from watchfloor.domain.boards import IncidentRow
from watchfloor.domain.post_mortem import IncidentReport, markdown
from watchfloor.operations.actor import Actor, Refused
from watchfloor.store import health
from watchfloor.store import incidents as store
from watchfloor.store.database import Database


class IncidentDesk:
    """Reads incidents and leaves notes for one actor."""

    _connect: Callable[[], Awaitable[Database]]
    _actor: Actor

    async def incidents(self, *, only_open: bool = False) -> Sequence[IncidentRow]:
        """The newest incidents, those that are open first."""
        async with (await self._connect()).connection() as connection:
            return await store.incidents(connection, only_open=only_open)

    async def incident(self, incident_id: int) -> IncidentReport | None:
        """One incident with everything that belongs to it; None where there is none."""
        async with (await self._connect()).connection() as connection:
            return await store.report(connection, incident_id, await health.clock(connection))

    async def incident_page(self, incident_id: int) -> IncidentReport | None:
        """One incident as far as a screen shows it; None where there is none."""
        async with (await self._connect()).connection() as connection:
            return await store.report(connection, incident_id, await health.clock(connection), whole=False)

    async def post_mortem(self, incident_id: int, directory: Path) -> Path:
        """Write an incident to a file of Markdown. Raises `Refused`, `OSError`."""
        async with (await self._connect()).connection() as connection:
            now = await health.clock(connection)
            report = await store.report(connection, incident_id, now)
        if report is None:
            raise Refused(f"There is no incident #{incident_id}.")
        path = directory / f"incident-{report.id}-{now:%Y%m%dT%H%M%SZ}.md"
        await asyncio.to_thread(path.write_text, markdown(report, now), encoding="utf-8")
        return path

    async def note_incident(self, incident_id: int, text: str) -> None:
        """Put a note into the timeline of an incident. Raises `Refused`."""
        from watchfloor.operations import incidents

        await incidents.note(await self._connect(), self._actor, incident_id, text)
