"""The part of the desk that is about telling: silences, and the history of deliveries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from watchfloor.domain.boards import SentDetail, SentRow, SilenceRow
from watchfloor.domain.silences import Reach, Wish
from watchfloor.operations.actor import Actor
from watchfloor.store import deliveries, health, settings, silences
from watchfloor.store.database import Database
from watchfloor.store.deliveries import DeliveryFilter
from watchfloor.store.rules import load_channels


class TellingDesk:
    """Silences and deliveries of one database."""

    _connect: Callable[[], Awaitable[Database]]
    _actor: Actor

    async def silences(self, *, over: bool = False, before: int | None = None) -> Sequence[SilenceRow]:
        """Silences in force or to come (``over``: all), the newest first; page by passing the last number."""
        async with (await self._connect()).connection() as connection:
            return await silences.board(connection, await health.clock(connection), over=over, before=before)

    async def silence_reach(self, matchers: Sequence[str]) -> Reach:
        """What matches now. Raises `Refused`."""
        from watchfloor.operations import silences as operations

        return await operations.reach(await self._connect(), matchers)

    async def add_silence(self, wish: Wish) -> int:
        """Tell nobody of what matches; returns the number of the silence. Raises `Refused`."""
        from watchfloor.operations import silences as operations

        return await operations.add(await self._connect(), self._actor, wish)

    async def add_silences(self, wishes: Sequence[Wish]) -> Sequence[int]:
        """Tell nobody of what matches one of them; returns the numbers of the silences. Raises `Refused`."""
        from watchfloor.operations import silences as operations

        return await operations.add_all(await self._connect(), self._actor, wishes)

    async def change_silence(self, silence: int, wish: Wish) -> int:
        """Put another silence in the place of one; returns its number. Raises `Refused`."""
        from watchfloor.operations import silences as operations

        return await operations.change(await self._connect(), self._actor, silence, wish)

    async def expire_silences(self, ids: Sequence[int]) -> Sequence[int]:
        """End silences now; those that were not over. Raises `Refused`."""
        from watchfloor.operations import silences as operations

        return await operations.expire(await self._connect(), self._actor, ids)

    async def reinstate_silence(self, silence: int, ends_at: datetime | None) -> int:
        """Take the end of a silence back, until the moment at which it would have ended. Raises `Refused`."""
        from watchfloor.operations import silences as operations

        return await operations.reinstate(await self._connect(), self._actor, silence, ends_at)

    async def deliveries(
        self, wanted: DeliveryFilter, before: tuple[datetime, UUID] | None = None, limit: int = 200
    ) -> Sequence[SentRow]:
        """Messages that were sent or wait, the newest first; page by passing the key of the last one."""
        async with (await self._connect()).connection() as connection:
            return await deliveries.history(connection, wanted, before, limit)

    async def sent(self, message: str) -> SentDetail | None:
        """One message with its words, or None when there is none."""
        from watchfloor.cli.sent_words import words_of  # it comes with every kind of channel

        async with (await self._connect()).connection() as connection:
            found = await deliveries.sent(connection, UUID(message))
            known = await load_channels(connection)
            time_zone = await settings.time_zone(connection)
        return None if found is None else words_of(found, known.get(found.row.channel), time_zone)
