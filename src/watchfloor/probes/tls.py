"""Certificate checks: is the certificate of a TLS port trusted, for the right names, and valid for long enough.

Nothing but the handshake is sent. This module must never judge a certificate by what it says when the
server could not prove that it is its own.
"""

from __future__ import annotations

from time import time

from pydantic import Field, model_validator

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import certificate
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.limits import TimedSettings
from watchfloor.probes.net import Host, Port
from watchfloor.probes.secure import connect_tls
from watchfloor.probes.text import days


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
    finally:
        layer.abort()
    if shown is None or "unreadable" in facts:
        raise Fault("the server showed no certificate that can be read", facts={"certificate": facts})
    latency = check.latency
    left = shown.days_left(time())
    status, slow = settings.slowness(latency)
    words = [slow] if slow else []
    if missing := [name for name in settings.expect_names if not shown.covers(name)]:
        status = Status.FAILING
        words.insert(0, f"it is not valid for {', '.join(missing)}")
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
        status,
        f"certificate {'; '.join([validity, *words])}",
        latency=latency,
        metrics={"certificate_days_left": left},
        facts={"certificate": facts},
    )
