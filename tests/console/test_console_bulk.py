"""Acknowledging several alerts at once: what and how many is named, and one undo takes all back."""

from __future__ import annotations

from console_driver import Driver, console


def firing(driver: Driver) -> set[int]:
    return {alert.id for alert in driver.world.alerts if alert.state == "firing"}


async def test_all_that_are_shown_are_acknowledged_after_a_question_and_taken_back_by_one_undo() -> None:
    async with console(size=(100, 30)) as driver:
        before = firing(driver)
        assert len(before) > 1
        await driver.press("3", "A")
        driver.sees(f"Acknowledge {len(before)} alerts:", "1 critical")
        assert driver.world.done == []
        await driver.press("enter")
        driver.sees(f"acknowledged {len(before)} alerts for 4 h")
        assert set(driver.world.done[-1][1]) == before
        assert firing(driver) == set()
        await driver.press("u")
        assert firing(driver) == before


async def test_escape_leaves_all_as_it_was() -> None:
    async with console() as driver:
        await driver.press("3", "A", "escape")
        assert driver.world.done == []


async def test_only_what_the_filter_shows_is_meant_by_all() -> None:
    async with console() as driver:
        await driver.press("3", "/")
        await driver.type("severity:critical")
        await driver.press("enter", "A")
        driver.sees("Acknowledge 1 alert: 1 critical")
        await driver.press("escape", "/")
        await driver.type(" state:pending")
        await driver.press("enter", "A")
        driver.sees("acknowledge all: no alert that is shown is firing")


async def test_marked_rows_are_acknowledged_together_and_unmarked() -> None:
    async with console(size=(100, 30)) as driver:
        await driver.press("3", "space", "j", "j", "space")
        driver.sees("a acknowledge 2")
        await driver.press("a")
        driver.sees("Acknowledge 2 alerts:")
        await driver.press("enter")
        assert len(driver.world.done[-1][1]) == 2
        driver.sees_not("marked")
        await driver.press("u")
        driver.sees("took back these acknowledgements")


async def test_marked_rows_without_a_firing_alert_say_so() -> None:
    async with console(size=(120, 30)) as driver:
        await driver.press("G", "space", "a")
        driver.sees("no alert of the marked rows is firing")
        assert driver.world.done == []


async def test_what_somebody_else_acknowledged_meanwhile_is_not_taken_back() -> None:
    async with console(size=(100, 30)) as driver:
        await driver.press("3", "A")
        theirs = min(firing(driver))
        driver.operator._alerts([theirs], state="acknowledged", acked_by="alex")
        ours = firing(driver)
        await driver.press("enter")
        driver.sees(f"acknowledged {len(ours)} of {len(ours) + 1} alerts")
        await driver.press("u")
        assert firing(driver) == ours


async def test_a_read_only_console_acknowledges_nothing() -> None:
    async with console(read_only=True) as driver:
        await driver.press("3", "A", "space", "a")
        driver.sees("this console is read-only")
        assert driver.world.done == []
