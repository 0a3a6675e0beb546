"""One HTTP/1.1 request and its answer, as a protocol that reads no more than it was told to.

The hot path of the engine: no streams, no locks, one future. The answer may be hostile in every byte; this
module must never raise into the event loop and never keep more than its limits.
"""

from __future__ import annotations

import asyncio
import zlib
from time import perf_counter
from typing import cast

import httptools

from watchfloor.domain.text import one_line
from watchfloor.probes.checking import Check, Fault, reason
from watchfloor.probes.text import size
from watchfloor.probes.tls_layer import Outlet

HEAD_LIMIT = 64 * 1024
"""The most bytes an answer may take for its status line and headers, interim answers included; and again for
what comes after its body, or between two parts of it."""

_WANTED = frozenset(
    (b"content-type", b"content-encoding", b"content-length", b"transfer-encoding", b"location", b"server")
)


class Exchange(asyncio.Protocol):
    """Sends one request when told to and reads one answer. ``done`` ends with None or with a `Fault`.

    After that ``status``, ``headers`` (the few that matter, names in lower case), ``length`` (bytes of
    the body that were read), ``body`` (kept only if asked for), ``cut`` (the body was longer than the limit)
    and ``first_byte_at`` tell what came.
    """

    __slots__ = (
        "_beside", "_body_limit", "_bodyless", "_check", "_chunks", "_head_bytes", "_in_head", "_keep",
        "_outlet", "_parser", "_wanted", "cut", "done", "first_byte_at", "headers", "length", "phrase", "status",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        check: Check,
        body_limit: int,
        *,
        keep_body: bool,
        bodyless: bool = False,
        headers: frozenset[bytes] = frozenset(),
    ) -> None:
        """``headers`` are kept besides the usual ones; their names are in lower case."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status = 0
        self.phrase = b""
        self.version = ""
        self.headers: dict[bytes, bytes] = {}
        self.length = 0
        self.cut = False
        self.first_byte_at = 0.0
        self._check = check
        self._body_limit = body_limit
        self._keep = keep_body
        self._wanted = _WANTED | headers if headers else _WANTED
        self._bodyless = bodyless
        self._chunks: list[bytes] = []
        self._head_bytes = 0
        self._beside = 0  # how much came since there was something of the body
        self._in_head = True
        self._outlet: Outlet | None = None
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    async def send(self, request: bytes) -> None:
        """Send ``request`` and wait for the whole answer, or as much of it as is wanted. Raises `Fault`."""
        if self._outlet is not None:
            self._outlet.write(request)
        await self.done

    def close(self) -> None:
        """Close the connection at once; nothing is read any more."""
        outlet, self._outlet, self._parser = self._outlet, None, None
        if not self.done.cancel() and not self.done.cancelled():
            self.done.exception()  # seen, even if the check ended for another reason first
        if outlet is not None:
            outlet.abort()

    @property
    def body(self) -> bytes:
        """The body as it was sent, up to the limit."""
        return b"".join(self._chunks)[: self._body_limit]

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._outlet = cast(Outlet, transport)

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self.done.done():
            return
        if not self.first_byte_at:
            self.first_byte_at = perf_counter()
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT:
                # The body may begin within this read; only what belongs to the head is limited here.
                within = len(data) - (self._head_bytes - HEAD_LIMIT)
                self._feed(data[:within])
                if self._in_head:
                    self._fail(f"the headers of the answer are larger than {size(HEAD_LIMIT)}")
                    return
                data = data[within:]
            self._feed(data)
            return
        before = self.length
        self._feed(data)
        self._beside = 0 if self.length != before else self._beside + len(data)
        if self._beside > HEAD_LIMIT:
            self._fail(f"the answer has more than {size(HEAD_LIMIT)} beside its body")

    def connection_lost(self, exc: Exception | None) -> None:
        self._outlet = None
        if self.done.done():
            return
        if self._in_head:
            ended = reason(exc) if isinstance(exc, OSError) else "connection closed by the other side"
            partial = " within the headers of the answer" if self._head_bytes else " without an answer"
            self._fail(ended + partial)
        elif b"content-length" in self.headers or b"transfer-encoding" in self.headers:
            self._fail(f"the connection ended after {size(self.length)}, before the end of the body")
        elif exc is not None:
            self._fail(f"the connection broke within the body: {exc}")
        else:
            self.done.set_result(None)

    # What the parser calls.

    def on_status(self, phrase: bytes) -> None:
        self.phrase += phrase[:100]

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in self._wanted and name not in self.headers:
            self.headers[name] = value

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser is None:
            return
        self.status = parser.get_status_code()
        if 100 <= self.status < 200 and self.status != 101:
            # An interim answer, such as "100 Continue"; the real one follows.
            self.headers.clear()
            self.phrase = b""
            return
        self._in_head = False
        self.version = parser.get_http_version()
        if self._bodyless or self.status == 101:
            self._finish()

    def on_body(self, body: bytes) -> None:
        if self.done.done():
            return
        self.length += len(body)
        if self._keep:
            self._chunks.append(body)
        if self.length > self._body_limit:
            self.length = self._body_limit
            self.cut = True
            self._finish()

    def on_message_complete(self) -> None:
        if not self._in_head:
            self._finish()

    def _feed(self, data: bytes) -> None:
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._finish()
        except httptools.HttpParserError as error:
            words = f"not a valid HTTP answer ({one_line(str(error), 80).lower()})"
            if self._in_head and (shown := self._check.clean(data[:1024], 60)):
                words += f", it reads: {shown}"
            self._fail(words)

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _fail(self, words: str) -> None:
        if not self.done.done():
            self.done.set_exception(Fault(words))


def decompressed(body: bytes, encoding: bytes, limit: int) -> bytes:
    """Undo a compression that was not asked for, up to ``limit`` bytes. Raises `Fault` when it cannot be read."""
    for name in reversed(encoding.decode("ascii", "replace").lower().split(",")):
        if name.strip() in ("", "identity"):
            continue
        if name.strip() not in ("gzip", "x-gzip", "deflate"):
            raise Fault(f"the body is compressed with {one_line(name, 20)}, which was not asked for")
        try:
            # 32 + 15: the format, gzip or zlib, is recognised by its header.
            body = zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(body, limit)
        except zlib.error:
            raise Fault(f"the body is not valid {one_line(name, 20)} data") from None
    return body
