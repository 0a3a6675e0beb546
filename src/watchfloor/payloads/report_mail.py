"""Mails a report as an attachment. Every attempt of a run carries the same ``Message-ID``."""

from __future__ import annotations

import ssl
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime, parseaddr
from typing import Annotated, Literal

import aiosmtplib
from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from watchfloor.config import base
from watchfloor.config.fields import InWords, Name
from watchfloor.domain.text import one_line
from watchfloor.payloads.contract import Attempt, PayloadError

PORTS = {"starttls": 587, "tls": 465, "none": 25}
LARGEST = 20 * 2**20
TIMEOUT_S = 60.0


def _mailbox(text: str) -> str:
    _, address = parseaddr(text)
    name, _, domain = address.rpartition("@")
    if not text.isprintable() or not name or ("." not in domain and domain != "localhost") or "," in text:
        raise PydanticCustomError("mailbox", "is no e-mail address on one line")
    return text


Mailbox = Annotated[str, AfterValidator(_mailbox), InWords("ann@example.com, or Ann <ann@example.com>")]


class Mail(base.Settings):
    """To whom a report is mailed, and how."""

    host: Name = Field(description="The mail server.")
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="587, 465 with tls, 25 with none."
    )
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="How it is encrypted.")
    ca_file: Annotated[str, Field(max_length=1000)] | None = Field(
        None, description="Authorities to trust instead of the system's, as PEM."
    )
    user: Name | None = Field(None, description="Who signs in; nobody.")
    password: SecretStr | None = Field(None, description="The password of that user.")
    from_: Mailbox = Field(alias="from", description="The sender.")
    to: Annotated[tuple[Mailbox, ...], Field(min_length=1, max_length=50)] = Field(description="Who gets it.")
    subject: Name | None = Field(
        None, description="The subject; the title and the time that the report covers."
    )
    text: Annotated[str, Field(max_length=10_000)] = Field(
        "The report is attached.", description="What stands in the mail."
    )

    @model_validator(mode="after")
    def _keeps_its_password(self) -> Mail:
        if self.password is not None and self.security == "none":
            raise PydanticCustomError("password", "a password is never sent without encryption")
        return self


async def send(
    mail: Mail, subject: str, name: str, kind: tuple[str, str], data: bytes, now: datetime, attempt: Attempt
) -> None:
    """Hand the mail over. Raises `PayloadError`."""
    if len(data) > LARGEST:
        raise PayloadError("mail.too_large", f"the report has more than {LARGEST // 2**20} MiB")
    message = EmailMessage(policy=WIRE)
    message["From"], message["To"] = mail.from_, ", ".join(mail.to)
    message["Subject"] = one_line(mail.subject or subject, 200)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{attempt.uuid}@{parseaddr(mail.from_)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{mail.text}\n")
    message.add_attachment(data, maintype=kind[0], subtype=kind[1], filename=name)
    attempt.must_hold()
    try:
        await aiosmtplib.send(
            message,
            sender=parseaddr(mail.from_)[1],
            recipients=[parseaddr(each)[1] for each in mail.to],
            hostname=mail.host,
            port=mail.port or PORTS[mail.security],
            username=mail.user,
            password=None if mail.password is None else mail.password.get_secret_value(),
            use_tls=mail.security == "tls",
            start_tls=mail.security == "starttls",
            tls_context=ssl.create_default_context(cafile=mail.ca_file) if mail.security != "none" else None,
            timeout=TIMEOUT_S,
        )
    except aiosmtplib.SMTPAuthenticationError as error:
        raise PayloadError(
            "mail.permission", one_line(f"the mail server refuses the sign-in: {error}", 300)
        ) from None
    except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused) as error:
        raise PayloadError("mail.refused", one_line(f"the mail server refuses it: {error}", 300)) from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise PayloadError("mail.connection", one_line(f"{type(error).__name__}: {error}", 300)) from None
    await attempt.say(f"mailed to {', '.join(mail.to)}")
