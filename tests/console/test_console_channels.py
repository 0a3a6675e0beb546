"""Channels in the console: how they do, switched off and on, and how their messages read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from console_driver import Driver, console
from console_world import World

SIZES = [(80, 24), (160, 50)]


async def to_channels(driver: Driver) -> None:
    await driver.press("5", "tab", "tab")


async def test_a_channel_opens_with_its_statistics() -> None:
    async with console(size=(120, 40)) as driver:
        await to_channels(driver)
        name = driver.world.channels[0].name
        await driver.press("enter")
        driver.sees(
            f"Channels › {name}",
            "IN SEVEN DAYS",
            "sent",
            "attempts",
            "95 % within",
            "dead letters",
            "left out",
        )


async def test_a_channel_whose_receiver_is_no_more_says_until_when_nothing_is_sent() -> None:
    async with console(size=(120, 40)) as driver:
        rows = driver.world.channels
        place = next(n for n, each in enumerate(rows) if each.open_since is not None)
        rows[place] = replace(rows[place], next_try_at=None, last_error="the receiver answered 410")
        await to_channels(driver)
        await driver.press(*["down"] * place, "enter")
        driver.sees("the receiver answered 410", "Its receiver said that it is no more.")


@pytest.mark.parametrize("size", SIZES)
async def test_switching_off_asks_and_says_what_stays_and_undo_takes_it_back(size: tuple[int, int]) -> None:
    async with console(size=size) as driver:
        await to_channels(driver)
        row = next(each for each in driver.world.channels if each.enabled)
        await driver.press("P")
        driver.sees(f"Switch off {row.name}", "chains go on", "told what still fires")
        await driver.press("escape")
        assert driver.world.done == []
        await driver.press("P", "enter")
        driver.sees(f"{row.name} is off")
        await driver.press("R")
        driver.sees("is switched off")
        await driver.press("u")
        assert driver.world.done == [
            ("set_channel_enabled", row.name, False),
            ("set_channel_enabled", row.name, True),
        ]


async def test_a_channel_that_is_off_is_switched_on_at_once_and_says_what_it_is_told() -> None:
    world = World()
    async with console(world, size=(120, 40)) as driver:
        await to_channels(driver)
        await driver.press("P", "enter", "enter")
        driver.sees("○ off", "what is new is left out")
        await driver.press("P")
        driver.sees("told after all: 2 messages")


@pytest.mark.parametrize("size", SIZES)
async def test_messages_of_every_kind_are_shown_of_a_sample_and_of_each_open_alert(
    size: tuple[int, int],
) -> None:
    async with console(size=size) as driver:
        await to_channels(driver)
        await driver.press("i")
        driver.sees(
            "of a sample" if size[0] > 100 else "sample", "FIRING", "CRITICAL website is failing", "REMINDER"
        )
        first = driver.world.alerts[0]
        await driver.press("tab")
        driver.sees(f"#{first.id}", first.title)
        await driver.press("shift+tab")
        driver.sees("CRITICAL website is failing")
        await driver.press("G")
        driver.sees("TEST")


async def test_what_is_wrong_with_a_template_is_named_by_its_line() -> None:
    world = World(templates={"templates": {"firing": {"title": "now\n{{ labels.group.name }}"}}})
    async with console(world, size=(120, 40)) as driver:
        await to_channels(driver)
        await driver.press("i")
        driver.sees(
            "✘ title: line 2 of the template", "✘ 3 of 8 have mistakes", "CRITICAL website is failing"
        )


async def test_what_outside_texts_hold_is_shown_as_text() -> None:
    world = World(templates={"templates": {"every": {"body": "a\x1b[2J[red]b"}}})
    async with console(world, size=(120, 40)) as driver:
        await to_channels(driver)
        await driver.press("i")
        driver.sees("[red]b")
        assert "\x1b" not in driver.text()
