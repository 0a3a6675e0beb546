"""The part of the desk that is about who is on call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from watchfloor.domain.duty_boards import ChainRow, DutyRow, HeldRow, OnCallRow, PersonRow, duty_rows
from watchfloor.operations.actor import Actor
from watchfloor.store import escalations, health
from watchfloor.store.database import Database


class OnCallDesk:
    """Rotas, chains and hand-overs of one database."""

    _connect: Callable[[], Awaitable[Database]]
    _actor: Actor

    async def on_call(self, at: datetime | None = None) -> Sequence[OnCallRow]:
        """Who is on call in each rota, now or at another moment."""
        from watchfloor.operations import oncall

        async with (await self._connect()).connection() as connection:
            return await oncall.on_call(connection, at or await health.clock(connection))

    async def people(self) -> Sequence[PersonRow]:
        """Everybody who can be told, who is on call now first."""
        from watchfloor.operations import oncall

        async with (await self._connect()).connection() as connection:
            return await oncall.people(connection, await health.clock(connection))

    async def chains(self) -> Sequence[ChainRow]:
        """Chains that run or stand still."""
        async with (await self._connect()).connection() as connection:
            return await escalations.board(connection)

    async def held(self) -> Sequence[HeldRow]:
        """What quiet hours hold."""
        async with (await self._connect()).connection() as connection:
            return await escalations.held(connection)

    async def duty(self) -> Sequence[DutyRow]:
        """Who is on call and who is being called, as one list."""
        from watchfloor.operations import oncall

        async with (await self._connect()).connection() as connection:
            rotas = await oncall.on_call(connection, await health.clock(connection))
            return duty_rows(rotas, await escalations.board(connection), await escalations.held(connection))

    async def override_rota(self, rota: str, person: str, start: datetime | None, end: datetime) -> int:
        """Put a person on call for a time; returns the number of the override. Raises `Refused`."""
        from watchfloor.operations import oncall

        return await oncall.override(await self._connect(), self._actor, rota, person, start, end)

    async def end_override(self, number: int) -> None:
        """End an override. Raises `Refused`."""
        from watchfloor.operations import oncall

        await oncall.end_override(await self._connect(), self._actor, number)

    async def hand_over(self, alert_ids: Sequence[int], person: str, note: str = "") -> Sequence[int]:
        """Make alerts the matter of a person; the ids that changed. Raises `Refused`."""
        from watchfloor.operations import oncall

        return await oncall.hand_over(await self._connect(), self._actor, alert_ids, person, note)
