"""What is watched, as a config file and operators leave it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from support.make import definition, make_rules, make_services, rule
from support.sql import column, one, rows
from watchfloor.domain.outcome import Status
from watchfloor.store.database import Database
from watchfloor.store.rules import ChannelDefinition, apply_channels, load_channels
from watchfloor.store.services import (
    Definition,
    apply_definitions,
    definitions_mark,
    file_in_force,
    find_service,
    load_services,
    not_ok,
    request_check,
    set_paused,
    take_check_requests,
)


async def apply(
    database: Database, *definitions: Definition, built_in: bool = False
) -> tuple[list[str], list[int]]:
    async with database.transaction() as connection:
        return await apply_definitions(connection, definitions, built_in=built_in)


async def names(database: Database) -> list[str]:
    async with database.transaction() as connection:
        return [service.name for service in await load_services(connection)]


async def paused(database: Database, name: str) -> bool:
    return await one(database, "SELECT paused FROM services WHERE name = %(name)s", name=name)


async def operator_pauses(database: Database, name: str, wanted: bool) -> None:
    async with database.transaction() as connection:
        service_id = await one(database, "SELECT id FROM services WHERE name = %(name)s", name=name)
        await set_paused(connection, service_id, wanted)


async def mark(database: Database) -> tuple[object, ...]:
    async with database.transaction() as connection:
        return await definitions_mark(connection)


async def test_services_come_back_as_they_were_defined(database: Database) -> None:
    wanted = definition(
        "shop",
        kind="http",
        settings={"url": "https://shop.example", "headers": {"x": "${TOKEN}"}},
        every_ms=5000,
        retry_every_ms=1000,
        timeout_ms=4000,
        max_attempts=5,
        recover_attempts=2,
        group_name="front",
        tags=("web", "eu"),
        description='a "quoted" sentence, größer',
        runbook="https://wiki.example/shop",
        depends_on=("database",),
        depends_on_any=(("dns a", "dns b"),),
        origin="config.yaml:14",
        environment="production",
        on_nodes=("eu",),
        quorum=2,
    )
    known = {field for field in Definition.__slots__ if field != "written"}  # only forms read that
    service = (await make_services(database, wanted))["shop"]
    assert {field: getattr(service, field) for field in known} == {
        **{field: getattr(wanted, field) for field in known},
        "tags": ["web", "eu"],
        "depends_on": ["database"],
        "depends_on_any": [["dns a", "dns b"]],
        "on_nodes": ["eu"],
    }
    assert service.owner == "file"
    assert await column(database, "SELECT service_id FROM service_state") == [service.id]


async def test_only_what_differs_is_changed(database: Database) -> None:
    first, second = definition("a"), definition("b")
    assert await apply(database, first, second) == (["a", "b"], [])
    assert await apply(database, second, first) == ([], [])
    assert await apply(database, first, replace(second, every_ms=60_000)) == (["b"], [])


@pytest.mark.parametrize(
    "field", [field for field in Definition.__slots__ if field not in ("name", "paused", "written")]
)
async def test_a_change_of_any_key_is_a_change(database: Database, field: str) -> None:
    before = definition("a", max_attempts=1)
    other = {dict: {"port": 1}, tuple: ("x",), str: "x", int: 7_000, bool: True}
    changed = replace(before, **{field: other[type(getattr(before, field))]})
    await apply(database, before)
    assert await apply(database, changed) == (["a"], [])
    async with database.transaction() as connection:
        (service,) = await load_services(connection)
    stored = getattr(service, field)
    assert (tuple(stored) if isinstance(stored, list) else stored) == getattr(changed, field)


async def test_what_left_the_file_is_retired_and_comes_back_with_its_history(database: Database) -> None:
    made = await make_services(database, "a", "b")
    assert await apply(database, definition("b")) == ([], [made["a"].id])
    assert await names(database) == ["b"]
    assert await apply(database, definition("a"), definition("b")) == (["a"], [])
    async with database.transaction() as connection:
        back = await find_service(connection, made["a"].id)
    assert back is not None
    assert back.uuid == made["a"].uuid


async def test_an_empty_file_retires_everything(database: Database) -> None:
    await make_services(database, "a", "b")
    _, retired = await apply(database)
    assert len(retired) == 2
    assert await names(database) == []


async def test_a_pause_by_an_operator_outlives_a_reload(database: Database) -> None:
    await make_services(database, "a")
    await operator_pauses(database, "a", True)
    await apply(database, definition("a", every_ms=60_000))
    assert await paused(database, "a") is True


async def test_a_resumption_by_an_operator_outlives_a_reload(database: Database) -> None:
    await make_services(database, definition("a", paused=True))
    assert await paused(database, "a") is True
    await operator_pauses(database, "a", False)
    await apply(database, definition("a", paused=True, every_ms=60_000))
    assert await paused(database, "a") is False


async def test_paused_in_the_file_takes_effect_when_it_is_added_and_ends_when_it_is_removed(
    database: Database,
) -> None:
    await make_services(database, "a")
    assert await apply(database, definition("a", paused=True)) == (["a"], [])
    assert await paused(database, "a") is True
    assert await apply(database, definition("a")) == (["a"], [])
    assert await paused(database, "a") is False


async def test_a_service_that_comes_back_is_paused_only_if_the_file_says_so(database: Database) -> None:
    await make_services(database, "a")
    await operator_pauses(database, "a", True)
    await apply(database)
    await apply(database, definition("a"))
    assert await paused(database, "a") is False


async def test_ten_thousand_services_are_applied_in_one_go(database: Database) -> None:
    many = [
        definition(f"service {n:05}", settings={"url": f"https://host-{n}.example/"}) for n in range(10_000)
    ]
    began = time.monotonic()
    changed, _ = await apply(database, *many)
    first = time.monotonic() - began
    assert len(changed) == 10_000
    began = time.monotonic()
    assert await apply(database, *many) == ([], [])
    assert max(first, time.monotonic() - began) < 20
    assert await one(database, "SELECT count(*) FROM service_state") == 10_000


async def test_the_built_in_configuration_takes_nothing_from_a_file_and_yields_to_it(
    database: Database,
) -> None:
    async with database.transaction() as connection:
        assert await file_in_force(connection) is False
    await apply(database, definition("this host", origin="built-in configuration"), built_in=True)
    assert await apply(database, definition("that host"), built_in=True) == (["that host"], [])
    assert await names(database) == ["this host", "that host"]
    async with database.transaction() as connection:
        assert await file_in_force(connection) is False
    await apply(database, definition("shop"))
    assert await names(database) == ["shop"]
    async with database.transaction() as connection:
        assert await file_in_force(connection) is True


@pytest.mark.parametrize("owned", ["rule", "channel"])
async def test_a_file_without_services_is_in_force_all_the_same(database: Database, owned: str) -> None:
    if owned == "rule":
        await make_rules(database, rule("mine"))
    else:
        async with database.transaction() as connection:
            await apply_channels(connection, [ChannelDefinition("ops", "webhook", {}, True, "config.yaml:3")])
    async with database.transaction() as connection:
        assert await file_in_force(connection) is True


async def test_text_that_postgresql_refuses_does_not_stop_the_others(database: Database) -> None:
    await make_services(database, definition("a", settings={"body": "one\0two", "half": "\ud800x"}), "b")
    async with database.transaction() as connection:
        first = (await load_services(connection))[0]
    assert first.settings == {"body": "onetwo", "half": "�x"}


async def test_every_change_of_a_definition_moves_the_mark(database: Database) -> None:
    marks = [await mark(database)]
    for step in (
        lambda: apply(database, definition("a"), definition("b")),
        lambda: apply(database, definition("a", every_ms=60_000), definition("b")),
        lambda: operator_pauses(database, "a", True),
        lambda: apply(database, definition("a", every_ms=60_000)),
        lambda: apply(database, definition("a", every_ms=60_000), definition("b")),
    ):
        await step()
        marks.append(await mark(database))
    assert len(set(marks)) == len(marks)
    await apply(database, definition("a", every_ms=60_000), definition("b"))
    assert await mark(database) == marks[-1]


async def test_a_slow_change_moves_the_mark_after_a_quick_one_did(database: Database) -> None:
    """Both carry the time at which they began, so the slow one looks older."""
    made = await make_services(database, "a", "b")
    async with database.transaction() as slow:
        await set_paused(slow, made["a"].id, True)
        await operator_pauses(database, "b", True)
        before = await mark(database)
    assert await mark(database) != before


async def test_a_request_to_check_now_is_given_out_once_to_whoever_watches_the_service(
    database: Database,
) -> None:
    made = await make_services(database, "a", "b")
    ids = [made["a"].id, made["b"].id]
    async with database.transaction() as connection:
        for _ in range(2):
            await request_check(connection, ids[0], "ann")
        await request_check(connection, ids[1], "ann")
    async with database.transaction() as connection:
        assert await take_check_requests(connection, [ids[0]]) == [ids[0]]
        assert await take_check_requests(connection, [ids[0]]) == []
        assert await take_check_requests(connection, []) == []
        assert await take_check_requests(connection, ids) == [ids[1]]


async def test_channels_follow_the_file(database: Database) -> None:
    ops = ChannelDefinition("ops", "webhook", {"url": "${URL}"}, True, "config.yaml:3")
    async with database.transaction() as connection:
        await apply_channels(connection, [ops, replace(ops, name="night")])
        await apply_channels(connection, [replace(ops, enabled=False)])
        found = await load_channels(connection)
    assert {name: (channel.kind, channel.settings, channel.enabled) for name, channel in found.items()} == {
        "ops": ("webhook", {"url": "${URL}"}, False)
    }
    assert await rows(database, "SELECT name FROM channels WHERE retired_at IS NOT NULL") == [("night",)]


async def test_what_is_confirmed_is_told_of_those_that_are_not_ok(database: Database) -> None:
    made = await make_services(database, *(definition(name) for name in ("well", "ill", "new")))
    async with database.transaction() as connection:
        for name, hard in (("well", Status.OK), ("ill", Status.FAILING)):
            await connection.execute(
                "UPDATE service_state SET hard = %(hard)s WHERE service_id = %(id)s",
                {"hard": int(hard), "id": made[name].id},
            )
        assert await not_ok(connection) == {made["ill"].id: Status.FAILING, made["new"].id: None}
