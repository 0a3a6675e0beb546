"""The watched side: a tiny HTTP server in a process of its own, so that its cost is nobody's.

Every request is on a connection of its own, answered in one write and closed. The parent asks over the pipe how
many requests were answered and says which paths shall fail. Also the client of that pipe (`Target`).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import cast

import uvloop

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
DOWN = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\nConnection: close\r\n\r\ndown\n"


class _Answers:
    """What all connections share."""

    def __init__(self) -> None:
        self.count = 0
        self.down: frozenset[bytes] = frozenset()


class _Connection(asyncio.Protocol):
    def __init__(self, answers: _Answers) -> None:
        self._answers = answers
        self._transport: asyncio.Transport | None = None
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" not in self._head or self._transport is None:
            return
        self._answers.count += 1
        path = self._head.split(b" ", 2)[1]
        self._transport.write(DOWN if path in self._answers.down else OK)
        self._transport.close()


def _obey(answers: _Answers) -> None:
    for line in sys.stdin:
        word, *paths = line.split()
        if word == "down":
            answers.down = frozenset(path.encode() for path in paths)
        print(answers.count, flush=True)


async def _serve() -> None:
    answers = _Answers()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answers), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = loop.create_future()

    def obey() -> None:
        _obey(answers)
        loop.call_soon_threadsafe(ended.set_result, None)  # the parent is gone

    threading.Thread(target=obey, daemon=True).start()
    await ended


class Target:
    """The server as its parent sees it; a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def url(self, number: int) -> str:
        """The address of one of the services."""
        return f"http://127.0.0.1:{self.port}{self.path(number)}"

    def path(self, number: int) -> str:
        """The path of one of the services."""
        return f"/s/{number}"

    def answered(self) -> int:
        """How many requests were answered so far."""
        return self._tell("count")

    def fail(self, numbers: Iterable[int]) -> None:
        """From now on exactly these services answer 503."""
        self._tell(" ".join(["down", *map(self.path, numbers)]))

    def _tell(self, line: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


if __name__ == "__main__":
    uvloop.run(_serve())
