"""WebSocket checks against another implementation of the protocol, and against servers that break it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest
import websockets.asyncio.server
from hypothesis import given, settings
from hypothesis import strategies as st
from probe_certificates import Authority
from probe_servers import Handler, Run, Servers, silent
from pydantic import ValidationError
from websockets.frames import Frame
from websockets.streams import StreamReader

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.websocket import READ_LIMIT, Settings, _frame, probe

Probing = Callable[..., Outcome]


@pytest.fixture
def check(run: Run) -> Probing:
    """Probe a port of this machine with some settings."""

    def check(port: int, scheme: str = "ws", **settings: Any) -> Outcome:
        outcome = run(probe(Settings(url=f"{scheme}://127.0.0.1:{port}/live?x=1", **settings), 5))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


def other_server(servers: Servers, **options: Any) -> int:
    """A server of the websockets library that greets and answers in capitals; returns its port."""

    async def talk(connection: websockets.asyncio.server.ServerConnection) -> None:
        await connection.ping(b"are you there")
        await connection.send("welcome " + "x" * 300)
        async for message in connection:
            assert isinstance(message, str)
            await connection.send([message.upper(), " indeed"])  # in two fragments

    async def start() -> int:
        server = await websockets.asyncio.server.serve(talk, "127.0.0.1", 0, **options)
        return int(next(iter(server.sockets)).getsockname()[1])

    return servers.call(start())


def upgrading(after: bytes, *headers: str) -> Handler:
    """A server that accepts the upgrade properly and then says ``after``."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", request)
        assert key
        proof = base64.b64encode(hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        lines = ["HTTP/1.1 101 Switching Protocols", f"Sec-WebSocket-Accept: {proof.decode()}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + after)
        await silent(reader, writer)

    return handler


def test_a_server_that_accepts_is_ok(check: Probing, servers: Servers) -> None:
    port = other_server(servers)
    outcome = check(port)
    assert outcome.status is Status.OK, outcome.summary
    assert outcome.summary.startswith(f"127.0.0.1:{port} accepts WebSockets in ")


def test_a_message_is_answered_in_fragments(check: Probing, servers: Servers) -> None:
    outcome = check(other_server(servers), send="hello", expect="HELLO indeed")
    assert outcome.status is Status.OK, outcome.summary
    assert "answered as expected" in outcome.summary


def test_tls_and_subprotocols(check: Probing, servers: Servers, authority: Authority) -> None:
    port = other_server(servers, ssl=authority.server("127.0.0.1", days=9), subprotocols=["chat"])
    outcome = check(port, "wss", ca_file=authority.ca_file, subprotocols=["chat", "other"])
    assert outcome.status is Status.DEGRADED
    assert "certificate expires in 8 days" in outcome.summary


@pytest.mark.parametrize(
    ("handler", "given", "words"),
    [
        (upgrading(b"\x88\x0e\x03\xe9go \x1b[31maway"), {"expect": "x"}, "ended the conversation: go away"),
        (
            upgrading(b"\x81\x7f\x00\x00\x00\x01" + bytes(4)),
            {"expect": "x"},
            "a message is longer than 64 KiB",
        ),
        (upgrading(b"\xc1\x01a"), {"expect": "x"}, "not a frame of WebSocket as a server sends it"),
        (upgrading(b"\x81\x05hello" * 20_000), {"expect": "x"}, "not in the first 64 KiB; it said: hello"),
        (upgrading(b"\x89\x00" * 70_000), {"expect": "x"}, "not in the first 64 KiB"),
        (upgrading(b""), {"subprotocols": ["chat"]}, "takes none of the subprotocols offered: nothing"),
    ],
)
def test_what_is_wrong_is_told(
    check: Probing, servers: Servers, handler: Handler, given: dict[str, Any], words: str
) -> None:
    outcome = check(servers.start(handler), **given)
    assert outcome.status is Status.FAILING
    assert words in outcome.summary


def test_an_upgrade_that_is_not_ours_is_refused(check: Probing, servers: Servers) -> None:
    answer = b"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: bm90IG91cnM=\r\n\r\n"
    assert "accepts an upgrade that was not ours" in check(servers.answering(answer)).summary
    plain = servers.answering(b"HTTP/1.1 200 OK\r\n\r\n")
    assert check(plain).summary == (
        f"127.0.0.1:{plain}: the server does not upgrade to WebSocket: HTTP/1.1 200 OK; check the address"
    )


@pytest.mark.parametrize("url", ["http://a/", "a", "ws://", "ws://u:p@a/"])
def test_only_websocket_addresses_are_taken(url: str) -> None:
    with pytest.raises(ValidationError):
        Settings(url=url)


@given(st.binary(max_size=300) | st.integers(60_000, 70_000).map(bytes))
@settings(max_examples=50, deadline=None)
def test_another_implementation_reads_the_frames_that_are_written(data: bytes) -> None:
    reader = StreamReader()
    reader.feed_data(_frame(1, data))
    parser = Frame.parse(reader.read_exact, mask=True, max_size=READ_LIMIT * 2)
    with pytest.raises(StopIteration) as done:
        next(parser)
    assert done.value.value.data == data
