"""RabbitMQ checks: does the broker let us in, and how long are its queues.

Speaks the protocol itself (AMQP 0-9-1, www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, sections 1.4 and 4.2):
the handshake, then a passive declaration of each queue, which only asks for it. This module must never
declare, publish or consume anything.
"""

from __future__ import annotations

import struct

from pydantic import Field, SecretStr

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.checking import SIGN_IN, Check, Fault, OtherProtocol, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import Limits
from watchfloor.probes.net import Port
from watchfloor.probes.peer import LoginSettings, Peer
from watchfloor.probes.talk import Talk
from watchfloor.probes.text import label, size

FRAME_LIMIT = 128 * 1024
"""The longest frame that is read, in bytes."""

_START, _START_OK, _TUNE, _TUNE_OK, _OPEN, _OPEN_OK, _CLOSE = (
    (10, 10), (10, 11), (10, 30), (10, 31), (10, 40), (10, 41), (10, 50)
)  # fmt: skip
_CHANNEL_OPEN, _CHANNEL_OPEN_OK, _CHANNEL_CLOSE, _CHANNEL_CLOSE_OK = (20, 10), (20, 11), (20, 40), (20, 41)
_DECLARE, _DECLARE_OK = (50, 10), (50, 11)

Method = tuple[int, int]


