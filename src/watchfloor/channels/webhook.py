"""Webhooks, signed as Standard Webhooks 1.0.0 says (https://www.standardwebhooks.com).

The signature is base64(HMAC-SHA256(secret, "{id}.{timestamp}.{body}")) over the exact bytes sent. Only 2xx is
success; redirects are not followed; 410 and other client errors are permanent.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ssl
from functools import lru_cache
from urllib.parse import urlsplit

import httpx
from pydantic import Field, SecretStr, field_validator

from watchfloor.channels.message import DeliveryError, Message
from watchfloor.config import base
from watchfloor.domain.text import one_line

PREFIX = "whsec_"
RETRIABLE = frozenset({408, 425, 429})


class Settings(base.Settings):
    """Settings of a webhook channel."""

    url: SecretStr = Field(description="Where to send; http or https. May hold a reference.")
    secret: SecretStr | None = Field(
        default=None, description="Signing secret, whsec_ + base64 of 24 to 64 bytes"
    )
    timeout: float = Field(
        default=15.0, ge=1.0, le=30.0, description="Seconds until an attempt counts as failed"
    )

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be a http:// or https:// address")
        return value

    @field_validator("secret")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not 24 <= len(_key(value.get_secret_value())) <= 64:
            raise ValueError("must be whsec_ followed by the base64 of 24 to 64 bytes")
        return value


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return b""


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` header for one attempt."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """The authorities of this system; reading them takes longer than a delivery."""
    return httpx.create_ssl_context()


async def deliver(settings: Settings, message: Message) -> None:
    """Send one message; ``settings.timeout`` is for all of it. Raises `DeliveryError`."""
    headers = {
        "content-type": "application/json",
        "user-agent": "watchfloor",
        "webhook-id": message.id,
        "webhook-timestamp": str(message.sent_at),
    }
    if settings.secret is not None:
        secret = settings.secret.get_secret_value()
        headers["webhook-signature"] = sign(secret, message.id, message.sent_at, message.payload)
    try:
        async with (
            asyncio.timeout(settings.timeout),
            httpx.AsyncClient(
                timeout=settings.timeout, follow_redirects=False, trust_env=False, verify=_trust()
            ) as client,
            client.stream(
                "POST", settings.url.get_secret_value(), content=message.payload, headers=headers
            ) as response,
        ):
            _judge(response)
    except (TimeoutError, httpx.TimeoutException):
        raise DeliveryError(f"no answer within {settings.timeout:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DeliveryError(one_line(f"{type(error).__name__}: {error}")) from None


def _judge(response: httpx.Response) -> None:
    code = response.status_code
    if 200 <= code < 300:
        return
    wait = response.headers.get("retry-after", "")
    raise DeliveryError(
        f"the receiver answered {code}",
        permanent=300 <= code < 500 and code not in RETRIABLE,
        retry_after=float(wait) if wait.isascii() and wait.isdigit() else None,
    )
