"""What belongs to one alert: those before it, its cause, its chain, and what ran and was logged meanwhile."""

from __future__ import annotations

from support.make import make_alerts, make_rules, make_services, now
from support.sql import column
from watchfloor.domain import alert as life
from watchfloor.operations import alerts as operations
from watchfloor.operations.actor import Actor
from watchfloor.store import alert_rooms, alerts
from watchfloor.store.alert_story import story
from watchfloor.store.alerts import ChangedAlert, StoredAlert
from watchfloor.store.database import Database

ANN = Actor("ann")


async def over(database: Database, stored: StoredAlert) -> None:
    """Let an alert end by itself."""
    moment = await now(database)
    async with database.transaction() as connection:
        (found,) = await alerts.lock(connection, [stored.id])
        await alerts.update(connection, [ChangedAlert(found, *life.condition_false(found.alert, moment))])


async def test_earlier_alerts_say_how_often_how_they_ended_and_what_was_noted(database: Database) -> None:
    made = await make_services(database, "shop", "wiki")
    await make_rules(database)
    (old,) = await make_alerts(database, made["shop"])
    await operations.acknowledge(database, ANN, [old.id], "restarted the pool", None)
    await over(database, old)
    (by_hand,) = await make_alerts(database, made["shop"])
    await operations.resolve(database, Actor("ben"), [by_hand.id], "was a test")
    await column(database, "UPDATE alerts SET held = false RETURNING id")
    (other,) = await make_alerts(database, made["wiki"])
    (latest,) = await make_alerts(database, made["shop"])
    await column(
        database,
        f"UPDATE alerts SET fired_at = fired_at - interval '8 days' WHERE id = {old.id} RETURNING id",
    )
    async with database.transaction() as connection:
        found = (await story(connection, latest.id)).earlier
        assert (await story(connection, other.id)).earlier.alerts == ()
        detail = await alert_rooms.detail(connection, latest.id)
    assert (found.week, found.month) == (1, 2)
    told = [(each.id, each.acked_by, each.ended_by, each.note) for each in found.alerts]
    assert told == [(by_hand.id, "", "ben", "was a test"), (old.id, "ann", "", "restarted the pool")]
    assert detail is not None
    assert detail.story.earlier == found


async def test_notes_are_suggested_from_what_was_written_about_the_same_rule(database: Database) -> None:
    made = await make_services(database, "shop", "wiki")
    await make_rules(database)
    (shop,), (wiki,) = await make_alerts(database, made["shop"]), await make_alerts(database, made["wiki"])
    await operations.acknowledge(database, Actor("ben"), [wiki.id], "waiting for ben", None)
    await operations.acknowledge(database, ANN, [shop.id], "restarted the pool", None)
    async with database.transaction() as connection:
        assert await alert_rooms.written_notes(connection, "ann", [shop.id]) == [
            "restarted the pool",
            "waiting for ben",
        ]
        assert await alert_rooms.written_notes(connection, "ben", [shop.id], limit=1) == ["waiting for ben"]


async def test_the_cause_of_an_alert_is_the_open_alert_about_what_it_needs(database: Database) -> None:
    made = await make_services(database, "router", "shop")
    await make_rules(database)
    (cause,) = await make_alerts(database, made["router"])
    (alert,) = await make_alerts(database, made["shop"])
    await column(
        database, f"UPDATE alerts SET root_id = {made['router'].id} WHERE id = {alert.id} RETURNING id"
    )
    async with database.transaction() as connection:
        found = await story(connection, alert.id)
        assert (found.root, found.root_alert) == ("router", cause.id)
        assert (await story(connection, cause.id)).root_alert is None
    await over(database, cause)
    async with database.transaction() as connection:
        found = await story(connection, alert.id)
    assert (found.root, found.root_alert) == ("router", None)
