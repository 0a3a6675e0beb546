"""Ids that sort by time and fit PostgreSQL's ``bigint``.

An id has 63 bits: 43 of milliseconds since 2020 (enough until 2298), 10 of the writer's tag, 10 of a counter.
Two writers with different tags never make the same id; one writer never makes the same id twice, nor a
smaller one after a greater one, even where its clock steps back. The moment in an id is for sorting and must
never be taken for the time something happened.
"""

from __future__ import annotations

from secrets import randbelow, randbits
from threading import Lock
from uuid import UUID

EPOCH_NS = 1_577_836_800_000_000_000
"""2020-01-01T00:00:00Z, the moment of id 0, in nanoseconds of UTC."""

TAGS = 1024
"""How many writers can be told apart."""

_COUNTER_BITS = 10
_LOW_BITS = 20
_COUNTER_END = 1 << _COUNTER_BITS
_NS_PER_MS = 1_000_000


class TimeOrderedIds:
    """Makes ids for one writer; safe to use from several threads.

    ``tag`` tells writers apart that may write to the same place: a node gives its id modulo `TAGS`. Without
    one a tag is drawn, which makes a clash of two writers unlikely, not impossible. Raises `ValueError` for
    a tag out of range.
    """

    def __init__(self, tag: int | None = None) -> None:
        drawn = randbelow(TAGS) if tag is None else tag
        if not 0 <= drawn < TAGS:
            raise ValueError(f"the tag of a writer must be from 0 to {TAGS - 1}, not {drawn}")
        self._tag = drawn << _COUNTER_BITS
        self._ms = 0
        self._counter = 0
        self._lock = Lock()

    def next(self, now_ns: int) -> int:
        """A new id, greater than all before; ``now_ns`` is the wall clock in nanoseconds of UTC.

        More than 1,024 in one millisecond, or in the time a clock stepped back, run ahead of the clock.
        """
        with self._lock:
            ms = (now_ns - EPOCH_NS) // _NS_PER_MS
            if ms > self._ms:
                self._ms, self._counter = ms, 0
            elif self._counter == _COUNTER_END:
                self._ms, self._counter = self._ms + 1, 0
            made = self._ms << _LOW_BITS | self._tag | self._counter
            self._counter += 1
            return made


def moment_ns(id_: int) -> int:
    """When an id was made, in nanoseconds of UTC, to the millisecond."""
    return (id_ >> _LOW_BITS) * _NS_PER_MS + EPOCH_NS


def uuid7(now_ns: int) -> UUID:
    """A UUID of version 7 (RFC 9562): sorts by the moment it was made, in nanoseconds of UTC, to the millisecond."""
    head = (now_ns // _NS_PER_MS & (1 << 48) - 1) << 80
    return UUID(int=head | 0x7 << 76 | randbits(12) << 64 | 0b10 << 62 | randbits(62))
