"""The part of the desk that has to do with maintenance windows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from watchfloor.domain.planner import Planned, Slot, slots
from watchfloor.domain.windows import Spec, WindowRow, covers_in_words, row_of, rule_in_words
from watchfloor.operations.actor import Actor
from watchfloor.store import health
from watchfloor.store import maintenance as store
from watchfloor.store.database import Database
from watchfloor.store.maintenance import StoredWindow

PAST = timedelta(days=30)
RUNS_SHOWN = 500


def planned(stored: StoredWindow) -> Planned:
    """A stored window as the planner takes it."""
    window = stored.window
    return Planned(
        window,
        covers_in_words(window.selector),
        rule_in_words(window.spec),
        stored.note,
        stored.author,
        stored.owner,
        stored.origin,
        stored.retired,
    )


class MaintenanceDesk:
    """Reads windows and carries out operations on them for one actor."""

    _connect: Callable[[], Awaitable[Database]]
    _actor: Actor

    async def windows(self) -> Sequence[WindowRow]:
        """Every window in force."""
        async with (await self._connect()).connection() as connection:
            now = await health.clock(connection)
            runs = await store.recent_runs(connection, now)
            found = await store.load_windows(connection)
        return [
            row_of(each.window, runs, each.note, each.author, each.owner, each.origin, now) for each in found
        ]

    async def add_window(
        self, name: str, covers: Mapping[str, Sequence[str]], spec: Spec, note: str, opens_with: int | None
    ) -> int:
        """Add a window; returns its number. Raises `Refused`."""
        from watchfloor.operations import maintenance

        return await maintenance.add(await self._connect(), self._actor, name, covers, spec, note, opens_with)

    async def end_window(self, window_id: int) -> None:
        """Close a window that is open. Raises `Refused`."""
        from watchfloor.operations import maintenance

        await maintenance.end_now(await self._connect(), self._actor, window_id)

    async def slots(self) -> Sequence[Slot]:
        """When windows are, will be and were open; of the past as much as `PAST`."""
        async with (await self._connect()).connection() as connection:
            now = await health.clock(connection)
            found = await store.windows_since(connection, now - PAST)
            runs = await store.runs_since(connection, now - PAST, RUNS_SHOWN)
        return slots([planned(each) for each in found], runs, now)

    async def reopen_window(self, window_id: int) -> None:
        """Open a window again that was ended before its time. Raises `Refused`."""
        from watchfloor.operations import maintenance

        await maintenance.reopen(await self._connect(), self._actor, window_id)

    async def delete_window(self, window_id: int) -> None:
        """Take a window away. Raises `Refused`."""
        from watchfloor.operations import maintenance

        await maintenance.delete(await self._connect(), self._actor, window_id)
