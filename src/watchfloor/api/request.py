"""One HTTP request of a client that may mean harm: read within limits of size, or refused with the status that fits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import httptools

HEAD_LIMIT = 16 * 1024
"""The most bytes of request line and headers."""

BODY_LIMIT = 1024 * 1024
"""The most bytes of a body; only its end is kept."""

KEPT = 40_000

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
    """What the parser tells while bytes come in."""

    url: bytearray = field(default_factory=bytearray)
    body: bytes = b""
    length: int = 0
    headed: bool = False
    complete: bool = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_headers_complete(self) -> None:
        self.headed = True

    def on_body(self, body: bytes) -> None:
        self.length += len(body)
        self.body = (self.body + body)[-KEPT:]

    def on_message_complete(self) -> None:
        self.complete = True


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The request that comes; None where the client leaves before there was any. Raises `Refusal`."""
    reading = _Reading()
    parser = httptools.HttpRequestParser(reading)
    read = 0
    while not reading.complete:
        chunk = await reader.read(8192)
        if not chunk:
            if not read:
                return None
            raise Refusal(400, "the request ends before its end")
        read += len(chunk)
        try:
            parser.feed_data(chunk)
        except httptools.HttpParserUpgrade:
            raise Refusal(400, "there is nothing else to speak here") from None
        except httptools.HttpParserError:
            raise Refusal(400, "that is no HTTP request") from None
        if len(reading.url) > URL_LIMIT:
            raise Refusal(414, "the address is too long")
        if read - reading.length > HEAD_LIMIT and (not reading.headed or reading.length == 0):
            raise Refusal(431, "the headers are too long")
        if reading.length > BODY_LIMIT or read > BODY_LIMIT * 2:
            raise Refusal(413, "the body is too long")
    try:
        url = reading.url.decode("ascii")
    except UnicodeDecodeError:
        raise Refusal(400, "the address is not ASCII") from None
    return Request(parser.get_method().decode("ascii", "replace"), url, reading.body)
