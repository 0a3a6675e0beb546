"""Alerts and their history as they are stored."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest

from support.make import make_alerts, make_rules, make_services, now
from support.sql import column, one, rows
from watchfloor.domain import alert as life
from watchfloor.domain.alert import Alert, Event, EventKind, Suppression
from watchfloor.domain.boards import AlertRow
from watchfloor.domain.severity import Severity
from watchfloor.operations import alerts as operations
from watchfloor.operations.actor import Actor
from watchfloor.store import alert_rooms, alerts, outbox
from watchfloor.store.alerts import ChangedAlert, StoredAlert
from watchfloor.store.database import Database


@pytest.fixture
async def firing(database: Database) -> StoredAlert:
    """A firing alert about a service."""
    made = await make_services(database, "shop")
    await make_rules(database)
    return (await make_alerts(database, made["shop"]))[0]


async def many(database: Database, count: int, **values: float) -> list[StoredAlert]:
    made = await make_services(database, *(f"s{n:03}" for n in range(count)))
    await make_rules(database)
    return await make_alerts(database, *made.values(), **values)  # type: ignore[arg-type]


async def change(database: Database, *changed: ChangedAlert) -> None:
    async with database.transaction() as connection:
        await alerts.update(connection, changed)


async def read(database: Database, alert_id: int) -> StoredAlert:
    async with database.transaction() as connection:
        return (await alerts.lock(connection, [alert_id]))[0]


async def test_an_alert_comes_back_as_it_was_inserted(database: Database, firing: StoredAlert) -> None:
    assert await read(database, firing.id) == firing
    assert firing.alert.state == "firing"
    assert firing.seq == 2
    assert await column(database, "SELECT kind FROM alert_events ORDER BY seq") == ["raised", "fired"]


async def test_every_part_of_a_change_is_stored(database: Database, firing: StoredAlert) -> None:
    moment = await now(database)
    after = replace(
        firing.alert, severity=Severity.EMERGENCY, acked_by="ann", acked_until=moment + timedelta(hours=1),
        note="on it", sticky=True, ended_at=moment, resolved_at=moment, reopen_count=3, held=True,
        suppressed=frozenset({Suppression.SILENCE, Suppression.FLAPPING}),
        state=life.AlertState.RESOLVED,
    )  # fmt: skip
    event = Event(EventKind.ACKNOWLEDGED, moment, "ann", "on it", {"until": None, "sticky": True})
    await change(
        database, ChangedAlert(firing, after, [event, event], title="new title", summary="new words")
    )
    stored = await read(database, firing.id)
    assert stored.alert == after
    assert (stored.title, stored.summary, stored.seq) == ("new title", "new words", 4)
    async with database.transaction() as connection:
        events = await alerts.events(connection, firing.id)
    assert [(e.seq, e.kind, e.actor, e.note, e.data) for e in events[2:]] == [
        (2, "acknowledged", "ann", "on it", {"until": None, "sticky": True}),
        (3, "acknowledged", "ann", "on it", {"until": None, "sticky": True}),
    ]


async def test_words_that_are_not_given_stay(database: Database, firing: StoredAlert) -> None:
    await change(database, ChangedAlert(firing, firing.alert, ()))
    assert await read(database, firing.id) == firing


async def test_an_alert_that_never_fired_leaves_no_trace(database: Database) -> None:
    (pending,) = await many(database, 1, for_s=60)
    await change(database, ChangedAlert(pending, *life.condition_false(pending.alert, await now(database))))
    assert await one(database, "SELECT count(*) FROM alerts") == 0
    assert await one(database, "SELECT count(*) FROM alert_events") == 0


async def test_there_is_one_open_alert_of_a_kind(database: Database, firing: StoredAlert) -> None:
    made = await make_services(database, "shop")
    with pytest.raises(psycopg.errors.UniqueViolation):
        await make_alerts(database, made["shop"])


@pytest.mark.parametrize("statement", ["UPDATE alert_events SET note = 'x'", "DELETE FROM alert_events"])
async def test_history_is_never_rewritten(database: Database, firing: StoredAlert, statement: str) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
        await rows(database, statement)
    assert await one(database, "SELECT count(*) FROM alert_events") == 2


async def test_history_goes_with_its_alert(database: Database, firing: StoredAlert) -> None:
    await rows(database, "DELETE FROM alerts")
    assert await one(database, "SELECT count(*) FROM alert_events") == 0


async def test_whoever_comes_second_waits_for_the_first(database: Database, firing: StoredAlert) -> None:
    async with database.transaction() as first:
        await alerts.lock(first, [firing.id])
        second = asyncio.create_task(read(database, firing.id))
        assert await asyncio.wait({second}, timeout=0.2) == (set(), {second})
        moment = await now(database)
        acknowledged = life.acknowledge(firing.alert, "ann", "", None, False, moment)
        await alerts.update(first, [ChangedAlert(firing, *acknowledged)])
    assert (await second).alert.acked_by == "ann"


async def test_locking_leaves_out_what_does_not_exist(database: Database, firing: StoredAlert) -> None:
    async with database.transaction() as connection:
        found = await alerts.lock(connection, [firing.id, 4711, -1, 2**40])
    assert [stored.id for stored in found] == [firing.id]


async def test_by_subject_come_open_held_and_recently_resolved_alerts(database: Database) -> None:
    made = await many(database, 4)
    moment = await now(database)

    def resolved(alert: Alert, ago: float) -> life.Transition:
        return life.condition_false(alert, moment - timedelta(seconds=ago))

    await change(
        database,
        ChangedAlert(made[1], *resolved(made[1].alert, 10)),
        ChangedAlert(made[2], *resolved(made[2].alert, 1000)),
        ChangedAlert(made[3], *life.resolve_by_hand(made[3].alert, "ann", moment - timedelta(days=9))),
    )
    async with database.transaction() as connection:
        subjects = [stored.subject for stored in made]
        found = await alerts.lock_by_subject(connection, subjects, moment - timedelta(seconds=100))
        assert await alerts.lock_by_subject(connection, [], moment) == []
    assert [stored.id for stored in found] == [made[0].id, made[1].id, made[3].id]


async def test_what_is_due_is_given_to_one_node_only(database: Database) -> None:
    pending = await many(database, 3, for_s=60)
    moment = await now(database)
    async with database.transaction() as first, database.transaction() as second:
        assert await alerts.lock_due(first, moment) == []
        taken = await alerts.lock_due(first, moment + timedelta(seconds=61), limit=2)
        rest = await alerts.lock_due(second, moment + timedelta(seconds=61))
    assert [stored.id for stored in (*taken, *rest)] == [stored.id for stored in pending]


async def test_an_acknowledgement_is_due_when_it_runs_out(database: Database, firing: StoredAlert) -> None:
    moment = await now(database)
    until = moment + timedelta(minutes=5)
    await change(
        database, ChangedAlert(firing, *life.acknowledge(firing.alert, "ann", "", until, False, moment))
    )
    async with database.transaction() as connection:
        assert await alerts.lock_due(connection, until - timedelta(microseconds=1)) == []
        assert [stored.id for stored in await alerts.lock_due(connection, until)] == [firing.id]


async def test_the_list_begins_with_what_matters_most(database: Database) -> None:
    made = await make_services(database, *"abcdef")
    await make_rules(database)
    (a,) = await make_alerts(database, made["a"], severity=Severity.WARNING)
    (b,) = await make_alerts(database, made["b"])
    (c,) = await make_alerts(database, made["c"])
    (d,) = await make_alerts(database, made["d"], for_s=60)
    (e,) = await make_alerts(database, made["e"])
    (f,) = await make_alerts(database, made["f"])
    moment = await now(database)
    await change(
        database,
        ChangedAlert(e, *life.acknowledge(e.alert, "ann", "", None, False, moment)),
        ChangedAlert(f, *life.condition_false(f.alert, moment)),
    )
    async with database.transaction() as connection:
        active = await alert_rooms.active(connection)
        ended = await alert_rooms.resolved(connection)
        limited = await alert_rooms.active(connection, limit=4)
    assert [row.id for row in active] == [e.id, d.id, c.id, b.id, a.id]
    assert [row.id for row in ended] == [f.id]
    assert limited == active[1:], "what ann takes care of hides nothing that calls for somebody"
    assert (active[2].service, active[2].rule, active[0].acked_by) == ("c", "service is not ok", "ann")


async def test_what_changed_since_an_operator_looked_is_unread_for_that_operator_alone(
    database: Database, firing: StoredAlert
) -> None:
    async def unread(operator: str) -> bool:
        async with database.transaction() as connection:
            (row,) = await alert_rooms.active(connection, operator)
            found = await alert_rooms.detail(connection, firing.id, operator)
        assert found is not None
        assert found.row.unread is row.unread
        return row.unread

    assert await unread("ann")
    assert not await unread("")
    await operations.look(database, Actor("ann", read_only=True), [firing.id])
    assert (await unread("ann"), await unread("ben")) == (False, True)
    await operations.add_note(database, Actor("ben"), [firing.id], "seen on the router too")
    assert (await unread("ann"), await unread("ben")) == (True, False)


async def test_pages_of_resolved_alerts_lose_none_that_ended_at_the_same_moment(database: Database) -> None:
    made = await many(database, 25)
    moment = await now(database)
    await change(database, *(ChangedAlert(s, *life.condition_false(s.alert, moment)) for s in made))
    seen: list[AlertRow] = []
    key: tuple[datetime, int] | None = None
    async with database.transaction() as connection:
        while page := await alert_rooms.resolved(connection, key, limit=10):
            seen += page
            assert page[-1].resolved_at is not None
            key = page[-1].resolved_at, page[-1].id
    assert [row.id for row in seen] == [stored.id for stored in reversed(made)]


async def test_the_detail_holds_history_and_deliveries(database: Database, firing: StoredAlert) -> None:
    async with database.transaction() as connection:
        message = outbox.Message(firing.uuid, firing.id, 1, "ops", "alert.firing", b"{}", await now(database))
        await outbox.put(connection, [message])
        detail = await alert_rooms.detail(connection, firing.id)
        assert await alert_rooms.detail(connection, 4711) is None
    assert detail is not None
    assert (detail.row.title, detail.summary, detail.labels) == (
        "shop is failing",
        "no answer",
        {"service": "shop"},
    )
    assert [event.kind for event in detail.events] == ["raised", "fired"]
    assert [(d.id, d.channel, d.kind, d.state, d.attempts) for d in detail.deliveries] == [
        (str(firing.uuid), "ops", "alert.firing", "queued", 0)
    ]


async def test_of_very_many_messages_about_an_alert_the_latest_are_read_and_all_are_counted(
    database: Database,
) -> None:
    await make_rules(database)
    service = (await make_services(database, "a"))["a"]
    (alert,) = await make_alerts(database, service)
    await rows(
        database,
        "INSERT INTO outbox (id, alert_id, seq, channel, kind, payload, created_at, not_before) "
        "SELECT gen_random_uuid(), %(id)s, n, 'bulk', 'alert.firing', '', now() + n * interval '1 s', now() "
        "FROM generate_series(1000, 1499) n",
        id=alert.id,
    )
    async with database.transaction() as connection:
        found = await alert_rooms.detail(connection, alert.id)
    assert found is not None
    assert len(found.deliveries) == alert_rooms.MESSAGES
    assert found.messages == await one(database, "SELECT count(*) FROM outbox")
    times = [each.created_at for each in found.deliveries]
    assert times == sorted(times)
