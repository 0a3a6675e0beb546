"""HTTP/1.1 to receivers over connections that stay open: one request after another, one answer each.

A courier sends thousands of messages to a few receivers; a connection for each of them costs more than the message.
Who sends outside of `keeping` gets a connection of its own that is closed at the end.

The answer may be hostile in every byte: no more of it is kept than a few kilobytes, and nothing is raised into the
event loop. This module must never follow a redirect and never connect to an address that was not judged before.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import httptools

from watchfloor.channels.reach import reach

HEAD_BYTES = 64 * 1024
ANSWER_BYTES = 4096
ANSWER_S = 1.0
"""What a failing receiver says in this time and size is told; the rest is not waited for."""

TAIL_S = 0.05
"""How long the rest of a good answer is waited for; without it the connection cannot be used again."""

IDLE_S = 4.0
OLDEST_S = 30.0
"""Connections are given up when they rest or live longer: names may lead elsewhere by now."""

MOST_OPEN = 64
"""Connections to one receiver at a time; more would fall off the queue in which it takes them up."""


class Broken(Exception):
    """The connection did not carry an answer; ``unused``: not a byte of one came, on a connection that was reused."""

    def __init__(self, reason: str, unused: bool = False) -> None:
        super().__init__(reason)
        self.unused = unused


@dataclass(frozen=True, slots=True)
class Where:
    """To whom a connection leads, and under which rules it may be opened."""

    host: str
    port: int
    public_only: bool
    trust: ssl.SSLContext | None  # None: without TLS


class Line(asyncio.Protocol):
    """One connection. ``status``, ``wait`` (``Retry-After``), ``date`` and ``said`` tell of the latest answer."""

    __slots__ = (
        "_complete", "_done", "_head", "_in_head", "_parser", "_timer", "_transport", "born", "date", "rests_since",
        "said", "status", "used", "wait",
    )  # fmt: skip

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._done: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._complete = self._in_head = False
        self._head = 0
        self.born = self.rests_since = asyncio.get_running_loop().time()
        self.used = 0
        self.status, self.wait, self.date, self.said = 0, "", "", b""

    async def ask(self, request: bytes) -> None:
        """Send a request and wait for as much of its answer as is wanted. Raises `Broken`."""
        if self._transport is None:
            raise Broken("the connection was closed", unused=self.used > 0)
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        self._complete, self._in_head, self._head = False, True, 0
        self.status, self.wait, self.date, self.said = 0, "", "", b""
        self.used += 1
        self._transport.write(request)
        try:
            await self._done
        finally:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    @property
    def reusable(self) -> bool:
        """Whether the answer ended where it should and the receiver keeps the connection open."""
        return self._complete and self._transport is not None

    def close(self) -> None:
        """Close at once."""
        transport, self._transport, self._parser = self._transport, None, None
        if transport is not None:
            transport.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._done is None or self._done.done():
            self.close()  # nobody asked
            return
        if self._in_head:
            self._head += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._finish()
        except httptools.HttpParserError:
            self._fail("the answer is no HTTP")
        else:
            if self._in_head and self._head > HEAD_BYTES:
                self._fail("the headers of the answer never end")

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._in_head or self.status == 0:
            self._fail("the connection ended without an answer", unused=self.used > 1 and self._head == 0)
        else:
            self._finish()

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self.wait = value.decode("latin-1")
        elif name.lower() == b"date":
            self.date = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            return  # an interim answer; the real one follows
        self.status, self._in_head = status, False
        patience = TAIL_S if 200 <= status < 300 else ANSWER_S
        self._timer = asyncio.get_running_loop().call_later(patience, self._finish)

    def on_body(self, body: bytes) -> None:
        self.said = (self.said + body)[:ANSWER_BYTES] if len(self.said) < ANSWER_BYTES else self.said
        if len(self.said) >= ANSWER_BYTES:
            self._finish()

    def on_message_complete(self) -> None:
        if self.status and self._parser is not None:
            self._complete = self._parser.should_keep_alive()
            self._finish()

    def _finish(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _fail(self, reason: str, unused: bool = False) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(Broken(reason, unused))


@dataclass(slots=True)
class Lines:
    """Connections that rest between two messages."""

    resting: defaultdict[Where, list[Line]] = field(default_factory=lambda: defaultdict(list))
    places: defaultdict[Where, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(MOST_OPEN))
    )

    def take(self, where: Where) -> Line | None:
        """One that can be used at once, the one that rested for the shortest time."""
        now = asyncio.get_running_loop().time()
        resting = self.resting[where]
        while resting:
            line = resting.pop()
            if line.reusable and now - line.rests_since < IDLE_S and now - line.born < OLDEST_S:
                return line
            line.close()
        return None

    def give_back(self, where: Where, line: Line) -> None:
        """Let one rest, if it can be used again."""
        if not line.reusable:
            line.close()
            return
        line.rests_since = asyncio.get_running_loop().time()
        self.resting[where].append(line)

    def tidy(self) -> None:
        """Close what has rested for too long."""
        now = asyncio.get_running_loop().time()
        for where, lines in list(self.resting.items()):
            for line in [each for each in lines if now - each.rests_since >= IDLE_S or not each.reusable]:
                lines.remove(line)
                line.close()
            if not lines:
                del self.resting[where]

    def close(self) -> None:
        """Close all of them."""
        for lines in self.resting.values():
            for line in lines:
                line.close()
        self.resting.clear()


_kept: ContextVar[Lines | None] = ContextVar("kept lines", default=None)


@contextmanager
def keeping() -> Iterator[Lines]:
    """Connections stay open for the next message, for whatever is begun inside this block, until it ends."""
    lines = Lines()
    token = _kept.set(lines)
    try:
        yield lines
    finally:
        _kept.reset(token)
        lines.close()


async def exchange(where: Where, request: bytes) -> Line:
    """Ask and return the line that holds the answer; it is closed or rests again, only to be read.

    A connection that was kept may have been closed by the receiver meanwhile: then a new one is opened, once.
    Raises `Broken`, `OSError` and what `reach` raises.
    """
    kept = _kept.get()
    line = None if kept is None else kept.take(where)
    if line is not None:
        try:
            return await _ask(where, line, request, kept)
        except Broken as broken:
            if not broken.unused:
                raise
    return await _ask(where, await _connect(where), request, kept)


@asynccontextmanager
async def place(where: Where) -> AsyncIterator[None]:
    """Wait until there is room for one more connection to a receiver; this wait is not its fault."""
    kept = _kept.get()
    if kept is None:
        yield
        return
    async with kept.places[where]:
        yield


async def _ask(where: Where, line: Line, request: bytes, kept: Lines | None) -> Line:
    try:
        await line.ask(request)
    except BaseException:
        line.close()
        raise
    if kept is None:
        line.close()
    else:
        kept.give_back(where, line)
    return line


async def _connect(where: Where) -> Line:
    return await reach(where.host, where.port, partial(_open, where), public_only=where.public_only)


async def _open(where: Where, address: str) -> Line:
    name = where.host if where.trust is not None else None
    _, line = await asyncio.get_running_loop().create_connection(
        Line, address, where.port, ssl=where.trust, server_hostname=name
    )
    return line


def request_of(method: str, target: bytes, headers: Mapping[str, str], body: bytes) -> bytes:
    """The bytes of a request. Raises `ValueError` for a header that would be two, or none."""
    lines = [b"%b %b HTTP/1.1" % (method.encode("ascii"), target)]
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable() or not name.isascii() or not name.isprintable():
            raise ValueError("a header must be printable ASCII on one line")
        lines.append(f"{name}: {value}".encode("ascii"))
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])
