"""Mail server checks: SMTP, IMAP and POP3, in the clear, over TLS or going over to it (STARTTLS).

The server must greet, list what it can do, and start TLS where that is asked for. Nobody signs in and no
mail is touched. Sources: RFC 5321 and 3207 (SMTP), 9051 (IMAP), 1939, 2449 and 2595 (POP3).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from watchfloor.domain.outcome import Outcome
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.net import Host, Port
from watchfloor.probes.peer import Peer, TlsSettings
from watchfloor.probes.talk import Talk

ANSWER_LIMIT = 100
"""How many lines one answer may have."""

LINE_LIMIT = 8192
"""How many bytes one of its lines may have: IMAP lists all that a server can do in one."""

SHOWN = 200
"""How many characters of a line are shown."""

_PORTS = {"smtp": (25, 465), "imap": (143, 993), "pop3": (110, 995)}


class Settings(TlsSettings):
    """A mail server."""

    host: Host = Field(description="The host name or address.")
    protocol: Literal["smtp", "imap", "pop3"] = Field(description="The protocol it speaks.")
    port: Port | None = Field(
        None, description="The port; the usual one of the protocol if left out (with tls 465, 993 or 995)."
    )
    tls: bool = Field(False, description="Whether the connection begins with TLS.")
    starttls: bool = Field(False, description="Whether the server must go over to TLS (STARTTLS).")
    expect: list[str] = Field(
        [], max_length=50, description="Abilities it must list, such as `SIZE`, `IDLE` or `AUTH`."
    )
    certificate_warn_days: float = Field(
        14, ge=0, le=3650, description="Degraded when the certificate expires within this many days."
    )

    @model_validator(mode="after")
    def _one_way_to_tls(self) -> Settings:
        if self.tls and self.starttls:
            raise ValueError(
                "give tls or starttls, not both: a connection begins with TLS or goes over to it"
            )
        return self


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Connect once, exchange greetings, and judge within ``timeout`` seconds."""
    check = Check()
    return await conduct(check, timeout, _greet(settings, check, timeout))


async def _greet(settings: Settings, check: Check, timeout: float) -> Outcome:
    port = settings.port or _PORTS[settings.protocol][settings.tls]
    peer = Peer(check, settings, settings.host, port, timeout, tls=settings.tls)
    speech = _SPEECHES[settings.protocol]
    async with peer.talk() as talk:
        check.doing = f"waiting for the greeting of {peer.where}"
        server = _Server(check, talk)
        banner = (await speech.greeting(server))[0]
        check.doing = f"asking {peer.where} what it can do"
        abilities = await speech.abilities(server)
        if settings.starttls:
            check.doing = f"waiting for {peer.where} to start TLS"
            await speech.start_tls(server)
            await peer.start_tls(talk)
            check.doing = f"asking {peer.where} what it can do"
            abilities = await speech.abilities(server)
        talk.say(speech.goodbye)
    findings = Findings(check)
    words = {word.upper() for line in abilities for word in line.replace("=", " ").split()}
    if missing := [wanted for wanted in settings.expect if wanted.upper() not in words]:
        raise Fault(f"{peer.where} does not list {', '.join(missing)}")
    metrics = peer.judge_certificate(findings, settings.certificate_warn_days)
    shown = {
        "banner": check.clean(banner, SHOWN),
        "abilities": [check.clean(a, SHOWN) for a in abilities[:50]],
    }
    facts = {**peer.facts, **shown}
    how = " over TLS" if settings.tls or settings.starttls else ""
    return findings.outcome(
        f"{settings.protocol.upper()} server at {peer.where} answered{how}",
        speed=settings,
        metrics=metrics,
        facts=facts,
    )


class _Server:
    """The mail server as this check sees it: commands and the lines they are answered with."""

    def __init__(self, check: Check, talk: Talk) -> None:
        self._check = check
        self._talk = talk

    async def ask(self, command: bytes, is_last: Callable[[str], bool], good: str, what: str) -> list[str]:
        """Send a command, if any, and return the lines of its answer, the last one of which begins with ``good``.

        Raises `Fault` when it begins with anything else; ``what`` says what was asked for.
        """
        self._talk.say(command)
        lines: list[str] = []
        while not lines or not is_last(lines[-1]):
            if len(lines) == ANSWER_LIMIT:
                raise Fault(f"more than {ANSWER_LIMIT} lines while {self._check.doing}")
            lines.append(self._check.clean(await self._talk.line(LINE_LIMIT), LINE_LIMIT))
        if not lines[-1].upper().startswith(good):
            said = self._check.clean(lines[-1], SHOWN)
            raise Fault(f"the server refuses {what}: {said or 'an empty line'}")
        return lines


def _whole(line: str) -> bool:
    return True


def _smtp_end(line: str) -> bool:
    return line[3:4] != "-"


async def _smtp_abilities(server: _Server) -> list[str]:
    lines = await server.ask(b"EHLO watchfloor.invalid\r\n", _smtp_end, "250", "EHLO")
    return [line[4:] for line in lines[1:]]


async def _imap_abilities(server: _Server) -> list[str]:
    lines = await server.ask(b"w1 CAPABILITY\r\n", lambda line: line.startswith("w1 "), "W1 OK", "CAPABILITY")
    listed = [line[13:] for line in lines if line.upper().startswith("* CAPABILITY ")]
    return listed[0].split() if listed else []


async def _pop_abilities(server: _Server) -> list[str]:
    try:
        await server.ask(b"CAPA\r\n", _whole, "+OK", "CAPA")
    except Fault:
        return []  # an extension that not every server has
    return (await server.ask(b"", lambda line: line == ".", ".", "CAPA"))[:-1]


@dataclass(frozen=True, slots=True)
class _Speech:
    """How one protocol says what all three say."""

    greeting: Callable[[_Server], Coroutine[Any, Any, list[str]]]
    abilities: Callable[[_Server], Coroutine[Any, Any, list[str]]]
    start_tls: Callable[[_Server], Coroutine[Any, Any, list[str]]]
    goodbye: bytes


_SPEECHES = {
    "smtp": _Speech(
        lambda server: server.ask(b"", _smtp_end, "220", "the connection"),
        _smtp_abilities,
        lambda server: server.ask(b"STARTTLS\r\n", _smtp_end, "220", "STARTTLS"),
        b"QUIT\r\n",
    ),
    "imap": _Speech(
        lambda server: server.ask(b"", _whole, "* OK", "the connection"),
        _imap_abilities,
        lambda server: server.ask(
            b"w2 STARTTLS\r\n", lambda line: line.startswith("w2 "), "W2 OK", "STARTTLS"
        ),
        b"w3 LOGOUT\r\n",
    ),
    "pop3": _Speech(
        lambda server: server.ask(b"", _whole, "+OK", "the connection"),
        _pop_abilities,
        lambda server: server.ask(b"STLS\r\n", _whole, "+OK", "STLS"),
        b"QUIT\r\n",
    ),
}
