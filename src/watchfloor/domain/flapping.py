"""Flapping: a service that changes too often is told of once, not at every change.

The measure is Icinga's (``lib/icinga/checkable-flapping.cpp``): of the latest twenty results those that differ from
the one before are counted, recent ones for more than old ones, as a share of what twenty changes would be worth at the
middle weight. Every result counts, soft ones too; one that found nothing out (``unknown``, unless the policy counts it
as a problem) is no result. Between the two thresholds nothing changes, so that flapping itself does not flap.

This module must never look at a clock, at alerts or at storage.
"""

from __future__ import annotations

from dataclasses import dataclass

from watchfloor.domain.outcome import Status

RING = 20
"""How many results are looked at."""

START, STOP = 30.0, 25.0
"""Flapping starts above the first and stops at or below the second, in percent."""

ESCALATES_AFTER_S = 1800.0
"""Flapping never keeps back the escalation of an alert that fires, unacknowledged, for longer than this."""

_MASK = (1 << RING) - 1
_WEIGHTS = tuple(80 + 2 * age for age in range(RING))  # of 100, the oldest first


@dataclass(frozen=True, slots=True)
class Flapping:
    """What is remembered: bit 0 of ``changes`` stands for the latest result, bit 19 for the oldest."""

    changes: int = 0
    last: Status | None = None
    active: bool = False

    @property
    def percent(self) -> float:
        """How much the service changes.

        >>> round(Flapping(changes=0b111111).percent, 1)
        33.9
        """
        return weight(self.changes) / RING


STEADY = Flapping()
"""A service that was never checked."""


def observe(
    flapping: Flapping,
    status: Status,
    *,
    start: float = START,
    stop: float = STOP,
    unknown_counts: bool = False,
) -> Flapping:
    """Take in one result."""
    if status is Status.UNKNOWN and not unknown_counts:
        return flapping
    changed = flapping.last is not None and flapping.last is not status
    changes = (flapping.changes << 1 | changed) & _MASK
    active = weight(changes) > (stop if flapping.active else start) * RING
    if (changes, status, active) == (flapping.changes, flapping.last, flapping.active):
        return flapping
    return Flapping(changes, status, active)


def weight(changes: int) -> int:
    """The worth of a row of changes, in hundredths of a change."""
    total, age = 0, RING - 1
    while changes:
        if changes & 1:
            total += _WEIGHTS[age]
        changes >>= 1
        age -= 1
    return total


def pack(flapping: Flapping) -> int:
    """One small number for the ring and the last status.

    >>> unpack(pack(Flapping(5, Status.FAILING)), False) == Flapping(5, Status.FAILING)
    True
    """
    return flapping.changes | (0 if flapping.last is None else int(flapping.last) + 1) << RING


def unpack(packed: int, active: bool) -> Flapping:
    """What `pack` made one number of."""
    last = packed >> RING
    return Flapping(packed & _MASK, Status(last - 1) if last else None, active)
