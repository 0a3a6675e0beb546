"""`u` takes back what was done last, then what was done before that, each for 10 s; on a real database, by kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from console_driver import PATIENCE_S, console
from fuzz_world import FAILING, ROBIN, FuzzWorld
from textual import events
from textual.keys import _character_to_key

from support.sql import rows
from watchfloor.console.app import WatchfloorApp
from watchfloor.console.line import plain
from watchfloor.console.undo import UNDO_S, Undos
from watchfloor.domain.silences import Wish
from watchfloor.operations import silences


class Desk:
    """A console at work on a real database."""

    def __init__(self, app: WatchfloorApp, world: FuzzWorld) -> None:
        self.app, self.world = app, world
        self.said: list[str] = []
        say = app.say

        def saying(line: tuple[tuple[str, str], ...], *more: float) -> None:
            self.said.append(plain(line))
            say(line, *more)

        app.say = saying  # type: ignore[method-assign, assignment]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                await asyncio.sleep(0.002)

    async def press(self, *keys: str) -> None:
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 else key
            self.app.post_message(events.Key(name, key if len(key) == 1 else None))
            seen = asyncio.Event()
            self.app.call_later(seen.set)
            await seen.wait()
            await self.until(lambda: self.app.idle and self.app._message_queue.empty())

    async def count(self, table: str, where: str) -> int:
        return int((await rows(self.world.database, f"SELECT count(*) FROM {table} WHERE {where}"))[0][0])


@asynccontextmanager
async def at_work(dsn: str) -> AsyncIterator[Desk]:
    world = FuzzWorld(dsn)
    await world.build()
    app = WatchfloorApp(world.desk, world.desk, grace=0.0, keep_s=3600.0)
    async with app.run_test(size=(100, 30)):
        desk = Desk(app, world)
        await desk.until(lambda: app.idle)
        yield desk
    await world.close()


async def test_an_acknowledgement_is_taken_back(dsn: str) -> None:
    async with at_work(dsn) as desk:
        await desk.press("3", "a", "enter")
        assert await desk.count("alerts", "state = 'acknowledged'") == 1
        await desk.press("u")
        assert await desk.count("alerts", "state = 'acknowledged'") == 0
        assert "✓ took back the acknowledgement of #" in desk.said[-1]


async def test_many_acknowledgements_are_taken_back_at_once(dsn: str) -> None:
    async with at_work(dsn) as desk:
        await desk.press("3", "A", "enter")
        assert await desk.count("alerts", "state = 'acknowledged'") == FAILING
        await desk.press("u")
        assert await desk.count("alerts", "state = 'firing'") == FAILING
        assert desk.said[-1] == "✓ took back these acknowledgements"


@pytest.mark.parametrize(("room", "table"), [("1", "services"), ("2", "jobs")])
async def test_pausing_and_resuming_are_taken_back_one_after_the_other(
    dsn: str, room: str, table: str
) -> None:
    async with at_work(dsn) as desk:
        await desk.press(room, "j", "P")
        assert await desk.count(table, "paused") == 1
        await desk.press("P")
        assert await desk.count(table, "paused") == 0
        await desk.press("u")
        assert await desk.count(table, "paused") == 1
        assert "✓ paused" in desk.said[-1]
        await desk.press("u")
        assert await desk.count(table, "paused") == 0
        assert "✓ resumed" in desk.said[-1]
        await desk.press("u")
        assert "there is nothing to undo" in desk.said[-1]


async def test_a_silence_that_was_made_or_ended_is_taken_back(dsn: str) -> None:
    in_force = "ends_at > now()"
    async with at_work(dsn) as desk:
        await desk.press("3", "s", *"tests", "enter")
        assert await desk.count("silences", in_force) == 1
        await desk.press("u")
        assert await desk.count("silences", in_force) == 0
        wish = Wish(["service=wiki"], "tests", timedelta(hours=2))
        await silences.add(desk.world.database, ROBIN, wish)
        await desk.press("tab", "tab", "tab", "D")
        assert await desk.count("silences", in_force) == 0
        await desk.press("u")
        assert await desk.count("silences", in_force) == 1


async def test_silences_of_all_that_is_marked_are_taken_back_at_once(dsn: str) -> None:
    in_force = "ends_at > now()"
    async with at_work(dsn) as desk:
        await desk.press("3", "v", "G", "s", *"tests", "enter")
        assert await desk.count("silences", in_force) == FAILING
        assert await desk.count("alerts", "'silence' = ANY(suppressed)") == FAILING
        await desk.press("u")
        assert desk.said[-1] == "✓ ended these silences"
        assert await desk.count("silences", in_force) == 0


async def test_what_was_so_already_is_not_offered_to_be_taken_back(dsn: str) -> None:
    async with at_work(dsn) as desk:
        [row, *_] = await desk.world.desk.health()
        await desk.world.desk.set_paused(row.id, True)
        desk.app.operate(
            lambda: desk.world.desk.set_paused(row.id, True),
            "paused",
            undo=("pause", lambda: desk.world.desk.set_paused(row.id, False), "resumed"),
        )
        await desk.until(lambda: bool(desk.said) and desk.app.idle)
        assert desk.said[-1] == "○ it was so already: nothing is changed"
        assert desk.app.undo is None


async def test_what_could_not_be_taken_back_is_offered_again() -> None:
    async with console() as driver:
        await driver.press("P")
        works = driver.operator.set_paused

        async def fails(service_id: int, paused: bool) -> bool:
            raise ConnectionError("the database is away")

        driver.operator.set_paused = fails  # type: ignore[method-assign]
        await driver.press("u")
        driver.sees("✘ not done")
        driver.operator.set_paused = works  # type: ignore[method-assign]
        await driver.press("u")
        driver.sees("✓ resumed shop checkout")


async def nothing() -> None:
    """Stands for an operation."""


def test_the_last_is_taken_back_first_and_each_only_in_its_time() -> None:
    now = [0.0]
    undos = Undos(lambda: now[0])
    for label in ("pause", "acknowledge", "resume"):
        undos.offer((label, nothing, ""))
        now[0] += 4
    first = undos.take()
    assert first is not None
    assert first.label == "resume"
    undos.put_back(first)
    assert undos.next is first
    now[0] = UNDO_S + 4  # the second was offered at 4
    taken = [undo.label for undo in (undos.take(), undos.take()) if undo is not None]
    assert taken == ["resume"]
    assert undos.take() is None
