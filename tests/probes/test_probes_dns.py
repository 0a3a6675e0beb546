"""DNS checks: name servers that answer rightly, wrongly, in pieces, and with forgeries."""

from __future__ import annotations

import asyncio
import errno
import struct
from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_certificates import Authority
from probe_servers import Handler, Run, Servers
from pydantic import ValidationError

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.dns import Settings, _read, probe

Probing = Callable[..., Outcome]
Answering = Callable[[dns.message.Message], bytes | list[bytes]]


def answer(
    *records: str, type: str = "A", code: int = dns.rcode.NOERROR, flags: int = 0, ttl: int = 300
) -> Answering:
    """Answer any question with these records."""

    def answering(question: dns.message.Message) -> bytes:
        made = dns.message.make_response(question)
        made.set_rcode(code)
        made.flags |= flags
        if records:
            made.answer.append(dns.rrset.from_text(question.question[0].name, ttl, "IN", type, *records))
        return made.to_wire(max_size=65535)

    return answering


def name_server(servers: Servers, answering: Answering, port: int = 0) -> int:
    """A name server over UDP; returns its port. Raises `OSError` where the one that is wanted is taken."""

    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            said = answering(dns.message.from_wire(data))
            for each in [said] if isinstance(said, bytes) else said:
                self.transport.sendto(each, addr)

    async def start() -> int:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", port))
        return int(transport.get_extra_info("sockname")[1])

    return servers.call(start())


def over_tcp(answering: Answering) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack(">H", await reader.readexactly(2))
        said = answering(dns.message.from_wire(await reader.readexactly(length)))
        assert isinstance(said, bytes)
        writer.write(struct.pack(">H", len(said)) + said)
        await reader.read()

    return handler


@pytest.fixture
def check(run: Run) -> Probing:
    """Ask a name server on a port of this machine."""

    def check(port: int, timeout: float = 5, **settings: Any) -> Outcome:
        given = {"domain": "www.example.com", "resolver": "127.0.0.1", "port": port, **settings}
        outcome = run(probe(Settings(**given), timeout))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


@pytest.mark.parametrize(
    ("answering", "settings", "status", "words"),
    [
        (answer("192.0.2.1"), {}, Status.OK, "www.example.com A is 192.0.2.1 in "),
        (answer("192.0.2.1", "192.0.2.2"), {"expect": ["192.0.2.2"]}, Status.OK, "is 2 records in"),
        (answer("192.0.2.1"), {"expect": ["192.0.2.9"]}, Status.FAILING, "the answer lacks 192.0.2.9"),
        (
            answer("192.0.2.1", "192.0.2.2"),
            {"expect": ["192.0.2.1"], "exact": True},
            Status.FAILING,
            "the answer also holds 192.0.2.2",
        ),
        (
            answer("10 Mail.Example.com.", type="MX"),
            {"type": "MX", "expect": ["10 mail.example.com"]},
            Status.OK,
            "MX is 10 Mail.example.com.",
        ),
        (
            answer('"v=spf1 -all"', type="TXT"),
            {"type": "TXT", "expect": ["v=spf1 -all"]},
            Status.OK,
            "TXT is",
        ),
        (answer(), {}, Status.FAILING, "it has no A record"),
        (answer(code=dns.rcode.NXDOMAIN), {}, Status.FAILING, "there is no such name, expected NOERROR"),
        (answer(code=dns.rcode.NXDOMAIN), {"code": "NXDOMAIN"}, Status.OK, "is 0 records"),
        (answer(code=dns.rcode.SERVFAIL), {}, Status.FAILING, "the server answers SERVFAIL"),
        (answer("192.0.2.1"), {"dnssec": True}, Status.FAILING, "not verified (no AD flag)"),
        (answer("192.0.2.1", flags=dns.flags.AD), {"dnssec": True}, Status.OK, "is 192.0.2.1"),
    ],
)
def test_what_a_name_server_answers_is_judged(
    check: Probing,
    servers: Servers,
    answering: Answering,
    settings: dict[str, Any],
    status: Status,
    words: str,
) -> None:
    outcome = check(name_server(servers, answering), **settings)
    assert outcome.status is status, outcome.summary
    assert words in outcome.summary


def test_the_figures_and_facts_are_kept(check: Probing, servers: Servers) -> None:
    outcome = check(name_server(servers, answer("192.0.2.1", "192.0.2.2", ttl=77)))
    assert dict(outcome.metrics) == {"answers": 2, "ttl_seconds": 77}
    assert outcome.facts["answers"] == ["192.0.2.1", "192.0.2.2"]
    assert outcome.facts["verified"] is False


def on_both(servers: Servers, udp: Answering, tcp: Answering) -> int:
    """A name server on a port that is free for both: who asks for one of them is promised no more than that."""
    while True:
        try:
            return name_server(servers, udp, servers.start(over_tcp(tcp)))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise


def test_an_answer_that_is_cut_is_asked_for_again_over_tcp(check: Probing, servers: Servers) -> None:
    port = on_both(servers, answer(flags=dns.flags.TC), answer(*(f"192.0.2.{n}" for n in range(200))))
    outcome = check(port, expect=["192.0.2.199"])  # all are compared and counted …
    assert (outcome.status, outcome.metrics["answers"]) == (Status.OK, 200)
    assert len(outcome.facts["answers"]) == 50  # type: ignore[arg-type]  # … and a few are kept


def test_over_tls_the_server_proves_itself(check: Probing, servers: Servers, authority: Authority) -> None:
    port = servers.start(over_tcp(answer("192.0.2.1")), authority.server("127.0.0.1"))
    assert check(port, transport="tls", ca_file=authority.ca_file).status is Status.OK
    assert "certificate not trusted" in check(port, transport="tls").summary


def forged(question: dns.message.Message) -> bytes:
    """An answer with the right number to another question."""
    other = dns.message.make_query("evil.example.com", "A")
    other.id = question.id
    said = answer("203.0.113.66")(other)
    assert isinstance(said, bytes)
    return said


def test_a_server_that_is_silent_has_no_first_byte(check: Probing, servers: Servers) -> None:
    outcome = check(name_server(servers, lambda question: []), timeout=0.2)
    assert "timed out" in outcome.summary
    assert outcome.phases == {}


def test_forgeries_are_ignored_and_too_many_are_told(check: Probing, servers: Servers) -> None:
    right = answer("192.0.2.1")

    def after_some(question: dns.message.Message) -> list[bytes]:
        said = right(question)
        assert isinstance(said, bytes)
        return [b"", b"\0", question.id.to_bytes(2, "big") + b"\xff" * 60_000, forged(question), said]

    assert "is 192.0.2.1" in check(name_server(servers, after_some)).summary
    outcome = check(name_server(servers, lambda question: [forged(question)] * 30))
    assert outcome.summary == "20 datagrams came that do not answer our question"


def test_an_answer_over_tcp_to_another_question_is_told(check: Probing, servers: Servers) -> None:
    outcome = check(servers.start(over_tcp(forged)), transport="tcp")
    assert "answered, but not our question" in outcome.summary


@given(st.binary(max_size=200))
def test_no_message_does_harm(wire: bytes) -> None:
    found = _read(wire)
    assert found is None or found.id == int.from_bytes(wire[:2], "big")


@pytest.mark.parametrize("domain", ["", "a..b", "x" * 70 + ".example.com"])
def test_only_names_are_asked_for(domain: str) -> None:
    with pytest.raises(ValidationError):
        Settings(domain=domain)
