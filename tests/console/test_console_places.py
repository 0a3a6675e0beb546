"""Going back and forward, and finding the screens as they were left."""

from __future__ import annotations

from typing import Any

import pytest
from console_driver import console
from console_world import World, health_rows

from watchfloor.console.navigator import PREFERENCE


async def test_brackets_go_back_and_forward_over_rooms_and_details():
    async with console() as driver:
        await driver.press("enter", "3", "enter")
        driver.sees("Alerts › #42")
        await driver.press("[")
        driver.sees("6 alerts")
        await driver.press("[")
        driver.sees("Health › shop checkout")
        await driver.press("[", "[")
        driver.sees("SERVICE", "back in history: there is no place before this one")
        await driver.press("]", "]", "]")
        driver.sees("#42 shop checkout is failing", "HISTORY")
        await driver.press("]")
        driver.sees("forward in history: nobody went back from here")


async def test_minus_changes_between_two_screens():
    async with console() as driver:
        await driver.press("-")
        driver.sees("previous screen: no other screen was on yet")
        await driver.press("j", "enter", "4", "-")
        driver.sees("Health › mail relay")
        await driver.press("-")
        driver.sees("MESSAGE")
        await driver.press("-")
        driver.sees("Health › mail relay")


async def test_a_place_that_is_gone_says_so():
    async with console() as driver:
        await driver.press("enter", "escape")
        driver.world.services = health_rows()[1:]
        await driver.press("[")
        driver.sees("This service is gone")


async def test_what_a_screen_looked_like_is_there_again_in_the_next_run():
    world = World()
    async with console(world, keep_s=0.001) as driver:
        await driver.press("s", "s", "S", "/", *"group:data", "enter", "j")
        row = driver.cursor
        await driver.press("4", "l", "l", "3", "H", "j", "enter")
        driver.sees("#35")
    async with console(world, keep_s=0.001) as driver:
        driver.sees("Alerts › History › #35")
        await driver.press("escape")
        driver.sees("resolved")
        assert "#35" in driver.cursor
        await driver.press("4")
        driver.sees_not(" trace ", " debug ")
        await driver.press("1")
        driver.sees("group:data", "SERVICE▾")
        assert driver.cursor == row


async def test_four_keys_acknowledge_the_gravest_wherever_the_room_was_left():
    world = World()
    async with console(world, keep_s=0.001) as driver:
        await driver.press("3", "G", "/", *"shop", "enter", "j")
        assert "#42" not in driver.cursor
    async with console(world, keep_s=0.001) as driver:
        driver.sees("#41")
        assert "#42" in driver.cursor
        await driver.press("tab", "tab", "tab", "tab")
    async with console(world, keep_s=0.001) as driver:
        driver.sees("delivered")
        await driver.press("3", "a", "enter")
        assert world.done[-1][:2] == ("acknowledge", (42,))


async def test_what_is_pending_is_written_when_the_console_is_left():
    world = World()
    async with console(world) as driver:
        await driver.press("3")
        assert PREFERENCE not in world.preferences
    kept: Any = world.preferences[PREFERENCE]
    assert kept["room"] == "alerts"


async def test_a_database_that_is_away_keeps_nobody_from_leaving():
    world = World()
    async with console(world) as driver:
        await driver.press("3")
        world.broken = ConnectionRefusedError("gone")
        await driver.press("q")
    assert PREFERENCE not in world.preferences


async def test_the_past_is_not_kept():
    world = World()
    async with console(world, keep_s=0.001) as driver:
        await driver.press("T", "enter", "3", "H")
    kept: Any = world.preferences[PREFERENCE]
    assert kept["room"] == "health"


@pytest.mark.parametrize(
    "kept",
    [
        {"room": "alerts", "open": ["alert", 4711], "rooms": {}},
        {"room": "attic", "open": ["alert", 42], "rooms": {"health": 7}},
        {
            "room": "health",
            "open": ["elephant", 1],
            "rooms": {"health": {"sort": ["NOSE", True], "cursor": 4711}},
        },
        {"room": "settings", "rooms": {"settings": {"section": "Cellar", "filter": 7, "faults": "x"}}},
        {"room": ["health"], "open": 3, "rooms": [1, 2]},
        "nonsense",
        None,
    ],
)
async def test_what_was_kept_and_is_gone_or_makes_no_sense_does_no_harm(kept: object):
    world = World(preferences={PREFERENCE: kept})
    async with console(world) as driver:
        await driver.press("escape", "1")
        driver.sees("✘ 2 failing")
