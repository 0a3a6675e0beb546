"""Where an HTTP request goes and the bytes that are sent there.

Pure: no network. This module must never put a line break from a setting or a redirect into a request, and
must never carry a secret header to another origin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from pydantic import SecretStr

from watchfloor import __version__
from watchfloor.probes.net import ascii_host

URL_LIMIT = 4096
"""The longest address that is requested, in characters."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_KEEP = "!#$%&'()*+,/:;=?@[]~-._"
_UNWRITTEN = re.compile(r"[\0-\x20\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")

PUBLIC_HEADERS = frozenset(
    (
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "content-type",
        "host",
        "origin",
        "pragma",
        "range",
        "referer",
        "user-agent",
    )
)
"""Headers whose values are no secrets."""
_BOUND = frozenset(("host", "origin", "referer"))
_OURS = frozenset(
    ("connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive")
)


@dataclass(frozen=True, slots=True)
class Target:
    """One address of the web, taken apart: ``path`` holds the query, ``authority`` is the Host header."""

    scheme: str
    host: str
    port: int
    path: str
    authority: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def url(self) -> str:
        """The whole address."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def shown(self) -> str:
        """The address without its query, which may hold a secret."""
        return f"{self.scheme}://{self.authority}{self.path.partition('?')[0]}"


def parse(url: str) -> Target:
    """Take ``url`` apart. Raises `ValueError`, in words for a person, when it cannot be requested."""
    if len(url) > URL_LIMIT:
        raise ValueError(f"the address is longer than {URL_LIMIT} characters")
    if _UNWRITTEN.search(url):
        raise ValueError("the address holds white space or control characters")
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the address is malformed; it looks like https://example.com:8443/health") from None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise ValueError("the address must begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("credentials do not belong in the address; put them in an Authorization header")
    if not name or port == 0:
        raise ValueError("the address needs a host, and a port between 1 and 65535 if any")
    host = ascii_host(name)
    shown_host = f"[{host}]" if ":" in host else host
    authority = shown_host if port in (None, _DEFAULT_PORTS[scheme]) else f"{shown_host}:{port}"
    return Target(scheme, host, port or _DEFAULT_PORTS[scheme], _path(parts), authority)


def redirected(current: Target, location: str) -> Target:
    """Return where a Location header leads from ``current``. Raises `ValueError` when it must not be followed."""
    try:
        joined = urljoin(current.url, location.strip())
    except ValueError:
        raise ValueError("the address is malformed") from None
    return parse(quote(joined, safe=_KEEP))


def _path(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_KEEP)
    return f"{path}?{quote(parts.query, safe=_KEEP)}" if parts.query else path


def sendable(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Return ``headers``. Raises `ValueError` when they cannot be sent as they are; never quotes a value."""
    for name, secret in headers.items():
        value = secret.get_secret_value()
        if not _TOKEN.fullmatch(name):
            raise ValueError("a header name consists of letters, digits and dashes")
        if name.lower() in _OURS:
            raise ValueError(f"the header {name} is set by the check itself")
        if any(character < " " and character != "\t" for character in value) or "\x7f" in value:
            raise ValueError(f"the value of the header {name} holds a line break or control character")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(f"the value of the header {name} is not text")
    return headers


def request_bytes(target: Target, method: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return the whole request for ``target``; configured headers replace the usual ones of the same name."""
    lines = {
        "host": ("Host", target.authority),
        "user-agent": ("User-Agent", f"watchfloor/{__version__}"),
        "accept": ("Accept", "*/*"),
        "accept-encoding": ("Accept-Encoding", "identity"),
        **{name.lower(): (name, value) for name, value in headers.items()},
        "connection": ("Connection", "close"),
    }
    if body is not None or method in ("POST", "PUT", "PATCH"):
        lines["content-length"] = ("Content-Length", str(len(body or b"")))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.values())
    return f"{method} {target.path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b"")


def without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that may go to another origin than the one they were written for."""
    return {name: value for name, value in headers.items() if name.lower() in PUBLIC_HEADERS - _BOUND}


def secrets_in(headers: Mapping[str, str]) -> list[str]:
    """Return what must never be shown of these headers: the values, and the credentials after a scheme word."""
    values = [value for name, value in headers.items() if name.lower() not in PUBLIC_HEADERS]
    return values + [value.partition(" ")[2] for value in values]
