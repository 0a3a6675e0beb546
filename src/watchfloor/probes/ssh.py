"""SSH checks: does the server identify itself, and as what.

Only identifications are exchanged (RFC 4253, section 4.2); no keys, no sign-in. This module must never go on
to the key exchange.
"""

from __future__ import annotations

from pydantic import Field

from watchfloor import __version__
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import TimedSettings
from watchfloor.probes.net import Host, Port
from watchfloor.probes.peer import Peer, TlsSettings

LINES_BEFORE = 20
"""How many lines a server may say before its identification."""


OURS = f"SSH-2.0-watchfloor_{__version__}".encode()
"""How we identify ourselves."""


class Settings(TimedSettings):
    """An SSH server."""

    host: Host = Field(description="The host name or address.")
    port: Port = Field(22, description="The port.")
    expect: str | None = Field(
        None, min_length=1, max_length=255, description="Text that its identification must hold."
    )


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Connect once, exchange identifications, and judge within ``timeout`` seconds."""
    check = Check()
    return await conduct(check, timeout, _greet(settings, check, timeout))


async def _greet(settings: Settings, check: Check, timeout: float) -> Outcome:
    peer = Peer(check, TlsSettings(), settings.host, settings.port, timeout, tls=False)
    async with peer.talk() as talk:
        check.doing = f"waiting for the identification of {peer.where}"
        talk.say(OURS + b"\r\n")
        for _ in range(LINES_BEFORE + 1):
            # 255 by the standard; some servers say a little more before it.
            line = await talk.line(1024)
            if line.startswith(b"SSH-"):
                break
        else:
            raise Fault(f"no identification of an SSH server in {LINES_BEFORE} lines")
    if line == OURS:
        raise Fault(f"{peer.where} only repeats what it is told")
    banner = check.clean(line)
    findings = Findings(check)
    if not banner.startswith(("SSH-2.0-", "SSH-1.99-")):
        findings.add(Status.FAILING, "it does not speak SSH 2")
    if settings.expect is not None and settings.expect not in banner:
        findings.add(Status.FAILING, f"the identification lacks {settings.expect!r}")
    return findings.outcome(f"{banner} at {peer.where} answered", speed=settings, facts={"banner": banner})
