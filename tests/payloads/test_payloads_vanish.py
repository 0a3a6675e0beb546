"""Hosts that vanish in the middle of a transfer: cut off or silent, the attempt ends with a class, and soon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
import redis

from payloads.conftest import Stage
from payloads.payload_cases import queue
from payloads.payload_services import MARIADB, POSTGRES, RABBITMQ, REDIS, needed, running
from support.relay import Relay, relayed
from support.waiting import until
from watchfloor.payloads import cache, database, http, message_queue, queue_rabbitmq
from watchfloor.payloads.contract import PayloadError

SLEEP = {POSTGRES: "WITH s AS (SELECT pg_sleep(60)) TABLE s -- {}", MARIADB: "SELECT sleep(60) -- {}"}
PORTS = {POSTGRES: 5432, MARIADB: 3306, REDIS: 6379, RABBITMQ: 5672}
BOTH = pytest.mark.parametrize("how", ["cut", "fall_silent"])


def through(relay: Relay, address: str) -> str:
    return address.replace(str(PORTS[address]), str(relay.port))


async def broken(
    work: Awaitable[None], relay: Relay, how: str, begun: Callable[[], object], error_class: str
) -> str:
    """Break the connection once the work has begun; it ends by itself within seconds, with a class."""
    task = asyncio.ensure_future(work)
    try:
        await until(lambda: begun() or task.done())
        assert not task.done(), task.exception()
        getattr(relay, how)()
        with pytest.raises(PayloadError) as caught:
            await asyncio.wait_for(task, 20)
    finally:
        task.cancel()
    assert caught.value.error_class == error_class, str(caught.value)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(("how", "error_class"), [("cut", "http.lost"), ("fall_silent", "http.timeout")])
async def test_in_the_middle_of_an_answer(how: str, error_class: str, stage: Stage) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nthe first of it")
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening, relayed(listening.sockets[0].getsockname()[1]) as relay:
        settings = http.Settings.model_validate(
            {"url": f"http://127.0.0.1:{relay.port}/", "answer_within": "1s"}
        )
        work = http.run(settings, stage.attempt())
        await broken(work, relay, how, lambda: b"the first" in stage.printed["response"], error_class)


@pytest.mark.parametrize("address", [POSTGRES, MARIADB])
async def test_in_the_middle_of_a_statement(address: str, stage: Stage) -> None:
    async with relayed(PORTS[needed(address)]) as relay:
        work, begun = sleeping(address, relay, stage)
        await broken(work, relay, "cut", begun, "db.connection")


@pytest.mark.parametrize("address", [POSTGRES, MARIADB])
async def test_where_a_database_is_silent_it_ends_when_its_time_is_up(address: str, stage: Stage) -> None:
    async with relayed(PORTS[needed(address)]) as relay:
        work, begun = sleeping(address, relay, stage)
        task = asyncio.ensure_future(work)
        await until(begun)
        relay.fall_silent()
        task.cancel()
        await asyncio.wait({task}, timeout=20)
        assert task.cancelled()


def sleeping(address: str, relay: Relay, stage: Stage) -> tuple[Awaitable[None], Callable[[], object]]:
    """A statement that takes a minute, and whether it is under way."""
    mark = f"wf-vanish-{uuid4().hex}"
    settings = database.Settings.model_validate(
        {"dsn": through(relay, address), "sql": SLEEP[address].format(mark)}
    )
    return database.run(settings, stage.attempt()), lambda: running(address, mark)


@BOTH
async def test_in_the_middle_of_a_clearing(how: str, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SILENT_S", 1.0)
    prefix = f"wf-test-{uuid4().hex}"
    with redis.Redis.from_url(needed(REDIS)) as client:
        client.mset({f"{prefix}-{number}": "x" for number in range(3 * cache.BATCH)})
        try:
            async with relayed(PORTS[REDIS]) as relay:
                settings = cache.Settings.model_validate(
                    {
                        "dsn": through(relay, REDIS),
                        "operation": "clear",
                        "pattern": f"{prefix}-*",
                        "pace": 400,
                    }
                )
                work = cache.run(settings, stage.attempt())
                await broken(work, relay, how, lambda: stage.printed["stdout"], "cache.connection")
            assert b"keys found" not in stage.printed["stdout"], "it does not say that it has done it"
        finally:
            client.delete(*(f"{prefix}-{number}" for number in range(3 * cache.BATCH)))


@BOTH
async def test_while_messages_are_taken(how: str, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_rabbitmq, "CONFIRM_S", 1.0)
    needed(RABBITMQ)
    async with queue() as name, relayed(PORTS[RABBITMQ]) as relay:
        asked: dict[str, Any] = {"dsn": RABBITMQ, "operation": "publish", "queue": name, "messages": ["one"]}
        await message_queue.run(message_queue.Settings.model_validate(asked), stage.attempt())
        settings = message_queue.Settings.model_validate(
            {"dsn": through(relay, RABBITMQ), "operation": "consume", "queue": name, "wait": "1h"}
        )
        work = message_queue.run(settings, stage.attempt())
        await broken(work, relay, how, lambda: stage.printed["message"], "mq.connection")
        assert b"taken" not in stage.printed["stdout"]


@BOTH
async def test_while_messages_are_sent(how: str, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_rabbitmq, "CONFIRM_S", 1.0)
    needed(RABBITMQ)
    async with queue() as name, relayed(PORTS[RABBITMQ]) as relay:
        settings = message_queue.Settings.model_validate(
            {
                "dsn": through(relay, RABBITMQ),
                "operation": "publish",
                "queue": name,
                "messages": ["x"] * 10_000,
            }
        )
        work = message_queue.run(settings, stage.attempt())
        await broken(work, relay, how, lambda: b"message 3," in stage.printed["stdout"], "mq.connection")
