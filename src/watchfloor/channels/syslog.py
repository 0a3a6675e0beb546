"""Syslog: one record per message, over UDP, TCP or the socket of this machine.

UDP and local sockets say nothing about arrival: delivered means that this machine took the record and nobody refused
it. Over TCP the receiver has to take the record and may close.

Sources: RFC 5424 (the record), RFC 5426 (UDP), RFC 6587 3.4.1 (TCP, octet counting). 32473 is the enterprise number
that RFC 5612 gives to whoever has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from watchfloor.channels.message import DeliveryError, Draft, Message
from watchfloor.channels.reach import reach_by_tcp
from watchfloor.channels.words import Speaking, speak
from watchfloor.config.fields import InWords, Name
from watchfloor.domain.notice import Notice, written
from watchfloor.domain.text import one_line

FACILITIES = {
    "kern": 0,
    "user": 1,
    "mail": 2,
    "daemon": 3,
    "auth": 4,
    "syslog": 5,
    "cron": 9,
    "authpriv": 10,
} | {f"local{n}": 16 + n for n in range(8)}
SEVERITIES = {"info": 6, "warning": 4, "critical": 2, "emergency": 0}
NOTICE = 5
LONGEST = 2000
"""RFC 5424 6.1: receivers should take 2,048 octets."""

PARTING_S = 1.0
_NOT_PLAIN = re.compile(r"[^!-~]")


class Settings(Speaking):
    """Settings of a syslog channel."""

    transport: Literal["udp", "tcp", "unix"] = Field(default="udp", description="How records travel.")
    host: Name | None = Field(default=None, description="The receiver; for udp and tcp.")
    port: int = Field(default=514, ge=1, le=65535, description="Its port.")
    path: str = Field(default="/dev/log", max_length=100, description="The socket of this machine; for unix.")
    facility: Literal[
        "kern", "user", "mail", "daemon", "auth", "syslog", "cron", "authpriv",
        "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ] = Field(default="daemon", description="The facility of the records.")  # fmt: skip
    app_name: Annotated[
        str, StringConstraints(pattern=r"^[!-~]{1,48}$"), InWords("1 to 48 characters without spaces")
    ] = Field(default="watchfloor", description="The name of the program in the records.")
    timeout: float = Field(
        default=5.0, ge=1.0, le=30.0, description="Seconds until an attempt counts as failed."
    )

    @model_validator(mode="after")
    def _has_a_receiver(self) -> Self:
        if self.transport != "unix" and self.host is None:
            raise PydanticCustomError("host", "udp and tcp need the key host")
        return self


def render(settings: Settings, draft: Draft) -> bytes:
    """The record, without framing."""
    said = speak(settings, draft)
    notice = said.notice
    priority = FACILITIES[settings.facility] * 8 + (
        NOTICE if notice.over else SEVERITIES.get(notice.severity, NOTICE)
    )
    host = _NOT_PLAIN.sub("", socket.gethostname())[:255] or "-"
    message_id = _NOT_PLAIN.sub("", notice.event)[:32] or "-"
    head = f"<{priority}>1 {written(notice.at)} {host} {settings.app_name} {os.getpid()} {message_id}"
    words = one_line(f"{said.title}. {said.body}" if said.body else said.title, LONGEST)
    record = f"{head} {_data(draft, notice)} \ufeff{words}".encode()
    return record[:LONGEST].decode(errors="ignore").encode()


def _data(draft: Draft, notice: Notice) -> str:
    values = {"id": draft.id, "alert": str(notice.id), "severity": notice.severity, "state": notice.state}
    values["service"] = notice.labels.get("service", "")
    return "[watchfloor@32473 " + " ".join(f'{k}="{_escaped(v)}"' for k, v in values.items()) + "]"


def _escaped(text: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", text)


async def deliver(settings: Settings, message: Message) -> None:
    """Send one record. Raises `DeliveryError`."""
    try:
        async with asyncio.timeout(settings.timeout):
            await _SENDERS[settings.transport](settings, message.payload)
    except TimeoutError:
        raise DeliveryError(f"it could not be sent within {settings.timeout:g} s") from None
    except OSError as error:
        raise DeliveryError(one_line(f"{type(error).__name__}: {error}")) from None


async def _by_udp(settings: Settings, record: bytes) -> None:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as sender:
        sender.setblocking(False)
        sender.connect(address)  # nothing goes over the wire: it only makes refusals arrive
        await loop.sock_sendall(sender, record)
        _raise_refusal(sender)


async def _by_unix(settings: Settings, record: bytes) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.connect(settings.path)
        await loop.sock_sendall(sender, record)


async def _by_tcp(settings: Settings, record: bytes) -> None:
    reader, writer = await asyncio.open_connection(sock=await reach_by_tcp(str(settings.host), settings.port))
    try:
        writer.write(str(len(record)).encode() + b" " + record)
        writer.write_eof()
        await writer.drain()
        with contextlib.suppress(TimeoutError):  # many receivers never close first
            async with asyncio.timeout(PARTING_S):
                await reader.read(1)
    finally:
        writer.transport.abort()


def _raise_refusal(sender: socket.socket) -> None:
    if code := sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, errno.errorcode.get(code, ""))


_SENDERS = {"udp": _by_udp, "tcp": _by_tcp, "unix": _by_unix}
