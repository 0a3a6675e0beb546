"""Flapping on a database: one message when it begins, one when it ends, none in between."""

from __future__ import annotations

from support.desks import StateDesk
from support.make import definition
from support.sql import column
from watchfloor.store.database import Database


async def flap(desk: StateDesk, since: int, times: int) -> int:
    """Let a service change at every check; returns the next second."""
    for number in range(times):
        bad = number % 2 == 0
        await desk.results(since + number, failing=["shop"] if bad else [], ok=[] if bad else ["shop"])
    return since + times


async def wild(database: Database) -> tuple[StateDesk, int]:
    desk = StateDesk(database)
    await desk.watch(definition("shop", max_attempts=1, every_ms=5000))
    await desk.results(0, ok=["shop"])
    return desk, await flap(desk, 1, 8)


async def test_a_service_that_flaps_has_one_alert_that_says_so(database: Database) -> None:
    desk, _ = await wild(database)
    found = {row[1]: row[2:4] for row in await desk.alerts()}
    assert found["shop is flapping"] == ("firing", [])
    assert found["shop is failing"][1] == ["flapping"]


async def test_when_it_ends_the_state_of_then_is_told(database: Database) -> None:
    desk, second = await wild(database)
    for number in range(20):
        await desk.results(second + number, failing=["shop"])
    await desk.tick(desk.slot("shop", second + 21) + 0.1)
    found = {row[1]: row[2:4] for row in await desk.alerts()}
    assert found["shop is flapping"] == ("resolved", [])
    summaries = await column(database, "SELECT summary FROM alerts WHERE subject LIKE 'flapping:%%'")
    assert summaries == ["it no longer flaps; it is failing now"]
    slot = desk.slot("shop", second + 22)
    await desk.results(slot, failing=["shop"])
    await desk.tick(slot + 0.5)
    assert {row[1]: row[2:4] for row in await desk.alerts()}["shop is failing"] == ("firing", [])


async def test_changes_that_are_never_confirmed_count(database: Database) -> None:
    desk = StateDesk(database)
    await desk.watch(definition("shop", max_attempts=3))
    await desk.results(0, ok=["shop"])
    await flap(desk, 1, 8)
    assert [row[1] for row in await desk.alerts()] == ["shop is flapping"]


async def test_it_can_be_switched_off(database: Database) -> None:
    desk = StateDesk(database)
    await desk.watch(definition("shop", max_attempts=3))
    desk.node.settings = {**desk.node.settings, "flapping.start": 100.0}
    await desk.results(0, ok=["shop"])
    await flap(desk, 1, 30)
    assert await desk.alerts() == []


async def test_what_is_out_of_reach_does_not_announce_that_it_flaps(database: Database) -> None:
    desk = StateDesk(database)
    await desk.watch(
        definition("router", max_attempts=1), definition("shop", max_attempts=1, depends_on=("router",))
    )
    await desk.results(0, ok=["shop", "router"])
    await desk.results(1, failing=["router"])
    await flap(desk, 2, 8)
    found = {row[1]: row[3:] for row in await desk.alerts()}
    assert found["shop is flapping"] == (["dependency"], "router")
