"""Calls an HTTP address. Every attempt of a run carries the same ``Idempotency-Key``, so that a receiver who honours
it does the work once.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache
from typing import Annotated, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import Field, SecretStr, field_validator

from watchfloor.config import base
from watchfloor.config.fields import DurationField, Seconds
from watchfloor.domain.text import one_line
from watchfloor.payloads.contract import Attempt, PayloadError

KEPT = 64 * 1024
"""Bytes of an answer that go to the log of the run."""

LONGEST_WISH_S = 3600.0


class Settings(base.Settings):
    """Settings of an HTTP job."""

    url: SecretStr = Field(description="Where to call; http or https. May hold a reference.")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = Field(
        "POST", description="How to call."
    )
    headers: dict[str, SecretStr] = Field({}, description="Headers to send; may hold references.")
    body: SecretStr | None = Field(None, description="What to send.")
    expect: tuple[Annotated[int, Field(ge=100, le=599)], ...] = Field(
        (), description="Status codes that mean success; any 2xx."
    )
    answer_within: Annotated[float, DurationField("1s", "1d")] = Field(
        Seconds(60), description="The longest silence of the other side."
    )
    verify: bool = Field(True, description="Whether its certificate must be good.")

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be a http:// or https:// address")
        return value


@lru_cache(maxsize=2)
def _trust(verify: bool) -> ssl.SSLContext:
    """The authorities of this system; reading them takes longer than a call."""
    return httpx.create_ssl_context(verify=verify)


async def run(settings: Settings, attempt: Attempt) -> None:
    """Call once. Raises `PayloadError` where there is no answer or not the expected one."""
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    headers |= {"idempotency-key": str(attempt.uuid), "x-attempt": str(attempt.attempt)}
    headers.setdefault("user-agent", "watchfloor")
    body = settings.body.get_secret_value().encode() if settings.body is not None else None
    timeout = float(settings.answer_within)
    if not attempt.leash.holds:
        raise PayloadError("worker.lost", "this node is no longer trusted with the run")
    try:
        async with (
            httpx.AsyncClient(
                timeout=timeout, follow_redirects=False, trust_env=False, verify=_trust(settings.verify)
            ) as client,
            client.stream(
                settings.method, settings.url.get_secret_value(), headers=headers, content=body
            ) as response,
        ):
            await _keep(response, attempt)
            _judge(response, settings)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise PayloadError("http.connect", one_line(f"no connection: {error}")) from None
    except httpx.TimeoutException:
        raise PayloadError("http.timeout", f"no answer within {timeout:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PayloadError("http.protocol", one_line(f"{type(error).__name__}: {error}")) from None


async def _keep(response: httpx.Response, attempt: Attempt) -> None:
    await attempt.output("response", f"HTTP {response.status_code}\n".encode())
    left = KEPT
    async for chunk in response.aiter_bytes():
        await attempt.output("response", chunk[:left])
        left -= len(chunk)
        if left <= 0:
            await attempt.output("response", b"\n(the rest of the answer is left out)\n")
            return
        await asyncio.sleep(0)


def _judge(response: httpx.Response, settings: Settings) -> None:
    code = response.status_code
    if code in settings.expect or (not settings.expect and 200 <= code < 300):
        return
    wait = response.headers.get("retry-after", "")
    asked = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 10 else 0.0
    raise PayloadError(f"http.status.{code}", f"the answer was {code}", wait_s=min(asked, LONGEST_WISH_S))
