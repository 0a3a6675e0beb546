"""Services that are defined in the console: by the rules of the file, on a version, audited."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.make import definition, make_days, make_services, now, state_row
from support.sql import column, one, rows
from watchfloor.config.kinds import probe_kinds
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.editing import Invalid, Overtaken
from watchfloor.operations.judge import Judge
from watchfloor.operations.service_edits import delete_service, save_service
from watchfloor.store import results
from watchfloor.store.database import Database
from watchfloor.store.results import IncidentChange
from watchfloor.store.services import apply_definitions, set_paused
from watchfloor.store.written import Written, find_written

ANN, KIM = Actor("ann"), Actor("kim")
JUDGE = Judge(probe_kinds().models, {}, Path("/nowhere"))
SHOP: Mapping[str, Any] = {
    "name": "shop", "kind": "http", "url": "https://shop.example", "every": "1m", "environment": "production",
}  # fmt: skip


async def held(database: Database, name: str = "shop") -> Written:
    async with database.transaction() as connection:
        found = await find_written(connection, "services", name)
    assert found is not None
    return found


async def test_a_new_service_is_the_consoles_and_is_watched_as_it_is_written(database: Database) -> None:
    assert await save_service(database, ANN, JUDGE, SHOP) == "shop"
    found = await held(database)
    assert (found.owner, found.changed_by, found.written) == ("console", "ann", SHOP)
    (row,) = await rows(database, "SELECT every_ms, settings, environment FROM services")
    assert tuple(row) == (60_000, {"url": "https://shop.example"}, "production")
    assert await one(database, "SELECT count(*) FROM service_state") == 1


async def test_a_change_is_audited_with_before_and_after_and_keeps_its_history(database: Database) -> None:
    await save_service(database, ANN, JUDGE, SHOP)
    after = {**SHOP, "name": "web shop", "every": "30s"}
    await save_service(database, KIM, JUDGE, after, "shop", 1)
    found = await rows(database, "SELECT actor, action, object_id, before, after FROM audit ORDER BY id")
    assert [tuple(row) for row in found] == [
        ("ann", "add", "shop", None, SHOP),
        ("kim", "change", "web shop", SHOP, after),
    ]
    assert await column(database, "SELECT name FROM services") == ["web shop"]


async def test_of_two_changes_to_one_version_the_second_is_told(database: Database) -> None:
    await save_service(database, ANN, JUDGE, SHOP)
    saving = [
        save_service(database, Actor(f"p{n}"), JUDGE, {**SHOP, "every": f"{n}m"}, "shop", 1)
        for n in range(2, 6)
    ]
    ends = await asyncio.gather(*saving, return_exceptions=True)
    assert sum(end == "shop" for end in ends) == 1
    assert sum(isinstance(end, Overtaken) for end in ends) == 3


async def test_what_the_file_defines_says_where_and_is_not_changed(database: Database) -> None:
    await make_services(database, definition("shop", origin="config.yaml:7"))
    with pytest.raises(Refused, match=r"config\.yaml:7"):
        await save_service(database, ANN, JUDGE, SHOP, "shop", 1)
    with pytest.raises(Refused, match=r"config\.yaml:7"):
        await delete_service(database, ANN, "shop")
    with pytest.raises(Invalid, match="a service of this name already"):
        await save_service(database, ANN, JUDGE, SHOP)


async def test_a_new_file_leaves_the_consoles_services_alone(database: Database) -> None:
    await save_service(database, ANN, JUDGE, SHOP)
    async with database.transaction() as connection:
        assert await apply_definitions(connection, [definition("other")]) == (["other"], [])
    assert (await held(database)).owner == "console"


async def test_mistakes_name_their_field_and_nothing_is_saved(database: Database) -> None:
    with pytest.raises(Invalid) as told:
        await save_service(database, ANN, JUDGE, {"name": "", "kind": "http", "every": "2"})
    assert {problem.path for problem in told.value.problems} >= {"name", "every", "url"}
    assert await one(database, "SELECT count(*) FROM services") == 0


async def test_what_it_needs_must_exist_and_lead_in_no_circle(database: Database) -> None:
    await make_services(database, "router")
    with pytest.raises(Invalid, match='Did you mean "router"'):
        await save_service(database, ANN, JUDGE, {**SHOP, "depends_on": ["ruoter"]})
    await save_service(database, ANN, JUDGE, {**SHOP, "depends_on": [{"any_of": ["router"]}]})
    await save_service(database, ANN, JUDGE, {**SHOP, "name": "till", "depends_on": ["shop"]})
    with pytest.raises(Invalid, match='in a circle: "shop" → "till" → "shop"'):
        await save_service(database, ANN, JUDGE, {**SHOP, "depends_on": ["till"]}, "shop", 1)
    with pytest.raises(Invalid, match="in a circle"):
        await save_service(database, ANN, JUDGE, {**SHOP, "depends_on": ["shop"]}, "shop", 1)


async def test_what_another_needs_is_neither_renamed_nor_deleted(database: Database) -> None:
    await save_service(database, ANN, JUDGE, SHOP)
    await save_service(database, ANN, JUDGE, {**SHOP, "name": "till", "depends_on": ["shop"]})
    with pytest.raises(Refused, match=r"1 service needs shop \(till\)"):
        await delete_service(database, ANN, "shop")
    with pytest.raises(Refused, match="before you rename it"):
        await save_service(database, ANN, JUDGE, {**SHOP, "name": "store"}, "shop", 1)


async def test_deleting_ends_its_incident_and_forgets_its_state(database: Database) -> None:
    await save_service(database, ANN, JUDGE, SHOP)
    moment, service_id = await now(database), (await held(database)).id
    await make_days(database, moment)
    state = CheckState(Status.FAILING, Status.FAILING, since=moment, last_started=moment)
    async with database.transaction() as connection:
        await results.save_states(connection, [state_row(service_id, moment, state=state)])
        change = IncidentChange(service_id, Status.FAILING, moment, moment, "refused")
        await results.open_incidents(connection, [change])
    await delete_service(database, KIM, "shop", 1)
    assert await one(database, "SELECT count(*) FROM incidents WHERE closed_at IS NULL") == 0
    assert await one(database, "SELECT count(*) FROM service_state") == 0
    await save_service(database, ANN, JUDGE, SHOP)  # the same name again: the same service
    assert (await held(database)).id == service_id


async def test_a_pause_by_an_operator_outlives_a_change_of_the_definition(database: Database) -> None:
    await save_service(database, ANN, JUDGE, SHOP)
    async with database.transaction() as connection:
        await set_paused(connection, (await held(database)).id, True)
    await save_service(database, ANN, JUDGE, {**SHOP, "every": "5m"}, "shop", 2)
    assert await one(database, "SELECT paused FROM services") is True


async def test_a_read_only_operator_changes_nothing(database: Database) -> None:
    with pytest.raises(Refused):
        await save_service(database, Actor("ann", read_only=True), JUDGE, SHOP)
