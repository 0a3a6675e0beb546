"""Sends one HTTP request: what every channel that speaks HTTP has in common.

One deadline for everything, no redirects, no proxies of the environment, no more of an answer than a few kilobytes,
no secret in an error, no address that is not allowed. Only 2xx is success. How bytes travel is in
`watchfloor.channels.wire`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from watchfloor.channels import wire
from watchfloor.channels.message import DeliveryError, Message
from watchfloor.channels.secrets import sayable, secrets_of
from watchfloor.config.base import Settings
from watchfloor.config.fields import InWords

RETRIABLE = frozenset({408, 425, 429})
GONE = 410

Wish = Callable[[Any], object]
"""Finds the seconds to wait in the JSON of an answer, for receivers that do not use ``Retry-After``."""


class HttpSettings(Settings):
    """What every channel over HTTP can be told."""

    timeout: float = Field(
        default=15.0, ge=1.0, le=30.0, description="Seconds until an attempt counts as failed."
    )
    public_only: bool = Field(
        default=False, description="Refuse receivers in private networks and on this machine."
    )
    ca_file: str | None = Field(
        default=None, max_length=1000, description="Authorities to trust instead of the system's, as PEM."
    )


class ServiceSettings(HttpSettings):
    """The same for a service on the public internet."""

    public_only: bool = Field(
        default=True, description="Refuse receivers in private networks and on this machine."
    )


def _web(value: SecretStr) -> SecretStr:
    address = value.get_secret_value()
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        httpx.URL(address)
    except (ValueError, httpx.InvalidURL):
        good = False
    if not good:
        raise PydanticCustomError("web_address", "must be a http:// or https:// address")
    return value


SecretUrl = Annotated[SecretStr, AfterValidator(_web), InWords("an http:// or https:// address")]
"""An address that may hold a secret, as those of chat services do."""


def _header_value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable():
        raise PydanticCustomError("header", "must be printable ASCII on one line")
    return value


SecretHeader = Annotated[SecretStr, AfterValidator(_header_value), InWords("printable ASCII text")]
"""The value of a header."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``wish`` finds a wait in the JSON of a refusal."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    content_type: str = "application/json"
    wish: Wish | None = None


def as_json(value: object) -> bytes:
    """JSON in its shortest form, always the same for the same value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


async def send(settings: HttpSettings, message: Message, call: Call) -> None:
    """Carry out one attempt within ``settings.timeout`` seconds. Raises `DeliveryError`."""
    try:
        trust = _trust(settings.ca_file)
    except OSError as error:
        raise DeliveryError(f"ca_file: {sayable(str(error), secrets_of(settings))}") from None
    try:
        where, request = _prepared(settings, message, call, trust)
        async with wire.place(where), asyncio.timeout(settings.timeout):
            line = await wire.exchange(where, request)
    except TimeoutError:
        raise DeliveryError(f"no answer within {settings.timeout:g} s") from None
    except wire.Broken as error:
        raise DeliveryError(str(error)) from None
    except OSError as error:
        plain = error.errno is not None and error.errno > 0 and not isinstance(error, ssl.SSLError)
        words = os.strerror(error.errno or 0) if plain else sayable(str(error), secrets_of(settings))
        raise DeliveryError(f"no connection: {words}".removesuffix(": ")) from None
    except (ValueError, httpx.InvalidURL) as error:
        words = sayable(str(error), secrets_of(settings))
        raise DeliveryError(f"the request cannot be written: {words}".removesuffix(": ")) from None
    _judge(settings, line, call.wish)


def _prepared(
    settings: HttpSettings, message: Message, call: Call, trust: ssl.SSLContext
) -> tuple[wire.Where, bytes]:
    url = _parsed(call.url)
    headers = {
        "host": url.netloc.decode("ascii"),
        "content-type": call.content_type,
        "user-agent": "watchfloor",
        "accept": "*/*",
        "accept-encoding": "identity",
        "x-watchfloor-id": message.id,
        **_credentials(url),
        **call.headers,
    }
    secure = url.scheme == "https"
    port = url.port or (443 if secure else 80)
    where = wire.Where(url.host, port, settings.public_only, trust if secure else None)
    return where, wire.request_of(call.method, url.raw_path, headers, call.body)


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    """The parts of an address; the same few are asked for again and again."""
    return httpx.URL(url)


def _credentials(url: httpx.URL) -> dict[str, str]:
    if not url.userinfo:
        return {}
    pair = f"{url.username}:{url.password}".encode()
    return {"authorization": "Basic " + base64.b64encode(pair).decode()}


@lru_cache(maxsize=16)
def _trust(ca_file: str | None) -> ssl.SSLContext:
    """The authorities of this system, or those of a file; reading them takes longer than a delivery."""
    return httpx.create_ssl_context() if ca_file is None else ssl.create_default_context(cafile=ca_file)


def _judge(settings: HttpSettings, answer: wire.Line, wish: Wish | None) -> None:
    code = answer.status
    if 200 <= code < 300:
        return
    said = sayable(answer.said.decode(errors="replace"), secrets_of(settings))
    raise DeliveryError(
        f"the receiver answered {code}" + (f": {said}" if said else ""),
        permanent=300 <= code < 500 and code not in RETRIABLE,
        gone=code == GONE,
        retry_after=_wanted_wait(answer, wish),
    )


def _http_date(text: str) -> datetime | None:
    """A moment as RFC 9110, 5.6.7, writes it; None for anything else."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _wanted_wait(answer: wire.Line, wish: Wish | None) -> float | None:
    header = answer.wait
    if header.isascii() and header.isdigit():
        return float(header[:18])
    until = _http_date(header)
    if until is not None:
        return max(0.0, (until - (_http_date(answer.date) or datetime.now(UTC))).total_seconds())
    if wish is None:
        return None
    try:
        wanted = wish(json.loads(answer.said))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return float(wanted) if isinstance(wanted, int | float) and not isinstance(wanted, bool) else None
