"""Why a service is not ok, and what it hangs on, as the detail of a service shows them."""

from __future__ import annotations

import pytest
from console_driver import console

from watchfloor.console.format import Moment
from watchfloor.console.line import plain, width
from watchfloor.console.views.tree import tree_lines
from watchfloor.console.views.why import why_lines
from watchfloor.domain.why import Reason


async def test_the_detail_says_why_in_words_before_anything_else() -> None:
    async with console() as driver:
        await driver.press("enter")
        driver.sees(
            "WHY IT IS NOT OK",
            "seen failing: HTTP 503 from https://checkout.shop.example/health",
            "since began: connection refused (10m ago)",
            "changed its definition was changed by kim: every 1m → 30s (14m ago)",
        )
        lines = driver.lines()
        assert next(n for n, line in enumerate(lines) if "WHY IT IS" in line) < 8


async def test_the_keys_at_the_bottom_of_a_small_screen_lead_to_why_and_to_the_incident() -> None:
    async with console() as driver:
        assert driver.lines()[-1].startswith(" enter see why  a acknowledge ")
        await driver.press("enter")
        assert " I incident " in driver.lines()[-1]
        await driver.press("escape", "/", *"wiki", "enter")
        assert driver.lines()[-1].startswith(" enter open ")


async def test_the_tree_marks_the_root_cause_and_folds_ten_thousand() -> None:
    async with console(size=(80, 120)) as driver:
        await driver.press("enter")
        driver.sees(
            "◆ root cause: core router",
            "needs 3 services",
            "├ ✘ failing orders database out of reach",
            "│ └ ✘ failing core router ◆ root cause",
            "└ one of 2, 1 within reach",
            "├ ✘ failing cache a",
            "needed by 10 000 services; 9 990 out of reach",
            "└ and 9 988 more: 9 978 failing, 10 ok",
        )


async def test_an_ok_service_that_stands_alone_says_neither() -> None:
    async with console(size=(80, 120)) as driver:
        await driver.press("/", *"wiki", "enter", "enter")
        driver.sees("wiki", "LATEST CHECKS")
        driver.sees_not("WHY IT IS NOT OK", "DEPENDENCIES")


@pytest.mark.parametrize("cells", [20, 60, 80, 160])
async def test_whatever_stands_there_fits_and_is_escaped(cells: int) -> None:
    async with console() as driver:
        detail = await driver.app.reader.service(1)
        assert detail is not None
        moment = Moment(driver.world.now)
        nasty = Reason("seen", "\x1b[31m" + "x" * 500, driver.world.now)
        for line in [*why_lines([*detail.why, nasty], moment, cells), *tree_lines(detail.tree, cells)]:
            assert width(line) <= cells
            assert "\x1b" not in plain(line)
