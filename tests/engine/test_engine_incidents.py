"""An incident from its first failing check to its end, told in full; notes with their audit."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.engines import FAILING, OK, Stage, channel, configuration, plan, running, service
from support.sql import one, rows
from support.waiting import until
from watchfloor.cli.desk import Desk
from watchfloor.domain.outcome import Status
from watchfloor.domain.post_mortem import IncidentReport
from watchfloor.operations import alerts, incidents
from watchfloor.operations.actor import Actor, Refused
from watchfloor.store import health
from watchfloor.store import incidents as store
from watchfloor.store.database import Database

pytestmark = pytest.mark.usefixtures("brisk")

OPERATOR = Actor("operator")


async def report(database: Database, number: int) -> IncidentReport:
    async with database.transaction() as connection:
        found = await store.report(connection, number, await health.clock(connection))
    assert found is not None
    return found


async def test_an_incident_is_told_with_all_that_belongs_to_it(
    database: Database, dsn: str, stage: Stage, tmp_path: Path
) -> None:
    made = plan(
        dsn, stage,
        configuration(
            service("database"), service("shop", depends_on=("database",)), service("apart"), channels=[channel()]
        ),
    )  # fmt: skip
    async with running(made):
        await until(lambda: stage.count("shop"))
        stage.finds["database"] = FAILING
        await until(
            lambda: one(database, "SELECT id FROM alerts WHERE incident_id IS NOT NULL AND state = 'firing'")
        )
        stage.finds["shop"] = FAILING
        number = await one(database, "SELECT id FROM incidents")
        alert = await one(database, "SELECT id FROM alerts WHERE incident_id = %(id)s", id=number)
        await until(lambda: unreachable(database))
        await alerts.acknowledge(database, OPERATOR, [alert], "on it", None)
        await incidents.note(database, OPERATOR, number, "restarting\nthe server")
        stage.finds.update(database=OK, shop=OK)
        await until(lambda: all_closed(database))
    found = await report(database, number)

    async def connect() -> Database:
        return database

    path = await Desk(connect, lambda: "", OPERATOR).post_mortem(number, tmp_path)
    assert path.read_text().startswith(f"# Incident {number}: database\n")
    kinds = [entry.kind for entry in found.timeline]
    assert kinds[0] == "opened"
    assert {"failing", "note", "recovered", "closed", "alert acknowledged"} <= set(kinds)
    assert next(each.text for each in found.timeline if each.kind == "note") == "restarting\nthe server"
    assert (found.service, found.worst, found.cause) == ("database", Status.FAILING, "refused")
    assert [each.name for each in found.dependants] == ["shop"]
    assert await rows(
        database, "SELECT actor, action, object_id FROM audit WHERE object_kind = 'incident'"
    ) == [("operator", "note", str(number))]
    async with database.transaction() as connection:
        assert number in [row.id for row in await store.incidents(connection)]
        assert await store.incidents(connection, only_open=True) == []


async def unreachable(database: Database) -> bool:
    return bool(await one(database, "SELECT count(*) FROM state_spans WHERE state = 'unreachable'"))


async def all_closed(database: Database) -> bool:
    return await one(database, "SELECT count(*) FROM incidents WHERE closed_at IS NULL") == 0


async def test_a_note_without_words_or_incident_or_leave_is_refused(database: Database) -> None:
    for number, words, actor in (
        (1, "x", OPERATOR),
        (1, " \n", OPERATOR),
        (1, "x", Actor("guest", read_only=True)),
    ):
        with pytest.raises(Refused):
            await incidents.note(database, actor, number, words)
