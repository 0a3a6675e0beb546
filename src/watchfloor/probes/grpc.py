"""gRPC checks: the standard health service (grpc.io/docs/guides/health-checking), over HTTP/2.

HTTP/2 is spoken by the library h2, an optional extra: it is pure and leaves sockets, time and cancelling to
us, where the official client brings threads and several megabytes of its own. Nothing of it is imported before
a check needs it. This module must never read more of an answer than its limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from watchfloor import __version__
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.checking import Check, Fault, OtherProtocol, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.peer import Peer, PeerSettings
from watchfloor.probes.talk import Talk
from watchfloor.probes.text import size

if TYPE_CHECKING:
    import h2.connection

READ_LIMIT = 256 * 1024
"""The most bytes of an answer that are read."""

_STATES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_CODES = {"5": "the server does not know this service", "12": "the server has no health service"}


class Settings(PeerSettings):
    """A gRPC server with the standard health service."""

    service: str = Field(
        "", max_length=200, description="The service to ask for; the server as a whole if left out."
    )
    certificate_warn_days: float = Field(
        14, ge=0, le=3650, description="Degraded when the certificate expires within this many days (TLS)."
    )


@dataclass(slots=True)
class Reply:
    """What came back so far: the headers, early and late, and the message."""

    headers: dict[str, str]
    body: bytes = b""
    ended: bool = False


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Ask the health service once and judge within ``timeout`` seconds."""
    check = Check()
    return await conduct(check, timeout, _ask(settings, check, timeout))


async def _ask(settings: Settings, check: Check, timeout: float) -> Outcome:
    try:
        import h2.config
        import h2.connection
    except ImportError:
        raise Fault("gRPC needs the library h2; install watchfloor[grpc]", Status.UNKNOWN) from None
    peer = Peer.of(check, settings, timeout)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    async with peer.talk(protocols=("h2",)) as talk:
        connection.initiate_connection()
        _request(connection, settings, peer)
        talk.say(connection.data_to_send())
        reply = await _reply(connection, check, talk)
        connection.close_connection()
        talk.say(connection.data_to_send())
    state = _state(check, reply)
    findings = Findings(check)
    if state != "SERVING":
        findings.add(Status.FAILING, "expected SERVING")
    metrics = peer.judge_certificate(findings, settings.certificate_warn_days)
    what = settings.service or "the server"
    return findings.outcome(
        f"{what} at {peer.where} is {state}",
        speed=settings,
        metrics=metrics,
        facts={**peer.facts, "state": state},
    )


def _request(connection: h2.connection.H2Connection, settings: Settings, peer: Peer) -> None:
    """Write the call of ``grpc.health.v1.Health/Check``: one message with one text, its first field."""
    name = settings.service.encode("utf-8", "replace")
    length = bytes((len(name),)) if len(name) < 128 else bytes((len(name) & 127 | 128, len(name) >> 7))
    message = b"\x0a" + length + name if name else b""
    headers = [
        (":method", "POST"),
        (":scheme", "https" if settings.tls else "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", peer.where),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", f"watchfloor/{__version__}"),
    ]
    connection.send_headers(1, headers)
    connection.send_data(1, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)


async def _reply(connection: h2.connection.H2Connection, check: Check, talk: Talk) -> Reply:
    """Read until the call has ended. Raises `Fault` when something else comes."""
    import h2.exceptions

    reply, read = Reply({}), 0
    while not reply.ended:
        data = await talk.some()
        read += len(data)
        if read > READ_LIMIT:
            raise Fault(f"the answer is longer than {size(READ_LIMIT)}")
        try:
            _take_in(connection.receive_data(data), reply, check)
            talk.say(connection.data_to_send())
        except h2.exceptions.H2Error:
            raise OtherProtocol("something answered, but not in HTTP/2") from None
    return reply


def _take_in(events: Sequence[object], reply: Reply, check: Check) -> None:
    import h2.events

    for event in events:
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                reply.headers.update({_text(name): _text(value) for name, value in event.headers or ()})
            case h2.events.DataReceived():
                reply.body += event.data or b""
            case h2.events.StreamEnded():
                reply.ended = True
            case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                code = check.clean(str(event.error_code), 40)
                raise Fault(f"the server ends the call: {code}")


def _text(sent: bytes | str) -> str:
    return sent if isinstance(sent, str) else sent.decode("utf-8", "replace")


def _state(check: Check, reply: Reply) -> str:
    """Return the state of the service. Raises `Fault` when the call did not succeed."""
    if reply.headers.get(":status") != "200":
        raise Fault(
            f"the server answers {check.clean(reply.headers.get(':status', 'nothing'), 20)}, expected 200"
        )
    code = reply.headers.get("grpc-status", "?")
    if code != "0":
        said = check.clean(reply.headers.get("grpc-message", ""), 100)
        words = _CODES.get(code) or f"the call failed with status {check.clean(code, 10)}"
        raise Fault(f"{words}{': ' + said if said else ''}")
    message = reply.body[5:]
    if reply.body[:1] != b"\0" or len(message) != int.from_bytes(reply.body[1:5], "big"):
        raise OtherProtocol("the answer is no message of gRPC")
    # One number in field 1; left out when it is zero.
    return _STATES.get(message[1] if message[:1] == b"\x08" and len(message) == 2 else 0, "UNKNOWN")
