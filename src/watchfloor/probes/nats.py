"""NATS checks: does the server greet, accept the sign-in and answer a PING.

Speaks the protocol itself (docs.nats.io/reference/reference-protocols/nats-protocol). This module must never
publish or subscribe.
"""

from __future__ import annotations

import json

from pydantic import Field, SecretStr, model_validator

from watchfloor import __version__
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.checking import SIGN_IN, Check, Fault, OtherProtocol, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.net import Port
from watchfloor.probes.peer import LoginSettings, Peer
from watchfloor.probes.talk import Talk

LINE_LIMIT = 64 * 1024
"""The longest line that is read, in bytes: a greeting lists every server of the cluster."""


class Settings(LoginSettings):
    """A NATS server."""

    port: Port = Field(4222, description="The port.")
    token: SecretStr | None = Field(None, description="The token to sign in with. It is never shown.")
    jetstream: bool = Field(False, description="Whether the server must have JetStream.")

    @model_validator(mode="after")
    def _one_way_in(self) -> Settings:
        if self.token is not None and (self.username or self.password is not None):
            raise ValueError("give a token, or a username and a password, not both")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        token = self.token.get_secret_value() if self.token else ""
        return super().secrets + ((token,) if len(token) > 3 else ())


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Connect once, sign in, exchange a PING, and judge within ``timeout`` seconds."""
    check = Check(settings.secrets)
    return await conduct(check, timeout, _ask(settings, check, timeout))


async def _ask(settings: Settings, check: Check, timeout: float) -> Outcome:
    # The server greets in the clear, and TLS begins after that.
    peer = Peer(check, settings, settings.host, settings.port, timeout, tls=False)
    async with peer.talk() as talk:
        info = _greeting(check, await talk.line(LINE_LIMIT))
        if settings.tls:
            await peer.start_tls(talk)
        elif info.get("tls_required"):
            raise Fault(f"{peer.where} demands TLS; set tls: true")
        talk.say(b"CONNECT " + json.dumps(_connect(settings)).encode() + b"\r\nPING\r\n")
        await _pong(check, talk)
    findings = Findings(check)
    if settings.jetstream and not info.get("jetstream"):
        findings.add(Status.FAILING, "it has no JetStream")
    version = check.clean(str(info.get("version", "?")), 20)
    return findings.outcome(
        f"NATS {version} answered",
        speed=settings,
        metrics=peer.judge_certificate(findings, 0),
        facts={
            **peer.facts,
            "version": version,
            "server": check.clean(str(info.get("server_name", "")), 80),
            "cluster": check.clean(str(info.get("cluster", "")), 80),
            "jetstream": bool(info.get("jetstream")),
        },
    )


def _greeting(check: Check, line: bytes) -> dict[str, object]:
    """Read the INFO that a server sends first. Raises `Fault` when it is something else."""
    verb, _, rest = line.partition(b" ")
    try:
        info = json.loads(rest) if verb.upper() == b"INFO" else None
    except (ValueError, RecursionError):
        info = None
    if not isinstance(info, dict):
        raise OtherProtocol(f"not the greeting of a NATS server: {check.clean(line, 60)}")
    return info


def _connect(settings: Settings) -> dict[str, object]:
    options: dict[str, object] = {
        "verbose": False,
        "pedantic": False,
        "tls_required": settings.tls,
        "name": "watchfloor",
        "lang": "python",
        "version": __version__,
    }
    if settings.token is not None:
        options["auth_token"] = settings.token.get_secret_value()
    elif settings.username:
        options |= {"user": settings.username, "pass": settings.secret}
    return options


async def _pong(check: Check, talk: Talk) -> None:
    """Wait for the answer to our PING, among what else the server may say first."""
    for _ in range(10):
        line = await talk.line(LINE_LIMIT)
        verb = line.split(b" ", 1)[0].upper()
        if verb == b"PONG":
            return
        if verb == b"PING":
            talk.say(b"PONG\r\n")
        elif verb == b"-ERR":
            remedy = SIGN_IN if b"auth" in line.lower() else ""
            raise Fault(f"NATS refuses: {check.clean(line[5:], 90)}{remedy}")
        elif verb not in (b"+OK", b"INFO"):
            raise OtherProtocol(f"not an answer of a NATS server: {check.clean(line, 60)}")
    raise Fault("no PONG in the first ten answers")
