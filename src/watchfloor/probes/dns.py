"""DNS checks: does a name server answer, with what it should, signed if that is asked for.

One question over UDP (again over TCP when the answer says that it is cut), TCP or TLS. Answers come from
outside: they may be forged, malformed or 64 KB long. This module must never ask getaddrinfo.
"""

from __future__ import annotations

import socket
import struct
from functools import cached_property
from time import perf_counter
from typing import Annotated, Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from watchfloor.config.fields import InWords
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import resolve
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.dns_records import (
    EXPECTED_LIMIT,
    Expected,
    Meaning,
    expected,
    listed,
    meaning,
    objections,
)
from watchfloor.probes.findings import Findings
from watchfloor.probes.net import Host, Port, lookup, place, ready
from watchfloor.probes.peer import Peer, TlsSettings

FORGERIES = 20
"""After so many datagrams that do not answer our question, something is wrong with the network."""
ANSWERS = 50
"""How many answers are kept as facts; all of them are compared."""

Type = Literal[
    "A", "AAAA", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "SSHFP",
    "SVCB", "TLSA", "TXT",
]  # fmt: skip
Code = Literal["NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL"]


def _is_name(text: str) -> str:
    try:
        dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError):
        raise ValueError("not a name of the domain name system, such as www.example.com") from None
    return text


def _is_record(text: str, info: ValidationInfo) -> str:
    if kind := info.data.get("type"):  # it has been complained of already if it is none
        expected(kind, text)
    return text


