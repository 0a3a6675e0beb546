"""The part of the desk that has to do with heartbeats."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from watchfloor.operations.actor import Actor, Refused
from watchfloor.store import heartbeats as store
from watchfloor.store.database import Database
from watchfloor.store.heartbeats import BeatRow, PingRow


class HeartbeatDesk:
    """Reads heartbeats and makes their tokens for one actor."""

    _connect: Callable[[], Awaitable[Database]]
    _actor: Actor

    async def heartbeats(self) -> Sequence[BeatRow]:
        """Every heartbeat."""
        async with (await self._connect()).connection() as connection:
            return await store.board(connection)

    async def pings(self, name: str) -> Sequence[PingRow]:
        """The latest pings of a heartbeat, the newest first. Raises `Refused`."""
        from watchfloor.operations import heartbeats

        async with (await self._connect()).connection() as connection:
            found = {row.name: row.service_id for row in await store.board(connection)}
            if name not in found:
                raise Refused(heartbeats.no_such(name, list(found)))
            return await store.pings(connection, found[name])

    async def new_token(self, name: str) -> str:
        """Make a token for a heartbeat and return it, this once. Raises `Refused`."""
        from watchfloor.operations import heartbeats

        return await heartbeats.new_token(await self._connect(), self._actor, name)
