"""Guards at work: a loop that stood still, a link that is away, a clock that jumps, a database that goes away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from support.desks import StateDesk
from support.engines import FAILING, OK, finding
from support.make import definition, make_rules
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.config.model import NodeConfig
from watchfloor.domain.outcome import Outcome
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import sentry as sentry_module
from watchfloor.engine import stalls as stalls_module
from watchfloor.engine.heart import Heart
from watchfloor.engine.node import Node, steady_ns
from watchfloor.engine.registration import NameLock, register
from watchfloor.engine.sentry import Sentry
from watchfloor.engine.stalls import NS, Stalls
from watchfloor.store import results
from watchfloor.store.database import Connection, Database
from watchfloor.store.pulse import Pulse

TIMES = int(os.environ.get("WATCHFLOOR_INJECTIONS", "5"))
"""How often each thing happens to the monitor."""


class Time:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.ns = 1_000 * NS

    def __call__(self) -> int:
        return self.ns

    def go(self, seconds: float) -> None:
        self.ns += int(seconds * NS)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(stalls_module, "steady_ns", made)
    return made


class TestStalls:
    def test_a_stall_counts_for_what_ran_meanwhile_and_for_nothing_else(self, time: Time):
        stalls, before = Stalls(), time.ns
        stalls._due_ns = time.ns + NS // 10
        time.go(5.1)
        stalls._note(time.ns)
        stalls._due_ns = time.ns + NS // 10
        assert stalls.since(before) == pytest.approx(5.0)
        assert stalls.since(time.ns) == 0.0
        assert stalls.since(time.ns - NS) == pytest.approx(1.0)

    def test_a_stall_that_was_not_noted_yet_counts(self, time: Time):
        stalls, before = Stalls(), time.ns
        stalls._due_ns = time.ns + NS // 10
        time.go(60.1)
        assert stalls.since(before) == pytest.approx(60.0)

    def test_a_measurement_that_ended_excuses_nothing(self, time: Time):
        stalls, before = Stalls(), time.ns
        time.go(3600)
        assert stalls.since(before) == 0.0

    def test_being_a_little_late_is_no_stall(self, time: Time):
        stalls, before = Stalls(), time.ns
        stalls._due_ns = time.ns
        time.go(0.04)
        stalls._note(time.ns)
        assert stalls.since(before) == 0.0


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, asyncio.Server]]:
    server = await asyncio.start_server(lambda _, writer: writer.transport.abort(), "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", server
    finally:
        server.close()


def a_node(database: Database) -> Node:
    return Node(1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS})


async def test_one_alert_says_that_the_node_is_cut_off_and_one_that_it_is_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentry_module, "SPACING_S", 0.05)
    monkeypatch.setattr(sentry_module, "EVERY_S", 0.1)
    await make_rules(database)
    async with listening() as (first, one_server), listening() as (second, other_server):
        sentry = Sentry(a_node(database), (first, second))
        watching = asyncio.create_task(sentry.run(lambda: None))
        assert not await sentry.cut_off(steady_ns())
        one_server.close()
        assert not await sentry.cut_off(steady_ns()), "one alone proves nothing"
        other_server.close()
        assert await sentry.cut_off(steady_ns())
        await until(lambda: _alerts_are(database, ["firing"]))
        port = int(first.rpartition(":")[2])
        back = await asyncio.start_server(lambda _, writer: writer.transport.abort(), "127.0.0.1", port)
        await until(lambda: _alerts_are(database, ["resolved"]))
        assert not await sentry.cut_off(steady_ns())
        back.close()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert await column(database, "SELECT title FROM alerts") == ["node one is cut off"]


async def _alerts_are(database: Database, states: list[str]) -> bool:
    return await column(database, "SELECT state FROM alerts") == states


async def test_what_began_before_the_link_was_seen_to_be_back_is_not_believed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentry_module, "SPACING_S", 0.0)
    sentry = Sentry(a_node(database), ("127.0.0.1:1", "127.0.0.1:2"))
    answers = False

    async def any_answers() -> bool:
        return answers

    monkeypatch.setattr(sentry, "_any_answers", any_answers)
    assert await sentry.cut_off(steady_ns())
    began = steady_ns()
    answers = True
    assert await sentry.cut_off(began)
    assert not await sentry.cut_off(steady_ns())


async def test_what_began_during_the_look_that_found_the_link_again_is_not_believed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link may have come back at any moment of that look, and what began before that was lost."""
    monkeypatch.setattr(sentry_module, "SPACING_S", 0.0)
    sentry = Sentry(a_node(database), ("127.0.0.1:1", "127.0.0.1:2"))
    asked, answered, answers = asyncio.Event(), asyncio.Event(), False

    async def any_answers() -> bool:
        asked.set()
        await answered.wait()
        return answers

    monkeypatch.setattr(sentry, "_any_answers", any_answers)
    answered.set()
    assert await sentry.cut_off(steady_ns())
    asked.clear()
    answered.clear()
    answers = True
    looking = asyncio.create_task(sentry.look(steady_ns()))
    await asked.wait()
    began = steady_ns()
    answered.set()
    await looking
    assert await sentry.cut_off(began)
    assert not await sentry.cut_off(steady_ns())


async def test_sentinels_that_answer_at_the_second_attempt_only_say_that_something_was_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentry_module, "SPACING_S", 0.0)
    monkeypatch.setattr(sentry_module, "AGAIN_S", 0.0)
    sentry = Sentry(a_node(database), ("127.0.0.1:1", "127.0.0.1:2"))

    async def any_answers() -> bool:
        return True

    monkeypatch.setattr(sentry, "_any_answers", any_answers)
    assert await sentry.cut_off(steady_ns())
    monkeypatch.setattr(sentry_module, "AGAIN_S", 60.0)
    assert not await sentry.cut_off(steady_ns())


