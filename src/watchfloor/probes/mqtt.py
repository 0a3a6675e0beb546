"""MQTT checks: does the broker accept a session and answer a ping.

Speaks the protocol itself (MQTT 3.1.1, OASIS standard, sections 2 and 3): CONNECT, PINGREQ, DISCONNECT, in a
clean session that leaves nothing behind. This module must never publish or subscribe.
"""

from __future__ import annotations

import secrets
import struct

from pydantic import Field

from watchfloor.domain.outcome import Outcome
from watchfloor.probes.checking import SIGN_IN, Check, Fault, OtherProtocol, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.net import Port
from watchfloor.probes.peer import LoginSettings, Peer
from watchfloor.probes.talk import Talk

_CONNECT, _CONNACK, _PINGRESP = 0x10, 0x20, 0xD0
_PINGREQ, _DISCONNECT = b"\xc0\x00", b"\xe0\x00"
_REFUSALS = {
    1: "it does not speak MQTT 3.1.1",
    2: "it refuses the client id",
    3: "it is not available",
    4: "wrong user name or password",
    5: "not authorised",
}


class Settings(LoginSettings):
    """An MQTT broker."""

    port: Port = Field(1883, description="The port; brokers use 8883 for TLS.")
    client_id: str = Field(
        "", max_length=200, description="The client id; a new random one for every check if left out."
    )


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Open a session, ping, leave, and judge within ``timeout`` seconds."""
    check = Check(settings.secrets)
    return await conduct(check, timeout, _ask(settings, check, timeout))


async def _ask(settings: Settings, check: Check, timeout: float) -> Outcome:
    peer = Peer.of(check, settings, timeout)
    async with peer.talk() as talk:
        talk.say(_connect(settings))
        code = (await _packet(check, talk, _CONNACK, 2))[1]
        if code:
            remedy = SIGN_IN if code == 5 else ""
            raise Fault(f"the broker at {peer.where} refuses: {_REFUSALS.get(code, f'code {code}')}{remedy}")
        check.doing = f"waiting for the answer to a ping from {peer.where}"
        talk.say(_PINGREQ)
        await _packet(check, talk, _PINGRESP, 0)
        talk.say(_DISCONNECT)
    findings = Findings(check)
    metrics = peer.judge_certificate(findings, 0)
    return findings.outcome("MQTT broker answered", speed=settings, metrics=metrics, facts=peer.facts)


def _connect(settings: Settings) -> bytes:
    """The packet that opens a session (section 3.1)."""
    flags = 0x02  # clean session
    payload = _text(settings.client_id or f"watchfloor-{secrets.token_hex(6)}")
    if settings.username:
        flags |= 0x80
        payload += _text(settings.username)
        if settings.password is not None:
            flags |= 0x40
            payload += _text(settings.secret)
    body = _text("MQTT") + bytes((4, flags)) + struct.pack(">H", 60) + payload
    return bytes((_CONNECT,)) + _length(len(body)) + body


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")[:65535]
    return struct.pack(">H", len(data)) + data


def _length(value: int) -> bytes:
    """The remaining length, seven bits a byte (section 2.2.3)."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes((*encoded, value))


async def _packet(check: Check, talk: Talk, kind: int, length: int) -> bytes:
    """Return the body of the next packet. Raises `Fault` when it is not of the kind and length expected."""
    head = await talk.exactly(2)
    if head != bytes((kind, length)):
        raise OtherProtocol(f"not an answer of an MQTT broker: {check.clean(head.hex(' '))}")
    return await talk.exactly(length)
