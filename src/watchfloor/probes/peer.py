"""The server at the other end of a check: what settings say about it, and a conversation with it.

Opens the connection, in the clear or over TLS, books the time it takes, and closes it whatever happens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from time import perf_counter, time

from pydantic import Field, SecretStr

from watchfloor.domain.outcome import Status
from watchfloor.probes import certificate
from watchfloor.probes.checking import Check, Fault, OtherProtocol, reason
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import TimedSettings
from watchfloor.probes.net import Host, Port, connect, place
from watchfloor.probes.secure import connect_tls, shake_hands
from watchfloor.probes.talk import Talk
from watchfloor.probes.text import days
from watchfloor.probes.tls_layer import TlsLayer, client_context

_TLS_ALERT = b"\x15\x03"
"""How a server begins that waits for TLS and hears something else (RFC 8446, 5.1 and 6)."""


class TlsSettings(TimedSettings):
    """How a server proves who it is."""

    verify: bool = Field(True, description="Whether the server must prove its identity (TLS).")
    ca_file: str | None = Field(
        None, description="A PEM file of authorities to trust instead of the system's (TLS)."
    )
    server_name: Host | None = Field(
        None, description="The name the certificate must be for, when it is not `host` (TLS)."
    )


class PeerSettings(TlsSettings):
    """A server and whether TLS is spoken to it."""

    host: Host = Field(description="The host name or address.")
    port: Port = Field(description="The port.")
    tls: bool = Field(False, description="Whether to speak TLS on this port.")


class LoginSettings(PeerSettings):
    """A server that one signs in to."""

    username: str = Field("", max_length=255, description="The name to sign in with.")
    password: SecretStr | None = Field(None, description="The password to sign in with. It is never shown.")

    @cached_property
    def secret(self) -> str:
        """The password; empty when there is none."""
        return self.password.get_secret_value() if self.password else ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown. The shortest hide nothing, and would blot out ordinary words."""
        return (self.secret,) if len(self.secret) > 3 else ()


class Peer:
    """The other end of one check, and what became known about it."""

    def __init__(
        self, check: Check, settings: TlsSettings, host: str, port: int, timeout: float, *, tls: bool
    ) -> None:
        """``timeout`` is the whole check's, in seconds; with ``tls`` the connection begins with it."""
        self.where = place(host, port)
        self.facts: dict[str, object] = {}
        self._check = check
        self._settings = settings
        self._host, self._port, self._tls = host, port, tls
        self._timeout = timeout
        self._days_left: float | None = None

    @classmethod
    def of(cls, check: Check, settings: PeerSettings, timeout: float) -> Peer:
        """The server that ``settings`` name."""
        return cls(check, settings, settings.host, settings.port, timeout, tls=settings.tls)

    @asynccontextmanager
    async def talk(self, *, protocols: tuple[str, ...] = ()) -> AsyncIterator[Talk]:
        """Connect and yield the conversation; ``protocols`` are offered by ALPN. Books all phases."""
        settings, check = self._settings, self._check
        if self._tls:
            layer = await connect_tls(
                check,
                self._host,
                self._port,
                self._timeout,
                server_name=settings.server_name,
                verify=settings.verify,
                ca_file=settings.ca_file,
                protocols=protocols,
            )
            talk = Talk(check)
            self._learn(layer)
            layer.attach(talk)
        else:
            talk = await connect(check, self._host, self._port, self._timeout, lambda: Talk(check))
        check.doing = f"waiting for an answer from {self.where}"
        try:
            talk.begin()
            yield talk
        except (Fault, ConnectionError) as error:
            raise self._told(error, talk) from None
        finally:
            talk.measure()
            talk.close()

    def _told(self, error: Fault | ConnectionError, talk: Talk) -> Fault | ConnectionError:
        """The same with the place and, where it is likely, what to do about it."""
        if not self._tls and talk.opening.startswith(_TLS_ALERT):
            return Fault(
                f"{self.where} speaks TLS, and was spoken to without; turn TLS on, or give its plain port"
            )
        if not isinstance(error, Fault):
            if self._tls or talk.opening:
                return error
            # Many servers that want TLS hang up without a word.
            return Fault(f"{reason(error)} while {self._check.doing}; it may want TLS: check port and TLS")
        words = error.summary if self.where in error.summary else f"{self.where}: {error.summary}"
        if isinstance(error, OtherProtocol):
            words += "; check host and port"
        return Fault(words, error.status, error.facts)

    async def start_tls(self, talk: Talk) -> None:
        """Go over to TLS in the middle of a conversation. Raises `Fault` or `OSError` when that fails."""
        settings, check = self._settings, self._check
        talk.measure()
        layer = TlsLayer(
            client_context(settings.verify, settings.ca_file), settings.server_name or self._host
        )
        talk.under(layer)
        check.doing = f"negotiating TLS with {self.where}"
        began = perf_counter()
        await shake_hands(layer)
        check.spent("tls", began)
        self._learn(layer)
        layer.attach(talk)
        talk.begin()

    def judge_certificate(self, findings: Findings, warn_days: float) -> dict[str, float]:
        """Hold the certificate that was seen, if any, against a limit in days; returns its metric."""
        if self._days_left is None:
            return {}
        if self._days_left < warn_days:
            left = self._days_left
            findings.add(
                Status.DEGRADED, f"certificate {'expires in ' + days(left) if left > 0 else 'has expired'}"
            )
        return {"certificate_days_left": self._days_left}

    def _learn(self, layer: TlsLayer) -> None:
        shown = certificate.of_session(layer.tls)
        if shown is not None:
            self._days_left = shown.days_left(time())
            self.facts["certificate"] = certificate.session_facts(layer.tls)
