"""The world outside: services that are up or down as the test says, and a receiver of webhooks. In its own thread.

It is the truth against which the product is held: what was served when, and what was received.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Any

REFUSE_EVERY = 17
"""Each such delivery is taken and answered as if it was not: the sender must send it again."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One webhook as it arrived."""

    id: str
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        """The message."""
        message: dict[str, Any] = json.loads(self.body)
        return message


class Outside:
    """The servers, running; a context manager. Attributes may be read from any thread."""

    def __init__(self) -> None:
        self.port = 0
        self.answered: Counter[str] = Counter()  # by service
        self.receipts: list[Receipt] = []
        self._down: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def fail(self, service: str) -> None:
        """From now on this service answers 503."""
        self._down.add(service)

    def mend(self, service: str) -> None:
        """From now on this service answers 200."""
        self._down.discard(service)

    @property
    def down(self) -> frozenset[str]:
        """The services that are down."""
        return frozenset(self._down)

    def url(self, service: str) -> str:
        """The address of a service, or of the receiver (``hook``)."""
        return f"http://127.0.0.1:{self.port}/{service}"

    def __enter__(self) -> Outside:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._answer, "127.0.0.1", 0, backlog=1000)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            service = head.split(b" ", 2)[1].decode().strip("/")
            status = b"200 OK"
            if service == "hook":
                status = await self._receive(head, reader)
            else:
                self.answered[service] += 1
                if service in self._down:
                    status = b"503 Service Unavailable"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # whoever asked was killed
        finally:
            writer.close()

    async def _receive(self, head: bytes, reader: asyncio.StreamReader) -> bytes:
        lines = (line.split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
        headers = {name.strip().lower(): value.strip() for name, value in lines}
        body = await reader.readexactly(int(headers[b"content-length"]))
        self.receipts.append(Receipt(headers[b"webhook-id"].decode(), body))
        return b"503 Busy" if len(self.receipts) % REFUSE_EVERY == 0 else b"204 No Content"
