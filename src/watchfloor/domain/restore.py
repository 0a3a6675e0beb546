"""Waits that went on while nobody looked: when a pending alert may fire after the program was down.

The rule is Prometheus' (``RestoreForState``): time in which nobody knew whether the condition held counts neither for
nor against it, up to an hour; after a longer gap the wait begins anew. This module never reads a clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta

LONGEST = timedelta(hours=1)
"""What was so long unobserved says nothing any more."""

GRACE = timedelta(minutes=10)
"""An alert that had nearly waited long enough is given this long to be found well, or as long as it waits at all."""


def restored(active_at: datetime, fire_at: datetime, down_from: datetime, now: datetime) -> datetime:
    """When a pending alert fires that nobody looked at from ``down_from`` until ``now``.

    ``active_at`` is when its condition became true, ``fire_at`` when it was to fire. A moment that is past means: with
    the next look that finds the condition true.
    """
    wait = fire_at - active_at
    if now - down_from > LONGEST:
        return now + wait
    left = fire_at - now
    if left <= timedelta(0):
        return fire_at
    grace = min(GRACE, wait)
    if left < grace:
        return now + grace
    return fire_at + (now - down_from)
