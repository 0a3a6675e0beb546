"""One suite for every kind of payload: how it succeeds, fails, is cancelled, and what it never gives away."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from payloads.conftest import Stage
from support.waiting import until
from watchfloor.config.describe import describe
from watchfloor.config.entries import JOB_KEYS, key_names
from watchfloor.config.kinds import payload_kinds
from watchfloor.payloads.contract import PayloadError

KINDS = payload_kinds()
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
    """Settings of a kind that succeed, that fail with a class, and that take for ever."""

    good: dict[str, Any]
    bad: dict[str, Any]
    error_class: str
    endless: dict[str, Any]


@asynccontextmanager
async def case(kind: str) -> AsyncIterator[Case]:
    if kind == "http":
        async with (
            server(http("200 OK", b"done")) as good,
            server(http("503 No")) as bad,
            server(never) as endless,
        ):
            yield Case({"url": good}, {"url": bad}, "http.status.503", {"url": endless})
    elif kind == "script":
        yield Case(
            {"run": ["/bin/echo", "done"]},
            {"script": "exit 3"},
            "script.exit.3",
            {"script": "echo on; sleep 1000"},
        )
    else:
        yield Case({"says": "done"}, {"fail_first": 1}, "dummy.failure", {"lasts": "1d"})


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_settings_are_described_and_share_no_name_with_the_keys_of_jobs(kind: str) -> None:
    model = KINDS[kind].settings
    assert all(row.description for row in describe(model))
    assert not set(key_names(model)) & set(JOB_KEYS)


async def run(kind: str, settings: dict[str, Any], stage: Stage, **values: Any) -> None:
    payload = KINDS[kind]
    await payload.run(payload.settings.model_validate(settings), stage.attempt(**values))


async def test_work_that_succeeds_returns_and_what_it_said_is_kept(kind: str, stage: Stage) -> None:
    async with case(kind) as made:
        await run(kind, made.good, stage)
    assert b"done" in b"".join(stage.printed.values())


async def test_work_that_fails_says_so_with_a_class_and_one_line(kind: str, stage: Stage) -> None:
    async with case(kind) as made:
        with pytest.raises(PayloadError) as caught:
            await run(kind, made.bad, stage)
    assert caught.value.error_class == made.error_class
    assert str(caught.value).isprintable()


async def test_cancelled_it_ends_soon_and_leaves_nothing(kind: str, stage: Stage) -> None:
    async with case(kind) as made:
        before = len(os.listdir("/proc/self/fd"))
        task = asyncio.create_task(run(kind, made.endless, stage))
        if kind == "script":
            await until(lambda: stage.printed["stdout"])
        else:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 15)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= before + 1)


async def test_every_attempt_carries_the_key_of_its_run(stage: Stage) -> None:
    heads: list[str] = []

    async def answer(head: str) -> bytes:
        heads.append(head.lower())
        return await http("204 Fine")(head)

    async with server(answer) as url:
        for attempt in (1, 2):
            await run("http", {"url": url}, stage, attempt=attempt)
    keys = [line for head in heads for line in head.splitlines() if line.startswith("idempotency-key")]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert "x-attempt: 2" in heads[1]


async def test_a_receiver_may_ask_for_patience_and_a_long_answer_is_cut(stage: Stage) -> None:
    async with server(http("429 Slow", b"x" * 200_000, "Retry-After: 30\r\n")) as url:
        with pytest.raises(PayloadError) as caught:
            await run("http", {"url": url, "expect": [200]}, stage)
    assert caught.value.wait_s == 30
    assert b"left out" in stage.printed["response"]
    assert len(stage.printed["response"]) < 70_000


async def test_nobody_there_is_a_class_of_its_own(stage: Stage) -> None:
    with pytest.raises(PayloadError) as caught:
        await run("http", {"url": "http://127.0.0.1:9/"}, stage)
    assert caught.value.error_class == "http.connect"
