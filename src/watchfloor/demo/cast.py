"""The cast of the demo: the servers of a small shop on the web, and what they have to say when all is well.

What goes wrong, and when, is the script's business. Nothing here may open a port.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from watchfloor.demo.certificates import Authority
from watchfloor.demo.script import Behaviour
from watchfloor.demo.servers import HttpServer, LineServer, Page, Server

Behave = Callable[[], Behaviour]


def _html(title: str, text: str) -> Page:
    page = f"<!doctype html><title>{title}</title><h1>{title}</h1><p>{text}</p>\n"
    return Page("text/html; charset=utf-8", page.encode())


def _json(value: object, wrong: object = None) -> Page:
    return Page("application/json", json.dumps(value).encode(), json.dumps(wrong).encode())


_PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)

_PAGES: Mapping[str, Mapping[str, Page]] = {
    "storefront": {"/": _html("Storefront", "Your basket is empty.")},
    "checkout-api": {"/health": _json({"status": "ok", "carts": 14})},
    "search": {"/search": _json({"query": "lamp", "hits": 212})},
    "image-cdn": {"/pixel.gif": Page("image/gif", _PIXEL)},
    "payment-gateway": {"/health": _json({"status": "ok", "provider": "online"})},
    "login": {
        "/": Page("text/plain; charset=utf-8", b"", location="/sign-in"),
        "/sign-in": _html("Sign in", "Please enter your address."),
    },
    "profile-api": {"/health": _json({"status": "ok"})},
    "status-api": {
        "/status": _json(
            {"status": "ok", "checks": {"queue": {"depth": 3}, "writable": True}},
            wrong={"status": "degraded", "checks": {"queue": {"depth": 1843}, "writable": False}},
        )
    },
    "invoices": {"/health": _json({"status": "ok", "unsent": 0})},
    "reports": {"/": _html("Reports", "Last built this morning.")},
    "archive": {"/": _html("Archive", "All orders, from the beginning.")},
}

_CERTIFICATES: Mapping[str, timedelta] = {
    "payment-gateway": timedelta(days=9, hours=6),
    "login": timedelta(days=84),
    "archive": timedelta(days=-2),
}


def servers(
    behave_as: Callable[[str], Behave], now: datetime, directory: Path
) -> tuple[bytes, dict[str, Server]]:
    """Every server by name, not yet open, and the PEM of the authority that signed their certificates.

    ``behave_as(name)`` gives the script of one server. ``directory`` must exist; nothing stays in it. Raises
    OSError when it cannot be written.
    """
    authority = Authority(now)

    def tls(name: str) -> ssl.SSLContext | None:
        valid_for = _CERTIFICATES.get(name)
        return None if valid_for is None else authority.server_context(name, valid_for, directory)

    cast: dict[str, Server] = {
        name: HttpServer(behave_as(name), pages, tls(name)) for name, pages in _PAGES.items()
    }
    cast["sessions"] = LineServer(behave_as("sessions"), b"", {b"PING": b"+PONG\r\n"})
    cast["mail-relay"] = LineServer(
        behave_as("mail-relay"), b"220 mail-relay ready\r\n", {b"NOOP": b"250 ok\r\n"}
    )
    return authority.pem(), cast
