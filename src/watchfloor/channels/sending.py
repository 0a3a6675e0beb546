"""Sends one HTTP request: what every channel that speaks HTTP has in common.

One deadline for everything, no redirects, no proxies of the environment, no more of an answer than a few kilobytes,
no secret in an error, no address that is not allowed. Only 2xx is success.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from watchfloor.channels.address import permitted
from watchfloor.channels.message import DeliveryError, Message
from watchfloor.channels.secrets import sayable, secrets_of
from watchfloor.config.base import Settings
from watchfloor.config.fields import InWords

RETRIABLE = frozenset({408, 425, 429})
GONE = 410
ANSWER_BYTES = 4096
ANSWER_S = 1.0
"""What a failing receiver says in this time and size is told; the rest is not waited for."""

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
        async with asyncio.timeout(settings.timeout):
            await _send(settings, message, call)
    except (TimeoutError, httpx.TimeoutException):
        raise DeliveryError(f"no answer within {settings.timeout:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        words = sayable(str(error), secrets_of(settings))
        raise DeliveryError(f"{type(error).__name__}: {words}".removesuffix(": ")) from None
    except OSError as error:
        raise DeliveryError(f"ca_file: {sayable(str(error), secrets_of(settings))}") from None


async def _send(settings: HttpSettings, message: Message, call: Call) -> None:
    url = httpx.URL(call.url)
    port = url.port or (443 if url.scheme == "https" else 80)
    headers = {
        "content-type": call.content_type,
        "user-agent": "watchfloor",
        "accept-encoding": "identity",
        "x-watchfloor-id": message.id,
        **call.headers,
        "host": url.netloc.decode("ascii"),
    }
    trust = _trust(settings.ca_file)
    addresses = await permitted(url.host, port, settings.public_only)
    async with httpx.AsyncClient(timeout=settings.timeout, trust_env=False, verify=trust) as client:
        for last, address in enumerate(addresses, start=1 - len(addresses)):
            request = client.build_request(
                call.method,
                url.copy_with(host=address),
                content=call.body,
                headers=headers,
                extensions={"sni_hostname": url.host},
            )
            try:
                response = await client.send(request, stream=True, follow_redirects=False)
            except httpx.ConnectError:
                if last == 0:
                    raise
                continue
            try:
                await _judge(settings, response, call.wish)
            finally:
                await response.aclose()
            return


@lru_cache(maxsize=16)
def _trust(ca_file: str | None) -> ssl.SSLContext:
    """The authorities of this system, or those of a file; reading them takes longer than a delivery."""
    return httpx.create_ssl_context() if ca_file is None else ssl.create_default_context(cafile=ca_file)


async def _judge(settings: HttpSettings, response: httpx.Response, wish: Wish | None) -> None:
    code = response.status_code
    if 200 <= code < 300:
        return
    answer = await _beginning(response)
    said = sayable(answer.decode(errors="replace"), secrets_of(settings))
    raise DeliveryError(
        f"the receiver answered {code}" + (f": {said}" if said else ""),
        permanent=300 <= code < 500 and code not in RETRIABLE,
        gone=code == GONE,
        retry_after=_wanted_wait(response, answer, wish),
    )


async def _beginning(response: httpx.Response) -> bytes:
    found = b""
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(ANSWER_S):
            async for chunk in response.aiter_raw():
                found += chunk
                if len(found) >= ANSWER_BYTES:
                    break
    return found[:ANSWER_BYTES]


def _wanted_wait(response: httpx.Response, answer: bytes, wish: Wish | None) -> float | None:
    header = response.headers.get("retry-after", "")
    if header.isascii() and header.isdigit():
        return float(header)
    if wish is None:
        return None
    try:
        wanted = wish(json.loads(answer))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return float(wanted) if isinstance(wanted, int | float) and not isinstance(wanted, bool) else None
