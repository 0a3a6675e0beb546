"""Makes sure that facts have a partition to go to, also those that waited while the database was away."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import cast

from watchfloor.engine.node import Node
from watchfloor.store.partitions import ensure_partitions

AHEAD = timedelta(days=2)
"""Facts from farther in the future come from a clock that is wrong."""


class Days:
    """The days for which one writer has seen partitions."""

    def __init__(self, node: Node, retention: str) -> None:
        """``retention`` is the setting that says how many days back are worth a partition."""
        self._node = node
        self._retention = retention
        self._seen: set[date] = set()

    async def ensure(self, moments: Iterable[datetime]) -> None:
        """Create what is missing for ``moments``. Raises when the database is away."""
        today = self._node.clock.now().date()
        oldest = today - timedelta(days=cast(int, self._node.settings[self._retention]))
        for day in sorted({moment.astimezone(UTC).date() for moment in moments} - self._seen):
            if oldest <= day <= today + AHEAD:
                async with self._node.database.transaction() as connection:
                    await ensure_partitions(connection, day, ahead=1)
                self._seen.add(day)
