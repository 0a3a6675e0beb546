"""The maintenance planner: what is open, next and over; windows planned in forms with a preview; ended, taken back."""

from __future__ import annotations

import pytest
from console_driver import Driver, console

from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.maintenance import MaintenanceRoom


async def fill(driver: Driver, field: str, text: str, *, lines: bool = False) -> None:
    await driver.press("/", *f"field:{field}", "enter", "home", "enter")
    if not lines:
        await driver.press("ctrl+u")
    await driver.type(text)
    await driver.press("ctrl+s" if lines else "enter", "escape")


async def test_what_is_open_stands_first_then_what_comes_then_what_is_over() -> None:
    async with console(size=(100, 30)) as driver:
        await driver.press("Y")
        driver.sees(
            "Health › maintenance ▶ 1 open ◌ 3 next ○ 1 over",
            "▶ open shop move Thu 20 Aug 13:02 Thu 20 Aug 15:02 2h 00m new rack",
            "◌ next database patches Fri 21 Aug 01:02",
            "▲ clocks go back by",
            "○ over shop move Tue 18 Aug 12:02 Tue 18 Aug 14:02 2h 00m ended by",
        )
        await driver.press("enter")
        driver.sees("covers groups shop", "owned by planned by kim", "2 alerts kept quiet")


async def test_a_window_is_ended_now_and_one_key_opens_it_again() -> None:
    async with console() as driver:
        await driver.press("Y", "x")
        assert driver.world.done == [("end_window", 1)]
        driver.sees("✓ ended shop move")
        await driver.press("u")
        assert driver.world.done[-1] == ("reopen_window", 1)
        await driver.press("j", "x")
        driver.sees("end now: database patches is not open at this time")


async def test_a_weekly_window_is_planned_in_a_form_with_a_preview_across_the_change_of_clocks() -> None:
    async with console(size=(120, 40)) as driver:
        await driver.press("Y", "+")
        driver.sees("Health › maintenance › new window", "weekly", "services", "✘")
        await driver.press("x")
        driver.sees("preview: there are mistakes: correct them first")
        await fill(driver, "name", "nights")
        await fill(driver, "groups", "shop", lines=True)
        await fill(driver, "weekly", "sun", lines=True)
        await fill(driver, "at", "01:30")
        await fill(driver, "lasts", "4h")
        await fill(driver, "time_zone", "Europe/Berlin")
        await driver.press("x")
        driver.sees("when nights opens", "opens Sun 23 Aug 2026 01:30 to 05:30 (+02:00), 4h")
        await driver.press("escape", "ctrl+s")
        wanted = {
            "name": "nights", "covers": {"groups": ["shop"]}, "weekly": ["sun"], "at": "01:30", "lasts": "4h",
            "time_zone": "Europe/Berlin",
        }  # fmt: skip
        assert driver.world.done[-1] == ("save_form", "window", wanted, "", 0)
        await driver.press("u")
        assert driver.world.done[-1] == ("delete_thing", "window", "nights")


async def test_at_80_columns_the_form_says_that_a_window_would_be_open_at_once() -> None:
    async with console(size=(80, 24)) as driver:
        await driver.press("Y", "+")
        await fill(driver, "name", "a move of the whole room")
        await fill(driver, "services", "*", lines=True)
        await fill(driver, "start", "2026-01-01 00:00")
        await fill(driver, "end", "2027-01-01 00:00")
        driver.sees("4 fields not saved", "open at once")


async def test_what_could_never_open_is_said_in_the_form() -> None:
    async with console(size=(120, 40)) as driver:
        await driver.press("Y", "+")
        await fill(driver, "name", "nights")
        await fill(driver, "groups", "shop", lines=True)
        await fill(driver, "weekly", "sun", lines=True)
        driver.sees("✘ 1 mistake: needs")


async def test_a_window_is_changed_on_its_version_and_deleted_with_undo() -> None:
    async with console(size=(100, 30)) as driver:
        await driver.press("Y", "j", "i")
        await fill(driver, "lasts", "3h")
        await driver.press("ctrl+s")
        assert driver.world.done[-1][0] == "save_form"
        assert driver.world.done[-1][3:] == ("database patches", 2)
        await driver.press("D")
        assert isinstance(driver.app.screen, ConfirmDialog)
        await driver.press("enter")
        assert driver.world.done[-1] == ("delete_thing", "window", "database patches")
        await driver.press("u")
        assert driver.world.done[-1][0] == "save_form"


async def test_the_files_windows_say_where_they_stand() -> None:
    async with console() as driver:
        await driver.press("Y", "/", *"backup", "enter", "D")
        driver.sees("backup is defined in config.yaml:40; delete it there")


async def test_it_is_found_by_filter_and_comes_back_by_its_place() -> None:
    async with console() as driver:
        await driver.press("Y", "/", *"state:next covers:postgres", "enter")
        driver.sees("2 of 5 times")
        await driver.press("escape", "escape", "-")
        assert isinstance(driver.app.screen, MaintenanceRoom)


@pytest.mark.parametrize("size", [(40, 10), (60, 20), (80, 24), (160, 50)])
async def test_the_planner_fits_every_screen(size: tuple[int, int]) -> None:
    async with console(size=size) as driver:
        await driver.press("Y")
        driver.sees("▶ open", "shop move")
        await driver.press("enter")
        assert all(len(line) <= size[0] for line in driver.lines())
