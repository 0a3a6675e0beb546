"""For each kind of job: settings that succeed, that fail with a known class, and that would take for ever."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika

from payloads.payload_services import POSTGRES, RABBITMQ, REDIS, kafka, needed, table

Answer = Callable[[str], Awaitable[bytes]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """An HTTP server that answers as it is told; gives its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            writer.write(await answer(head))
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    finally:
        listening.close()


def http(status: str, body: bytes = b"", head: str = "") -> Answer:
    async def answer(_: str) -> bytes:
        return (
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}Connection: close\r\n\r\n".encode()
            + body
        )

    return answer


async def never(_: str) -> bytes:
    await asyncio.Event().wait()
    return b""


@dataclass(frozen=True)
class Case:
    """Settings of a kind that succeed, that fail with a class, and that take for ever.

    ``begun`` is the stream on which the endless one shows that it is under way, empty where it shows nothing;
    ``says`` is what the good one says.
    """

    good: dict[str, Any]
    bad: dict[str, Any]
    error_class: str
    endless: dict[str, Any]
    begun: str = "stdout"
    says: bytes = b"done"


@asynccontextmanager
async def _http(_: Path) -> AsyncIterator[Case]:
    async with (
        server(http("200 OK", b"done")) as good,
        server(http("503 No")) as bad,
        server(never) as endless,
    ):
        yield Case({"url": good}, {"url": bad}, "http.status.503", {"url": endless}, "")


@asynccontextmanager
async def _script(_: Path) -> AsyncIterator[Case]:
    yield Case(
        {"run": ["/bin/echo", "done"]},
        {"script": "exit 3"},
        "script.exit.3",
        {"script": "echo on; sleep 1000"},
    )


@asynccontextmanager
async def _dummy(_: Path) -> AsyncIterator[Case]:
    yield Case({"says": "done"}, {"fail_first": 1}, "dummy.failure", {"lasts": "1d"}, "")


@asynccontextmanager
async def _database(_: Path) -> AsyncIterator[Case]:
    dsn = needed(POSTGRES)
    yield Case(
        {"dsn": dsn, "sql": "SELECT 'done' AS it"},
        {"dsn": dsn, "sql": "SELECT 1 / 0"},
        "db.data",
        {"dsn": dsn, "statements": ["SELECT 1", "SELECT pg_sleep(1000)"]},
    )


@asynccontextmanager
async def _file_system(root: Path) -> AsyncIterator[Case]:
    (root / "done").write_text("done")
    (root / "endless").touch()
    os.truncate(root / "endless", 2**40)
    copy = {"operation": "copy", "target": str(root / "copy-done")}
    yield Case(
        {**copy, "source": str(root / "done")},
        {**copy, "source": str(root / "missing")},
        "io.missing",
        {"operation": "compress", "source": str(root / "endless"), "target": str(root / "endless.gz")},
        "",
    )


@asynccontextmanager
async def _cache(_: Path) -> AsyncIterator[Case]:
    dsn, key = needed(REDIS), f"wf-test-{uuid4().hex}"
    async with server(http("200 OK", b"x")) as good, server(http("404 No")) as bad, server(never) as endless:
        warm = {"dsn": dsn, "operation": "warm", "ttl": "1m"}
        yield Case(
            {**warm, "urls": {f"{key}-done": good}},
            {**warm, "urls": {key: bad}},
            "cache.source",
            {**warm, "urls": {f"{key}-first": good, key: endless}},
        )


@asynccontextmanager
async def _message_queue(_: Path) -> AsyncIterator[Case]:
    dsn = needed(RABBITMQ)
    async with queue() as name:
        yield Case(
            {"dsn": dsn, "operation": "publish", "queue": name, "messages": ["it"], "headers": {"a": "b"}},
            {"dsn": dsn, "operation": "depth", "queue": "there-is-none"},
            "mq.missing",
            {"dsn": dsn, "operation": "consume", "queue": name, "wait": "1h"},
            "",
            b"sent message 1, confirmed",
        )


@asynccontextmanager
async def queue() -> AsyncIterator[str]:
    """A queue of a name of its own; gone afterwards."""
    connection = await aio_pika.connect(needed(RABBITMQ))
    async with connection:
        channel = await connection.channel()
        made = await channel.declare_queue(f"wf-test-{uuid4().hex}", durable=True)
        try:
            yield made.name
        finally:
            await made.delete(if_unused=False, if_empty=False)


@asynccontextmanager
async def _db_to_kafka(_: Path) -> AsyncIterator[Case]:
    with kafka("rows") as brokers, table(POSTGRES, "id int, name text", (1, "a"), (2, "done")) as name:
        copy = {"database": POSTGRES, "cursor_column": "id", "start": 0, "kafka": brokers, "topic": "rows"}
        slow = "SELECT id + 0 * length(pg_sleep(1000 * (id - 1))::text) AS id"
        sql = f"SELECT id, name FROM {name} WHERE id > :after ORDER BY id"
        yield Case(
            {**copy, "sql": sql},
            {**copy, "sql": sql, "topic": "there-is-none"},
            "mq.missing",
            {
                **copy,
                "sql": sql.replace("SELECT id", slow),
                "batch": 1,
            },
            "",
            b"2 rows sent in all",
        )


@asynccontextmanager
async def _report(root: Path) -> AsyncIterator[Case]:
    dsn = needed(POSTGRES)
    made = {"title": "Weekly", "format": "html", "file": str(root / "{date}.html")}
    section = {"database": dsn, "sql": "SELECT 'a' AS name, 1 AS number"}
    yield Case(
        {**made, "sections": [section]},
        {**made, "sections": [{**section, "chart": "bar", "value_column": "none"}]},
        "report.column",
        {**made, "sections": [section, {**section, "sql": "SELECT pg_sleep(1000)"}]},
        says=b"written to ",
    )


CASES: dict[str, Callable[[Path], contextlib.AbstractAsyncContextManager[Case]]] = {
    "http": _http,
    "script": _script,
    "dummy": _dummy,
    "database": _database,
    "file_system": _file_system,
    "cache": _cache,
    "message_queue": _message_queue,
    "db_to_kafka": _db_to_kafka,
    "report": _report,
}
