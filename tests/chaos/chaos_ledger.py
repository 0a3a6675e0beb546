"""What was seen and promised so far, and whether the database still stands by it.

Every look is one consistent snapshot. What was once seen of an alert's history, and every operation that was
confirmed to an operator, must be there in every later snapshot.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from watchfloor.domain.alert import Alert, AlertState, Event, EventKind, replay
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity
from watchfloor.store.database import Connection, Database, fetch_all

OPEN = (AlertState.FIRING, AlertState.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class SeenService:
    """A service as one look found it."""

    id: int
    hard: Status | None
    status: Status | None
    last_started: datetime | None


@dataclass(frozen=True, slots=True)
class SeenAlert:
    """An alert with its history as one look found it; ``service`` is empty where it is about something else."""

    id: int
    service: str
    fingerprint: str
    seq: int
    alert: Alert
    events: tuple[Event, ...]

    @property
    def open(self) -> bool:
        """Whether somebody has to care."""
        return self.alert.state in OPEN


@dataclass(frozen=True, slots=True)
class Sight:
    """One snapshot."""

    services: dict[str, SeenService]
    alerts: dict[int, SeenAlert]

    def fired(self, service: str) -> int:
        """How often a service was alerted about since the beginning."""
        events = (event for a in self.alerts.values() if a.service == service for event in a.events)
        return sum(event.kind in (EventKind.FIRED, EventKind.REOPENED) for event in events)


async def look(database: Database) -> Sight:
    """Take a snapshot. Raises what the database raises when it is away."""
    async with database.transaction() as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        services = {
            row.name: SeenService(row.id, _status(row.hard), _status(row.status), row.last_started)
            for row in await fetch_all(
                connection,
                "SELECT s.name, s.id, t.hard, t.status, t.last_started FROM services s "
                "JOIN service_state t ON t.service_id = s.id WHERE s.retired_at IS NULL",
            )
        }
        return Sight(services, await _alerts(connection))


def _status(code: int | None) -> Status | None:
    return None if code is None else Status(code)


async def _alerts(connection: Connection) -> dict[int, SeenAlert]:
    histories: dict[int, list[tuple[int, Event]]] = {}
    for row in await fetch_all(
        connection,
        "SELECT alert_id, seq, at, kind, actor, note, data FROM alert_events ORDER BY alert_id, seq",
    ):
        event = Event(EventKind(row.kind), row.at, row.actor, row.note, row.data)
        histories.setdefault(row.alert_id, []).append((row.seq, event))
    alerts = {}
    for row in await fetch_all(
        connection,
        "SELECT a.*, coalesce(s.name, '') AS service FROM alerts a LEFT JOIN services s ON s.id = a.service_id",
    ):
        history = histories.pop(row.id, [])
        assert [seq for seq, _ in history] == list(range(row.seq)), f"the history of #{row.id} has holes"
        events = tuple(event for _, event in history)
        alerts[row.id] = SeenAlert(row.id, row.service, row.fingerprint, row.seq, _alert(row), events)
    assert not histories, f"events of alerts that are gone: {sorted(histories)}"
    return alerts


def _alert(row: Any) -> Alert:
    return Alert(
        state=AlertState(row.state),
        severity=Severity(row.severity),
        active_at=row.active_at,
        fired_at=row.fired_at,
        acked_by=row.acked_by,
        acked_until=row.acked_until,
        note=row.note,
        sticky=row.sticky,
        ended_at=row.ended_at,
        resolved_at=row.resolved_at,
        reopen_count=row.reopen_count,
        held=row.held,
        suppressed=frozenset(row.suppressed),
        warn_at=row.warn_at,
    )


@dataclass(frozen=True, slots=True)
class Promise:
    """An operation that was confirmed to the operator who asked for it; the note makes it one of a kind."""

    alert_id: int
    kind: EventKind
    actor: str
    note: str


@dataclass(slots=True)
class Ledger:
    """Everything seen and promised since the beginning."""

    promises: list[Promise] = field(default_factory=list)
    seen: dict[int, tuple[Event, ...]] = field(default_factory=dict)

    def compare(self, sight: Sight, promised: int) -> None:
        """Fails unless the snapshot stands by what was known before it: the first ``promised`` promises and all seen.

        ``promised`` is taken before the snapshot: an operation confirmed after it began may not be in it.
        """
        for seen_id, known in self.seen.items():
            assert seen_id in sight.alerts, f"alert #{seen_id} is gone; its history was {known}"
            now = sight.alerts[seen_id].events
            assert now[: len(known)] == known, f"the history of #{seen_id} was {known} and is now {now}"
        for found in sight.alerts.values():
            assert replay(found.events) == found.alert, f"alert #{found.id} is not what its history leads to"
            self.seen[found.id] = found.events
        open_now = Counter(found.fingerprint for found in sight.alerts.values() if found.open)
        assert not [name for name, count in open_now.items() if count > 1], "an outage has two open alerts"
        for promise in self.promises[:promised]:
            _assert_kept(promise, sight.alerts[promise.alert_id])


def _assert_kept(promise: Promise, found: SeenAlert) -> None:
    """The operation is in the history once, and what it led to still holds unless the history says why not."""
    matching = [
        number
        for number, event in enumerate(found.events)
        if (event.kind, event.actor, event.note) == (promise.kind, promise.actor, promise.note)
    ]
    assert len(matching) == 1, f"{promise} was confirmed, and is {len(matching)} times in {found.events}"
    later = {event.kind for event in found.events[matching[0] + 1 :]}
    if promise.kind is EventKind.ACKNOWLEDGED and not later:
        assert found.alert.state is AlertState.ACKNOWLEDGED
        assert (found.alert.acked_by, found.alert.note) == (promise.actor, promise.note)
