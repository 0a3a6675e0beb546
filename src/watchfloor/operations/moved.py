"""An alert that changed, between what changed it and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchfloor.domain.alert import Alert, Event, EventKind
from watchfloor.domain.message import About
from watchfloor.store.alerts import StoredAlert


def subject_key(service_id: int) -> str:
    """Whom an alert is about, when that is the state of a service."""
    return f"service:{service_id}"


@dataclass(frozen=True, slots=True)
class Moved:
    """An alert as it became, the events that led there, and the number of the first of them."""

    stored: StoredAlert
    before: str  # its state before; empty for a new one
    alert: Alert
    events: Sequence[Event]
    first_seq: int
    title: str
    summary: str
    behind: int = 0  # so many services are out of reach because of it

    @property
    def numbered(self) -> tuple[tuple[int, Event], ...]:
        """The events with their numbers."""
        return tuple((self.first_seq + n, event) for n, event in enumerate(self.events))

    @property
    def words(self) -> About:
        """Whom it is about, and what is said."""
        stored = self.stored
        return About(stored.id, str(stored.uuid), self.title, self.summary, stored.labels, self.behind)

    @property
    def kinds(self) -> frozenset[EventKind]:
        """What happened."""
        return frozenset(event.kind for event in self.events)
