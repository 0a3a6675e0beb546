"""A console that runs for days holds no more than one that was just opened."""

from __future__ import annotations

import gc
from collections import Counter

from console_driver import Driver, console
from textual._styles_cache import StylesCache
from textual.dom import DOMNode


async def stroll(driver: Driver) -> None:
    """Open and close what can be opened, and look into every room."""
    await driver.press("enter", "j", "escape", "?", "escape", ":", "escape", "/", "x", "escape")
    await driver.press("3", "enter", "escape", "a", "escape", "4", "enter", "escape", "2", "5", "tab", "1")


def held() -> Counter[str]:
    """How many objects of the screen there are, by what they are."""
    gc.collect()
    return Counter(
        type(each).__name__ for each in gc.get_objects() if isinstance(each, DOMNode | StylesCache)
    )


async def test_what_was_closed_is_let_go() -> None:
    # A timer that was ended stays with the loop until its time comes, and holds the screen it was begun on.
    async with console(keep_s=0.01) as driver:
        for _ in range(2):
            await stroll(driver)
        before = held()
        for _ in range(3):
            await stroll(driver)
        await driver.until(lambda: held() - before == Counter())  # what was just closed is on its way out
