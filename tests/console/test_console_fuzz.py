"""No single key destroys: random keys by the thousand, and every key held down, with a witness of all they do.

The short version runs always. A million keys, told as they go, in about an hour of one core:
``pytest tests/console/test_console_fuzz.py -n 0 --fuzz-long --fuzz-seed 1 -k random_keys_destroy``
"""

from __future__ import annotations

import pytest
from fuzz import fuzz, told
from hands import Hands, keys_to_press

from watchfloor.console.actions import BY_ID

SHORT = 2_000
MOST = 40_000
"""Hands that did nothing that matters after so many keys never will."""
CALM = [key for key in keys_to_press() if key not in BY_ID["confirm"].keys]
HELD = 6


async def test_random_keys_destroy_nothing_without_a_question_or_an_undo(
    dsn: str, fuzz_keys: int, fuzz_seed: int
) -> None:
    async with fuzz(dsn, fuzz_seed) as made:
        await made.run(fuzz_keys or SHORT, keys_to_press(), told if fuzz_keys else print)
        while not acted(made.hands) and made.pressed < MOST:
            await made.run(made.pressed + SHORT // 4, keys_to_press())
        assert made.hands.faults == []
        assert acted(made.hands), "the hands pressed nothing that matters"


def acted(hands: Hands) -> bool:
    """Whether something was paused, and a grave question confirmed. After how many keys hangs on the machine: where
    it is slow, a key finds another row under the cursor."""
    return hands.did["set_paused"] > 0 and hands.confirmed > 0


async def test_random_keys_on_a_painted_screen_destroy_nothing(dsn: str, fuzz_seed: int) -> None:
    async with fuzz(dsn, fuzz_seed, paints=True) as made:
        await made.run(200, keys_to_press())
        assert made.hands.faults == []


async def test_without_the_key_that_confirms_nothing_irrevocable_is_ever_done(
    dsn: str, fuzz_seed: int
) -> None:
    async with fuzz(dsn, fuzz_seed) as made:
        await made.run(SHORT // 2, CALM)
        assert made.hands.faults == []
        assert made.hands.confirmed == 0


@pytest.mark.parametrize("room", ["1", "2", "3", "5"])
async def test_no_key_destroys_by_being_held_down(dsn: str, room: str) -> None:
    async with fuzz(dsn, 1) as made:
        for key in keys_to_press():
            await made.burst([*["escape"] * 4, room, *[key] * HELD])
            made.app.locked = False
        assert made.hands.faults == []
        assert made.hands.confirmed == 0
