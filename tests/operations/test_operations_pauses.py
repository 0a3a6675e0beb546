"""The time of a pause is unknown: nobody looked, so that nothing was up or down, however long it lasts."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from support.make import definition, make_services, now, state_row
from support.sql import column, rows
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status
from watchfloor.domain.spans import SpanState
from watchfloor.operations.actor import Actor
from watchfloor.operations.heartbeats import wake
from watchfloor.operations.services import set_paused
from watchfloor.store.database import Database
from watchfloor.store.pauses import book_pauses
from watchfloor.store.results import SpanStart, save_states, switch_spans
from watchfloor.store.uptime import uptime_between

HOUR = timedelta(hours=1)
KIM = Actor("kim")


async def stands(database: Database, service_id: int, status: Status, state: SpanState) -> datetime:
    """A service that has been so for an hour, last checked just now."""
    moment = await now(database)
    checked = CheckState(status, status, since=moment - HOUR, last_started=moment)
    async with database.transaction() as connection:
        await save_states(connection, [state_row(service_id, moment, state=checked)])
        await switch_spans(connection, [SpanStart(service_id, moment - HOUR, state)])
    return moment


@pytest.mark.parametrize(
    ("status", "state"), [(Status.OK, SpanState.UP), (Status.FAILING, SpanState.DOWN)], ids=["up", "down"]
)
async def test_a_pause_counts_neither_way_while_it_lasts_and_after(
    database: Database, status: Status, state: SpanState
) -> None:
    shop = (await make_services(database, "shop"))["shop"].id
    moment = await stands(database, shop, status, state)
    await set_paused(database, KIM, shop, True)
    async with database.transaction() as connection:
        (spent,) = await uptime_between(connection, shop, [(moment - HOUR, moment + 9 * HOUR)])
    assert spent.up_s + spent.down_s == pytest.approx(3_600, abs=60)
    assert spent.unknown_s == pytest.approx(9 * 3_600, abs=60)
    assert spent.ratio == (1.0 if status is Status.OK else 0.0)
    await set_paused(database, KIM, shop, False)
    assert await column(database, "SELECT state FROM state_spans ORDER BY began") == [state, "unknown", state]


async def test_a_heartbeat_that_a_ping_wakes_and_a_service_that_the_file_pauses(database: Database) -> None:
    made = await make_services(database, definition("beat", kind="heartbeat", paused=True), "shop")
    for name in made:
        await stands(database, made[name].id, Status.OK, SpanState.UP)
    await make_services(
        database, definition("beat", kind="heartbeat", paused=True), definition("shop", paused=True)
    )
    moment = await now(database)
    async with database.transaction() as connection:
        await book_pauses(connection, ["beat", "shop"], moment)
        await wake(connection, [made["beat"].id])
    said = (
        "SELECT s.name, p.state FROM state_spans p JOIN services s ON s.id = p.service_id ORDER BY 1, p.began"
    )
    assert await rows(database, said) == [
        ("beat", "up"), ("beat", "unknown"), ("beat", "up"), ("shop", "up"), ("shop", "unknown"),
    ]  # fmt: skip


async def test_what_is_planned_stays_planned_and_what_is_unknown_anyway_stays_so(database: Database) -> None:
    made = await make_services(database, "planned", "blind", "new")
    moment = await stands(database, made["planned"].id, Status.OK, SpanState.PLANNED)
    await stands(database, made["blind"].id, Status.UNKNOWN, SpanState.UNKNOWN)
    await rows(
        database,
        "INSERT INTO service_planned (service_id, depth, windows, since) VALUES (%(id)s, 1, '{}', %(at)s) RETURNING 1",
        id=made["planned"].id, at=moment - HOUR,
    )  # fmt: skip
    for each in made.values():
        await set_paused(database, KIM, each.id, True)
        await set_paused(database, KIM, each.id, False)
    said = (
        "SELECT s.name, p.state FROM state_spans p JOIN services s ON s.id = p.service_id ORDER BY 1, p.began"
    )
    assert await rows(database, said) == [("blind", "unknown"), ("planned", "planned")]
