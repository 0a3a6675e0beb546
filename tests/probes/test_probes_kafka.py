"""Kafka checks against answers written by another implementation of the protocol."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from aiokafka.protocol.admin import SaslHandShakeResponse_v1
from aiokafka.protocol.metadata import MetadataRequest_v4, MetadataResponse_v4
from hypothesis import given, settings
from hypothesis import strategies as st
from probe_servers import Handler, Run, Servers, says

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.checking import Fault
from watchfloor.probes.kafka import Settings, probe, read_metadata

Probing = Callable[..., Outcome]
BROKERS = [(1, "one", 9092, None), (2, "two", 9092, "rack")]
WHOLE = (0, "orders", False, [(0, 0, 1, [1, 2], [1, 2]), (0, 1, 2, [1, 2], [2, 1])])
HURT = (0, "events", False, [(5, 0, -1, [1, 2], []), (0, 1, 1, [1, 2], [1])])


def metadata(*topics: Any, brokers: Any = BROKERS, controller: int = 1) -> bytes:
    """A Metadata answer as the other implementation writes it."""
    return bytes(MetadataResponse_v4(0, brokers, "the-cluster", controller, list(topics)).encode())


def broker(answers: dict[int, bytes], asked: list[bytes] | None = None) -> Handler:
    """A broker that answers each kind of request with the same bytes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            length = struct.unpack(">i", await reader.readexactly(4))[0]
            request = await reader.readexactly(length)
            kind, _, correlation, name = struct.unpack(">hhih", request[:10])
            if asked is not None:
                asked.append(request[10 + name :])
            answer = struct.pack(">i", correlation) + answers[kind]
            writer.write(struct.pack(">i", len(answer)) + answer)

    return handler


@pytest.fixture
def check(run: Run, servers: Servers) -> Probing:
    """Probe a broker that answers so."""

    def check(answers: dict[int, bytes], asked: list[bytes] | None = None, **settings: Any) -> Outcome:
        port = servers.start(broker(answers, asked))
        outcome = run(probe(Settings(host="127.0.0.1", port=port, **settings), 5))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


def test_a_cluster_that_is_whole_is_ok(check: Probing) -> None:
    outcome = check({3: metadata(WHOLE)}, brokers=2)
    assert outcome.status is Status.OK, outcome.summary
    assert outcome.summary.startswith("Kafka answered, 2 brokers, 2 partitions in ")
    assert outcome.facts["cluster"] == "the-cluster"
    assert outcome.metrics["partitions"] == 2


@pytest.mark.parametrize(
    ("answer", "given", "status", "words"),
    [
        (metadata(HURT), {}, Status.FAILING, "1 partitions have no leader; 2 partitions lack replicas"),
        (metadata(brokers=BROKERS[:1]), {"brokers": 3}, Status.FAILING, "1 of 3 brokers are there"),
        (metadata(controller=-1), {}, Status.FAILING, "no controller"),
        (
            metadata((3, "orders", False, [])),
            {"topics": ["orders"]},
            Status.FAILING,
            "there is no topic 'orders'",
        ),
        (
            metadata((29, "orders", False, [])),
            {"topics": ["orders"]},
            Status.FAILING,
            "may not see the topic",
        ),
    ],
)
def test_what_is_wrong_with_a_cluster_is_told(
    check: Probing, answer: bytes, given: dict[str, Any], status: Status, words: str
) -> None:
    outcome = check({3: answer}, **given)
    assert outcome.status is status
    assert words in outcome.summary


@pytest.mark.parametrize("topics", [[], ["orders", "größe"]])
def test_the_request_is_one_that_the_other_implementation_would_write(
    check: Probing, topics: list[str]
) -> None:
    asked: list[bytes] = []
    check({3: metadata(WHOLE)}, asked, topics=topics)
    assert asked == [bytes(MetadataRequest_v4(topics or None, False).encode())]


def test_signing_in_comes_first_and_a_refusal_is_told(check: Probing) -> None:
    takes = bytes(SaslHandShakeResponse_v1(0, ["PLAIN"]).encode())
    asked: list[bytes] = []
    login = {"username": "watch", "password": "of-the-probe"}
    outcome = check({17: takes, 36: b"\0\0\xff\xff\0\0\0\0", 3: metadata(WHOLE)}, asked, **login)
    assert outcome.status is Status.OK, outcome.summary
    assert asked[1][4:] == b"\0watch\0of-the-probe"
    outcome = check({17: takes, 36: b"\0\x3a\0\x0dno, not today\0\0\0\0"}, **login)
    assert outcome.summary.endswith(": Kafka refuses the sign-in: no, not today; check the credentials")
    only = bytes(SaslHandShakeResponse_v1(33, ["SCRAM-SHA-256", "GSSAPI"]).encode())
    assert "does not take PLAIN sign-ins, only SCRAM-SHA-256, GSSAPI" in check({17: only}, **login).summary


def test_a_cluster_whose_list_of_topics_is_too_long_is_not_taken_for_a_broken_one(check: Probing) -> None:
    name = "t" * 200
    outcome = check({3: metadata(*((0, f"{name}{number}", False, []) for number in range(6000)))})
    assert outcome.status is Status.UNKNOWN
    assert outcome.summary.endswith(
        ": the list of topics is longer than 1 MiB; name those that matter in topics"
    )


@pytest.mark.parametrize("correlation", [1, 2])
def test_anything_else_that_is_too_long_is_no_answer_of_kafka(
    run: Run, servers: Servers, correlation: int
) -> None:
    port = servers.start(says(struct.pack(">ii", 2**20 + 1, correlation)))
    login = {"username": "watch", "password": "of-the-probe"} if correlation == 1 else {}
    outcome = run(probe(Settings(host="127.0.0.1", port=port, **login), 5))
    assert outcome.status is Status.FAILING
    assert "not an answer of Kafka of at most 1 MiB" in outcome.summary


@given(st.binary(max_size=200), st.integers(0, 100))
@settings(max_examples=200, deadline=None)
def test_no_answer_can_do_harm(noise: bytes, at: int) -> None:
    good = metadata(WHOLE, HURT)
    for answer in (noise, good[:at], good[:at] + noise, good[:at] + noise + good[at + len(noise) :]):
        with suppress(Fault):
            assert read_metadata(answer).brokers >= 0
