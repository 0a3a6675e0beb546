"""The watched databases in Health: reached by name, told in full where there is room, opened as what they are."""

from __future__ import annotations

from dataclasses import replace

from console_driver import Driver, console

from watchfloor.domain.outcome import Status


async def show(driver: Driver, *filter_: str) -> None:
    await driver.press(":")
    await driver.type(" ".join(("databases", *filter_)))
    await driver.press("enter")


async def test_the_databases_stand_in_one_list_with_the_query_that_is_over_its_limit() -> None:
    async with console() as driver:
        await show(driver)
        driver.sees("? unknown reporting", "90 %", "● ok orders dat")
        driver.sees("1.37 ms 99.95 % 61/97 2/3 ✘ late", "1 / 2 databases")
        await driver.press("j", "enter")
        driver.sees("Health › Databases › orders database ● ok")


async def test_filters_and_faults_know_databases() -> None:
    async with console() as driver:
        await show(driver, "query:late")
        driver.sees("orders database", "1 / 1 of 2 databases")
        driver.sees_not("reporting")
        await show(driver, "address:REPORTS")
        driver.sees("reporting")
        driver.sees_not("orders database")
        driver.world.queries = [replace(row, hard=Status.OK) for row in driver.world.queries]
        await driver.changed("health")
        await driver.press("escape", "z")
        driver.sees("reporting", "faults only")
        driver.sees_not("orders database")


async def test_a_wide_screen_tells_every_query_beside_the_list() -> None:
    async with console(size=(160, 50)) as driver:
        await show(driver, "orders")
        driver.sees("address orders.example.com:5432/orders", "99.95 % of 20 160 checks in 7 days")
        driver.sees("QUERIES", "✘ failing late orders", "▲ degraded slow statements", "● ok orders a minute")
        driver.sees("orders database postgres · data")
        await driver.press("z")
        driver.sees("late orders")


async def test_what_can_be_done_to_a_service_can_be_done_to_the_database_it_stands_for() -> None:
    async with console() as driver:
        await show(driver, "reporting")
        driver.sees("enter see why", "a acknowledge")
        await driver.press("x")
        reporting = next(row for row in driver.world.services if row.name == "reporting database")
        assert ("check_now", reporting.id) in [what[:2] for what in driver.world.done]
        await driver.press("tab")
        driver.sees("floor-01")
        driver.sees_not("a acknowledge", "x check now")
