"""Who may stay connected, and whose tokens are looked up."""

from __future__ import annotations

import asyncio

import pytest

from support.waiting import until
from watchfloor.api import strangers
from watchfloor.api.guests import Displaced, Guests


async def test_the_one_that_goes_is_of_the_address_that_has_most() -> None:
    held, forever = Guests(), asyncio.Event()

    async def stay(address: str) -> str:
        try:
            async with held.guest(address):
                await forever.wait()
        except Displaced:
            return "displaced"
        return "stayed"

    tasks = [asyncio.create_task(stay(address)) for address in ("slow", "crowd", "crowd", "crowd")]
    await until(lambda: held.count == 4)
    assert held.room(4)
    assert await tasks[1] == "displaced"
    assert [task.done() for task in tasks] == [False, True, False, False]
    forever.set()
    assert [await task for task in (tasks[0], *tasks[2:])] == ["stayed"] * 3


def test_what_was_wrong_is_made_good_by_time_and_addresses_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(strangers, "ADDRESSES", 2)
    found = strangers.Strangers(lambda: now[0])
    for _ in range(1000):
        found.wrong("a")
    assert found.too_often("a")
    assert not found.too_often("b")
    now[0] += 2 * strangers.REFILL_S + 0.01
    assert not found.too_often("a")
    found.wrong("a")
    assert found.too_often("a")
    found.wrong("b")
    found.wrong("c")
    assert not found.too_often("a")
