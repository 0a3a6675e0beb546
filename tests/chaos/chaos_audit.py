"""The last word on a database after a storm: everything it says must follow from the results it stored.

The stored results are folded once more through the check state machine. What that gives (state, incidents, how often
an alert fired and resolved) must be what the tables say, exactly: nothing doubled, nothing lost. And every event that
had to be told must have been received.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chaos_ledger import SeenAlert, Sight
from chaos_outside import Receipt

from watchfloor.domain.alert import EventKind
from watchfloor.domain.check_state import ChangeKind, CheckState, Policy, advance, begun_anew
from watchfloor.domain.message import TOLD
from watchfloor.domain.outcome import Status
from watchfloor.domain.spans import out_of_sight
from watchfloor.store.database import Database, fetch_all, fetch_value

FAR = datetime(9999, 1, 1, tzinfo=UTC)
EVERY_S = TIMEOUT_S = 1.0  # of every service in the storm


@dataclass(slots=True)
class Course:
    """What became of one service according to its results alone."""

    state: CheckState = field(default_factory=CheckState)
    incidents: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    strange: set[str] = field(default_factory=set)  # summaries of results the outside did not ask for
    results: int = 0
    last_ended: datetime | None = None


def follow(
    course: Course, started: datetime, took: timedelta, status: Status, summary: str | None, policy: Policy
) -> None:
    """Take in one more stored result."""
    unseen = out_of_sight(course.state, course.last_ended, started, EVERY_S, TIMEOUT_S)
    step = advance(
        begun_anew(course.state) if unseen else course.state, status, started, started, policy, FAR
    )
    assert not step.discarded
    course.state, course.last_ended, change = step.state, started + took, step.change
    course.results += 1
    if status is not Status.OK and not (summary or "").startswith("503"):
        course.strange.add(summary or status.word)
    if change is None:
        return
    if change.kind is ChangeKind.HARD_PROBLEM:
        course.incidents.append((change.at, None))
    elif change.kind is ChangeKind.RECOVERY:
        course.incidents[-1] = (course.incidents[-1][0], change.at)


async def courses(database: Database, policy: Policy) -> dict[str, Course]:
    """Fold the stored results of every service."""
    found: dict[str, Course] = defaultdict(Course)
    async with database.transaction() as connection:
        rows = await fetch_all(
            connection,
            (
                "SELECT s.name, r.ts, r.took_us, r.status, r.summary FROM check_results r "
                "JOIN services s ON s.id = r.service_id ORDER BY s.name, r.ts"
            ),
        )
        for name, ts, took_us, status, summary in rows:
            follow(found[name], ts, timedelta(microseconds=took_us), Status(status), summary, policy)
    return dict(found)


async def audit_health(database: Database, sight: Sight, found: dict[str, Course]) -> None:
    """States, incidents, spans and alerts are what the results lead to."""
    for name, service in sight.services.items():
        state = found[name].state
        assert (service.hard, service.status, service.last_started) == (
            state.hard,
            state.status,
            state.last_started,
        ), f"the state of {name} does not follow from its results"
        assert await _incidents(database, service.id) == found[name].incidents, f"the incidents of {name}"
        told = Counter(e.kind for a in sight.alerts.values() if a.service == name for e in a.events)
        raised = told[EventKind.FIRED] + told[EventKind.REOPENED]
        assert raised == len(found[name].incidents), f"{name}: {raised} times firing, {found[name].incidents}"
    await _audit_spans(database)


async def _incidents(database: Database, service_id: int) -> list[tuple[datetime, datetime | None]]:
    async with database.transaction() as connection:
        rows = await fetch_all(
            connection,
            ("SELECT opened_at, closed_at FROM incidents WHERE service_id = %(id)s ORDER BY opened_at"),
            {"id": service_id},
        )
        return [(row.opened_at, row.closed_at) for row in rows]


async def _audit_spans(database: Database) -> None:
    async with database.transaction() as connection:
        found = await fetch_all(
            connection,
            (
                "SELECT * FROM (SELECT service_id, began, ended, "
                "lead(began) OVER (PARTITION BY service_id ORDER BY began) AS next FROM state_spans) AS spans "
                "WHERE next IS NOT NULL AND (ended IS NULL OR ended > next)"
            ),
        )
    assert not found, f"spans overlap: {found[:5]}"


async def undelivered(database: Database) -> int:
    """How many messages still wait."""
    async with database.transaction() as connection:
        waiting = await fetch_value(
            connection, ("SELECT count(*) FROM outbox WHERE state IN ('queued', 'leased')")
        )
        return int(waiting)


async def audit_outbox(database: Database, sight: Sight, receipts: Sequence[Receipt]) -> int:
    """Every event that is told was received, in order, duplicates only under one id; returns the duplicates."""
    async with database.transaction() as connection:
        rows: list[Any] = await fetch_all(
            connection, ("SELECT id::text, alert_id, seq, state, payload FROM outbox")
        )
    queued = {(row.alert_id, row.seq): row for row in rows}
    first: dict[str, int] = {}
    for number, receipt in enumerate(receipts):
        assert receipt.body == receipts[first.setdefault(receipt.id, number)].body, "one id, two contents"
    for found in sight.alerts.values():
        _audit_alert(found, queued, first, receipts)
    known = {row.id for row in rows}
    assert first.keys() <= known, "messages were received that the outbox does not know"
    return len(receipts) - len(first)


def _audit_alert(
    found: SeenAlert, queued: dict[tuple[int, int], Any], first: dict[str, int], receipts: Sequence[Receipt]
) -> None:
    arrivals = []
    for seq, event in enumerate(found.events):
        if event.kind not in TOLD:
            continue
        row = queued.get((found.id, seq))
        assert row is not None, f"event {seq} of #{found.id}, {event.kind}, was never queued"
        assert row.state == "delivered", f"event {seq} of #{found.id} is {row.state}"
        assert row.id in first, f"event {seq} of #{found.id} is booked as delivered and was never received"
        assert receipts[first[row.id]].body == bytes(row.payload)
        arrivals.append(first[row.id])
    assert arrivals == sorted(arrivals), f"messages of #{found.id} came out of order"
