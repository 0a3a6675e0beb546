"""Rules in the console: written in forms that say as they are filled in what such a rule would have done."""

from __future__ import annotations

import asyncio

import pytest
from console_driver import Driver, console
from console_world import World
from test_console_alert_room import TO_RULES
from test_console_forms import fill, go_to

from watchfloor.console.screens.rule_form import RuleForm

SIZES = [(80, 24), (160, 50)]


async def open_form(driver: Driver, name: str = "", *, copy: bool = False) -> RuleForm:
    room = RuleForm(name, copy=copy)
    await driver.app.push_screen(room)
    await driver.idle()
    return room


async def choose(driver: Driver, field: str, choice: str) -> None:
    await go_to(driver, field)
    for _ in range(12):
        if choice in driver.cursor.split():
            await driver.press("escape")
            return
        await driver.press("right")
    raise AssertionError(f"{choice} is no choice of {field}")


@pytest.mark.parametrize("size", SIZES)
async def test_a_new_rule_says_what_it_would_have_done_before_it_has_a_name(size: tuple[int, int]) -> None:
    async with console(size=size) as driver:
        await driver.press(*TO_RULES, "+")
        driver.sees("new rule", "would have fired 3 times in the last 7d, on website (3)", "1 would fire now")
        assert sum("would have fired" in line for line in driver.lines()) == 1


async def test_a_rule_that_is_half_written_says_quietly_why_it_cannot_be_tried(world_of_rules: World) -> None:
    async with console(world_of_rules) as driver:
        await open_form(driver)
        await choose(driver, "kind", "metric")
        driver.sees("no preview yet: metric: this key is required")
        await driver.press("x")
        driver.sees("preview: no preview yet")
        await fill(driver, "metric", "latency")
        driver.sees("no preview yet: fire")
        await fill(driver, "fire", "9000")
        driver.sees("would not have fired in the last 7d", "It looked at 12 instances of 15.")
        await fill(driver, "fire", "900")
        driver.sees("would have fired 3 times")
        assert [each["fire"] for each in world_of_rules.previewed if "fire" in each] == [9000, 900]


async def test_another_name_or_severity_is_no_reason_to_look_again(world_of_rules: World) -> None:
    async with console(world_of_rules) as driver:
        await open_form(driver, "slow queries")
        looked = len(world_of_rules.previewed)
        await fill(driver, "name", "slower queries")
        await choose(driver, "severity", "critical")
        assert len(world_of_rules.previewed) == looked == 1


async def test_other_channels_may_be_none_so_it_looks_again(world_of_rules: World) -> None:
    async with console(world_of_rules) as driver:
        await open_form(driver, "slow queries")
        await go_to(driver, "channels")
        await driver.press("enter")
        await driver.type("ops-pager")
        await driver.press("ctrl+s")
        await driver.until(lambda: len(world_of_rules.previewed) == 2)


async def test_an_answer_that_comes_too_late_is_dropped(world_of_rules: World) -> None:
    async with console(world_of_rules) as driver:
        room = await open_form(driver, "slow queries")
        world_of_rules.gate = asyncio.Event()
        room.set_value(("fire",), 9000)
        await driver.until(lambda: len(world_of_rules.previewed) == 2)
        room.set_value(("fire",), 700)
        await driver.until(lambda: len(world_of_rules.previewed) == 3)
        driver.sees("would have fired 3 times")
        world_of_rules.gate.set()
        await driver.idle()
        driver.sees("would have fired 3 times")
        driver.sees_not("would not have fired")


async def test_a_key_shows_all_of_it(world_of_rules: World) -> None:
    async with console(world_of_rules) as driver:
        await open_form(driver, "slow queries")
        await driver.press("x")
        driver.sees("what slow queries would have done", "WOULD HAVE FIRED IN 7d", "goes on")


async def test_what_another_kind_had_is_kept_and_is_no_mistake(world_of_rules: World) -> None:
    async with console(world_of_rules) as driver:
        room = await open_form(driver, "slow queries", copy=True)
        await choose(driver, "kind", "absence")
        assert room.meant() == {
            "name": "slow queries copy",
            "kind": "absence",
            "metric": "latency",
            "severity": "warning",
        }
        driver.sees("no preview yet: longer_than")
        await choose(driver, "kind", "metric")
        await driver.press("ctrl+s")
        made = {
            "name": "slow queries copy",
            "kind": "metric",
            "metric": "latency",
            "fire": 500,
            "severity": "warning",
        }
        assert world_of_rules.done == [("save_form", "rule", made, "", 0)]


async def test_what_a_file_defines_is_looked_at_and_tried_and_says_where_it_stands(
    world_of_rules: World,
) -> None:
    async with console(world_of_rules) as driver:
        await driver.press(*TO_RULES, "i")
        driver.sees("○ read-only", "would have fired 3 times")
        await driver.press("x")
        driver.sees("WOULD HAVE FIRED IN 7d")


async def test_a_rule_is_switched_off_at_once_and_undo_takes_it_back(world_of_rules: World) -> None:
    async with console(world_of_rules) as driver:
        await driver.press(*TO_RULES, "P")
        driver.sees("web is failing is off")
        await driver.press("u")
        assert world_of_rules.done == [
            ("set_rule_enabled", "web is failing", False),
            ("set_rule_enabled", "web is failing", True),
        ]
        await driver.press("G", "P")
        driver.sees("switch off: service is not ok is what catches the rest")


async def test_deleting_names_the_rule_and_what_is_open_by_it_and_undo_writes_it_again(
    world_of_rules: World,
) -> None:
    async with console(world_of_rules, size=(120, 30)) as driver:
        await driver.press(*TO_RULES, "D")
        driver.sees("delete: web is failing is defined in config.yaml:14; delete it there")
        await driver.press("j", "D")
        driver.sees("Delete slow queries", "Nothing is open by it.")
        assert world_of_rules.done == []
        await driver.press("enter")
        driver.sees("deleted slow queries")
        await driver.press("u")
        assert [each[:2] for each in world_of_rules.done] == [("delete_thing", "rule"), ("save_form", "rule")]


async def test_the_alerts_that_are_open_by_a_rule_are_named_before_it_goes(world_of_rules: World) -> None:
    world_of_rules.alerts = [
        type(each)(**{**{f: getattr(each, f) for f in type(each).__slots__}, "rule": "slow queries"})
        for each in world_of_rules.alerts
    ]
    async with console(world_of_rules, size=(120, 30)) as driver:
        await driver.press(*TO_RULES, "j", "D")
        number = len(world_of_rules.alerts)
        driver.sees(f"{number} open alerts of it end", f"#{world_of_rules.alerts[0].id}")


@pytest.fixture
def world_of_rules() -> World:
    return World()
