"""TCP checks: does the port accept, optionally over TLS, and does it say what it should.

This module must never read more than it needs to find the expected text.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from time import perf_counter
from typing import cast

from pydantic import Field

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import certificate
from watchfloor.probes.checking import Check, Fault, conduct, reason
from watchfloor.probes.net import connect, place
from watchfloor.probes.peer import PeerSettings
from watchfloor.probes.secure import connect_tls
from watchfloor.probes.text import seconds, size, spoken_secrets
from watchfloor.probes.tls_layer import Outlet

READ_LIMIT = 64 * 1024
"""How much is read in search of the expected text, in bytes."""


class Settings(PeerSettings):
    """A port, and what is said to it and expected of it."""

    send: str = Field("", max_length=64 * 1024, description="Text to send once connected. It is never shown.")
    expect: str | None = Field(
        None,
        min_length=1,
        max_length=1024,
        description="Text that must appear within the first 64 KiB of what comes back.",
    )

    @cached_property
    def outgoing(self) -> bytes:
        """What is sent, in bytes."""
        return self.send.encode("utf-8", "replace")

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown: the lines sent and their words, which a banner may echo."""
        return spoken_secrets((self.send, *self.send.split()))


class Conversation(asyncio.Protocol):
    """Collects what the other side says until the expected text has come. ``heard`` ends with a `Fault` or None."""

    def __init__(self, expected: bytes) -> None:
        self.heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = bytearray()
        self.first_byte_at = 0.0
        self._expected = expected
        self._outlet: Outlet | None = None

    def say(self, data: bytes) -> None:
        """Send ``data``."""
        if self._outlet is not None and data:
            self._outlet.write(data)

    def close(self) -> None:
        """Close the connection at once."""
        outlet, self._outlet = self._outlet, None
        if not self.heard.cancel() and not self.heard.cancelled():
            self.heard.exception()  # seen, even if nothing was expected
        if outlet is not None:
            outlet.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._outlet = cast(Outlet, transport)

    def data_received(self, data: bytes) -> None:
        if self.heard.done():
            return
        if not self.first_byte_at:
            self.first_byte_at = perf_counter()
        # A match may begin in what was there before.
        begin = max(0, len(self.received) - len(self._expected))
        self.received += data[: READ_LIMIT - len(self.received)]
        if self._expected and self.received.find(self._expected, begin) >= 0:
            self.heard.set_result(None)
        elif len(self.received) >= READ_LIMIT:
            self.heard.set_exception(Fault(f"the expected text is not in the first {size(READ_LIMIT)}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._outlet = None
        if not self.heard.done():
            ended = reason(exc) if isinstance(exc, OSError) else "connection closed by the other side"
            self.heard.set_exception(Fault(f"{ended} before the expected text came"))


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Connect once, speak and listen as set, and judge within ``timeout`` seconds."""
    check = Check(settings.secrets)
    return await conduct(check, timeout, _converse(settings, check, timeout))


async def _converse(settings: Settings, check: Check, timeout: float) -> Outcome:
    expected = (settings.expect or "").encode("utf-8", "replace")
    where = place(settings.host, settings.port)
    facts: dict[str, object] = {}
    if settings.tls:
        layer = await connect_tls(
            check,
            settings.host,
            settings.port,
            timeout,
            server_name=settings.server_name,
            verify=settings.verify,
            ca_file=settings.ca_file,
        )
        facts["certificate"] = certificate.session_facts(layer.tls)
        conversation = Conversation(expected)
        layer.attach(conversation)
    else:
        conversation = await connect(
            check, settings.host, settings.port, timeout, lambda: Conversation(expected)
        )
    try:
        conversation.say(settings.outgoing)
        if expected:
            await _listen(check, conversation, where)
    finally:
        conversation.close()
    latency = check.latency
    if conversation.received:
        facts["banner"] = check.clean(bytes(conversation.received), 200)
    status, slow = settings.slowness(latency)
    what = "answered as expected" if expected else "accepts connections"
    return check.outcome(
        status,
        f"{where} {what} in {seconds(latency)}{'; ' + slow if slow else ''}",
        latency=latency,
        facts=facts,
        slow=settings.passed(latency),
    )


async def _listen(check: Check, conversation: Conversation, where: str) -> None:
    """Wait for the expected text. Raises `Fault`, with what came instead, when the other side ends first."""
    check.doing = f"waiting for the expected text from {where}"
    sent = perf_counter()
    try:
        await conversation.heard
    except Fault as fault:
        if came := check.clean(bytes(conversation.received), 80):
            raise Fault(f"{fault.summary}; it said: {came}", Status.FAILING) from None
        raise
    finally:
        if conversation.first_byte_at:
            check.received(sent, conversation.first_byte_at)
