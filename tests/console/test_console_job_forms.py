"""Jobs in the console: forms that say as they are filled in when the job would run next."""

from __future__ import annotations

import pytest
from console_driver import Driver, console
from test_console_forms import fill, go_to

from watchfloor.console.screens.job_form import JobForm


async def open_job(driver: Driver, name: str = "nightly backup", *, copy: bool = False) -> JobForm:
    await driver.press("2")
    room = JobForm(name, copy=copy)
    await driver.app.push_screen(room)
    await driver.idle()
    return room


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_a_job_says_when_it_runs_next_as_clocks_in_its_zone_show_it(size: tuple[int, int]) -> None:
    async with console(size=size) as driver:
        await open_job(driver)
        if size[0] == 80:
            driver.sees("next Thu 2026-08-20 20:02:31+00:00 in 6h 00m Fri 2026-08-21 03:30+02:00")
        else:
            driver.sees("2026-08-20 20:02:31+00:00 in 6h 00m", "2026-08-21 03:30:00+02:00 in 11h 27m")


async def test_it_is_told_anew_as_its_schedule_is_written() -> None:
    async with console(size=(100, 30)) as driver:
        room = await open_job(driver)
        await go_to(driver, "schedules 1")
        await driver.press("enter")
        await driver.idle()
        driver.sees("schedules 1", "next Fri 2026-08-21 03:30 in 11h 27m", "as clocks show it at UTC+02:00")
        await fill(driver, "cron", "0 3 25 10 *")
        driver.sees("next Sun 2026-10-25 03:00", "▲ Sun 2026-10-25 03:00: clocks go back")
        await fill(driver, "cron", "0 3 31 2 *")
        driver.sees("it has no fire to come, or is not filled in rightly yet")
        await fill(driver, "cron", "*/15 * * * *")
        driver.sees("next Thu 2026-08-20 16:15 in 12m")
        await driver.press("escape")
        driver.sees("next Thu 2026-08-20 16:15+02:00 in 12m")
        assert room.previewed is not None
        assert len(room.previewed) == 100


async def test_a_job_without_a_schedule_says_that_it_runs_when_asked() -> None:
    async with console() as driver:
        await open_job(driver, "")
        driver.sees("next only when asked")
        await driver.press("x")
        driver.sees("nothing fires by itself")


async def test_a_key_lists_more_of_them() -> None:
    async with console() as driver:
        await open_job(driver)
        await driver.press("x")
        driver.sees("when nightly backup runs", "2026-08-21 03:30:00+02:00 in 11h 27m")
        await driver.press("end")
        driver.sees("2026-09-09 03:30:00+02:00 in 19d 11h", "line 82 of 100")
