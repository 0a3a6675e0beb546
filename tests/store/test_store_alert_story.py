"""What belongs to one alert: those before it, its cause, its chain, and what ran and was logged meanwhile."""

from __future__ import annotations

from support.engines import configuration
from support.jobs import job
from support.make import make_alerts, make_rules, make_services, now
from support.sql import column
from watchfloor.domain import alert as life
from watchfloor.engine import definitions
from watchfloor.operations import alerts as operations
from watchfloor.operations.actor import Actor
from watchfloor.store import alert_rooms, alerts, job_boards
from watchfloor.store.alert_story import story
from watchfloor.store.alerts import ChangedAlert, StoredAlert
from watchfloor.store.database import Database
from watchfloor.store.job_links import alert_of_run, run_of_alert
from watchfloor.store.jobs import apply_jobs

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


async def test_an_alert_about_a_job_and_its_run_lead_to_each_other(database: Database) -> None:
    await make_rules(database)
    made = await make_services(database, "shop")
    (alert,) = await make_alerts(database, made["shop"])
    async with database.transaction() as connection:
        moment = await now(database)
        await apply_jobs(
            connection, definitions.jobs(configuration(jobs=[job("nightly"), job("other")])), moment
        )
    found = await column(
        database,
        "INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, started_at, "
        "finished_at, priority, capped) SELECT gen_random_uuid(), j.id, 'm' || n, 'manual', 'dead', at, at, at, at, 5, "
        "false FROM jobs j CROSS JOIN (SELECT n, (SELECT fired_at FROM alerts) + n * interval '30 minutes' AS at "
        "FROM generate_series(-5, 1) n) x ORDER BY j.name, n RETURNING id",
    )
    long_ago, last, after, other = found[0], found[5], found[6], found[-2]
    async with database.transaction() as connection:
        assert await run_of_alert(connection, alert.id) is None, "it is about a service"
        assert await alert_of_run(connection, last) is None
        await connection.execute(
            "UPDATE rules SET kind = 'jobs', condition = '{}' WHERE id = (SELECT rule_id FROM alerts)"
        )
        await connection.execute(
            "UPDATE alerts SET subject = 'rule:' || rule_id || '/job:' || j.id FROM jobs j WHERE j.name = 'nightly'"
        )
        assert await run_of_alert(connection, alert.id) == last
        assert (await story(connection, alert.id)).run_id == last
        linked = [await alert_of_run(connection, run) for run in (long_ago, last, after, other)]
        assert linked == [None, alert.id, alert.id, None]
        detail = await job_boards.run_detail(connection, last)
        assert detail is not None
        assert detail.alert_id == alert.id
        await connection.execute(
            "UPDATE alerts SET state = 'resolved', resolved_at = fired_at + interval '1 minute'"
        )
        assert await alert_of_run(connection, after) is None, "it was over before that run began"
        await connection.execute(
            "INSERT INTO reaction_runs VALUES ('restart', now(), %s, %s)", [alert.id, other]
        )
        assert await alert_of_run(connection, other) == alert.id, "it started that run"
