"""WebSocket checks: does the server accept the upgrade, and answer a message as it should.

A small client of its own (RFC 6455): the handshake, one message of text, and what comes back, all within
limits. This module must never show a header's value or the message sent.
"""

from __future__ import annotations

import base64
import hashlib
import os
from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from watchfloor import __version__
from watchfloor.domain.outcome import Outcome
from watchfloor.probes import target
from watchfloor.probes.checking import Check, Fault, OtherProtocol, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.peer import Peer, TlsSettings
from watchfloor.probes.talk import Talk
from watchfloor.probes.target import Target
from watchfloor.probes.text import size, spoken_secrets

HEAD_LIMIT = 64 * 1024
"""The most bytes the answer to the handshake may take."""
READ_LIMIT = 64 * 1024
"""How much is read in search of the expected text, in bytes."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10


def _where(url: str) -> Target:
    scheme, mark, rest = url.partition("://")
    web = {"ws": "http", "wss": "https"}.get(scheme.lower())
    if not mark or web is None:
        raise ValueError("the address must begin with ws:// or wss://")
    return target.parse(f"{web}://{rest}")


def _connectable(url: str) -> str:
    _where(url)
    return url


class Settings(TlsSettings):
    """A WebSocket address, and what is said to it and expected of it."""

    url: Annotated[str, AfterValidator(_connectable)] = Field(
        description="The address, such as `wss://example.com/live`."
    )
    headers: Annotated[dict[str, SecretStr], AfterValidator(target.sendable)] = Field(
        {}, max_length=50, description="Headers to send. Their values are never shown."
    )
    subprotocols: list[Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]] = Field(
        [], max_length=20, description="Subprotocols to offer; the server must take one of them."
    )
    send: str = Field("", max_length=64 * 1024, description="Text to send once connected. It is never shown.")
    expect: str | None = Field(
        None,
        min_length=1,
        max_length=1024,
        description="Text that must appear in one of the messages within the first 64 KiB of what comes back.",
    )
    certificate_warn_days: float = Field(
        14, ge=0, le=3650, description="Degraded when the certificate expires within this many days (TLS)."
    )

    @cached_property
    def address(self) -> Target:
        """The address taken apart."""
        return _where(self.url)

    @cached_property
    def plain_headers(self) -> dict[str, str]:
        """The headers as they are sent."""
        return {name: value.get_secret_value() for name, value in self.headers.items()}

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return spoken_secrets([*target.secrets_in(self.plain_headers), self.send, *self.send.split()])


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Connect once, shake hands, speak and listen as set, and judge within ``timeout`` seconds."""
    check = Check(settings.secrets)
    return await conduct(check, timeout, _converse(settings, check, timeout))


async def _converse(settings: Settings, check: Check, timeout: float) -> Outcome:
    where = settings.address
    peer = Peer(check, settings, where.host, where.port, timeout, tls=where.scheme == "https")
    async with peer.talk(protocols=("http/1.1",)) as talk:
        key = base64.b64encode(os.urandom(16))
        talk.say(_request(settings, key))
        _accept(settings, check, await talk.until(b"\r\n\r\n", HEAD_LIMIT), key)
        if settings.send:
            talk.say(_frame(_TEXT, settings.send.encode("utf-8", "replace")))
        if settings.expect is not None:
            check.doing = f"waiting for the expected text from {peer.where}"
            await _listen(check, talk, settings.expect.encode("utf-8", "replace"))
        talk.say(_frame(_CLOSE, b"\x03\xe8"))  # 1000: done
    findings = Findings(check)
    metrics = peer.judge_certificate(findings, settings.certificate_warn_days)
    what = "answered as expected" if settings.expect is not None else "accepts WebSockets"
    return findings.outcome(f"{peer.where} {what}", speed=settings, metrics=metrics, facts=peer.facts)


def _request(settings: Settings, key: bytes) -> bytes:
    where = settings.address
    lines = {
        "host": ("Host", where.authority),
        "user-agent": ("User-Agent", f"watchfloor/{__version__}"),
        **{name.lower(): (name, value) for name, value in settings.plain_headers.items()},
        "upgrade": ("Upgrade", "websocket"),
        "connection": ("Connection", "Upgrade"),
        "sec-websocket-key": ("Sec-WebSocket-Key", key.decode()),
        "sec-websocket-version": ("Sec-WebSocket-Version", "13"),
    }
    if settings.subprotocols:
        lines["sec-websocket-protocol"] = ("Sec-WebSocket-Protocol", ", ".join(settings.subprotocols))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.values())
    return f"GET {where.path} HTTP/1.1\r\n{head}\r\n".encode()


def _accept(settings: Settings, check: Check, head: bytes, key: bytes) -> None:
    """Hold the answer to the handshake against section 4.1. Raises `Fault` when it is no acceptance."""
    status, *rest = head.split(b"\r\n")
    if not status.startswith(b"HTTP/1.1 101"):
        raise Fault(f"the server does not upgrade to WebSocket: {check.clean(status, 80)}; check the address")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in rest)
    }
    # SHA-1 is what the standard demands here; it proves nothing but that a WebSocket server answered.
    proof = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    if headers.get(b"sec-websocket-accept") != proof:
        raise Fault("the server accepts an upgrade that was not ours (Sec-WebSocket-Accept is wrong)")
    taken = headers.get(b"sec-websocket-protocol", b"").decode("ascii", "replace")
    if settings.subprotocols and taken not in settings.subprotocols:
        raise Fault(
            f"the server takes none of the subprotocols offered: {check.clean(taken, 40) or 'nothing'}"
        )


async def _listen(check: Check, talk: Talk, expected: bytes) -> None:
    """Read messages until one holds the expected text. Raises `Fault` when that does not happen."""
    message, heard = b"", 0
    while heard <= READ_LIMIT:
        final, kind, data = await _read(talk, READ_LIMIT)
        heard += len(data) + 2
        if kind == _CLOSE:
            said = check.clean(data[2:], 60)
            raise Fault(f"the server ended the conversation{': ' + said if said else ''}")
        if kind == _PING:
            talk.say(_frame(_PONG, data))
        elif kind in (_TEXT, _BINARY, _CONTINUATION):
            message = message + data if kind == _CONTINUATION else data
            if expected in message:
                return
            if final and heard > READ_LIMIT:
                break
    raise Fault(
        f"the expected text is not in the first {size(READ_LIMIT)}; it said: {check.clean(message, 60)}"
    )


async def _read(talk: Talk, limit: int) -> tuple[bool, int, bytes]:
    """Return the next frame: whether it ends its message, its kind, its payload (section 5.2)."""
    first, second = await talk.exactly(2)
    length = second & 127
    if first & 0x70 or second & 128:
        raise OtherProtocol("not a frame of WebSocket as a server sends it")
    if length > 125:
        length = int.from_bytes(await talk.exactly(2 if length == 126 else 8), "big")
    if length > limit:
        raise Fault(f"a message is longer than {size(limit)}")
    return bool(first & 128), first & 15, await talk.exactly(length)


def _frame(kind: int, data: bytes) -> bytes:
    """Write one frame as a client must: masked (section 5.3)."""
    mask = os.urandom(4)
    head = bytes((128 | kind,))
    if len(data) < 126:
        head += bytes((128 | len(data),))
    elif len(data) < 65536:
        head += b"\xfe" + len(data).to_bytes(2, "big")
    else:
        head += b"\xff" + len(data).to_bytes(8, "big")
    stream = (mask * (len(data) // 4 + 1))[: len(data)]
    masked = int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")
    return head + mask + masked.to_bytes(len(data), "big")
