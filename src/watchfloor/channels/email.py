"""E-mail over SMTP: STARTTLS or TLS, authentication, text and HTML, the mails of one alert in one thread.

The id of the message is the ``Message-ID``; every later mail refers to the first one of its alert. The mail is
written once and stored, so every attempt sends the same bytes. 4xx is tried again, 5xx is not. Where some of several
people have a mail, it is tried again for the others alone, ten times at most and not past the next mail of its alert.

Sources: RFC 5321 (SMTP), RFC 5322 3.6.4 (threading), RFC 3834 (``Auto-Submitted``),
https://aiosmtplib.readthedocs.io/
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections.abc import Coroutine
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime, formataddr, parseaddr
from functools import lru_cache
from html import escape
from typing import Annotated, Any, Literal, Self, cast

import aiosmtplib
from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from watchfloor.channels.message import DeliveryError, Draft, Message
from watchfloor.channels.reach import reach_by_tcp
from watchfloor.channels.secrets import sayable, secrets_of
from watchfloor.channels.words import Speaking, Spoken, speak
from watchfloor.config.fields import InWords, Name

log = logging.getLogger(__name__)

PORTS = {"starttls": 587, "tls": 465, "none": 25}
GOODBYE_S = 1.0
MOST_KEPT = 1000
"""Mails of which it is known who has them. Of one that is not known any more everybody gets another copy."""

_ADDRESS = r"[^@\s<>()\[\],;:\"\\]{1,64}@[A-Za-z0-9.-]{1,250}"
_MAILBOX = re.compile(rf"""(?:"[^"\\]{{1,100}}"\ |[^<>@",;:\\]{{0,100}}\ |)<{_ADDRESS}>|{_ADDRESS}""")


Refused = dict[str, int]
"""Addresses and the codes with which they were refused."""

_has: dict[str, frozenset[str]] = {}
"""Who has a mail that others have yet to get, by its id."""


def _mailbox(text: str) -> str:
    _, address = parseaddr(text)
    if not text.isprintable() or not address.isascii() or not _MAILBOX.fullmatch(text):
        raise PydanticCustomError("mailbox", "is no e-mail address on one line")
    return text


Mailbox = Annotated[str, AfterValidator(_mailbox), InWords("ann@example.com, or Ann <ann@example.com>")]


class Settings(Speaking):
    """Settings of an e-mail channel."""

    host: Name = Field(description="The mail server.")
    port: int | None = Field(default=None, ge=1, le=65535, description="587, 465 with tls, 25 with none.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How it is encrypted."
    )
    ca_file: str | None = Field(
        default=None, max_length=1000, description="Authorities to trust instead of the system's, as PEM."
    )
    user: Name | None = Field(default=None, description="Who signs in; nobody if left out.")
    password: SecretStr | None = Field(default=None, description="The password of that user.")
    from_: Mailbox = Field(alias="from", description="The sender.")
    to: Annotated[tuple[Mailbox, ...], Field(min_length=1, max_length=50)] = Field(description="Who gets it.")
    timeout: float = Field(
        default=15.0, ge=1.0, le=30.0, description="Seconds until an attempt counts as failed."
    )

    @model_validator(mode="after")
    def _keeps_its_password(self) -> Self:
        if self.password is not None and self.security == "none":
            raise PydanticCustomError("password", "a password is never sent without encryption")
        return self


def render(settings: Settings, draft: Draft) -> bytes:
    """The mail as it goes over the wire."""
    said = speak(settings, draft)
    sender = parseaddr(settings.from_)
    domain = sender[1].rpartition("@")[2]
    mail = EmailMessage(policy=WIRE)
    mail["From"] = formataddr(sender)
    mail["To"] = ", ".join(formataddr(parseaddr(mailbox)) for mailbox in settings.to)
    mail["Subject"] = said.title
    mail["Date"] = format_datetime(said.notice.at)
    mail["Message-ID"] = f"<{draft.id}@{domain}>"
    if draft.thread != draft.id:
        mail["In-Reply-To"] = mail["References"] = f"<{draft.thread}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{said.text}\n", cte="quoted-printable")
    mail.add_alternative(_html(said), subtype="html", cte="quoted-printable")
    mail.set_boundary(f"=_{draft.id}")
    return mail.as_bytes()


def _html(said: Spoken) -> str:
    body = "<br>\n".join(escape(line) for line in said.body.splitlines())
    return (
        '<!DOCTYPE html>\n<html><body style="font-family:sans-serif">\n'
        f"<p><strong>{escape(said.title)}</strong></p>\n<p>{body}</p>\n</body></html>\n"
    )


@lru_cache(maxsize=16)
def _trust(ca_file: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


async def deliver(settings: Settings, message: Message) -> str:
    """Hand over one mail; ``settings.timeout`` is for all of it. Raises `DeliveryError`.

    Returns for whom it was refused for good, empty as a rule: it is not sent again, because the others have it.
    """
    left = _without(settings, message)
    if not left:
        return ""
    try:
        client = _client(settings)
    except OSError as error:
        raise DeliveryError(f"ca_file: {sayable(str(error), secrets_of(settings))}") from None
    try:
        refused = await _within(settings.timeout, _hand_over(client, settings, message, left))
        with contextlib.suppress(SMTPException, OSError):  # it was taken: how they part is all one
            await client.quit(timeout=GOODBYE_S)
    except TimeoutError:
        raise DeliveryError(f"no answer within {settings.timeout:g} s") from None
    except SMTPRecipientsRefused as error:
        codes = [each.code for each in error.recipients]
        raise _refusal(settings, min(codes), "every recipient was refused") from None
    except SMTPResponseException as error:
        raise _refusal(settings, error.code, error.message) from None
    except (SMTPException, OSError, ValueError) as error:
        words = str(error).replace(" on port None", "")  # the library is given a connection and no port
        words = sayable(words, secrets_of(settings))
        raise DeliveryError(f"{type(error).__name__}: {words}".removesuffix(": ")) from None
    finally:
        if client.transport is not None:
            cast(asyncio.WriteTransport, client.transport).abort()
        client.close()
    return _remark(settings, message, left, refused)


async def _within(seconds: float, work: Coroutine[Any, Any, Refused]) -> Refused:
    """Do the work in time. Raises `TimeoutError`.

    The library waits with ``asyncio.wait_for``, which in Python 3.11 may swallow a cancellation that comes together
    with what it waited for; so work that has to end is told so until it does.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=0.01)


