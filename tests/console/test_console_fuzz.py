"""No single key destroys: random keys by the thousand, and every key held down, with a witness of all they do.

The short version runs always; ``WATCHFLOOR_FUZZ_KEYS=1000000`` presses as many as it says.
"""

from __future__ import annotations

import os
import time

import pytest
from console_driver import console
from hands import Hands, keys_to_press
from textual._compositor import Compositor

from watchfloor.console.actions import BY_ID
from watchfloor.console.app import WatchfloorApp

COUNT = int(os.environ.get("WATCHFLOOR_FUZZ_KEYS", "0")) or 2_500
SEED = int(os.environ.get("WATCHFLOOR_FUZZ_SEED", "20"))
CALM = [key for key in keys_to_press() if key not in BY_ID["confirm"].keys]


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is painted: what keys do does not hang on it, and a million of them take minutes, not hours."""
    monkeypatch.setattr(Compositor, "render_update", lambda *_, **__: None)
    monkeypatch.setattr(WatchfloorApp, "_display", lambda *_: None)


@pytest.mark.usefixtures("blind")
async def test_random_keys_destroy_nothing_without_a_question_or_an_undo() -> None:
    async with console(size=(80, 24)) as driver:
        hands = Hands(driver, SEED)
        began = time.monotonic()
        await hands.press_many(COUNT, keys_to_press(), whole=False)
        print(f"{COUNT} keys, {COUNT / (time.monotonic() - began):.0f}/s, {dict(hands.did)}, ", end="")
        print(f"{hands.confirmed} confirmed, {hands.left} times left")
        assert hands.faults == []
        assert hands.did["set_paused"] > 0  # else the hands pressed nothing that matters
        assert hands.confirmed > 0


async def test_random_keys_as_the_terminal_sends_them_destroy_nothing() -> None:
    async with console(size=(80, 24)) as driver:
        hands = Hands(driver, SEED)
        await hands.press_many(250, keys_to_press(), whole=True)
        assert hands.faults == []


@pytest.mark.usefixtures("blind")
async def test_without_the_key_that_confirms_nothing_irrevocable_is_ever_done() -> None:
    async with console(size=(80, 24)) as driver:
        hands = Hands(driver, SEED)
        await hands.press_many(min(COUNT, 20_000) // 2, CALM, whole=False)
        assert hands.faults == []
        assert hands.confirmed == 0


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("room", ["1", "3", "5"])
async def test_no_key_destroys_by_being_held_down(room: str) -> None:
    async with console(size=(80, 24)) as driver:
        hands = Hands(driver, SEED)
        for key in keys_to_press():
            await driver.home()
            await driver.press(room)
            for _ in range(8):
                await hands.press(key, whole=False)
            driver.app.locked = False
        assert hands.faults == []
        assert hands.confirmed == 0
