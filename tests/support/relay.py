"""A relay on loopback between a client and its server, which can be cut or fall silent in the middle of a transfer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Relay:
    """What passes between the two; ``passed`` counts the bytes that came from the server."""

    def __init__(self, port: int) -> None:
        self.passed = 0
        self.port = 0
        self._to = port
        self._silent = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Break every connection at once, as a host does that restarts."""
        for writer in self._writers:
            writer.transport.abort()

    def fall_silent(self) -> None:
        """Pass nothing on any more and close nothing, as a host does that is gone."""
        self._silent = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection."""
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, back}
        for source, target, counts in ((reader, back, False), (there, writer, True)):
            self._tasks.add(asyncio.create_task(self._pass(source, target, counts)))

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, counts: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if self._silent:
                    continue
                target.write(data)
                await target.drain()
                self.passed += len(data) if counts else 0
        if not self._silent:
            target.close()

    async def end(self) -> None:
        """Let go of everything."""
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def relayed(port: int) -> AsyncIterator[Relay]:
    """A relay to a port of this machine."""
    relay = Relay(port)
    listening = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = listening.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        listening.close()
        await relay.end()