class Settings(TlsSettings):
    """A question to a name server and what the answer must be."""

    domain: Annotated[str, AfterValidator(_is_name), InWords("a domain name")] = Field(
        min_length=1, max_length=255, description="The name that is asked for, such as `www.example.com`."
    )
    type: Type = Field("A", description="The type of record that is asked for.")
    resolver: Host | None = Field(
        None, description="The name server to ask; the first of this machine's if left out."
    )
    port: Port | None = Field(None, description="Its port; 53, or 853 over TLS, if left out.")
    transport: Literal["udp", "tcp", "tls"] = Field("udp", description="How it is asked.")
    expect: list[
        Annotated[
            str,
            Field(min_length=1, max_length=EXPECTED_LIMIT),
            AfterValidator(_is_record),
            InWords("a record of that type, as a zone file writes it"),
        ]
    ] = Field(
        [],
        max_length=50,
        description="Answers there must be, as a zone file writes them: `192.0.2.1`, `10 mail.example.com`. "
        "Capitals and the final dot of names do not matter. A TXT record is compared letter by letter, its strings "
        "joined; of a SOA record the first parts suffice, and `*` stands for any.",
    )
    exact: bool = Field(False, description="Whether there must be no answers beside those of `expect`.")
    code: Code = Field("NOERROR", description="How the server must answer; NXDOMAIN: there is no such name.")
    dnssec: bool = Field(
        False, description="Whether the name server must have verified the answer's signatures (flag AD)."
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> Settings:
        if self.expect and self.code != "NOERROR":
            raise ValueError(f"an answer {self.code} holds no records; leave expect out, or code")
        if self.exact and not self.expect:
            raise ValueError(
                "exact allows no answers beside those of expect, and there are none; give expect"
            )
        return self

    @cached_property
    def expected(self) -> tuple[Expected, ...]:
        """The answers there must be, as they are compared."""
        return tuple(expected(self.type, text) for text in self.expect)


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Ask once and judge the answer within ``timeout`` seconds."""
    check = Check()
    return await conduct(check, timeout, _ask(settings, check, timeout))


async def _ask(settings: Settings, check: Check, timeout: float) -> Outcome:
    host, port = settings.resolver or "", settings.port or (853 if settings.transport == "tls" else 53)
    if not host:
        host, configured = resolve.current().nameserver()
        port = settings.port or (853 if settings.transport == "tls" else configured)
    question = dns.message.make_query(
        settings.domain, settings.type, use_edns=0, payload=1232, want_dnssec=settings.dnssec
    )
    question.flags |= dns.flags.AD  # please say whether it was verified (RFC 6840, 5.7)
    peer = Peer(check, settings, host, port, timeout, tls=settings.transport == "tls")
    answer = None
    if settings.transport == "udp":
        answer = await _by_datagram(check, question, host, port)
    if answer is None or answer.flags & dns.flags.TC:
        answer = await _by_stream(check, question, peer)
    return _judge(settings, check, peer, answer)


async def _by_datagram(
    check: Check, question: dns.message.Message, host: str, port: int
) -> dns.message.Message:
    address = (await lookup(check, host))[0]
    check.doing = f"waiting for an answer from {place(host, port)}"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # Not an endpoint of the loop: cancelled while it opens one, uvloop would leave its socket behind.
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.setblocking(False)
        asked.connect((address, port))
        began = perf_counter()
        asked.send(question.to_wire())
        answer = await _heard(asked, question)
        check.spent("first_byte", began)
        return answer


async def _heard(asked: socket.socket, question: dns.message.Message) -> dns.message.Message:
    """Wait for the answer; what does not belong to the question is ignored, but not for ever."""
    number = struct.pack(">H", question.id)
    for _ in range(FORGERIES + 1):
        await ready(asked.fileno())
        try:
            data = asked.recv(65535)
        except BlockingIOError:
            continue
        # Its number first: a flood of forgeries is not worth reading.
        found = _read(data) if data[:2] == number else None
        if found is not None and question.is_response(found):
            return found
    raise Fault(f"{FORGERIES} datagrams came that do not answer our question")


async def _by_stream(check: Check, question: dns.message.Message, peer: Peer) -> dns.message.Message:
    async with peer.talk() as talk:
        wire = question.to_wire()
        talk.say(struct.pack(">H", len(wire)) + wire)
        (length,) = struct.unpack(">H", await talk.exactly(2))
        answer = _read(await talk.exactly(length))
    if answer is None or not question.is_response(answer):
        raise Fault(f"{peer.where} answered, but not our question")
    return answer


def _read(wire: bytes) -> dns.message.Message | None:
    """Read a message; None when it is malformed."""
    try:
        return dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError, LookupError, struct.error):
        return None


def _judge(settings: Settings, check: Check, peer: Peer, answer: dns.message.Message) -> Outcome:
    findings = Findings(check)
    code = check.clean(dns.rcode.to_text(answer.rcode()), 20)
    wanted = dns.rdatatype.from_text(settings.type)
    sets = [each for each in answer.answer if each.rdtype == wanted]
    records = [record for each in sets for record in each]
    meanings = [meaning(record) for record in records]
    shown = sorted(check.clean(record.to_text(), 300) for record in records[:ANSWERS])
    verified = bool(answer.flags & dns.flags.AD)
    if code != settings.code:
        words = "there is no such name" if code == "NXDOMAIN" else f"the server answers {code}"
        findings.add(Status.FAILING, f"{words}, expected {settings.code}")
    elif code == "NOERROR" and not records:
        findings.add(Status.FAILING, f"it has no {settings.type} record")
    if missing := objections(settings.type, settings.expected, meanings):
        findings.add(Status.FAILING, f"the answer lacks {listed(missing)}")
    if settings.exact and (more := _unasked(settings, check, records, meanings)):
        findings.add(Status.FAILING, f"the answer also holds {listed(more)}")
    if settings.dnssec and not verified:
        findings.add(Status.FAILING, "the answer was not verified (no AD flag)")
    ttl = min((each.ttl for each in sets), default=0)
    head = shown[0] if len(records) == 1 else f"{len(records)} records"
    return findings.outcome(
        f"{settings.domain} {settings.type} is {check.clean(head, 60)}",
        speed=settings,
        metrics={"answers": float(len(records)), "ttl_seconds": float(ttl)}
        | peer.judge_certificate(findings, 0),
        facts={
            **peer.facts,
            "answers": shown,
            "verified": verified,
            "code": check.clean(code, 20),
            "server": peer.where,
        },
    )


def _unasked(
    settings: Settings, check: Check, records: list[dns.rdata.Rdata], meanings: list[Meaning]
) -> list[str]:
    """The records that are none of the expected ones."""
    return sorted(
        check.clean(record.to_text(), 60)
        for record, has in zip(records, meanings, strict=True)
        if not any(each.is_met_by(has) for each in settings.expected)
    )
