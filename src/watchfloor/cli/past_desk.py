"""The desk of a past moment: the boards as they were then. It can only be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from watchfloor.domain.boards import AlertDetail, AlertRow, HealthRow, ServiceDetail
from watchfloor.store import past, past_alerts
from watchfloor.store.database import Database


class PastDesk:
    """Reads what was known at one moment."""

    def __init__(self, connect: Callable[[], Awaitable[Database]], at: datetime) -> None:
        self._connect = connect
        self._at = at

    async def health(self) -> Sequence[HealthRow]:
        """Every service that was watched or paused then."""
        async with (await self._connect()).connection() as connection:
            return await past.board(connection, self._at)

    async def service(self, service_id: int) -> ServiceDetail | None:
        """One service; None when it was not watched then."""
        async with (await self._connect()).connection() as connection:
            return await past.service_detail(connection, service_id, self._at)

    async def alerts(self, *, resolved: bool) -> Sequence[AlertRow]:
        """Alerts that were open then, followed by those resolved shortly before if asked."""
        async with (await self._connect()).connection() as connection:
            rows = await past_alerts.open_alerts(connection, self._at)
            if resolved:
                rows += await past_alerts.resolved_alerts(connection, self._at)
        return rows

    async def alert(self, alert_id: int) -> AlertDetail | None:
        """One alert; None when it was not there yet."""
        async with (await self._connect()).connection() as connection:
            return await past_alerts.alert_detail(connection, alert_id, self._at)
