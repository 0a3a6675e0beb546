"""Which reasons for silence follow from the state of a service, and which of those an alert carries may go.

The rules put a reason in at once and take it out only when `watchfloor.domain.release` allows it. Reasons that come
from people (silences, inhibition, mute times) pass through untouched. This module must never decide who is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from watchfloor.domain.alert import Alert, AlertState, Suppression, Transition, suppress

OF_SERVICES = frozenset({Suppression.DEPENDENCY, Suppression.MAINTENANCE, Suppression.FLAPPING})
"""The reasons that follow from the state of services."""


@dataclass(frozen=True, slots=True)
class Causes:
    """Why a service is not spoken of now: ``root`` puts it out of reach, ``planned_since`` is when a window opened.

    ``doubted``: its failure may yet turn out to have its cause further up.
    """

    root: int | None = None
    doubted: bool = False
    planned_since: datetime | None = None
    flapping: bool = False

    @property
    def reasons(self) -> frozenset[Suppression]:
        """The reasons they stand for."""
        found = set()
        if self.root is not None or self.doubted:
            found.add(Suppression.DEPENDENCY)
        if self.planned_since is not None:
            found.add(Suppression.MAINTENANCE)
        if self.flapping:
            found.add(Suppression.FLAPPING)
        return frozenset(found)


NO_CAUSES = Causes()


def put_in(alert: Alert, causes: Causes, now: datetime) -> Transition:
    """Add what keeps an open alert quiet from now on; nothing is taken out."""
    if alert.state is AlertState.RESOLVED:
        return alert, ()
    return suppress(alert, alert.suppressed | causes.reasons, now)


def settle(alert: Alert, causes: Causes, releasable: bool, now: datetime) -> Transition:
    """Put in what holds, and where ``releasable`` take out what holds no more.

    What is resolved takes on no new reasons: nothing more happens to it that could be told.
    """
    alert, added = put_in(alert, causes, now)
    if not releasable:
        return alert, added
    alert, removed = suppress(alert, _staying(alert.suppressed, causes.reasons), now)
    return alert, (*added, *removed)


def _staying(suppressed: Iterable[Suppression], reasons: frozenset[Suppression]) -> frozenset[Suppression]:
    return frozenset(reason for reason in suppressed if reason not in OF_SERVICES or reason in reasons)


def before_recovery(alert: Alert, causes: Causes, now: datetime) -> Transition:
    """What must happen before an alert resolves: the end of what began before a window is told inside it, too."""
    told_before = alert.fired_at is not None and (
        causes.planned_since is None or alert.fired_at < causes.planned_since
    )
    if not told_before or Suppression.MAINTENANCE not in alert.suppressed:
        return alert, ()
    return suppress(alert, alert.suppressed - {Suppression.MAINTENANCE}, now)
