"""What the loops of one engine share: who the node is, its database, its clock, its counters.

A loop may read anything here and write its own counters; it never reaches into another loop.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from watchfloor.domain.ids import TimeOrderedIds
from watchfloor.domain.sharing import owner, watchers
from watchfloor.store.database import Database
from watchfloor.store.pulse import Pulse
from watchfloor.store.services import Service
from watchfloor.store.sharing import Peer


def steady_ns() -> int:
    """Nanoseconds that never jump and go on while the machine sleeps; of no meaning by themselves."""
    return time.clock_gettime_ns(_STEADY)


def moment(ns: int) -> datetime:
    """The moment ``ns`` nanoseconds after the beginning of 1970."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def nanoseconds(at: datetime) -> int:
    """The nanoseconds of a moment since the beginning of 1970: exact, as a float of so many would not be."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


NS = 1_000_000_000
"""Nanoseconds in a second."""

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
        return moment(self.now_ns())

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
    peers: Mapping[int, Peer] = field(default_factory=dict)  # these, and those that did a moment ago
    sees: frozenset[int] = frozenset()  # the nodes to which this one has left what is theirs
    let_go_at: datetime | None = (
        None  # what it gave away last it checked at every slot before, and at none after
    )
    round_trips: deque[float] = field(
        default_factory=lambda: deque(maxlen=30)
    )  # to the database, in milliseconds
    held: bool = False  # it owns nothing until its peers have let go of what is its own
    trusted_until_ns: float = math.inf  # of `steady_ns`: until then no peer can have declared it lost
    outbox_filled: Callable[[], None] = lambda: None
    """Wakes this node's courier at once; the pulse, which other nodes hear, takes turns."""

    @property
    def live_ids(self) -> tuple[int, ...]:
        """The nodes that share the work."""
        return tuple(self.live)

    @property
    def may_check(self) -> bool:
        """Whether this node may start checks: no peer can do so in its place."""
        return not self.held and (len(self.live) < 2 or self.trusted)

    @property
    def trusted(self) -> bool:
        """Whether the lease lasts, by what this node knows."""
        return steady_ns() < self.trusted_until_ns

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
