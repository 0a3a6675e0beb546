"""Waits that went on while nobody looked, or looked in vain: when a pending alert may fire.

The rule is Prometheus' (``RestoreForState``): time in which nobody knew whether the condition held counts neither for
nor against it, up to an hour; after a longer gap the wait begins anew. A result that found nothing out advances no
wait either. This module never reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST = timedelta(hours=1)
"""What was so long unobserved says nothing any more."""

GRACE = timedelta(minutes=10)
"""An alert that had nearly waited long enough is given this long to be found well, or as long as it waits at all."""

SHORTEST = timedelta(seconds=30)
"""A result that is missing for less is merely late."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Time in which nobody knew whether a service's problem went on, up to a result.

    ``found``: that result found the problem still there, after a gap; if not, it found nothing out.
    """

    service_id: int
    since: datetime
    until: datetime
    found: bool


def is_gap(silent_s: float, interval_s: float, timeout_s: float) -> bool:
    """Whether nobody looked for so long that the time between two results counts as unseen; all in seconds.

    >>> is_gap(79, 30, 10), is_gap(81, 30, 10), is_gap(29, 1, 1)
    (False, True, False)
    """
    return silent_s > max(SHORTEST.total_seconds(), 2 * (interval_s + timeout_s))


def put_off(active_at: datetime, fire_at: datetime, unseen: Unseen) -> datetime:
    """When a pending alert fires whose service was unseen for a while."""
    if unseen.found:
        return restored(active_at, fire_at, unseen.since, unseen.until)
    return fire_at + max(unseen.until - unseen.since, timedelta(0))


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
