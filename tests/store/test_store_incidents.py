"""Incidents as they are read: one as long as one may get, and what a note does to boards of the past."""

from __future__ import annotations

from datetime import datetime, timedelta

from support.engines import configuration
from support.jobs import job
from support.make import definition, make_alerts, make_days, make_rules, make_services, now, state_row
from support.sql import column, rows
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status
from watchfloor.domain.post_mortem import HEAD, NAMED, NOTE, TAIL
from watchfloor.engine import definitions
from watchfloor.operations import incidents as operations
from watchfloor.operations.actor import Actor
from watchfloor.store import incidents, past, results
from watchfloor.store.database import Database
from watchfloor.store.jobs import apply_jobs
from watchfloor.store.results import IncidentChange


async def fail(database: Database, service_id: int, moment: datetime) -> int:
    """A confirmed failure that began at ``moment``; its incident."""
    state = CheckState(
        Status.FAILING, Status.FAILING, attempt=1, since=moment, first_bad=moment, last_started=moment
    )
    async with database.transaction() as connection:
        await results.save_states(connection, [state_row(service_id, moment, state=state)])
        await results.open_incidents(
            connection, [IncidentChange(service_id, Status.FAILING, moment, moment, "refused")]
        )
    (found,) = await column(database, f"SELECT id FROM incidents WHERE service_id = {service_id}")
    return int(found)


async def test_of_an_incident_with_ten_thousand_lines_a_screen_gets_the_beginning_and_the_end(
    database: Database,
) -> None:
    below = [definition(f"till {n}", depends_on=("db",)) for n in range(NAMED + 5)]
    made = await make_services(database, definition("db"), *below)
    began = await now(database) - timedelta(hours=1)
    await make_days(database, began)
    number = await fail(database, made["db"].id, began)
    await column(
        database,
        "INSERT INTO incident_events (incident_id, seq, at, kind, actor, data) "
        "SELECT %(id)s, n, %(began)s + n * interval '0.1 s', 'note', 'kim', jsonb_build_object('text', 'line ' || n) "
        "FROM generate_series(1, 10000) AS n RETURNING seq",
        id=number,
        began=began,
    )
    await column(
        database,
        "INSERT INTO state_spans (service_id, began, state) SELECT id, %(began)s, 'unreachable' FROM services "
        "WHERE name <> 'db' RETURNING service_id",
        began=began,
    )
    async with database.transaction() as connection:
        moment = began + timedelta(hours=1)
        shown = await incidents.report(connection, number, moment, whole=False)
        whole = await incidents.report(connection, number, moment)
    assert shown is not None
    assert whole is not None
    assert (len(whole.timeline), whole.left_out, len(whole.dependants)) == (10_002, 0, NAMED + 5)
    assert [each.kind for each in shown.timeline[:2]] == ["opened", "failing"]
    assert len(shown.timeline) + shown.left_out == 10_002
    assert len(shown.timeline) <= HEAD + TAIL
    assert list(shown.timeline[:HEAD]) == list(whole.timeline[:HEAD])
    assert list(shown.timeline[HEAD:]) == list(whole.timeline[HEAD + shown.left_out :])
    assert shown.timeline[-1].text == "line 10000"
    assert (len(shown.dependants), shown.unnamed) == (NAMED, 5)


async def test_a_note_changes_nothing_of_how_a_service_stood(database: Database) -> None:
    made = await make_services(database, definition("db"))
    began = await now(database)
    await make_days(database, began)
    number = await fail(database, made["db"].id, began)
    await operations.note(database, Actor("kim"), number, "looking at it")
    assert await column(database, "SELECT kind FROM incident_events ORDER BY seq") == ["failing", NOTE]
    moment = await now(database)
    async with database.transaction() as connection:
        (row,) = await past.board(connection, moment)
        detail = await past.service_detail(connection, made["db"].id, moment)
    assert row.hard is Status.FAILING
    assert detail is not None
    assert [(each.id, each.worst, each.closed_at) for each in detail.incidents] == [
        (number, Status.FAILING, None)
    ]


async def test_runs_that_began_at_the_same_moment_stay_where_they_are(database: Database) -> None:
    moment = await now(database)
    async with database.transaction() as connection:
        await apply_jobs(connection, definitions.jobs(configuration(jobs=[job("nightly")])), moment)
    made = await column(
        database,
        "INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, started_at, "
        "finished_at, priority, capped) SELECT gen_random_uuid(), j.id, 'm' || n, 'manual', 'succeeded', now(), now(), "
        "now(), now(), 5, false FROM jobs j CROSS JOIN generate_series(1, 5) n RETURNING id",
    )
    for number in (made[0], made[2]):  # as any change of a row does, this moves it
        await rows(database, "UPDATE runs SET error = 'x' WHERE id = %(id)s RETURNING 1", id=number)
    async with database.transaction() as connection:
        found = await incidents.runs_about(
            connection, moment - timedelta(hours=1), moment + timedelta(hours=1)
        )
    assert [run.id for run in found] == sorted(made)


async def test_what_keeps_an_alert_quiet_is_named_in_the_timeline(database: Database) -> None:
    made = await make_services(database, definition("shop"))
    moment = await now(database)
    await make_days(database, moment)
    await make_rules(database)
    number = await fail(database, made["shop"].id, moment)
    (alert,) = await make_alerts(database, made["shop"])
    await column(
        database,
        "UPDATE alerts SET incident_id = %(id)s WHERE id = %(alert)s RETURNING id",
        id=number,
        alert=alert.id,
    )
    await column(
        database,
        "INSERT INTO alert_events (alert_id, seq, at, kind, actor, note, data, title) "
        "SELECT %(alert)s, 70 + n, now(), 'suppression_changed', 'watchfloor', '', d, 'shop is failing' FROM "
        """unnest('{"{\\"reasons\\": [\\"maintenance\\"]}", "{\\"reasons\\": []}"}'::jsonb[]) """
        "WITH ORDINALITY AS x (d, n) RETURNING seq",
        alert=alert.id,
    )
    async with database.transaction() as connection:
        report = await incidents.report(connection, number, moment)
    assert report is not None
    assert [line.text for line in report.timeline][-2:] == [
        f"#{alert.id} shop is failing: nobody is told: in maintenance",
        f"#{alert.id} shop is failing: nothing keeps it quiet any more",
    ]
