"""On the narrowest screen a row still says what it is about."""

from __future__ import annotations

import pytest
from console_driver import console


@pytest.mark.parametrize(
    ("key", "seen"),
    [("3", "is failing"), ("5", "512")],
    ids=["what an alert is about", "the value of a setting"],
)
async def test_the_gist_of_a_row_is_seen_at_40_columns(key: str, seen: str) -> None:
    async with console(size=(40, 10)) as driver:
        await driver.press(key)
        driver.sees(seen)
