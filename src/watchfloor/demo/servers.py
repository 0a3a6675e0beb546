"""The servers of the demo: small, real, on 127.0.0.1, each as good or bad as its script says at the moment.

A server keeps its port from `Server.open` to `Server.close`, also while the script has nobody listening.
It must never listen on another address, read without a bound, or leave a socket or task behind when closed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from watchfloor.demo.script import Behaviour

ADDRESS = "127.0.0.1"
PATIENCE = 20.0
"""Seconds that one visit may take, handshake and goodbye included; longer than any delay of the script."""
LONGEST_REQUEST = 16 * 1024
"""Bytes of a line, or of the head of a request, above which a server hangs up."""


class Server(ABC):
    """One server: a port, whoever is connected to it, and the script that says how it behaves now."""

    def __init__(self, behave: Callable[[], Behaviour], tls: ssl.SSLContext | None = None) -> None:
        self._behave = behave
        self._tls = tls
        self._reservation: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._visits: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port the kernel chose. Raises RuntimeError while the server is not open."""
        if self._reservation is None:
            raise RuntimeError("the server is not open, so it has no port yet")
        port: int = self._reservation.getsockname()[1]
        return port

    def open(self) -> None:
        """Take a free port and follow the script from now on. Raises OSError when there is no port to have.

        The reservation never listens. While nobody else listens either, it makes the kernel refuse callers
        and keeps it from giving the number away, not least to the very client that is trying to connect.
        """
        self._reservation = bind(0)
        self.follow()

    def follow(self) -> None:
        """Do as the script says: begin to listen, or stop listening and hang up on everybody.

        Raises OSError when the port cannot be listened on.
        """
        wanted = self._behave().listening
        if wanted and self._listener is None:
            self._listener = bind(self.port, listening=True)
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)
        elif not wanted and self._listener is not None:
            self._hang_up()

    def close(self) -> set[asyncio.Task[None]]:
        """Give the port back and end every connection; returns the tasks whose end is the end of it.

        Does nothing to a server that is not open.
        """
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None
        return self._hang_up()

    def _hang_up(self) -> set[asyncio.Task[None]]:
        self._stop_listening()
        ending = set(self._visits)
        for visit in ending:
            visit.cancel()
        return ending

    def _stop_listening(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return  # The caller has hung up already.
        except OSError:
            # The process has no file descriptor left. The next look at the script listens again.
            self._stop_listening()
            return
        connection.setblocking(False)
        visit = asyncio.create_task(self._receive(connection))
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)
        # A visit that is cancelled before its first step has no chance to close its connection itself.
        visit.add_done_callback(lambda _: connection.close())

    async def _receive(self, connection: socket.socket) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._converse(connection)
        except (OSError, EOFError, asyncio.LimitOverrunError):
            return  # The visitor left, fell silent or talks without end. It knows why, and nobody else asks.

    async def _converse(self, connection: socket.socket) -> None:
        """One visit, from the accepted connection to its end."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=LONGEST_REQUEST)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=self._tls)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await self._answer(reader, writer, self._behave())
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        finally:
            transport.abort()
            await writer.wait_closed()

    @abstractmethod
    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behaviour: Behaviour
    ) -> None:
        """Serve one visitor; return when there is no more to say.

        May raise OSError, EOFError and LimitOverrunError: all three end the visit without a word.
        """


def bind(port: int, *, listening: bool = False) -> socket.socket:
    """A bound socket, which shares its port with others of this world that ask for the same one."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((ADDRESS, port))
        if listening:
            bound.listen()
    except OSError:
        bound.close()
        raise
    return bound


@dataclass(frozen=True, slots=True)
class Page:
    """What an HTTP server has at one path; ``wrong`` is the body while the script wants a wrong one.

    A ``location`` makes the page a redirect to that path.
    """

    content_type: str
    body: bytes
    wrong: bytes = b""
    location: str | None = None


class HttpServer(Server):
    """Speaks as much of HTTP/1.1 as a check needs: GET and HEAD, one request to a connection."""

    def __init__(
        self, behave: Callable[[], Behaviour], pages: Mapping[str, Page], tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(behave, tls)
        self._pages = pages

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behaviour: Behaviour
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        await asyncio.sleep(behaviour.delay)
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            writer.write(b"".join(_apology(HTTPStatus.BAD_REQUEST)))
            return
        method, target, _ = words
        fields, body = self._response(method, target.partition("?")[0], behaviour)
        writer.write(fields if method == "HEAD" else fields + body)

    def _response(self, method: str, path: str, behaviour: Behaviour) -> tuple[bytes, bytes]:
        page = self._pages.get(path)
        if method not in ("GET", "HEAD"):
            return _apology(HTTPStatus.METHOD_NOT_ALLOWED)
        if page is None:
            return _apology(HTTPStatus.NOT_FOUND)
        if behaviour.status is not None:
            return _apology(HTTPStatus(behaviour.status))
        status = HTTPStatus.OK if page.location is None else HTTPStatus.FOUND
        return _message(status, page, page.wrong if behaviour.wrong else page.body)


def _apology(status: HTTPStatus) -> tuple[bytes, bytes]:
    text = f"{status.value} {status.phrase}\n".encode()
    return _message(status, Page("text/plain; charset=utf-8", text), text)


def _message(status: HTTPStatus, page: Page, body: bytes) -> tuple[bytes, bytes]:
    """The head of a response, with the empty line that ends it, and its body."""
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if page.location is not None:
        lines.append(f"Location: {page.location}")
    return "\r\n".join([*lines, "", ""]).encode("ascii"), body


class LineServer(Server):
    """Greets whoever connects, then answers line by line until they leave."""

    def __init__(
        self, behave: Callable[[], Behaviour], greeting: bytes, replies: Mapping[bytes, bytes]
    ) -> None:
        """``replies`` maps a line, upper case and without its end, to the whole answer."""
        super().__init__(behave)
        self._greeting = greeting
        self._replies = replies

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behaviour: Behaviour
    ) -> None:
        await asyncio.sleep(behaviour.delay)
        writer.write(self._greeting)
        while True:
            line = await reader.readuntil(b"\n")
            writer.write(self._replies.get(line.strip().upper(), b"500 unknown command\r\n"))
            await writer.drain()
