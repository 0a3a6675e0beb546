"""Servers for the tests of probes: friendly, slow, hostile. They live on a loop in a thread of their own.

Because they do, a test may run its probe on any event loop, and measure it, without the server's work in
between.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Run = Callable[[Awaitable[Any]], Any]
"""Runs a coroutine on the event loop of a test."""


class Servers:
    """Starts servers on loopback and stops them all at the end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-servers", daemon=True)
        self._thread.start()
        self._open: list[asyncio.Server] = []
        self._conversations: set[asyncio.Task[None]] = set()

    def start(
        self, handler: Handler, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> int:
        """Serve every connection with ``handler`` and return the port."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._conversations.add(task)
            try:
                await handler(reader, writer)
            except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
                pass  # the other side left, or the test is over
            finally:
                self._conversations.discard(task)
                writer.transport.abort()

        async def start() -> int:
            server = await asyncio.start_server(serve, host, port, ssl=tls, limit=2**24)
            self._open.append(server)
            return int(server.sockets[0].getsockname()[1])

        return self.call(start())

    def answering(self, answer: bytes, tls: ssl.SSLContext | None = None) -> int:
        """Serve ``answer`` to every request and close."""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        return self.start(handler, tls)

    def call(self, coroutine: Awaitable[int]) -> int:
        """Run ``coroutine`` on the servers' loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)  # type: ignore[arg-type]

    def stop(self) -> None:
        """Close everything and end the thread."""

        async def close() -> int:
            for server in self._open:
                server.close()
            for task in list(self._conversations):
                task.cancel()
            await asyncio.gather(*self._conversations, return_exceptions=True)
            return 0

        self.call(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything, say nothing."""
    while await reader.read(65536):
        pass


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say what was said."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close at once."""


async def hears_and_hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take what comes first, then close: what is left unread would make it a reset."""
    await reader.read(1024)


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Wait for the first bytes, then reset the connection."""
    await reader.read(1)
    taken = writer.get_extra_info("socket")
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def drips(beginning: bytes, then: bytes = b"a", every: float = 0.05) -> Handler:
    """Say ``beginning`` and then ``then`` for ever, one byte at a time."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        position = 0
        while True:
            byte = beginning[position : position + 1] or then
            position += 1
            writer.write(byte)
            await writer.drain()
            await asyncio.sleep(every)

    return handler


def floods(beginning: bytes, block: bytes) -> Handler:
    """Say ``beginning``, then ``block`` again and again as fast as it is taken."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        while True:
            writer.write(block)
            await writer.drain()

    return handler


def says(data: bytes) -> Handler:
    """Say ``data`` at once, without being asked, then listen until the other side leaves."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        await silent(reader, writer)

    return handler


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """Yield a port that listens but whose queue of connections is full, so that nobody gets through."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


def closed_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def http_answer(body: bytes = b"ok", status: str = "200 OK", *headers: str) -> bytes:
    """Return an ordinary HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
