"""Each kind of server does as its script says, and survives whoever visits."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace

import psutil
import pytest

from watchfloor.demo import servers
from watchfloor.demo.script import Behaviour
from watchfloor.demo.servers import ADDRESS, HttpServer, LineServer, Page, Server


class Stage:
    """A script of one line, changed by the test."""

    def __init__(self) -> None:
        self.now = Behaviour()

    def __call__(self) -> Behaviour:
        return self.now


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def http(stage: Stage) -> AsyncIterator[HttpServer]:
    pages = {
        "/": Page("text/plain", b"fine\n", wrong=b"odd\n"),
        "/old": Page("text/plain", b"", location="/"),
    }
    server = HttpServer(stage, pages)
    server.open()
    yield server
    await closed(server)


@pytest.fixture
async def lines(stage: Stage) -> AsyncIterator[LineServer]:
    server = LineServer(stage, b"220 ready\r\n", {b"NOOP": b"250 ok\r\n"})
    server.open()
    yield server
    await closed(server)


async def closed(server: Server) -> None:
    await asyncio.gather(*server.close(), return_exceptions=True)


async def say(port: int, request: bytes) -> bytes:
    """Everything a server has to say to these bytes."""
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    try:
        writer.write(request)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


def take_every_descriptor(hoard: ExitStack) -> None:
    """Open files until this process may open no more."""

    def forever() -> None:
        while True:
            hoard.callback(os.close, os.open(os.devnull, os.O_RDONLY))

    with pytest.raises(OSError, match="Too many open files"):
        forever()


async def status_of(port: int, request: bytes) -> int:
    return int((await say(port, request)).split(b" ", 2)[1])


async def test_a_page_is_served_with_its_length(http: HttpServer) -> None:
    head, _, body = (await say(http.port, b"GET /?q=1 HTTP/1.1\r\nHost: a\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 5" in head
    assert body == b"fine\n"


async def test_head_has_the_fields_and_no_body(http: HttpServer) -> None:
    answer = await say(http.port, b"HEAD / HTTP/1.1\r\n\r\n")
    assert b"Content-Length: 5" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_a_redirect_names_its_location(http: HttpServer) -> None:
    answer = await say(http.port, b"GET /old HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 302 Found\r\n")
    assert b"\r\nLocation: /\r\n" in answer


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /nowhere HTTP/1.1\r\n\r\n", 404),
        (b"POST / HTTP/1.1\r\n\r\n", 405),
        (b"hello\r\n\r\n", 400),
        (b"GET / SPDY/3\r\n\r\n", 400),
        (b"\xff\xfe\r\n\r\n", 400),
    ],
)
async def test_what_is_no_good_request_gets_a_good_answer(
    http: HttpServer, request_head: bytes, status: int
) -> None:
    assert await status_of(http.port, request_head) == status


async def test_the_script_decides_status_body_and_delay(http: HttpServer, stage: Stage) -> None:
    stage.now = Behaviour(status=503)
    assert await status_of(http.port, b"GET / HTTP/1.1\r\n\r\n") == 503
    stage.now = Behaviour(wrong=True)
    assert (await say(http.port, b"GET / HTTP/1.1\r\n\r\n")).endswith(b"odd\n")
    stage.now = Behaviour(delay=0.2)
    began = asyncio.get_running_loop().time()
    assert await status_of(http.port, b"GET / HTTP/1.1\r\n\r\n") == 200
    assert asyncio.get_running_loop().time() - began >= 0.2


async def test_a_request_without_end_is_hung_up_on(http: HttpServer) -> None:
    with pytest.raises(ConnectionError):
        await say(http.port, b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)
    assert await status_of(http.port, b"GET / HTTP/1.1\r\n\r\n") == 200


async def test_a_silent_visitor_is_hung_up_on(http: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "PATIENCE", 0.05)
    assert await say(http.port, b"") == b""


async def test_a_visitor_who_resets_the_connection_does_no_harm(http: HttpServer) -> None:
    for _ in range(20):
        visitor = socket.create_connection((ADDRESS, http.port))
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        visitor.send(b"GET / HTTP/1.1\r\n")
        visitor.close()
    assert await status_of(http.port, b"GET / HTTP/1.1\r\n\r\n") == 200


async def test_a_line_server_greets_and_answers_line_by_line(lines: LineServer) -> None:
    reader, writer = await asyncio.open_connection(ADDRESS, lines.port)
    assert await reader.readline() == b"220 ready\r\n"
    writer.write(b"noop\r\nsomething\n")
    assert await reader.readline() == b"250 ok\r\n"
    assert await reader.readline() == b"500 unknown command\r\n"
    writer.close()


async def test_a_server_that_stops_listening_hangs_up_refuses_and_returns_to_its_port(
    lines: LineServer, stage: Stage
) -> None:
    port = lines.port
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    assert await reader.readline() == b"220 ready\r\n"

    stage.now = replace(stage.now, listening=False)
    lines.follow()
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(ADDRESS, port)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((ADDRESS, port))

    stage.now = replace(stage.now, listening=True)
    lines.follow()
    lines.follow()
    assert lines.port == port
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    assert await reader.readline() == b"220 ready\r\n"
    writer.close()


async def test_a_server_short_of_file_descriptors_listens_again_when_there_are_some(http: HttpServer) -> None:
    loop = asyncio.get_running_loop()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def knock(visitor: socket.socket) -> bytes:
        await loop.sock_connect(visitor, (ADDRESS, http.port))
        async with asyncio.timeout(5):
            return await loop.sock_recv(visitor, 1)

    with ExitStack() as hoard, socket.socket() as visitor:
        visitor.setblocking(False)
        hoard.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds() + 20, hard))
        take_every_descriptor(hoard)
        with pytest.raises(ConnectionError):
            await knock(visitor)
    http.follow()
    assert await status_of(http.port, b"GET / HTTP/1.1\r\n\r\n") == 200


async def test_a_closed_server_has_no_port(stage: Stage) -> None:
    server = LineServer(stage, b"", {})
    with pytest.raises(RuntimeError, match="not open"):
        _ = server.port
    server.open()
    await closed(server)
    await closed(server)
    with pytest.raises(RuntimeError, match="not open"):
        _ = server.port