class Settings(LoginSettings):
    """A RabbitMQ broker and how long its queues may be."""

    port: Port = Field(5672, description="The port; brokers use 5671 for TLS.")
    username: str = Field("guest", max_length=255, description="The name to sign in with.")
    password: SecretStr | None = Field(
        None, description="The password to sign in with; `guest` if left out. It is never shown."
    )
    vhost: str = Field("/", min_length=1, max_length=127, description="The virtual host.")
    queues: dict[str, Limits] = Field(
        {}, max_length=50, description="Queues that must exist, and how many messages may wait in each."
    )
    need_consumers: bool = Field(False, description="Whether each of the queues must have a consumer.")


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Shake hands once, ask for the queues, and judge within ``timeout`` seconds."""
    check = Check(settings.secrets)
    return await conduct(check, timeout, _ask(settings, check, timeout))


async def _ask(settings: Settings, check: Check, timeout: float) -> Outcome:
    peer = Peer.of(check, settings, timeout)
    findings = Findings(check)
    metrics: dict[str, float] = {}
    async with peer.talk() as talk:
        broker = Broker(check, talk)
        await broker.sign_in(settings)
        for name, limits in settings.queues.items():
            check.doing = f"asking for a queue at {peer.where}"
            await _look_at(broker, name, limits, settings.need_consumers, findings, metrics)
        broker.say_goodbye()
    metrics |= peer.judge_certificate(findings, 0)
    version = check.clean(broker.version, 20)
    facts = {**peer.facts, "version": version}
    return findings.outcome(f"RabbitMQ {version} let us in", speed=settings, metrics=metrics, facts=facts)


async def _look_at(
    broker: Broker,
    name: str,
    limits: Limits,
    need_consumer: bool,
    findings: Findings,
    metrics: dict[str, float],
) -> None:
    found = await broker.queue(name)
    if isinstance(found, str):
        findings.add(Status.FAILING, f"queue {name!r}: {found}")
        return
    messages, consumers = found
    metrics[f"messages{{queue={label(name)}}}"] = float(messages)
    metrics[f"consumers{{queue={label(name)}}}"] = float(consumers)
    status, limit = limits.judge(messages)
    if status is not Status.OK:
        findings.add(status, f"{messages} messages wait in {name!r} (limit {limit:g})")
    if need_consumer and not consumers:
        findings.add(Status.FAILING, f"nobody consumes from {name!r}")


class Broker:
    """The client's end of one AMQP connection, with one channel at a time."""

    def __init__(self, check: Check, talk: Talk) -> None:
        self.version = "?"
        self._check = check
        self._talk = talk
        self._channel = 0

    async def sign_in(self, settings: Settings) -> None:
        """Shake hands and open the virtual host. Raises `Fault` when the broker does not let us in."""
        self._talk.say(b"AMQP\x00\x00\x09\x01")
        start = await self._expect(_START)
        self.version = _version_in(start)
        secret = settings.secret if settings.password is not None else "guest"
        login = (
            b"\0" + settings.username.encode("utf-8", "replace") + b"\0" + secret.encode("utf-8", "replace")
        )
        self._send(0, _START_OK, _CLIENT + _short("PLAIN") + _long(login) + _short("en_US"))
        tune = await self._expect(_TUNE)
        self._send(0, _TUNE_OK, tune[:8].ljust(8, b"\0")[:6] + b"\0\0")  # no heartbeats
        self._send(0, _OPEN, _short(settings.vhost) + b"\0\0")
        await self._expect(_OPEN_OK)

    async def queue(self, name: str) -> tuple[int, int] | str:
        """Return how many messages wait in a queue and how many consume from it, or why there is no such thing."""
        self._channel += 1
        self._send(self._channel, _CHANNEL_OPEN, b"\0")
        await self._expect(_CHANNEL_OPEN_OK)
        self._send(self._channel, _DECLARE, b"\0\0" + _short(name) + b"\x01" + b"\0\0\0\0")
        method, arguments = await self._method()
        if method == _CHANNEL_CLOSE:
            self._send(self._channel, _CHANNEL_CLOSE_OK, b"")
            return self._reason(arguments)
        if method != _DECLARE_OK or len(arguments) < 9:
            raise OtherProtocol("something answered, but not as RabbitMQ would")
        messages, consumers = struct.unpack(">II", arguments[-8:])
        return messages, consumers

    def say_goodbye(self) -> None:
        """Announce the end of the connection; the answer is not waited for."""
        self._send(0, _CLOSE, struct.pack(">H", 200) + _short("") + b"\0\0\0\0")

    def _send(self, channel: int, method: Method, arguments: bytes) -> None:
        payload = struct.pack(">HH", *method) + arguments
        self._talk.say(struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce")

    async def _expect(self, wanted: Method) -> bytes:
        method, arguments = await self._method()
        if method == wanted:
            return arguments
        if method in (_CLOSE, _CHANNEL_CLOSE):
            words = self._reason(arguments).rstrip(".")
            raise Fault(f"RabbitMQ refuses: {words}{SIGN_IN if 'ACCESS_REFUSED' in words else ''}")
        raise OtherProtocol("something answered, but not as RabbitMQ would")

    async def _method(self) -> tuple[Method, bytes]:
        """Read frames until one holds a method; heartbeats are skipped."""
        while True:
            head = await self._talk.exactly(7)
            if head[:4] == b"AMQP":
                raise OtherProtocol("the broker does not speak AMQP 0-9-1")
            kind, _, length = struct.unpack(">BHI", head)
            if kind not in (1, 8) or length > FRAME_LIMIT:
                raise OtherProtocol(
                    f"not a frame of AMQP of at most {size(FRAME_LIMIT)}: {self._check.clean(head, 20)}"
                )
            payload = await self._talk.exactly(length + 1)
            if payload[-1:] != b"\xce" or (kind == 1 and length < 4):
                raise Fault("a frame of AMQP ends in the wrong place")
            if kind == 1:
                return (payload[0] << 8 | payload[1], payload[2] << 8 | payload[3]), payload[4:-1]

    def _reason(self, arguments: bytes) -> str:
        """The words of a close method: a code, then a short text."""
        return self._check.clean(arguments[3 : 3 + arguments[2]] if len(arguments) > 2 else b"", 120)


def _short(text: str) -> bytes:
    data = text.encode("utf-8", "replace")[:255]
    return bytes((len(data),)) + data


def _long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _version_in(start: bytes) -> str:
    """Find the broker's version among its properties, a table of names and typed values."""
    _, mark, rest = start.partition(b"\x07versionS")
    if not mark or len(rest) < 4:
        return "?"
    length = min(int.from_bytes(rest[:4], "big"), 40)
    return rest[4 : 4 + length].decode("utf-8", "replace")


# A broker that knows this of its client says why it refuses a sign-in; otherwise it only hangs up.
_CLIENT = _long(
    _short("product") + b"S" + _long(b"watchfloor")
    + _short("capabilities") + b"F" + _long(_short("authentication_failure_close") + b"t\x01")
)  # fmt: skip
