"""A console whose machine stands still in the worst moments."""

from __future__ import annotations

from random import Random

import pytest
import textual.timer
from console_driver import console

STILL_S = 0.2
SEED = 1


@pytest.fixture
def _stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before every other look at the clock the process stands still, longer than most timers last."""
    print(f"seed {SEED}")
    real, chance, stood = textual.timer._time.get_time, Random(SEED), 0.0

    def late() -> float:
        nonlocal stood
        stood += chance.choice((0.0, STILL_S))
        return real() + stood

    monkeypatch.setattr(textual.timer._time, "get_time", late)


@pytest.mark.usefixtures("_stands_still")
async def test_a_machine_that_stands_still_as_rooms_change_leaves_no_console_that_draws_nothing() -> None:
    async with console() as driver:
        for room in "23451" * 3:
            await driver.press(room)
            assert driver.app._batch_count == 0


@pytest.mark.usefixtures("_stands_still")
async def test_a_machine_that_stands_still_as_the_terminal_changes_its_size_learns_of_the_next_size() -> None:
    async with console() as driver:
        for size in ((120, 40), (60, 20), (200, 60)) * 3:
            await driver.resize(size)
            assert driver.app.screen.size == size


@pytest.mark.usefixtures("_stands_still")
async def test_a_machine_that_stands_still_as_the_cursor_rests_shows_what_it_rests_on() -> None:
    async with console(size=(160, 50)) as driver:
        await driver.press(*"jkjkjk")
        assert driver.app.room is not None
        assert driver.app.room.settled
