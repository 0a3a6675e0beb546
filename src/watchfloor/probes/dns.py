"""DNS checks: does a name server answer, with what it should, signed if that is asked for.

One question over UDP (again over TCP when the answer says that it is cut), TCP or TLS. Answers come from
outside: they may be forged, malformed or 64 KB long. This module must never ask getaddrinfo.
"""

from __future__ import annotations

import socket
import struct
from time import perf_counter
from typing import Annotated, Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from pydantic import AfterValidator, Field

from watchfloor.config.fields import InWords
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import resolve
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.net import Host, Port, place, ready
from watchfloor.probes.peer import Peer, TlsSettings

FORGERIES = 20
"""After so many datagrams that do not answer our question, something is wrong with the network."""
ANSWERS = 50
"""How many answers are kept as facts."""

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
    expect: list[Annotated[str, Field(min_length=1, max_length=1000)]] = Field(
        [],
        max_length=50,
        description="Answers there must be, as a zone file writes them: `192.0.2.1`, `10 mail.example.com`.",
    )
    exact: bool = Field(False, description="Whether there must be no other answers.")
    code: Code = Field("NOERROR", description="How the server must answer; NXDOMAIN: there is no such name.")
    dnssec: bool = Field(
        False, description="Whether the name server must have verified the answer's signatures (flag AD)."
    )


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
    began = perf_counter()
    check.doing = f"resolving {host}"
    address = (await resolve.current().addresses(host))[0]
    began = check.spent("dns", began)
    check.doing = f"waiting for an answer from {place(host, port)}"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # Not an endpoint of the loop: cancelled while it opens one, uvloop would leave its socket behind.
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.setblocking(False)
        asked.connect((address, port))
        asked.send(question.to_wire())
        try:
            return await _heard(asked, question)
        finally:
            check.spent("first_byte", began)


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
    found = sorted(check.clean(record.to_text(), 300) for each in sets for record in list(each)[:ANSWERS])[
        :ANSWERS
    ]
    verified = bool(answer.flags & dns.flags.AD)
    if code != settings.code:
        words = "there is no such name" if code == "NXDOMAIN" else f"the server answers {code}"
        findings.add(Status.FAILING, f"{words}, expected {settings.code}")
    elif code == "NOERROR" and not found:
        findings.add(Status.FAILING, f"it has no {settings.type} record")
    has, wants = {_plain(text): text for text in found}, {_plain(text): text for text in settings.expect}
    if missing := [text for plain, text in wants.items() if plain not in has]:
        findings.add(Status.FAILING, f"the answer lacks {', '.join(missing)}")
    if settings.exact and (more := [text for plain, text in has.items() if plain not in wants]):
        findings.add(Status.FAILING, f"the answer also holds {', '.join(more)}")
    if settings.dnssec and not verified:
        findings.add(Status.FAILING, "the answer was not verified (no AD flag)")
    ttl = min((each.ttl for each in sets), default=0)
    shown = found[0] if len(found) == 1 else f"{len(found)} records"
    return findings.outcome(
        f"{settings.domain} {settings.type} is {check.clean(shown, 60)}",
        speed=settings,
        metrics={"answers": float(len(found)), "ttl_seconds": float(ttl)}
        | peer.judge_certificate(findings, 0),
        facts={
            **peer.facts,
            "answers": found,
            "verified": verified,
            "code": check.clean(code, 20),
            "server": peer.where,
        },
    )


def _plain(text: str) -> str:
    """A record as it is compared: without quotes, final dots and capitals."""
    return " ".join(word.strip('"').rstrip(".").lower() for word in text.split())