def _client(settings: Settings) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=settings.host,
        username=settings.user,
        password=None if settings.password is None else settings.password.get_secret_value(),
        local_hostname=socket.gethostname() or "localhost",
        timeout=settings.timeout,
        use_tls=settings.security == "tls",
        start_tls=settings.security == "starttls",
        tls_context=None if settings.security == "none" else _trust(settings.ca_file),
    )


def _without(settings: Settings, message: Message) -> list[str]:
    """The addresses of those who do not have the mail yet."""
    has = _has.get(message.id, frozenset())
    return [address for mailbox in settings.to if (address := parseaddr(mailbox)[1]) not in has]


async def _hand_over(
    client: aiosmtplib.SMTP, settings: Settings, message: Message, left: list[str]
) -> Refused:
    line = await reach_by_tcp(settings.host, settings.port or PORTS[settings.security])
    try:
        await client.connect(sock=line)
    except BaseException:
        with contextlib.suppress(OSError):  # its transport, if it has one already, hears of it and closes it
            line.shutdown(socket.SHUT_RDWR)
        raise
    try:
        refused, _ = await client.sendmail(parseaddr(settings.from_)[1], left, message.payload)
    except SMTPRecipientsRefused as error:
        if message.id not in _has:
            raise
        return {each.recipient: each.code for each in error.recipients}
    return {address: answer.code for address, answer in refused.items()}


def _remark(settings: Settings, message: Message, left: list[str], refused: Refused) -> str:
    """For whom a mail was refused for good. Raises `DeliveryError` where some of them may still get it."""
    has = _has.pop(message.id, frozenset()) | (frozenset(left) - refused.keys())
    if not refused:
        return ""
    codes = ", ".join(f"{address} ({code})" for address, code in refused.items())
    remark = f"it was taken, but not for {sayable(codes, secrets_of(settings))}"
    if any(400 <= code < 500 for code in refused.values()):
        while len(_has) >= MOST_KEPT:
            del _has[next(iter(_has))]
        _has[message.id] = has
        raise DeliveryError(remark, some=True)
    log.warning("a mail: %s", remark)
    return remark


def _refusal(settings: Settings, code: int, words: str) -> DeliveryError:
    said = sayable(words, secrets_of(settings))
    return DeliveryError(
        f"the mail server answered {code}" + (f": {said}" if said else ""), permanent=500 <= code < 600
    )
