"""What the loops of one engine share: who the node is, its database, its clock, its counters.

A loop may read anything here and write its own counters; it never reaches into another loop.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from watchfloor.domain.ids import TimeOrderedIds
from watchfloor.domain.sharing import owner, watchers
from watchfloor.store.database import Database
from watchfloor.store.pulse import Pulse
from watchfloor.store.services import Service


def steady_ns() -> int:
    """Nanoseconds that never jump and go on while the machine sleeps; of no meaning by themselves."""
    return time.clock_gettime_ns(_STEADY)


_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class Clock:
    """The database's clock as this machine counts on from the last reading.

    Whatever is done to the wall clock of this machine changes nothing here; until the first reading it is all
    there is to go by.
    """

    def __init__(self) -> None:
        self._ahead_ns = time.time_ns() - steady_ns()

    def measured(self, database_now: datetime, asked_ns: int, answered_ns: int) -> None:
        """Take a reading: the database said ``database_now`` between two moments of `steady_ns`."""
        self._ahead_ns = (database_now - _EPOCH) // _US * 1000 - (asked_ns + answered_ns) // 2

    @property
    def offset_s(self) -> float:
        """How far the database is ahead of this machine's wall clock, in seconds."""
        return (self.now_ns() - time.time_ns()) / 1e9

    def now(self) -> datetime:
        """Now, by the database's clock."""
        return _EPOCH + timedelta(microseconds=self.now_ns() // 1000)

    def now_ns(self) -> int:
        """Now, by the database's clock, in nanoseconds since 1970."""
        return steady_ns() + self._ahead_ns


@dataclass(slots=True)
class Node:
    """One running engine."""

    id: int
    name: str
    database: Database
    pulse: Pulse
    settings: Mapping[str, object]
    clock: Clock = field(default_factory=Clock)
    ids: TimeOrderedIds = field(default_factory=TimeOrderedIds)
    counters: Counter[str] = field(default_factory=Counter)
    live: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # tags of the nodes that share the work
    outbox_filled: Callable[[], None] = lambda: None
    """Wakes this node's courier at once; the pulse, which other nodes hear, takes turns."""

    @property
    def live_ids(self) -> tuple[int, ...]:
        """The nodes that share the work."""
        return tuple(self.live)

    def watchers(self, service: Service) -> tuple[int, ...]:
        """The nodes that check a service, the one that books it first; none where no node may."""
        return watchers(str(service.uuid), self._sharing, service.on_nodes, service.quorum)

    def speaks_for(self, service: Service) -> bool:
        """Whether this node books what becomes of a service, be it only that nobody may check it."""
        found = self.watchers(service)
        return (found[0] if found else owner(str(service.uuid), self._sharing)) == self.id

    @property
    def _sharing(self) -> Mapping[int, tuple[str, ...]]:
        return self.live or {self.id: ()}

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter that is shown to people: nothing is dropped, skipped or missed in silence."""
        self.counters[name] += by
