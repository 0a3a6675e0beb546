"""Kafka checks: does a broker let us in, is the cluster whole, does every partition have a leader.

Speaks the protocol itself (kafka.apache.org/protocol): SaslHandshake 1 and SaslAuthenticate 0 (PLAIN) when
there is a user name, then Metadata 4, which brokers from 1.0 on answer. This module must never produce,
consume or create a topic.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pydantic import Field

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.checking import SIGN_IN, Check, Fault, OtherProtocol, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.net import Port
from watchfloor.probes.peer import LoginSettings, Peer
from watchfloor.probes.talk import UNREAD_LIMIT, Talk
from watchfloor.probes.text import size

_METADATA, _SASL_HANDSHAKE, _SASL_AUTHENTICATE = (3, 4), (17, 1), (36, 0)
_UNKNOWN_TOPIC, _UNAUTHORISED_TOPIC = 3, 29


class Settings(LoginSettings):
    """A Kafka broker and the cluster behind it."""

    port: Port = Field(9092, description="The port.")
    brokers: int = Field(1, ge=1, le=10_000, description="How many brokers the cluster must have at least.")
    topics: list[str] = Field(
        [],
        max_length=50,
        description="Topics that must exist and be whole; all topics are counted if left out.",
    )


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: the code of what is wrong with it, its partitions, those without a leader or short of replicas."""

    error: int
    partitions: int
    leaderless: int
    under_replicated: int


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a broker knows of its cluster."""

    brokers: int
    cluster: str
    controller: int
    topics: dict[str, Topic]


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Connect once, ask for the cluster, and judge within ``timeout`` seconds."""
    check = Check(settings.secrets)
    return await conduct(check, timeout, _ask(settings, check, timeout))


async def _ask(settings: Settings, check: Check, timeout: float) -> Outcome:
    peer = Peer.of(check, settings, timeout)
    async with peer.talk() as talk:
        if settings.username:
            await _sign_in(settings, check, talk)
        wanted = struct.pack(">i", len(settings.topics)) + b"".join(map(_text, settings.topics))
        nothing_created = b"\0"
        answer = await _request(
            talk, _METADATA, (wanted if settings.topics else b"\xff" * 4) + nothing_created
        )
        metadata = read_metadata(answer)
    return _judge(settings, check, peer, metadata)


async def _sign_in(settings: Settings, check: Check, talk: Talk) -> None:
    answer = _Reader(await _request(talk, _SASL_HANDSHAKE, _text("PLAIN")))
    if answer.number(2):
        offered = [check.clean(answer.text(), 40) for _ in range(answer.count(2))]
        raise Fault(f"the broker does not take PLAIN sign-ins, only {', '.join(offered[:8])}")
    login = f"\0{settings.username}\0{settings.secret}".encode("utf-8", "replace")
    answer = _Reader(await _request(talk, _SASL_AUTHENTICATE, struct.pack(">i", len(login)) + login))
    if answer.number(2):
        raise Fault(f"Kafka refuses the sign-in: {check.clean(answer.text(), 90)}{SIGN_IN}")


async def _request(talk: Talk, api: tuple[int, int], body: bytes) -> bytes:
    """Send one request and return the body of its answer (header versions 1 and 0)."""
    packet = struct.pack(">hhi", *api, 1) + _text("watchfloor") + body
    talk.say(struct.pack(">i", len(packet)) + packet)
    length, correlation = struct.unpack(">ii", await talk.exactly(8))
    if length > UNREAD_LIMIT and correlation == 1 and api == _METADATA:
        raise Fault(
            f"the list of topics is longer than {size(UNREAD_LIMIT)}; name those that matter in topics",
            Status.UNKNOWN,
        )
    if not 4 <= length <= UNREAD_LIMIT or correlation != 1:
        raise OtherProtocol(f"not an answer of Kafka of at most {size(UNREAD_LIMIT)}")
    return await talk.exactly(length - 4)


def read_metadata(body: bytes) -> Metadata:
    """Take a Metadata answer of version 4 apart. Raises `Fault` when it is none."""
    answer = _Reader(body)
    answer.number(4)  # how long the broker throttled us
    brokers = answer.count(11)
    for _ in range(brokers):
        answer.number(4)
        answer.text()
        answer.number(4)
        answer.text()
    cluster, controller = answer.text(), answer.number(4)
    topics: dict[str, Topic] = {}
    for _ in range(answer.count(9)):
        error, name = answer.number(2), answer.text()
        answer.number(1)  # whether it is internal
        leaderless = under_replicated = 0
        partitions = answer.count(18)
        for _ in range(partitions):
            answer.number(2)
            answer.number(4)
            leaderless += answer.number(4) < 0
            replicas = [answer.number(4) for _ in range(answer.count(4))]
            in_sync = [answer.number(4) for _ in range(answer.count(4))]
            under_replicated += len(in_sync) < len(replicas)
        topics[name] = Topic(error, partitions, leaderless, under_replicated)
    return Metadata(brokers, cluster, controller, topics)


def _judge(settings: Settings, check: Check, peer: Peer, metadata: Metadata) -> Outcome:
    findings = Findings(check)
    if metadata.brokers < settings.brokers:
        findings.add(Status.FAILING, f"{metadata.brokers} of {settings.brokers} brokers are there")
    if metadata.controller < 0:
        findings.add(Status.FAILING, "the cluster has no controller")
    for name in settings.topics:
        topic = metadata.topics.get(name)
        if topic is None or topic.error == _UNKNOWN_TOPIC:
            findings.add(Status.FAILING, f"there is no topic {name!r}")
        elif topic.error == _UNAUTHORISED_TOPIC:
            findings.add(Status.FAILING, f"we may not see the topic {name!r}")
    topics = metadata.topics.values()
    leaderless = sum(topic.leaderless for topic in topics)
    under_replicated = sum(topic.under_replicated for topic in topics)
    if leaderless:
        findings.add(Status.FAILING, f"{leaderless} partitions have no leader")
    if under_replicated:
        findings.add(Status.DEGRADED, f"{under_replicated} partitions lack replicas")
    partitions = sum(topic.partitions for topic in topics)
    return findings.outcome(
        f"Kafka answered, {metadata.brokers} brokers, {partitions} partitions",
        speed=settings,
        metrics={
            "brokers": float(metadata.brokers),
            "topics": float(len(topics)),
            "partitions": float(partitions),
            "partitions_without_leader": float(leaderless),
            "partitions_under_replicated": float(under_replicated),
            **peer.judge_certificate(findings, 0),
        },
        facts={**peer.facts, "cluster": check.clean(metadata.cluster), "controller": metadata.controller},
    )


class _Reader:
    """Reads Kafka's primitive types from front to back. Raises `Fault` where the answer is too short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, width: int) -> int:
        """A signed whole number of so many bytes."""
        return int.from_bytes(self._take(width), "big", signed=True)

    def text(self) -> str:
        """A text, empty where there is none."""
        return self._take(max(0, self.number(2))).decode("utf-8", "replace")

    def count(self, least: int) -> int:
        """The number of elements of an array, each of which takes ``least`` bytes or more."""
        count = max(0, self.number(4))
        if count * least > len(self._data) - self._at:
            raise OtherProtocol("something answered, but not as Kafka would")
        return count

    def _take(self, width: int) -> bytes:
        end = self._at + width
        if end > len(self._data):
            raise OtherProtocol("something answered, but not as Kafka would")
        taken, self._at = self._data[self._at : end], end
        return taken


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")[:32767]
    return struct.pack(">h", len(data)) + data
