"""When a reason for which nobody was told may be taken away.

The end of a window, of an outage further up or of flapping says nothing about the service itself yet: what is known of
it may be minutes old. So a reason outlives its cause until the state is confirmed, a check is not about to say more,
and the latest result is younger than the recovery of what the service depends on. The rules are Icinga's
(``Checkable::FireSuppressedNotifications``); they keep the end of every maintenance from becoming a storm.

This module must never decide who is told, and never reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.domain.slots import stored_within

SOON_S = 60.0
"""A check that comes within this time is waited for."""

SPARE_S = 10.0
"""But never so long that a service would be waited for from one check to the next."""

ANSWER_GRACE_S = 0.75
"""How long after its time-out the result of a check may take to arrive, besides waiting for others."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a service when a reason could be taken away.

    ``next_check`` is when the check comes whose result is awaited, in the past while it runs; None where none will
    come. ``took_s`` is how long the latest check took. ``reachable_since`` is when the last of those it depends on
    recovered, None where none ever failed.
    """

    soft: bool
    last_started: datetime | None
    next_check: datetime | None
    every_s: float
    reachable_since: datetime | None = None
    took_s: float = 0.0


def may_release(standing: Standing, now: datetime) -> bool:
    """Whether a reason whose cause is over may be taken away now.

    >>> from datetime import UTC
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> due = [now + timedelta(seconds=seconds) for seconds in (19, 21)]
    >>> [may_release(Standing(False, now, at, 30.0), now) for at in due]
    [False, True]
    """
    if standing.soft:
        return False
    if standing.next_check is not None and standing.next_check <= now + _soon(standing):
        return False
    if standing.reachable_since is None:
        return True
    return standing.last_started is not None and standing.last_started > standing.reachable_since


def awaited(
    last_started: datetime | None, latest_slot: datetime, next_slot: datetime, timeout_s: float, now: datetime
) -> datetime:
    """When the check comes, or came, whose result is awaited: the latest slot's while that may still be running."""
    waits_s = stored_within((next_slot - latest_slot).total_seconds())
    overdue = latest_slot + timedelta(seconds=timeout_s + waits_s + ANSWER_GRACE_S)
    running = (last_started is None or last_started < latest_slot) and now < overdue
    return latest_slot if running else next_slot


def _soon(standing: Standing) -> timedelta:
    """Within which time a check is near: never so long that a check which takes its time out is always near."""
    return timedelta(seconds=max(0.0, min(SOON_S, standing.every_s - standing.took_s - SPARE_S)))
