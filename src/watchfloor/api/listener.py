"""The listener: one request per connection, few connections at a time, none of them for long.

It has a thread, a loop and database connections of its own, so that no client, however slow or hostile, holds up a
check. What it cannot answer it refuses; it never raises into its loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from http import HTTPStatus

from watchfloor.api.answers import Answer, Answers
from watchfloor.api.guests import Displaced, Guest, Guests
from watchfloor.api.request import Refusal, Request, read_request
from watchfloor.store.database import Database
from watchfloor.store.errors import explain, is_away

log = logging.getLogger(__name__)

REQUEST_S = 10.0
"""How long a client may take to send its request."""

ANSWER_S = 10.0
"""How long an answer may take, and how long a client to read it."""

LINGER_S = 0.5
"""How long a client is listened to that has its answer."""

AT_ONCE = 200
"""So many clients are held at once. Of one more the oldest goes that is not being answered just now, of the address
that has most; where all are being answered, so many more are told that there are too many."""

GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
RETRY_AFTER_S = 5
_LATER = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
CONNECTIONS = 2
START_S = 10.0


class Listener:
    """Listens on one address while its thread runs."""

    def __init__(self, dsn: str, host: str, port: int, not_ready: Callable[[], str]) -> None:
        """``not_ready`` says why the engine of this node does not work; empty when it does."""
        self._dsn = dsn
        self._host, self._port = host, port
        self._not_ready = not_ready
        self._guests = Guests()
        self._turned_away = 0  # being told that there are too many
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._bound = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)
        self.port = port

    def start(self) -> None:
        """Listen from now on. Raises `OSError` where the address cannot be had."""
        self._thread.start()
        if not self._bound.wait(START_S):
            raise TimeoutError("the listener did not start")
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Listen no more; what is being answered is cut off."""
        loop, ending = self._loop, self._ending
        if loop is not None and ending is not None:
            with contextlib.suppress(RuntimeError):  # it ended by itself
                loop.call_soon_threadsafe(ending.set)
        self._thread.join(START_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._listen())
        except OSError as error:
            self._failure = error
        finally:
            self._bound.set()

    async def _listen(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        database = Database(self._dsn, name="api", size=CONNECTIONS, statement_timeout=ANSWER_S)
        answers = Answers(database, self._not_ready)
        try:
            server = await asyncio.start_server(
                lambda reader, writer: self._serve(answers, reader, writer), self._host, self._port
            )
            self.port = server.sockets[0].getsockname()[1]
            self._bound.set()
            await self._ending.wait()
            server.close()
        finally:
            await database.close()

    async def _serve(
        self, answers: Answers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            if self._guests.room(AT_ONCE):
                await self._converse(answers, reader, writer)
            elif self._turned_away < AT_ONCE:
                await self._turn_away(reader, writer)
        except Displaced:
            writer.write(_head(Answer(503, ""), 0))
        except (OSError, TimeoutError) as error:  # it left, or does not read what it asked for
            log.debug("a client was not told to the end: %s", type(error).__name__)
        except Exception as error:
            log.error("a request could not be answered: %s", type(error).__name__)
        finally:
            writer.transport.abort()

    async def _turn_away(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say that there are too many. Those who are told so keep nobody out, and are themselves not many at once."""
        self._turned_away += 1
        try:
            await _write(writer, Answer(503, "too many connections\n"), head=False)
            await _linger(reader)
        finally:
            self._turned_away -= 1

    async def _converse(
        self, answers: Answers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with self._guests.guest(_peer(writer)) as guest:
            await self._reply(answers, reader, writer, guest)
            await _linger(reader)

    async def _reply(
        self, answers: Answers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, guest: Guest
    ) -> None:
        method = ""
        try:
            async with asyncio.timeout(REQUEST_S):
                request = await read_request(reader, lambda: writer.write(GO_ON))
            if request is None:
                return
            method = request.method
            with guest.served():
                answer = await _answer(answers, request, guest.address)
        except Refusal as refusal:
            answer = Answer(refusal.status, f"{refusal}\n")
        except TimeoutError:
            answer = Answer(408, "the request took too long\n")
        await _write(writer, answer, head=method == "HEAD")


async def _answer(answers: Answers, request: Request, peer: str) -> Answer:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await answers.answer(request, peer)
    except Refusal:
        raise
    except TimeoutError:
        return Answer(503, "the database takes too long\n")
    except Exception as error:
        if is_away(error):
            return Answer(503, f"the database is away: {explain(error)}\n")
        log.exception("a request failed")
        return Answer(500, "something is wrong with this node; its log says what\n")


def _peer(writer: asyncio.StreamWriter) -> str:
    name = writer.get_extra_info("peername")
    return str(name[0]) if name else "unknown"


async def _linger(reader: asyncio.StreamReader) -> None:
    """Take in what the client still sends, for a moment: what is unread when a connection ends undoes the answer."""
    try:
        async with asyncio.timeout(LINGER_S):
            while await reader.read(65_536):
                pass
    except TimeoutError:
        return


async def _write(writer: asyncio.StreamWriter, answer: Answer, *, head: bool) -> None:
    """Send an answer and wait until the system has it all; not for ever."""
    body = answer.text.encode()
    writer.write(_head(answer, len(body)) + (b"" if head else body))
    async with asyncio.timeout(ANSWER_S):
        await writer.drain()
        writer.write_eof()


def _head(answer: Answer, length: int) -> bytes:
    """The status and the headers of an answer with a body of this length."""
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {length}",
        "Connection: close",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
    ]
    lines += [f"Allow: {answer.allow}"] if answer.allow else []
    lines += [f"Retry-After: {RETRY_AFTER_S}"] if answer.status in _LATER else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