async def test_without_sentinels_nothing_is_asked(database: Database) -> None:
    assert not await Sentry(a_node(database), ()).cut_off(0)


@pytest.fixture
async def desk(database: Database) -> StateDesk:
    made = StateDesk(database)
    await made.watch(definition("shop", max_attempts=1))
    return made


async def nobody_was_down(desk: StateDesk) -> None:
    assert await desk.alerts() == []
    assert await one(desk.database, "SELECT count(*) FROM incidents") == 0
    down = "SELECT DISTINCT state FROM state_spans WHERE state IN ('down', 'degraded')"
    assert await column(desk.database, down) == []


async def is_found_down(desk: StateDesk, second: float) -> None:
    """The control: three failures in a row are an alert all the same."""
    for number in range(3):
        await desk.results(second + 30 * number, failing=["shop"])
    assert (await desk.reasons("shop"))[0] == "firing"


@pytest.mark.parametrize("jump", [3600.5, -3600.5])  # no two checks begin at the same moment
async def test_a_clock_that_jumps_by_an_hour_takes_nobody_down_and_hides_nobody(
    desk: StateDesk, jump: float
) -> None:
    """Two failures of the three that confirm one, the clock jumping between them and after them."""
    await desk.watch(definition("shop", max_attempts=3))
    desk.node.settings["flapping.start"] = 100.0  # type: ignore[index]  # that it flaps is true, and another matter
    second = 0.0
    for number in range(TIMES * 2):
        by = jump if number % 2 == 0 else -jump
        await desk.results(second + 30, ok=["shop"])
        await desk.results(second + 60, failing=["shop"])
        second += by if number % 3 else 0.0
        await desk.results(second + 90, failing=["shop"])
        second += 0.0 if number % 3 else by
        await desk.results(second + 120, ok=["shop"])
        second += 120
    await nobody_was_down(desk)
    await is_found_down(desk, second + 30)


async def test_what_a_clock_in_the_future_booked_does_not_keep_later_results_out(desk: StateDesk) -> None:
    await desk.results(0, ok=["shop"])
    await desk.results(3600, ok=["shop"])
    await desk.results(60, failing=["shop"])
    assert (await desk.reasons("shop"))[0] == "firing"
    latest = "SELECT extract(epoch FROM last_started - %(at)s)::int FROM service_state"
    assert await one(desk.database, latest, at=desk.began) == 60


async def test_a_database_that_goes_away_takes_nobody_down_and_hides_nobody(
    desk: StateDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result that is stored at the third attempt only is still one: two failures are not three."""
    await desk.watch(definition("shop", max_attempts=3))
    desk.node.settings["flapping.start"] = 100.0  # type: ignore[index]  # that it flaps is true, and another matter
    copy, away = results.copy_results, False

    async def refused(connection: Connection, found: list[results.ResultRow]) -> None:
        if away:
            raise psycopg.OperationalError("gone")
        await copy(connection, found)

    async def found_while_away(second: float, outcome: Outcome) -> None:
        nonlocal away
        away = True
        desk.queue.put_nowait(finding(desk.services["shop"].id, desk.at(second), outcome))
        for _ in range(2):
            with pytest.raises(psycopg.OperationalError):
                await desk.recorder.flush()
        away = False
        await desk.recorder.flush()

    monkeypatch.setattr(results, "copy_results", refused)
    for number in range(TIMES):
        for after, outcome in enumerate((FAILING, FAILING, OK)):
            await found_while_away(90 * number + 30 * after, outcome)
    assert await one(desk.database, "SELECT count(*) FROM check_results") == 3 * TIMES
    await nobody_was_down(desk)
    await is_found_down(desk, 90 * TIMES)


async def test_a_clock_that_jumps_forward_makes_nobody_lost(database: Database) -> None:
    """The leases of the others look over to the first node that beats; their next beat renews them."""
    lock, others = NameLock(database), NameLock(database)
    node, entry = await register(database, NodeConfig("one", "", ()), lock)
    heart = Heart(node, entry, lock, dict, lambda: None)
    await heart.once("running")
    other, known = await register(database, NodeConfig("two", "", ()), others)
    await Heart(other, known, others, dict, lambda: None).once("running")
    jump = "UPDATE nodes SET beat_at = beat_at - interval '30 s', lease_until = lease_until - interval '30 s'"
    await rows(database, jump)
    node.clock._ahead_ns -= 30 * NS
    for _ in range(2):
        await heart.once("running")
        assert node.live.keys() == {node.id, other.id}
    assert await column(database, "SELECT id FROM nodes WHERE lost_at IS NOT NULL") == []
    heart._grace_ns = 0  # it has had its time
    await heart.once("running")
    assert node.live.keys() == {node.id}
    await lock.close()
    await others.close()


async def test_a_jump_of_the_clock_is_in_the_audit(database: Database) -> None:
    lock = NameLock(database)
    node, entry = await register(database, NodeConfig("one", "", ()), lock)
    heart = Heart(node, entry, lock, dict, lambda: None)
    await heart.once("running")
    node.clock._ahead_ns -= 3600 * NS
    await heart.once("running")
    await lock.close()
    ((actor, after),) = await rows(database, "SELECT actor, after FROM audit WHERE action = 'clock_jumped'")
    assert actor == "watchfloor"
    assert after["seconds"] == pytest.approx(3600, abs=60)
