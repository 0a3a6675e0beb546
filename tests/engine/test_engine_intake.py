"""The program's own log records: taken from any thread, stored once, at the moments they happened."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
import pytest

from support.make import now
from support.sql import column, one, rows
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import intake as module
from watchfloor.engine.intake import Intake, LogBuffer
from watchfloor.engine.node import Node, steady_ns
from watchfloor.store import logs
from watchfloor.store.database import Connection, Database
from watchfloor.store.pulse import Pulse


@pytest.fixture
async def node(database: Database) -> Node:
    settings = {setting.key: setting.default for setting in SETTINGS}
    made = Node(7, "one", database, Pulse(database), settings)
    made.clock.measured(await now(database), steady_ns(), steady_ns())
    return made


@pytest.fixture
def buffer() -> LogBuffer:
    return LogBuffer()


@pytest.fixture
def logger(buffer: LogBuffer) -> Iterator[logging.Logger]:
    made = logging.getLogger("watchfloor.test.intake")
    made.setLevel(logging.DEBUG)
    made.propagate = False
    made.addHandler(buffer)
    yield made
    made.removeHandler(buffer)


async def messages(database: Database) -> list[str]:
    return await column(database, "SELECT msg FROM logs ORDER BY ts, id")


async def test_a_record_is_stored_with_its_level_channel_and_thread(
    node: Node, database: Database, buffer: LogBuffer, logger: logging.Logger
) -> None:
    for level in (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logger.log(level, "at %d", level)
    assert await Intake(node, buffer).flush() == 4
    found = await rows(
        database,
        "SELECT msg, sev, c.name, source_id, attrs FROM logs JOIN log_channels c ON c.id = channel_id ORDER BY logs.id",
    )
    assert found == [
        (f"at {level}", sev, "watchfloor.test.intake", 7, {"thread": "MainThread"})
        for level, sev in ((20, 9), (30, 13), (40, 17), (50, 21))
    ]


async def test_a_traceback_is_part_of_the_message_and_free_of_controls(
    node: Node, database: Database, buffer: LogBuffer, logger: logging.Logger
) -> None:
    try:
        raise ValueError("\x1b[31mred\x00\ud800")
    except ValueError:
        logger.exception("it failed")
    await Intake(node, buffer).flush()
    (message,) = await messages(database)
    assert message.startswith("it failed\nTraceback")
    assert message.endswith("ValueError: red�")


async def test_a_record_that_cannot_be_formatted_harms_nobody(
    node: Node,
    database: Database,
    buffer: LogBuffer,
    logger: logging.Logger,
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger.info("%d", "no number")
    logger.info("good")
    await Intake(node, buffer).flush()
    assert await messages(database) == ["good"]


async def test_records_are_stored_at_the_moments_they_happened_by_the_clock_of_the_database(
    node: Node, database: Database, buffer: LogBuffer, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the wall clock of this machine said: it may have started in 1970."""
    monkeypatch.setattr(module, "steady_ns", lambda: steady_ns() - 90_000_000_000)
    logger.info("earlier")
    monkeypatch.undo()
    logger.info("now")
    await Intake(node, buffer).flush()
    (earlier,), (later,) = await rows(database, "SELECT now() - ts FROM logs ORDER BY ts")
    assert timedelta(seconds=89) < earlier < timedelta(seconds=120)
    assert later < timedelta(seconds=30)


async def test_records_that_waited_for_days_are_stored_in_their_days(
    node: Node, database: Database, buffer: LogBuffer, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "steady_ns", lambda: steady_ns() - 6 * 86_400_000_000_000)
    logger.info("last week")
    monkeypatch.undo()
    await Intake(node, buffer).flush()
    assert await one(database, "SELECT extract(day FROM now() - ts) FROM logs") == 6


async def test_a_batch_whose_commit_was_not_heard_of_is_stored_once(
    node: Node, database: Database, buffer: LogBuffer, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction, lost = database.transaction, []

    @asynccontextmanager
    async def uncertain() -> AsyncIterator[Connection]:
        async with transaction() as connection:
            yield connection
        if not lost:
            lost.append(1)
            raise psycopg.OperationalError("the connection was lost")

    intake = Intake(node, buffer)
    logger.info("one")
    await intake.flush()
    logger.info("two")
    with monkeypatch.context() as patched:
        patched.setattr(database, "transaction", uncertain)
        with pytest.raises(psycopg.OperationalError):
            await intake.flush()
    logger.info("three")
    await intake.flush()
    assert await messages(database) == ["one", "two", "three"]
    assert len(buffer) == 0


async def test_a_record_that_is_refused_goes_alone(
    node: Node, database: Database, buffer: LogBuffer, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = logs.append

    async def refuse(connection: Connection, records: list[logs.LogRecord]) -> None:
        if any(record.msg == "bad" for record in records):
            raise psycopg.DataError("no")
        await append(connection, records)

    monkeypatch.setattr(module, "append", refuse)
    for message in ("a", "bad", "b"):
        logger.info(message)
    await Intake(node, buffer).flush()
    assert await messages(database) == ["a", "b"]
    assert node.counters["log_records_dropped"] == 1


async def test_what_does_not_fit_is_dropped_counted_and_told(
    node: Node, database: Database, buffer: LogBuffer, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUFFER", 10)
    for n in range(25):
        logger.info("record %d", n)
    logging.getLogger(module.__name__).addHandler(buffer)
    try:
        intake = Intake(node, buffer)
        await intake.flush()
        monkeypatch.setattr(module, "BUFFER", 1000)
        logger.info("after")
        await intake.flush()
    finally:
        logging.getLogger(module.__name__).removeHandler(buffer)
    assert node.counters["log_records_dropped"] >= 15
    assert (await messages(database))[:10] == [f"record {n}" for n in range(10)]


async def test_records_of_many_threads_all_arrive_in_the_order_of_each(
    node: Node, database: Database, buffer: LogBuffer, logger: logging.Logger
) -> None:
    def write(name: str) -> None:
        for n in range(300):
            logger.info("%s %d", name, n)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    intake = Intake(node, buffer)
    while any(thread.is_alive() for thread in threads) or len(buffer):
        await intake.flush()
    found = await messages(database)
    assert len(found) == 900
    for name in "abc":
        assert [m for m in found if m.startswith(name)] == [f"{name} {n}" for n in range(300)]


async def test_a_thread_that_logs_never_waits(buffer: LogBuffer, logger: logging.Logger) -> None:
    began = time.monotonic()
    for n in range(2000):
        logger.info("record %d", n)
    assert time.monotonic() - began < 2
