"""One HTTP request of a client that may mean harm: read within limits of size, or refused with the status that fits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httptools

HEAD_LIMIT = 16 * 1024
"""The most bytes of request line and headers; and again of what is beside the body after that."""

BODY_LIMIT = 16 * 1024 * 1024
"""The most bytes of a body; only its end is kept. A job that reports with its whole log is not down because of it."""

KEPT = 40_000
CHUNK = 64 * 1024

URL_LIMIT = 2048


class Refusal(Exception):
    """A request that is not answered; ``status`` says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(slots=True)
class Request:
    """What was asked; ``body`` is its end."""

    method: str = ""
    url: str = ""
    body: bytes = b""


@dataclass(slots=True)
class _Reading:
    """What the parser tells while bytes come in; what comes after the first request is not asked."""

    parser: Any = None
    method: str = ""
    version: str = ""
    url: bytearray = field(default_factory=bytearray)
    body: bytearray = field(default_factory=bytearray)  # its end, and some of what came before
    length: int = 0
    headed: bool = False
    complete: bool = False
    waits: bool = False  # the client sends no body before it is told to go on
    announced: int = 0  # how long it says that its body is

    def on_url(self, url: bytes) -> None:
        if not self.complete:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if self.complete:
            return
        if name == b"expect" and value.lower() == b"100-continue":
            self.waits = True
        elif name == b"content-length" and value.isdigit():
            self.announced = int(value[:19])

    def on_headers_complete(self) -> None:
        if not self.headed:
            self.headed = True
            self.method = self.parser.get_method().decode("ascii", "replace")
            self.version = self.parser.get_http_version()

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self.length += len(body)
            self.body += body
            if len(self.body) > 2 * KEPT:  # seldom: it may come byte by byte
                del self.body[:-KEPT]

    def on_message_complete(self) -> None:
        self.complete = True


async def read_request(reader: asyncio.StreamReader, go_on: Callable[[], None]) -> Request | None:
    """The request that comes; None where the client leaves before there was any. Raises `Refusal`.

    ``go_on`` tells a client that waits for it to send its body.
    """
    reading = _Reading()
    parser = httptools.HttpRequestParser(reading)
    reading.parser = parser
    read = beside = 0  # beside the body: since the last part of it
    while not reading.complete:
        chunk = await reader.read(CHUNK)
        if not chunk:
            if not read:
                return None
            raise Refusal(400, "the request ends before its end")
        read += len(chunk)
        before = reading.length
        try:
            parser.feed_data(chunk)
        except httptools.HttpParserUpgrade:
            raise Refusal(400, "there is nothing else to speak here") from None
        except httptools.HttpParserError:
            if not reading.complete:
                raise Refusal(400, "that is no HTTP request") from None
        if len(reading.url) > URL_LIMIT:
            raise Refusal(414, "the address is too long")
        beside = beside + len(chunk) if reading.length == before else 0
        if beside > HEAD_LIMIT:
            raise Refusal(431, "the headers are too long")
        if max(reading.length, reading.announced) > BODY_LIMIT or read > BODY_LIMIT * 2:
            raise Refusal(413, "the body is too long")
        if reading.headed and reading.waits and not reading.complete:
            reading.waits = False
            go_on()
    if not reading.version.startswith("1."):
        raise Refusal(400, "that is no request of HTTP 1")
    try:
        url = reading.url.decode("ascii")
    except UnicodeDecodeError:
        raise Refusal(400, "the address is not ASCII") from None
    return Request(reading.method, url, bytes(reading.body[-KEPT:]))
