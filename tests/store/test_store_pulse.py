"""The pulse: few, complete, and never lost for good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from support.sql import one, rows
from support.waiting import until
from watchfloor.store import pulse as module
from watchfloor.store.database import Database
from watchfloor.store.pulse import CHANNEL, GAP_S, TOPICS, Pulse, listen, pulse


class Ear:
    """Hears every notice of a database, with the moment at which it came."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, str]] = []

    @property
    def topics(self) -> set[str]:
        return {topic for _, payload in self.heard for topic in payload.split(",")}


@asynccontextmanager
async def hearing(database: Database) -> AsyncIterator[Ear]:
    ear, connection = Ear(), await database.connect()
    await connection.set_autocommit(True)
    await connection.execute(f"LISTEN {CHANNEL}".encode())

    async def hear() -> None:
        async for notice in connection.notifies():
            ear.heard.append((time.monotonic(), notice.payload))

    task = asyncio.create_task(hear())
    try:
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()


@asynccontextmanager
async def listening(database: Database) -> AsyncIterator[list[frozenset[str]]]:
    """What `listen` yields, in a list that grows."""
    found: list[frozenset[str]] = []

    async def follow() -> None:
        async for topics in listen(database):
            found.append(topics)  # noqa: PERF401 - it never ends

    task = asyncio.create_task(follow())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def cut_listeners(database: Database) -> int:
    """Terminate every connection that listens; returns how many there were."""
    cut: int = await one(
        database,
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()",
    )
    return cut


async def announce(database: Database, *topics: str) -> None:
    async with database.transaction() as connection:
        await pulse(connection, *topics)


async def test_many_marks_become_few_pulses_that_hold_every_topic(database: Database) -> None:
    sender = Pulse(database)
    async with hearing(database) as ear:
        running = asyncio.create_task(sender.run(lambda: None))
        began = time.monotonic()
        while time.monotonic() - began < 1.0:
            sender.mark(*TOPICS)
            await asyncio.sleep(0)
        await until(lambda: len(ear.heard) >= 4)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    moments = [moment for moment, _ in ear.heard]
    assert (len(moments) - 1) * GAP_S <= moments[-1] - moments[0] + 0.15
    assert all(set(payload.split(",")) == TOPICS for _, payload in ear.heard)


async def test_a_single_mark_is_sent_at_once(database: Database) -> None:
    sender = Pulse(database)
    async with hearing(database) as ear:
        running = asyncio.create_task(sender.run(lambda: None))
        await asyncio.sleep(0)
        began = time.monotonic()
        sender.mark("health")
        await until(lambda: ear.heard)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert ear.heard[0][0] - began < GAP_S
    assert ear.topics == {"health"}


async def test_marks_survive_a_send_that_failed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Pulse(database)
    sender.mark("alerts")

    async def fail(*_: object) -> None:
        raise psycopg.OperationalError("away")

    with monkeypatch.context() as patched:
        patched.setattr(module, "pulse", fail)
        with pytest.raises(psycopg.OperationalError):
            await sender.run(lambda: None)
    sender.mark("health")
    async with hearing(database) as ear:
        running = asyncio.create_task(sender.run(lambda: None))
        await until(lambda: ear.topics == {"alerts", "health"})
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_sender_shows_that_it_is_alive_while_nothing_happens(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.01)
    beats: list[int] = []
    running = asyncio.create_task(Pulse(database).run(lambda: beats.append(1)))
    await until(lambda: len(beats) > 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_pulse_comes_with_the_commit_and_not_without_it(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as connection:
            await pulse(connection, "alerts")
            raise ZeroDivisionError

    async with hearing(database) as ear:
        with pytest.raises(ZeroDivisionError):
            await fail()
        async with database.transaction() as connection:
            await pulse(connection, "health")
            await connection.execute("SELECT 1")
            assert ear.heard == []
        await until(lambda: ear.heard)
    assert ear.topics == {"health"}


async def test_a_listener_begins_with_every_topic_and_then_hears_what_changed(database: Database) -> None:
    async with listening(database) as found:
        await until(lambda: found == [TOPICS])
        await announce(database, "alerts", "health")
        await until(lambda: found[1:] == [frozenset({"alerts", "health"})])


async def test_what_others_write_into_the_channel_is_no_topic(database: Database) -> None:
    async with listening(database) as found:
        await until(lambda: found)
        for payload in ("", "nonsense,", "x" * 7000):
            await rows(
                database, "SELECT pg_notify(%(channel)s, %(payload)s)", channel=CHANNEL, payload=payload
            )
        await announce(database, "logs")
        await until(lambda: found[-1] == {"logs"})
    assert found == [TOPICS, frozenset({"logs"})]


async def test_a_listener_that_lost_its_connection_comes_back_and_reads_everything(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECONNECT_S", 0.01)
    async with listening(database) as found:
        await until(lambda: found == [TOPICS])
        assert await cut_listeners(database) == 1
        await until(lambda: found == [TOPICS, TOPICS])
        await announce(database, "jobs")
        await until(lambda: found[-1] == {"jobs"})


async def test_a_listener_waits_for_a_database_that_is_not_there_yet(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECONNECT_S", 0.01)
    database = Database(dsn, name="test")
    connect, tries = database.connect, 0

    async def sometimes() -> psycopg.AsyncConnection[tuple[object, ...]]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise psycopg.OperationalError("connection refused")
        return await connect()

    monkeypatch.setattr(database, "connect", sometimes)
    async with listening(database) as found:
        await until(lambda: found == [TOPICS])
    await database.close()


async def test_a_listener_that_is_let_go_leaves_no_connection_behind(database: Database) -> None:
    async with listening(database) as found:
        await until(lambda: found)

    async def listeners() -> bool:
        return (
            await one(
                database,
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
            )
            == 0
        )

    await until(listeners)
