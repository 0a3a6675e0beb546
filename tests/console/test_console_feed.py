"""The feed: every pulse is followed by a refresh, never two at once, and nothing ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from console_driver import Driver, console
from console_world import FakeOperator, FakeReader, World

from watchfloor.console import feed
from watchfloor.console.app import WatchfloorApp
from watchfloor.console.feed import ALL, Feed


class Bench:
    """A feed with pulses and failures under control."""

    def __init__(self, **options: float) -> None:
        self.queue: asyncio.Queue[frozenset[str] | Exception] = asyncio.Queue()
        self.seen: list[frozenset[str]] = []
        self.reports: list[str | None] = []
        self.at_once = 0
        self.most_at_once = 0
        self.fails: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.listens = 0
        self.feed = Feed(self.pulses, self.refresh, self.reports.append, **options)

    async def pulses(self) -> AsyncIterator[frozenset[str]]:
        self.listens += 1
        while True:
            item = await self.queue.get()
            if isinstance(item, Exception):
                raise item
            yield item

    async def refresh(self, topics: frozenset[str]) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            if self.fails:
                raise self.fails
            self.seen.append(topics)
        finally:
            self.at_once -= 1


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[Bench]:
    task = asyncio.create_task(bench.feed.run())
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_the_first_refresh_reads_everything() -> None:
    async with running(Bench(pace=0)) as bench:
        await until(lambda: bench.seen == [ALL])


async def test_pulses_that_come_during_a_refresh_make_one_more_together() -> None:
    async with running(Bench(pace=0)) as bench:
        await until(lambda: len(bench.seen) == 1)
        bench.gate.clear()
        bench.queue.put_nowait(frozenset({"health"}))
        await until(lambda: bench.at_once == 1)
        for topic in ("alerts", "health", "logs"):
            bench.queue.put_nowait(frozenset({topic}))
        await until(bench.queue.empty)
        bench.gate.set()
        await until(lambda: len(bench.seen) == 3)
        assert bench.seen[1:] == [frozenset({"health"}), frozenset({"alerts", "health", "logs"})]
        assert bench.most_at_once == 1


async def test_a_storm_of_pulses_is_paced() -> None:
    async with running(Bench(pace=0.2)) as bench:
        await until(lambda: len(bench.seen) == 1)
        started = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - started < 0.5:
            bench.queue.put_nowait(frozenset({"health"}))
            await asyncio.sleep(0.005)
        assert len(bench.seen) <= 5


async def test_what_people_wait_for_is_not_paced() -> None:
    async with running(Bench(pace=30)) as bench:
        await until(lambda: len(bench.seen) == 1)
        bench.queue.put_nowait(frozenset({"alerts"}))
        await until(lambda: len(bench.seen) == 2)
        bench.feed.mark(frozenset({"view"}), hurry=True)
        await until(lambda: len(bench.seen) == 3)


async def test_silence_is_looked_at_too() -> None:
    async with running(Bench(pace=0, tick=0.01)) as bench:
        await until(lambda: bench.seen.count(frozenset()) >= 2)


async def test_a_failed_refresh_is_reported_and_repeated_with_all_it_was_asked() -> None:
    bench = Bench(pace=0)
    bench.fails = ConnectionRefusedError("connection refused")
    async with running(bench):
        await until(lambda: bool(bench.reports))
        assert bench.reports[0] == "the database is away: connection refused"
        assert not bench.feed.idle
        bench.fails = None
        await until(lambda: bench.seen == [ALL])
        await until(lambda: bench.reports[-1] is None)


async def test_an_answer_that_does_not_come_is_told_before_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "LATE_S", 0.01)
    bench = Bench(tick=3600.0, pace=0.0)
    bench.gate.clear()
    async with running(bench):
        await until(lambda: bench.reports == ["no answer from the database for 0.01 s"])
        assert bench.seen == []
        bench.gate.set()
        await until(lambda: bench.reports[-1] is None)
    assert bench.seen == [ALL]


async def test_a_mistake_in_the_program_is_reported_as_what_it_is() -> None:
    bench = Bench(pace=0)
    bench.fails = KeyError("nonsense")
    async with running(bench):
        await until(lambda: bool(bench.reports))
        assert bench.reports[0] == "this failed (KeyError: 'nonsense')"


async def test_a_listener_that_breaks_listens_again_and_reads_everything() -> None:
    async with running(Bench(pace=0)) as bench:
        await until(lambda: len(bench.seen) == 1)
        bench.queue.put_nowait(OSError("gone"))
        await until(lambda: bench.listens == 2)
        bench.queue.put_nowait(frozenset({"health"}))
        await until(lambda: bench.seen.count(ALL) >= 2 and frozenset({"health"}) in bench.seen)


async def test_the_console_keeps_the_last_board_while_the_database_is_away_and_recovers() -> None:
    world = World()
    async with console(world) as driver:
        world.broken = ConnectionRefusedError("connection refused")
        world.changed("health")
        await until(lambda: driver.app.away is not None)
        await driver.drawn()
        driver.sees("✘ the database is away: connection refused; this is the last board", "shop checkout")
        driver.sees("✘ database away")
        world.broken = None
        await driver.idle()
        assert driver.app.away is None
        driver.sees_not("away")


async def test_a_console_that_starts_without_a_database_says_so_and_begins_when_it_comes() -> None:
    world = World(broken=ConnectionRefusedError("connection refused"))
    operator = FakeOperator(world)
    app = WatchfloorApp(FakeReader(world), operator, pace=0)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot, world, operator)
        await until(lambda: app.away is not None)
        await driver.drawn()
        driver.sees("✘ the database is away", "Trying again by itself.", "Reading …")
        world.broken = None
        await driver.idle()
        driver.sees("shop checkout")


async def test_an_operation_that_fails_says_that_nothing_was_done() -> None:
    async with console() as driver:
        driver.operator.refuses = "There is no service #1 any more."
        await driver.press("x")
        driver.sees("✘ There is no service #1 any more.")
