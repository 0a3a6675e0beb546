"""Webhooks, signed as Standard Webhooks 1.0.0 says.

The signature is base64(HMAC-SHA256(secret, "{id}.{timestamp}.{body}")) over the exact bytes sent, where the timestamp
is this attempt's and the id is the same at every attempt. During a rotation both secrets sign. Only 2xx is success;
redirects are not followed. 410 says that the receiver is no more: what is for it waits until the channel is tested,
switched on again or its settings change.

Source of the format: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from watchfloor.channels.message import Draft, Message
from watchfloor.channels.sending import Call, HttpSettings, SecretHeader, SecretUrl, send
from watchfloor.config.fields import InWords
from watchfloor.config.template import TemplateFailure, TemplateText, compiled
from watchfloor.domain.notice import facts, read, samples
from watchfloor.domain.text import one_line

log = logging.getLogger(__name__)

PREFIX = "whsec_"
JSON = "application/json"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_OURS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "x-watchfloor-id"}
)


def _is_key(value: SecretStr) -> SecretStr:
    if not 24 <= len(_key(value.get_secret_value())) <= 64:
        raise PydanticCustomError("secret", "must be whsec_ followed by the base64 of 24 to 64 bytes")
    return value


Secret = Annotated[SecretStr, AfterValidator(_is_key), InWords("whsec_ and the base64 of 24 to 64 bytes")]


def _is_header(name: str) -> str:
    if not _TOKEN.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("webhook-"):
        raise PydanticCustomError("header", "is no name of a header that may be set")
    return name


def _is_json(source: str) -> str:
    for notice in samples():
        try:
            json.loads(compiled(source).render(facts(notice)))
        except (ValueError, RecursionError):
            raise PydanticCustomError("payload", "does not make JSON; write texts with |tojson") from None
    return source


class Settings(HttpSettings):
    """Settings of a webhook channel."""

    url: SecretUrl = Field(description="Where to send; http or https. May hold a reference.")
    secret: Secret | None = Field(default=None, description="Signing secret.")
    old_secret: Secret | None = Field(
        default=None, description="The secret before, which signs as well while receivers change over."
    )
    method: Literal["POST", "PUT", "PATCH", "GET", "HEAD"] = Field(
        default="POST", description="The method of the request; GET and HEAD carry no body."
    )
    headers: dict[Annotated[str, AfterValidator(_is_header)], SecretHeader] = Field(
        default={}, max_length=20, description="More headers, such as Authorization."
    )
    payload: Annotated[TemplateText, AfterValidator(_is_json)] | None = Field(
        default=None, description="Another body than that of Standard Webhooks: a template that makes JSON."
    )


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature of the ``webhook-signature`` header for one attempt."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def render(settings: Settings, draft: Draft) -> bytes:
    """The body; that of Standard Webhooks where the payload template fails at the last moment."""
    if settings.payload is None:
        return draft.payload
    try:
        made = compiled(settings.payload).render(facts(read(draft.payload, draft.time_zone)))
        json.loads(made)
    except (TemplateFailure, ValueError, RecursionError) as failure:
        log.warning("a payload template failed, the usual body takes its place: %s", one_line(str(failure)))
        return draft.payload
    return made.encode()


async def deliver(settings: Settings, message: Message) -> None:
    """Send one message; ``settings.timeout`` is for all of it. Raises `DeliveryError`."""
    headers = {name.lower(): value.get_secret_value() for name, value in settings.headers.items()}
    headers |= {"webhook-id": message.id, "webhook-timestamp": str(message.sent_at)}
    body = b"" if settings.method in ("GET", "HEAD") else message.payload
    secrets = [each.get_secret_value() for each in (settings.secret, settings.old_secret) if each is not None]
    if secrets:
        headers["webhook-signature"] = " ".join(
            sign(secret, message.id, message.sent_at, body) for secret in secrets
        )
    call = Call(settings.url.get_secret_value(), body, headers, settings.method, JSON)
    await send(settings, message, call)
