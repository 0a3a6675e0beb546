"""A real mail server on this machine, which keeps what it got and answers as it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Mailbox:
    """What was received. ``answers`` are those to DATA; the last one is given again and again."""

    port: int = 0
    got: list[bytes] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=lambda: ["250 OK"])
    refused: dict[str, str] = field(default_factory=dict)
    encrypted: list[bool] = field(default_factory=list)

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails, read as a mail program reads them."""
        return [message_from_bytes(each, policy=policy.default) for each in self.got]  # type: ignore[misc]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.got.append(bytes(envelope.content or b""))  # type: ignore[arg-type]
        self.senders.append(envelope.mail_from or "")
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(
            session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None
        )
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def mailbox(
    tls: ssl.SSLContext | None = None, *, starttls: ssl.SSLContext | None = None, password: str | None = None
) -> AsyncIterator[Mailbox]:
    """A mail server on loopback: in clear, with TLS from the start, or one that demands STARTTLS."""
    box = Mailbox()

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password == (password or "").encode()
        if good:
            box.users.append(data.login.decode())
        return AuthResult(success=good, handled=False)

    def server() -> SMTP:
        return SMTP(
            box, enable_SMTPUTF8=True, tls_context=starttls, require_starttls=starttls is not None,
            authenticator=authenticate, auth_required=password is not None, auth_require_tls=tls is None,
        )  # fmt: skip

    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", ssl=tls)
    box.port = listening.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        listening.close()
