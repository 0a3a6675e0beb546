"""HTTP jobs: who they say they are, where they let themselves be sent, and what hostile receivers cannot do."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from payloads.conftest import Stage
from payloads.payload_cases import Answer, http, server
from probes.probe_certificates import Authority
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.http import Settings, run


class Post:
    """Answers one after the other, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.heads: list[str] = []
        self._answers = list(answers)

    async def __call__(self, head: str) -> bytes:
        self.heads.append(head)
        return await (self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])(head)


async def call(stage: Stage, url: str, **more: Any) -> str:
    await run(Settings.model_validate({"url": url, **more}), stage.attempt())
    return stage.printed["response"].decode(errors="replace")


async def refused(error_class: str, stage: Stage, url: str, **more: Any) -> str:
    with pytest.raises(PayloadError) as caught:
        await asyncio.wait_for(call(stage, url, **more), 30)
    assert caught.value.error_class == error_class, str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("auth", "line"),
    [
        ({"user": "ann", "password": "hunter2hunter2"}, "authorization: Basic YW5uOmh1bnRlcjJodW50ZXIy"),
        ({"bearer": "t0ken"}, "authorization: Bearer t0ken"),
    ],
)
async def test_it_says_who_it_is(auth: dict[str, str], line: str, stage: Stage) -> None:
    post = Post(http("200 OK"))
    async with server(post) as url:
        await call(stage, url, auth=auth, method="PUT", body="x", headers={"X-Mine": "yes"})
    head = post.heads[0]
    assert head.startswith("PUT / HTTP/1.1")
    assert line.lower() in head.lower()
    assert "x-mine: yes" in head.lower()
    assert "content-length: 1" in head.lower()


@pytest.mark.parametrize(
    ("status", "method"),
    [("301 x", "GET"), ("302 x", "GET"), ("303 x", "GET"), ("307 x", "POST"), ("308 x", "POST")],
)
async def test_it_goes_where_it_is_sent_on_the_same_host(status: str, method: str, stage: Stage) -> None:
    post = Post(http(status, head="Location: /other\r\n"), http("200 OK", b"done"))
    async with server(post) as url:
        said = await call(stage, url, redirects=3, body="x", auth={"bearer": "t0ken"})
    assert "done" in said
    assert post.heads[1].startswith(f"{method} /other ")
    assert "bearer t0ken" in post.heads[1].lower()
    assert "idempotency-key" in post.heads[1].lower()
    assert ("content-length: 1" in post.heads[1].lower()) == (method == "POST")


async def test_without_leave_a_redirect_is_an_answer_like_any_other(stage: Stage) -> None:
    async with server(http("302 x", head="Location: /other\r\n")) as url:
        await refused("http.status.302", stage, url)
        await call(stage, url, expect=[302])


async def test_another_host_gets_no_credentials_and_only_with_leave(stage: Stage) -> None:
    other = Post(http("200 OK", b"there"))
    async with server(other) as there:
        there = there.replace("127.0.0.1", "localhost")
        async with server(http("307 x", head=f"Location: {there}\r\n")) as url:
            asked: dict[str, Any] = {"redirects": 2, "auth": {"user": "ann", "password": "hunter2hunter2"},
                                     "headers": {"X-Secret": "s3cret"}}  # fmt: skip
            assert "another host, localhost" in await refused("http.redirects", stage, url, **asked)
            assert other.heads == []
            assert "there" in await call(stage, url, other_hosts=True, **asked)
    for word in ("authorization", "x-secret", "idempotency-key"):
        assert word not in other.heads[0].lower()


@pytest.mark.parametrize(
    "location", ["ftp://127.0.0.1/x", "file:///etc/passwd", "javascript:x", "http://[", "//", "http://"]
)
async def test_a_redirect_to_what_is_no_address_is_an_error(location: str, stage: Stage) -> None:
    async with server(http("302 x", head=f"Location: {location}\r\n")) as url:
        with pytest.raises(PayloadError) as caught:
            await call(stage, url, redirects=2, other_hosts=True)
    assert caught.value.error_class in ("http.redirects", "http.protocol", "http.connect")


async def test_a_circle_of_redirects_ends(stage: Stage) -> None:
    post = Post(http("302 x", head="Location: /\r\n"))
    async with server(post) as url:
        await refused("http.redirects", stage, url, redirects=4)
    assert len(post.heads) == 5


@asynccontextmanager
async def hostile(talk: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A receiver that says what it wants for as long as it is listened to."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await talk(writer)
        writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    finally:
        listening.close()


async def test_a_slow_drip_ends_when_the_whole_takes_too_long(stage: Stage) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with hostile(drip) as url:
        await refused("http.timeout", stage, url, finish_within="1s")


async def test_a_flood_of_body_is_cut_and_of_head_refused(stage: Stage) -> None:
    async def body(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 100_000)
            await writer.drain()

    async def head(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: " + b"y" * 10_000 + b"\r\n")
            await writer.drain()

    async with hostile(body) as url:
        said = await call(stage, url, keep=1000)
    assert said.endswith("(the rest of the answer is left out)\n")
    assert len(said) < 1100
    async with hostile(head) as url:
        await refused("http.protocol", stage, url)


@pytest.mark.parametrize("packed", ["gzip", "deflate", "br"])
async def test_a_little_that_unpacks_to_very_much_stays_little(packed: str, stage: Stage) -> None:
    bomb = gzip.compress(bytes(100 * 2**20)) if packed != "deflate" else zlib.compress(bytes(10**8))
    async with server(http("200 OK", bomb, f"Content-Encoding: {packed}\r\n")) as url:
        said = await call(stage, url)
    assert len(said) < 70_000
    assert "left out" in said


async def test_what_is_packed_although_nobody_asked_is_unpacked(stage: Stage) -> None:
    post = Post(http("200 OK", gzip.compress(b"done"), "Content-Encoding: gzip\r\n"))
    async with server(post) as url:
        assert "done" in await call(stage, url)
    assert "accept-encoding: identity" in post.heads[0].lower()
    async with server(http("200 OK", b"not packed", "Content-Encoding: gzip\r\n")) as url:
        assert "not packed as it says" in await call(stage, url)


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"\x00" * 100])
async def test_what_is_no_http_is_said_to_be_none(answer: bytes, stage: Stage) -> None:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with hostile(say) as url:
        await refused("http.protocol", stage, url)


async def test_a_certificate_must_be_good_by_the_right_authorities(stage: Stage, tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        await writer.drain()
        writer.close()

    context = authority.server("localhost")
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    url = f"https://localhost:{listening.sockets[0].getsockname()[1]}/"
    try:
        await refused("http.tls", stage, url)
        assert "done" in await call(stage, url, verify=False)
        assert "done" in await call(stage, url, ca_file=authority.ca_file)
        await refused("http.tls", stage, url.replace("localhost", "127.0.0.1"), ca_file=authority.ca_file)
        await refused("config.settings", stage, url, ca_file="/no/such/file")
    finally:
        listening.close()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"url": "ftp://x"}, "must be a http://"),
        ({"auth": {}}, "either user and password or bearer"),
        ({"auth": {"user": "a"}}, "either user and password or bearer"),
        ({"auth": {"bearer": "a"}, "headers": {"Authorization": "b"}}, "which auth writes"),
        ({"other_hosts": True}, "works with redirects"),
    ],
)
def test_mistakes_are_found_when_they_are_written(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"url": "http://x/", **written})
    assert words in str(caught.value)
