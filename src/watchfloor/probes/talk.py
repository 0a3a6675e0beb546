"""A conversation with a server: read a line or so many bytes, say something, start TLS midway.

For checks that shake hands in a protocol of their own. The other side may say anything, at any length, at
any time; this module must never keep more than its limit, and never raise into the event loop.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import cast

from watchfloor.probes.checking import Check, Fault
from watchfloor.probes.text import size
from watchfloor.probes.tls_layer import Outlet, TlsLayer

UNREAD_LIMIT = 1024 * 1024
"""The most bytes that are kept for somebody to read; who sends more unasked is hung up on."""


class Talk(asyncio.Protocol):
    """One connection, read piece by piece. What ends it is raised by whoever reads next, as an `OSError`."""

    def __init__(self, check: Check) -> None:
        self.first_byte_at = 0.0
        self.opening = b""  # what it said first, a few bytes
        self._check = check
        self._buffer = bytearray()
        self._more: asyncio.Future[None] | None = None
        self._lost: Exception | None = None
        self._outlet: Outlet | None = None
        self._since = perf_counter()

    async def line(self, limit: int = 8192) -> bytes:
        """Return the next line without its end. Raises `Fault` when it is longer than ``limit`` bytes."""
        return (await self.until(b"\n", limit)).removesuffix(b"\r")

    async def until(self, separator: bytes, limit: int) -> bytes:
        """Return what comes before ``separator``. Raises `Fault` when that is longer than ``limit`` bytes."""
        while (end := self._buffer.find(separator)) < 0:
            if len(self._buffer) > limit:
                break
            await self._wait()
        if end < 0 or end > limit:
            raise Fault(f"more than {size(limit)} without an end while {self._check.doing}{self._said()}")
        found = bytes(self._buffer[:end])
        del self._buffer[: end + len(separator)]
        return found

    async def exactly(self, count: int) -> bytes:
        """Return the next ``count`` bytes; the caller has made sure that it is not too many."""
        while len(self._buffer) < count:
            await self._wait()
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    async def some(self) -> bytes:
        """Return whatever comes next, at least one byte."""
        while not self._buffer:
            await self._wait()
        found = bytes(self._buffer)
        self._buffer.clear()
        return found

    def say(self, data: bytes) -> None:
        """Send ``data``."""
        if self._outlet is not None:
            self._outlet.write(data)

    def begin(self) -> None:
        """Take the time from now on, for `measure`."""
        self._since, self.first_byte_at = perf_counter(), 0.0

    def measure(self) -> None:
        """Add the phases first_byte and transfer since `begin`; nothing when nothing came."""
        if self.first_byte_at:
            self._check.received(self._since, self.first_byte_at)
            self.first_byte_at = 0.0

    def under(self, layer: TlsLayer) -> None:
        """Put a TLS layer beneath this conversation; shake its hands, then attach this to it.

        Raises `Fault` when something was already said that TLS would not protect.
        """
        if self._lost is not None:
            raise self._lost
        if self._buffer:
            raise Fault("the server spoke on before TLS began; somebody may be tampering with the connection")
        transport = cast(asyncio.Transport, self._outlet)
        self._outlet = None
        transport.set_protocol(layer)
        layer.connection_made(transport)

    def close(self) -> None:
        """Close the connection at once."""
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._outlet = cast(Outlet, transport)

    def data_received(self, data: bytes) -> None:
        if self._lost is not None:
            return
        if not self.first_byte_at:
            self.first_byte_at = perf_counter()
        self.opening = self.opening or data[:3]
        if len(self._buffer) + len(data) > UNREAD_LIMIT:
            self._lost = Fault(f"sends more than {size(UNREAD_LIMIT)} unasked{self._said()}")
            self.close()
        else:
            self._buffer += data
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._outlet = None
        if self._lost is None:
            known = isinstance(exc, OSError)
            self._lost = exc if known else ConnectionResetError("connection closed by the other side")
        self._wake()

    def _said(self) -> str:
        words = self._check.clean(bytes(self._buffer[:1024]), 60)
        return f"; it said: {words}" if words else ""

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    async def _wait(self) -> None:
        if self._lost is not None:
            raise self._lost
        self._more = asyncio.get_running_loop().create_future()
        try:
            await self._more
        finally:
            self._more = None
