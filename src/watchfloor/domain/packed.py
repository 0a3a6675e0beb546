"""Results of closed hours in two bytes each: what the code of one means, and how a row of them is read.

The status is exact. The latency is a logarithm in `STEPS` steps to a factor of e: within 0.08 % (plus half a
microsecond) up to a day, beyond that a day. The time is the slot, not the start: exact to the microsecond where
checks keep their rhythm, within half a millisecond where one came out of turn. Rows that keep the rhythm say
nothing about time at all; each that does not costs six bytes more. The database packs
(`watchfloor.store.packing`); here is the only place that unpacks.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from watchfloor.domain.outcome import Status

STEPS = 650
LATENCY_CODES = 1 << 14
"""Codes of a latency: 0 is none, the others count steps from 0 µs."""

ERROR = math.expm1(0.5 / STEPS)
"""The bound of the relative error of a latency."""

BIAS = 1 << 15
NOTES = 12
NOTE_LENGTH = 200
"""Of a block so many words of results that were not ok are kept, each cut to this length; after them comes silence."""


@cache
def _latencies() -> tuple[int | None, ...]:
    """What each code stands for, in µs; made when it is first asked for: it takes tens of milliseconds."""
    return (None, *(round(math.expm1(code / STEPS)) for code in range(LATENCY_CODES - 1)))


@dataclass(frozen=True, slots=True)
class Block:
    """Results of one service from a closed stretch of time, as they are stored."""

    step_ms: int
    first: datetime
    codes: bytes
    gaps: bytes
    notes: Sequence[tuple[int, str]] = ()

    def __len__(self) -> int:
        return len(self.codes) // 2


@dataclass(frozen=True, slots=True)
class PackedResult:
    """One result as packing keeps it; ``summary`` is empty for an ok one."""

    slot: datetime
    status: Status
    latency_us: int | None
    summary: str


def code_of(status: Status, latency_us: int | None) -> int:
    """The code of one result.

    >>> [code_of(Status.OK, us) for us in (None, 0, 1)], code_of(Status.UNKNOWN, None)
    ([0, 1, 452], 49152)
    """
    place = 0
    if latency_us is not None:
        place = min(LATENCY_CODES - 1, 1 + round(math.log1p(latency_us) * STEPS))
    return int(status) * LATENCY_CODES + place


def meaning(code: int) -> tuple[Status, int | None]:
    """Status and latency in microseconds of one code.

    >>> meaning(code_of(Status.DEGRADED, 250_000))
    (<Status.DEGRADED: 1>, 250003)
    """
    return Status(code // LATENCY_CODES), _latencies()[code % LATENCY_CODES]


def unpack(block: Block) -> Iterator[PackedResult]:
    """The results of a block, oldest first."""
    odd = dict(struct.iter_unpack(">hi", block.gaps))
    notes = dict(block.notes)
    at_ms, said = 0, ""
    for place, (stored,) in enumerate(struct.iter_unpack(">h", block.codes)):
        if place:
            at_ms += odd.get(place - BIAS, block.step_ms)
        status, latency_us = meaning(stored + BIAS)
        said = notes.get(place, said)
        yield PackedResult(
            slot=block.first + timedelta(milliseconds=at_ms),
            status=status,
            latency_us=latency_us,
            summary="" if status is Status.OK else said,
        )
