"""Dependencies on a database: who is out of reach, what is told, what time counts as, whatever comes first."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from support.desks import StateDesk
from support.make import definition
from support.sql import column, one
from watchfloor.store import health, reach
from watchfloor.store.database import Database

DEPENDENCY = ["dependency"]


@pytest.fixture
async def desk(database: Database) -> StateDesk:
    made = StateDesk(database)
    await made.watch(
        definition("router", max_attempts=1),
        definition("shop", max_attempts=1, depends_on=("router",)),
        definition("cart", max_attempts=1, depends_on=("shop",)),
    )
    await made.results(0, ok=("router", "shop", "cart"))
    return made


async def test_what_fails_behind_a_failure_is_raised_with_its_reason_and_its_root(desk: StateDesk) -> None:
    await desk.results(30, failing=["router"])
    await desk.results(31, failing=["shop", "cart"])
    assert await desk.reasons("router") == ("firing", [], None)
    assert await desk.reasons("shop") == ("firing", DEPENDENCY, "router")
    assert await desk.reasons("cart") == ("firing", DEPENDENCY, "router")


async def test_in_one_batch_the_order_does_not_matter(desk: StateDesk) -> None:
    await desk.results(30, failing=["cart", "shop", "router"])
    assert [row[3:] for row in await desk.alerts()] == [
        (DEPENDENCY, "router"),
        (DEPENDENCY, "router"),
        ([], None),
    ]


async def test_a_child_that_fails_first_is_held_and_what_it_needs_is_looked_at_now(desk: StateDesk) -> None:
    await desk.results(30, failing=["shop"])
    assert desk.looked_at == ["router"]
    assert await desk.reasons("shop") == ("firing", DEPENDENCY, None)
    await desk.results(30.5, failing=["router"])
    assert await desk.reasons("shop") == ("firing", DEPENDENCY, "router")


async def test_a_failure_of_its_own_is_told_once_what_it_needs_was_seen_to_be_well(desk: StateDesk) -> None:
    await desk.results(30, failing=["shop"])
    await desk.tick(30.2)
    assert await desk.reasons("shop") == ("firing", DEPENDENCY, None)
    await desk.results(30.5, ok=["router"])
    slot = desk.slot("shop", 31)
    await desk.tick(slot - 1)
    assert await desk.reasons("shop") == ("firing", DEPENDENCY, None)
    await desk.results(slot, failing=["shop"])
    await desk.tick(slot + 1)
    assert await desk.reasons("shop") == ("firing", [], None)


async def test_a_reason_stays_until_a_result_is_younger_than_the_recovery_above(desk: StateDesk) -> None:
    await desk.results(30, failing=["router"])
    await desk.results(31, failing=["shop"])
    await desk.results(60, ok=["router"])
    for second in range(60, 120, 3):
        await desk.tick(second + 0.5)
        assert await desk.reasons("shop") == ("firing", DEPENDENCY, None)
    slot = desk.slot("shop", 120)
    await desk.results(slot, failing=["shop"])
    await desk.tick(slot + 1)
    assert await desk.reasons("shop") == ("firing", [], None)


async def test_what_recovers_with_its_parent_was_never_told(desk: StateDesk) -> None:
    await desk.results(30, failing=["router", "shop"])
    await desk.results(60, ok=["router"])
    slot = desk.slot("shop", 61)
    await desk.results(slot, ok=["shop"])
    await desk.tick(slot + 1)
    kinds = await column(
        desk.database,
        "SELECT e.data->'reasons' FROM alert_events e JOIN alerts a ON a.id = e.alert_id "
        "WHERE a.service_id = %(id)s AND e.kind = 'suppression_changed' ORDER BY e.seq",
        id=desk.services["shop"].id,
    )
    assert kinds[0] == DEPENDENCY
    assert kinds[-1] == []
    assert await desk.reasons("shop") == ("resolved", [], None)


async def test_time_behind_an_outage_is_unreachable_and_not_down(desk: StateDesk) -> None:
    await desk.results(28, failing=["shop"])
    await desk.results(30, failing=["router"])
    assert await desk.spans("shop") == [("up", 0), ("unreachable", 28)]
    await desk.results(60, ok=["router"])
    await desk.results(65, failing=["shop"])
    assert await desk.spans("shop") == [("up", 0), ("unreachable", 28), ("down", 65)]
    assert await desk.spans("router") == [("up", 0), ("down", 30), ("up", 60)]


async def test_an_outage_from_long_before_stays_one_until_it_is_out_of_reach(desk: StateDesk) -> None:
    await desk.results(10, failing=["shop"])
    for second in (30, 60, 90):
        await desk.results(second, ok=["router"], failing=["shop"])
    await desk.results(120, failing=["router"])
    assert await desk.spans("shop") == [("up", 0), ("down", 10), ("unreachable", 90)]


async def test_a_group_fails_with_its_last_member(database: Database) -> None:
    desk = StateDesk(database)
    await desk.watch(
        definition("dns a", max_attempts=1),
        definition("dns b", max_attempts=1),
        definition("shop", max_attempts=1, depends_on_any=(("dns a", "dns b"),)),
    )
    await desk.results(0, ok=["dns a", "dns b", "shop"])
    await desk.results(30, failing=["dns a", "shop"], ok=["dns b"])
    assert await desk.reasons("shop") == ("firing", [], None)
    await desk.results(60, failing=["dns b"])
    assert await desk.reasons("shop") == ("firing", DEPENDENCY, "dns a")


async def test_a_pause_above_brings_what_is_below_back_within_reach(desk: StateDesk) -> None:
    await desk.results(30, failing=["router", "shop"])
    async with desk.database.transaction() as connection:
        await connection.execute("UPDATE services SET paused = true WHERE name = 'router'")
    desk.warden._anew_at = 0.0
    await desk.tick(40)
    assert (await desk.reasons("shop"))[2] is None
    roots = "SELECT r.name FROM service_reach JOIN services r ON r.id = root_id"
    assert await column(desk.database, roots) == ["shop"], "cart stays out of reach, because of shop"


async def test_a_definition_that_lets_go_of_its_parent_is_within_reach(desk: StateDesk) -> None:
    await desk.results(30, failing=["router", "shop", "cart"])
    await desk.watch(definition("router", max_attempts=1), definition("shop", max_attempts=1))
    await desk.tick(40)
    assert (await desk.reasons("shop"))[2] is None


async def test_two_nodes_that_lose_the_two_members_of_a_group_both_know_it(database: Database) -> None:
    one_node, other = StateDesk(database), StateDesk(database)
    definitions = (
        definition("dns a", max_attempts=1),
        definition("dns b", max_attempts=1),
        definition("shop", max_attempts=1, depends_on_any=(("dns a", "dns b"),)),
    )
    for desk in (one_node, other):
        await desk.watch(*definitions)
    other.began = one_node.began
    await one_node.results(0, ok=["dns a", "dns b", "shop"])
    await asyncio.gather(one_node.results(30, failing=["dns a"]), other.results(30, failing=["dns b"]))
    async with database.transaction() as connection:
        assert len(await reach.lost(connection)) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_a_thousand_children_in_any_order_have_one_root(database: Database, seed: int) -> None:
    """The domain goes through a thousand orders; here the whole path does through a few."""
    desk = StateDesk(database)
    names = [f"child {number}" for number in range(200)]
    await desk.watch(
        definition("router", max_attempts=1),
        *(definition(name, max_attempts=1, depends_on=("router",)) for name in names),
    )
    await desk.results(0, ok=["router", *names])
    order = ["router", *names]
    random.Random(seed).shuffle(order)
    for start in range(0, len(order), 40):
        await desk.results(30 + start / 100, failing=order[start : start + 40])
    told = [row for row in await desk.alerts() if not row[3]]
    assert [row[0] for row in told] == ["router"]
    assert {row[4] for row in await desk.alerts() if row[3]} == {"router"}
    suppressed_at_once = await one(
        database,
        "SELECT count(*) FROM alerts a WHERE NOT EXISTS (SELECT FROM alert_events e WHERE e.alert_id = a.id "
        "AND e.kind = 'suppression_changed' AND e.at = a.fired_at)",
    )
    assert suppressed_at_once == 1


async def test_the_board_names_what_puts_a_service_out_of_reach(desk: StateDesk) -> None:
    await desk.results(30, failing=["router", "shop"])
    async with desk.database.transaction() as connection:
        now = await health.clock(connection)
        found = {
            row.name: (row.root, row.planned, row.flapping) for row in await health.board(connection, now, {})
        }
        changed = await health.board(connection, now, {}, now - timedelta(seconds=20))
    assert found["shop"] == ("router", False, False)
    assert found["router"] == ("", False, False)
    assert {row.name for row in changed} >= {"shop", "cart"}, (
        "a board that only looks at changes sees it, too"
    )
