"""TLS between a transport and a protocol, driven by the bytes that arrive.

The event loops' own TLS cannot tell the time to connect from the time to shake hands, lets a cancelled
handshake linger, and hides the chain a server sent. This layer keeps OpenSSL in memory instead: bytes in,
bytes out, and a connection that is gone as soon as it is aborted. It must never send anything but the
handshake before it is told to.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import suppress
from functools import lru_cache
from typing import Protocol, cast

from watchfloor.domain.outcome import Status
from watchfloor.probes.checking import Fault, reason

_READ = 65536


class Outlet(Protocol):
    """What a protocol of a check needs of the thing it is connected to."""

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None: ...


class TlsLayer(asyncio.Protocol):
    """The client's end of one TLS connection. `handshake` first, then `attach` a protocol.

    To the attached protocol the layer is its transport: `write` and `abort`.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._transport: asyncio.Transport | None = None
        self._inner: asyncio.Protocol | None = None
        self._secured: asyncio.Future[None] | None = None
        self._lost: Exception | None = None
        self.peer: tuple[str, int] | None = None

    async def handshake(self) -> None:
        """Complete the handshake. Raises `ssl.SSLError` when it fails, `OSError` when the connection ends."""
        if self._lost is not None:
            raise self._lost
        self._secured = asyncio.get_running_loop().create_future()
        self._shake()
        await self._secured

    def attach(self, inner: asyncio.Protocol) -> None:
        """Hand everything that is read from now on to ``inner``."""
        self._inner = inner
        inner.connection_made(self)  # type: ignore[arg-type]  # the two methods of Outlet are all it uses
        self._deliver(inner)
        if self._lost is not None and self._inner is inner:
            inner.connection_lost(self._lost)

    def write(self, data: bytes) -> None:
        """Send ``data`` encrypted."""
        self.tls.write(data)
        self._flush()

    def abort(self) -> None:
        """Close at once: say goodbye if that does not have to wait, and keep no socket in any case."""
        transport, self._transport, self._inner = self._transport, None, None
        if transport is None:
            return
        if self.tls.version() is None or transport.get_write_buffer_size():
            transport.abort()
            return
        # SSLWantReadError is the normal case: the other side's goodbye is not waited for.
        with suppress(ssl.SSLError):
            self.tls.unwrap()
        transport.write(self._outgoing.read())
        transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        peer = transport.get_extra_info("peername")  # None when it has left already
        self.peer = peer[:2] if peer else None

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if self._inner is not None:
            self._deliver(self._inner)
        elif self._secured is not None and not self._secured.done():
            self._shake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost = exc or ConnectionResetError("connection closed by the other side")
        if self._secured is not None and not self._secured.done():
            self._secured.set_exception(self._lost)
        elif self._inner is not None:
            self._inner.connection_lost(exc)

    def _shake(self) -> None:
        assert self._secured is not None
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()  # the alert tells the other side why
            self._secured.set_exception(error)
        else:
            self._flush()
            self._secured.set_result(None)

    def _deliver(self, inner: asyncio.Protocol) -> None:
        while self._inner is inner:
            try:
                data = self.tls.read(_READ)
            except ssl.SSLWantReadError:
                self._flush()  # the answer to a key update, if there was one
                return
            except ssl.SSLError as error:
                inner.connection_lost(error)
                return
            if not data:
                inner.connection_lost(None)
                return
            inner.data_received(data)

    def _flush(self) -> None:
        if self._transport is not None and self._outgoing.pending:
            self._transport.write(self._outgoing.read())


def client_context(
    verify: bool, ca_file: str | None = None, protocols: tuple[str, ...] = ()
) -> ssl.SSLContext:
    """Return a context for clients, made once for the same arguments: loading authorities takes milliseconds.

    With ``verify`` the server must prove its name to the system's authorities, or to those of ``ca_file``
    alone, which is read again when it changes. Without it, old protocols and weak keys are accepted too.
    ``protocols`` are offered by ALPN. Raises `Fault` when ``ca_file`` cannot be used.
    """
    try:
        stamp = os.stat(ca_file).st_mtime_ns if ca_file else 0
        return _context(verify, ca_file, stamp, protocols)
    except ssl.SSLError:
        raise Fault(f"{ca_file} holds no certificates in PEM form", Status.UNKNOWN) from None
    except OSError as error:
        raise Fault(f"cannot read the CA file {ca_file}: {reason(error)}", Status.UNKNOWN) from None


@lru_cache(maxsize=64)
def _context(verify: bool, ca_file: str | None, stamp: int, protocols: tuple[str, ...]) -> ssl.SSLContext:
    if verify:
        context = ssl.create_default_context(cafile=ca_file)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def chain(tls: ssl.SSLObject) -> list[bytes]:
    """Return the certificates the server sent, its own first, in DER form."""
    if hasattr(tls, "get_unverified_chain"):  # Python 3.13
        return list(tls.get_unverified_chain())
    # Before 3.13 the same method exists, but only on the object inside.
    sent = tls._sslobj.get_unverified_chain() or []  # type: ignore[attr-defined]
    return [certificate.public_bytes(_DER) for certificate in sent]


_DER: int = ssl._ssl.ENCODING_DER  # type: ignore[attr-defined]  # no public name before 3.13
