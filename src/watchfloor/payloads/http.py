"""Calls an HTTP address. Every attempt of a run carries the same `Idempotency-Key`, so that a receiver who honours it
does the work once.

Redirects are followed as far as `redirects` says; to another host go neither headers nor credentials. Of the answer so
much is read as the log of the run keeps, whatever its length or what it unpacks to.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from functools import lru_cache
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import Field, SecretStr, field_validator, model_validator

from watchfloor.config import base
from watchfloor.config.fields import DurationField, Seconds
from watchfloor.domain.text import one_line
from watchfloor.payloads.contract import Attempt, PayloadError

ERRORS = {
    "http.connect": "no connection",
    "http.tls": "the certificate of the other side is not good, or they found no common protocol",
    "http.timeout": "the other side was silent for too long, or the whole took too long",
    "http.lost": "the connection was lost before the answer was whole",
    "http.protocol": "what came back is no HTTP",
    "http.redirects": "it was sent on too often, or to where it must not go",
    "http.status.*": "the answer has a status that does not mean success",
}
LONGEST_WISH_S = 3600.0
_SENT_ON = frozenset({301, 302, 303, 307, 308})
_UNPACK = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Auth(base.Settings):
    """How the caller says who it is: a user and a password, or a bearer token."""

    user: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(None, description="The user.")
    password: SecretStr | None = Field(None, description="The password of that user.")
    bearer: SecretStr | None = Field(None, description="A token instead.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Auth:
        if (self.user is None) == (self.bearer is None) or (self.user is None) != (self.password is None):
            raise ValueError("needs either user and password or bearer")
        return self

    @property
    def scheme(self) -> tuple[str, str] | None:
        """User and password."""
        return (
            None
            if self.user is None or self.password is None
            else (self.user, self.password.get_secret_value())
        )


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
    finish_within: Annotated[float, DurationField("1s", "1d")] | None = Field(
        None, description="The longest time for all of it, however it drips; the timeout of the job."
    )
    auth: Auth | None = Field(None, description="How the caller says who it is.")
    redirects: Annotated[int, Field(ge=0, le=20)] = Field(
        0, description="How often it may be sent on; with 0 such an answer is one like any other."
    )
    other_hosts: bool = Field(False, description="Whether it may be sent on to other hosts.")
    keep: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        65_536, description="Bytes of the answer that go to the log."
    )
    verify: bool = Field(True, description="Whether its certificate must be good.")
    ca_file: Annotated[str, Field(max_length=1000)] | None = Field(
        None, description="Authorities to trust instead of the system's, as PEM."
    )

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be a http:// or https:// address")
        return value

    @model_validator(mode="after")
    def _makes_sense(self) -> Settings:
        if self.auth is not None and any(name.lower() == "authorization" for name in self.headers):
            raise ValueError("headers has Authorization, which auth writes")
        if self.other_hosts and not self.redirects:
            raise ValueError("other_hosts works with redirects only")
        return self


@lru_cache(maxsize=16)
def _trust(verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """The authorities of this system, or others; reading them takes longer than a call."""
    if ca_file is None or not verify:
        return httpx.create_ssl_context(verify=verify)
    return ssl.create_default_context(cafile=ca_file)


async def run(settings: Settings, attempt: Attempt) -> None:
    """Call once. Raises `PayloadError` where there is no answer or not the expected one."""
    try:
        trust = _trust(settings.verify, settings.ca_file)
    except OSError as error:
        raise PayloadError("config.settings", one_line(f"ca_file: {error}", 300)) from None
    limit = None if settings.finish_within is None else float(settings.finish_within)
    try:
        async with (
            asyncio.timeout(limit) as whole,
            httpx.AsyncClient(timeout=float(settings.answer_within), trust_env=False, verify=trust) as client,
        ):
            await _call(client, settings, attempt)
    except TimeoutError:
        if not whole.expired():
            raise
        raise PayloadError("http.timeout", f"no end within {limit:g} s") from None
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        name = "http.tls" if _is_about_tls(error) else "http.connect"
        raise PayloadError(name, one_line(f"no connection: {error}", 300)) from None
    except httpx.TimeoutException:
        raise PayloadError("http.timeout", f"no answer within {float(settings.answer_within):g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        name = "http.lost" if _is_lost(error) else "http.protocol"
        raise PayloadError(name, one_line(f"{type(error).__name__}: {error}", 300)) from None


def _is_lost(error: Exception) -> bool:
    """Whether the other side went away; the library tells half an answer from a wrong one by its words alone."""
    return isinstance(error, httpx.NetworkError) or str(error).startswith("peer closed connection")


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


async def _call(client: httpx.AsyncClient, settings: Settings, attempt: Attempt) -> None:
    """Call, and go where it is sent on to, until there is an answer."""
    request = _first(client, settings, attempt)
    auth: Any = settings.auth.scheme if settings.auth is not None else None
    for sent_on in range(settings.redirects + 1):
        attempt.must_hold()
        response = await client.send(request, auth=auth, stream=True, follow_redirects=False)
        async with contextlib.aclosing(response):
            location = response.headers.get("location", "")
            if not settings.redirects or response.status_code not in _SENT_ON or not location:
                await _keep(response, settings.keep, attempt)
                _judge(response, settings)
                return
            if sent_on == settings.redirects:
                raise PayloadError("http.redirects", f"it was sent on more than {settings.redirects} times")
        followed = _next(client, settings, response, location)
        if _origin(followed.url) != _origin(request.url):
            auth = None
        await attempt.say(f"HTTP {response.status_code}, sent on", "response")
        request = followed


def _first(client: httpx.AsyncClient, settings: Settings, attempt: Attempt) -> httpx.Request:
    headers = {"user-agent": "watchfloor", "accept-encoding": "identity"}
    headers |= {name.lower(): value.get_secret_value() for name, value in settings.headers.items()}
    headers |= {"idempotency-key": str(attempt.uuid), "x-attempt": str(attempt.attempt)}
    if settings.auth is not None and settings.auth.bearer is not None:
        headers["authorization"] = f"Bearer {settings.auth.bearer.get_secret_value()}"
    body = settings.body.get_secret_value().encode() if settings.body is not None else None
    return client.build_request(
        settings.method, settings.url.get_secret_value(), headers=headers, content=body
    )


def _next(
    client: httpx.AsyncClient, settings: Settings, response: httpx.Response, location: str
) -> httpx.Request:
    """The request that a redirect asks for. Raises `PayloadError` where it leads where it must not."""
    old = response.request
    url = old.url.join(location)
    if url.scheme not in ("http", "https") or not url.host:
        raise PayloadError("http.redirects", "it was sent on to what is no http:// or https:// address")
    if old.url.scheme == "https" and url.scheme == "http":
        raise PayloadError("http.redirects", "it was sent on from https to http")
    same = _origin(url) == _origin(old.url)
    if not same and not settings.other_hosts:
        raise PayloadError("http.redirects", f"it was sent on to another host, {one_line(url.host, 100)}")
    method, content = old.method, old.content
    if response.status_code == 303 or (response.status_code in (301, 302) and method == "POST"):
        method, content = ("HEAD" if method == "HEAD" else "GET"), b""
    kept = {name: value for name, value in old.headers.items() if name not in ("host", "content-length")}
    if not same:
        kept = {
            name: kept[name] for name in ("user-agent", "accept-encoding", "content-type") if name in kept
        }
    return client.build_request(method, url, headers=kept, content=content or None)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


async def _keep(response: httpx.Response, most: int, attempt: Attempt) -> None:
    """Log the answer, as far as it is kept. What is packed is unpacked bit by bit: a little may become very much."""
    await attempt.output("response", f"HTTP {response.status_code}\n".encode())
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("identity", "", *_UNPACK):
        await attempt.say(f"(the answer is packed as {one_line(packed, 40)} and left out)", "response")
        return
    unpack = zlib.decompressobj(_UNPACK[packed]) if packed in _UNPACK else None
    left = most
    async for chunk in response.aiter_raw():
        try:
            data = chunk if unpack is None else unpack.decompress(chunk, left + 1)
        except zlib.error:
            await attempt.say("(the rest of the answer is not packed as it says)", "response")
            return
        await attempt.output("response", data[:left])
        left -= len(data)
        if left < 0:
            await attempt.output("response", b"\n(the rest of the answer is left out)\n")
            return
        await asyncio.sleep(0)
    await attempt.output("response", b"\n")


def _judge(response: httpx.Response, settings: Settings) -> None:
    code = response.status_code
    if code in settings.expect or (not settings.expect and 200 <= code < 300):
        return
    wait = response.headers.get("retry-after", "")
    asked = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 10 else 0.0
    raise PayloadError(f"http.status.{code}", f"the answer was {code}", wait_s=min(asked, LONGEST_WISH_S))
