"""When a check is due: slots on a grid that survives restarts.

A check with interval ``I`` runs at ``phase + k·I``, counted in nanoseconds of UTC since the epoch. The phase
comes from a hash of the check's identity, so checks spread over their interval without any ramp at start, and
the same check keeps its seconds after a restart and on another node. What is found in a slot is stored well
before the next one. This module never reads a clock and never queues: a slot that passed unused is counted, not
caught up.
"""

from __future__ import annotations

from hashlib import blake2b

GRID_NS = 20_000_000
"""Phases lie on this grid, in nanoseconds, so that a node with thousands of checks begins a few of them at a time
and sleeps in between. It is far below what anybody could tell of a schedule."""

LONGEST_WAIT_S = 1.0
"""No result waits longer than that for others."""

RETRY_CEILING_S = 60.0
"""A soft problem is checked again at least this often, in seconds."""


def phase(check_uuid: str, interval_ns: int) -> int:
    """Where in its interval a check runs: stable, in ``[0, interval_ns)``, evenly spread over checks.

    >>> phase("6f2c1d5e-0000-4000-8000-000000000001", 30_000_000_000) < 30_000_000_000
    True
    """
    digest = blake2b(check_uuid.encode(), digest_size=8).digest()
    somewhere = int.from_bytes(digest, "big") % _checked(interval_ns)
    return somewhere - somewhere % GRID_NS


def slot_at(now_ns: int, interval_ns: int, phase_ns: int) -> int:
    """The latest slot that is not after ``now_ns``.

    >>> slot_at(now_ns=107, interval_ns=10, phase_ns=3)
    103
    """
    return now_ns - (now_ns - phase_ns) % interval_ns


def next_slot(now_ns: int, interval_ns: int, phase_ns: int) -> int:
    """The first slot after ``now_ns``.

    >>> next_slot(now_ns=103, interval_ns=10, phase_ns=3)
    113
    """
    return now_ns - (now_ns - phase_ns) % interval_ns + interval_ns


def missed(last_slot_ns: int, now_ns: int, interval_ns: int) -> int:
    """How many slots passed unused between ``last_slot_ns``, the last one used, and the one due now.

    >>> [missed(100, now, 10) for now in (95, 109, 110, 119, 120, 135)]
    [0, 0, 0, 0, 1, 2]
    """
    return max(0, (now_ns - last_slot_ns) // interval_ns - 1)


def retry_interval(interval_s: float) -> float:
    """Seconds from the end of a failed run to the next one while the problem is soft.

    >>> retry_interval(300), retry_interval(5)
    (60.0, 5)
    """
    return min(interval_s, RETRY_CEILING_S)


def stored_within(every_s: float) -> float:
    """For how many seconds a result may wait for others, with which it is stored: a small part of its interval.

    What is known of a service must not always be what was found in the slot before.

    >>> [stored_within(every_s) for every_s in (1, 4, 30)]
    [0.125, 0.5, 1.0]
    """
    return min(LONGEST_WAIT_S, every_s / 8)


def _checked(interval_ns: int) -> int:
    if interval_ns <= 0:
        raise ValueError(f"an interval must be longer than nothing, not {interval_ns} ns")
    return interval_ns
