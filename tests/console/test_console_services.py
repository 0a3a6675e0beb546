"""Services that are defined in the console: forms of every kind of check, tested before they are saved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from console_driver import Driver, console
from console_world import NOW, WIKI

from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.form import FormRoom
from watchfloor.console.screens.trial import TrialRoom
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.trial import Trial

ASKED = Trial(UUID(int=7), "http", 10.0, NOW)
ANSWERED = replace(
    ASKED,
    node="floor-01",
    began_at=NOW,
    ended_at=NOW,
    outcome=Outcome(
        Status.FAILING,
        "HTTP 503, expected 200",
        0.2,
        {"dns": 0.01, "first_byte": 0.19},
        {},
        {"status_code": 503},
    ),
)


async def at(driver: Driver, name: str) -> None:
    await driver.press("/", *f'name:"{name}"', "enter")


async def fill(driver: Driver, field: str, text: str) -> None:
    await driver.press("/", *f"field:{field}", "enter", "home", "enter", "ctrl+u")
    await driver.type(text)
    await driver.press("enter", "escape")


async def test_a_new_service_is_filled_in_by_keys_alone_and_taken_back_by_one() -> None:
    async with console(size=(120, 40)) as driver:
        await driver.press("+")
        driver.sees("Health › new service", "kind http", "url", "certificate_warn_d", "environment")
        await fill(driver, "name", "till")
        await fill(driver, "url", "https://till.example")
        await driver.press("ctrl+s")
        wanted = {"kind": "http", "name": "till", "url": "https://till.example"}
        assert driver.world.done[-1] == ("save_form", "service", wanted, "", 0)
        driver.sees("✓ saved till")
        await driver.press("u")
        assert driver.world.done[-1] == ("delete_thing", "service", "till")


async def test_a_mistake_is_told_at_its_field_by_the_rules_of_the_file() -> None:
    async with console(size=(120, 40)) as driver:
        await driver.press("+")
        await fill(driver, "url", "till.example")
        driver.sees("mistake", "url till.example ✘ the address must begin with http:// or https")


async def test_the_consoles_own_service_is_changed_as_of_its_version() -> None:
    async with console() as driver:
        await at(driver, "wiki")
        await driver.press("i")
        await fill(driver, "every", "5m")
        driver.sees("1 field not saved")
        await driver.press("ctrl+s")
        assert driver.world.done[-1] == ("save_form", "service", {**WIKI, "every": "5m"}, "wiki", 3)
        await driver.press("u")
        assert driver.world.done[-1] == ("save_form", "service", WIKI, "wiki", 4)


async def test_a_service_of_the_file_is_read_only_and_says_where_it_stands() -> None:
    async with console() as driver:
        await at(driver, "docs")
        await driver.press("D")
        driver.sees("delete: docs is defined in config.yaml:22; delete it there")
        await driver.press("i")
        driver.sees("○ read-only")
        await driver.press("enter")
        assert isinstance(driver.app.screen, FormRoom)
        driver.sees("it is defined in config.yaml:22; change it there, or copy it")


async def test_deleting_asks_and_is_taken_back() -> None:
    async with console() as driver:
        await at(driver, "wiki")
        await driver.press("D")
        assert isinstance(driver.app.screen, ConfirmDialog)
        driver.sees("Delete wiki", "what is known of it stays")
        await driver.press("enter")
        assert driver.world.done[-1] == ("delete_thing", "service", "wiki")
        assert "wiki" not in [row.name for row in driver.world.services]
        await driver.press("u")
        assert driver.world.done[-1] == ("save_form", "service", WIKI, "", 0)


async def test_it_is_tested_by_an_engine_before_it_is_saved() -> None:
    async with console() as driver:
        await at(driver, "wiki")
        await driver.press("i")
        await fill(driver, "every", "5m")
        driver.world.trial = ANSWERED
        await driver.press("x")
        assert driver.world.done == [("try_service", {**WIKI, "every": "5m"})]
        driver.sees(
            "test of wiki ✘ failing",
            "checked by floor-01",
            "HTTP 503, expected 200",
            "in all 200 ms",
            "PHASES",
            "first byte",
            "status code 503",
        )
        await driver.press("escape")
        driver.sees("1 field not saved")


async def test_a_trial_is_followed_until_it_is_answered() -> None:
    async with console() as driver:
        await at(driver, "wiki")
        await driver.press("i")
        driver.world.trial = ASKED
        await driver.press("x")
        driver.sees("◌ waiting", "waiting for an engine to take it")
        driver.world.trial = replace(ASKED, node="floor-01", began_at=NOW)
        await driver.changed("checks")
        driver.sees("▶ checking", "floor-01 is checking")
        driver.world.trial = ANSWERED
        await driver.changed("checks")
        driver.sees("✘ failing")


async def test_where_no_engine_runs_that_is_said() -> None:
    async with console() as driver:
        await at(driver, "wiki")
        await driver.press("i")
        driver.world.trial = replace(ASKED, asked_at=NOW - timedelta(seconds=9))
        await driver.press("x")
        assert isinstance(driver.app.screen, TrialRoom)
        driver.sees("✘ no answer", "no engine took it within 5 s", "watchfloor serve")


async def test_what_has_mistakes_and_what_is_no_service_is_not_tested() -> None:
    async with console() as driver:
        await driver.press("+", "x")
        driver.sees("test now: there are mistakes: correct them first")
        await driver.press("escape", "escape", "2", "+", "x")
        driver.sees("next fires: nothing fires by itself")
        assert driver.world.done == []


async def test_somebody_who_only_pauses_it_disturbs_no_form() -> None:
    async with console() as driver:
        await at(driver, "wiki")
        await driver.press("i")
        await fill(driver, "every", "5m")
        driver.world.forms["wiki"] = replace(driver.world.forms["wiki"], version=4)
        await driver.press("p", "p")  # read again
        driver.sees_not("changed this meanwhile")
        await driver.press("ctrl+s")
        assert driver.world.done[-1][-1] == 4


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 50)])
async def test_forms_and_verdicts_fit_every_screen(size: tuple[int, int]) -> None:
    async with console(size=size) as driver:
        await at(driver, "wiki")
        driver.world.trial = ANSWERED
        await driver.press("i")
        driver.sees("wiki")
        await driver.press("x")
        driver.sees("✘ failing")
        assert all(len(line) <= size[0] for line in driver.lines())
