"""Certificate checks: is the certificate of a TLS port trusted, for the right names, and valid for long enough.

Nothing but the handshake is sent. This module must never judge a certificate by what it says when the
server could not prove that it is its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time
from typing import Literal

from pydantic import Field, model_validator

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import certificate
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.limits import TimedSettings
from watchfloor.probes.net import Host, Port
from watchfloor.probes.secure import connect_tls
from watchfloor.probes.text import days
from watchfloor.probes.tls_layer import chain


class Settings(TimedSettings):
    """A TLS port and how good its certificate must be."""

    host: Host = Field(description="The host name or address.")
    port: Port = Field(443, description="The port.")
    server_name: Host | None = Field(
        None, description="The name to ask for and to expect, when it is not `host`."
    )
    verify: bool = Field(True, description="Whether the server must prove its identity.")
    ca_file: str | None = Field(
        None, description="A PEM file of authorities to trust instead of the system's."
    )
    warn_days: float = Field(
        21, ge=0, le=3650, description="Degraded when the certificate expires within this many days."
    )
    fail_days: float = Field(
        7, ge=0, le=3650, description="Failing when the certificate expires within this many days."
    )
    min_protocol: Literal["TLSv1.2", "TLSv1.3"] | None = Field(
        None, description="The oldest version of TLS that may be agreed on."
    )
    key_types: list[Literal["RSA", "EC", "Ed25519", "Ed448", "DSA"]] = Field(
        [], description="Kinds of key that the certificate may have; any if left out."
    )
    min_rsa_bits: int = Field(0, ge=0, le=16384, description="The least size of an RSA key, in bits.")
    min_ec_bits: int = Field(0, ge=0, le=521, description="The least size of an elliptic curve key, in bits.")
    expect_names: list[Host] = Field(
        [], max_length=100, description="Names that the certificate must be valid for as well."
    )

    @model_validator(mode="after")
    def _warns_first(self) -> Settings:
        if self.fail_days > self.warn_days:
            raise ValueError("fail_days must not be more than warn_days")
        return self


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Shake hands once and judge the certificate within ``timeout`` seconds."""
    check = Check()
    return await conduct(check, timeout, _inspect(settings, check, timeout))


async def _inspect(settings: Settings, check: Check, timeout: float) -> Outcome:
    layer = await connect_tls(
        check,
        settings.host,
        settings.port,
        timeout,
        server_name=settings.server_name,
        verify=settings.verify,
        ca_file=settings.ca_file,
    )
    try:
        shown = certificate.of_session(layer.tls)
        facts = certificate.session_facts(layer.tls, with_chain=True)
        links = [certificate.read(der) for der in chain(layer.tls)[1 : certificate.CHAIN_LIMIT]]
    finally:
        layer.abort()
    if shown is None or "unreadable" in facts:
        raise Fault("the server showed no certificate that can be read", facts={"certificate": facts})
    latency = check.latency
    left = shown.days_left(time())
    slowness, slow = settings.slowness(latency)
    words = [slow] if slow else []
    status = Status.OK
    if missing := [name for name in settings.expect_names if not shown.covers(name)]:
        status = Status.FAILING
        words.insert(0, f"it is not valid for {', '.join(missing)}")
    if weak := _weaknesses(settings, facts):
        status = Status.FAILING
        words = [*weak, *words]
    ends = sooner.days_left(time()) if (sooner := _first_to_expire(links)) else left
    if ends < min(left, settings.warn_days):
        status = max(status, Status.DEGRADED)
        words.append(
            f"an authority in its chain expires in {days(ends)}" if ends > 0 else "its chain has expired"
        )
    if left < settings.fail_days:
        status = Status.FAILING
    elif left < settings.warn_days:
        status = max(status, Status.DEGRADED)
    validity = f"expires in {days(left)}" if left > 0 else f"expired {days(-left)} ago"
    if left < settings.warn_days:
        validity += (
            f" (limit {settings.fail_days if left < settings.fail_days else settings.warn_days:g} days)"
        )
    return check.outcome(
        max(status, slowness),
        f"certificate {'; '.join([validity, *words])}",
        latency=latency,
        metrics={"certificate_days_left": left},
        facts={"certificate": facts},
        told=status,
        slow=settings.passed(latency),
    )


def _weaknesses(settings: Settings, facts: Mapping[str, object]) -> list[str]:
    """Return in words what is weaker than the settings allow."""
    found: list[str] = []
    protocol, key, bits = str(facts["protocol"]), str(facts["key"]), int(str(facts["key_bits"]))
    if settings.min_protocol is not None and protocol < settings.min_protocol:  # "TLSv1" < "TLSv1.1" < …
        found.append(f"{protocol} was agreed on, expected {settings.min_protocol}")
    kind = key.partition(" ")[0]
    if settings.key_types and kind not in settings.key_types:
        found.append(f"the key is {key}, expected {' or '.join(settings.key_types)}")
    least = {"RSA": settings.min_rsa_bits, "EC": settings.min_ec_bits}.get(kind, 0)
    if bits < least:
        found.append(f"the key has {bits} bits, expected {least}")
    return found


def _first_to_expire(links: Sequence[certificate.Certificate]) -> certificate.Certificate | None:
    """The certificate of the rest of the chain that expires first; those that cannot be read do not count."""
    readable = [link for link in links if "unreadable" not in link.facts]
    return min(readable, key=lambda link: link.not_after, default=None)
