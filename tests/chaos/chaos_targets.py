"""What is watched on this machine in the trust tests: servers that are well until they are told to fail."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from watchfloor.probes.checking import Fault
from watchfloor.probes.ping import Echo

TIMEOUT_MS = 1000


LIMIT = "800ms"
PATIENT_MS = 90_000
"""A limit on time is only met where the time-out is longer than the stall."""

TAKES_S = 0.08
"""Targets take a while, so that a check is nearly always under way."""


class NameServer:
    """Answers every question with this machine, or nothing at all."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.dead = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                query, sender = self._socket.recvfrom(4096)
            except OSError:
                return
            if not self.dead:
                time.sleep(TAKES_S / 4)
                with suppress(OSError):  # closed meanwhile
                    self._socket.sendto(_answer(query), sender)

    def close(self) -> None:
        self._socket.close()


def _answer(query: bytes) -> bytes:
    end = query.index(b"\0", 12) + 5
    is_a = query[end - 4 : end - 2] == b"\0\1"
    head = query[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, int(is_a), 0, 0)
    record = b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 0, 4) + bytes((127, 0, 0, 1))
    return head + query[12:end] + (record if is_a else b"")


@contextmanager
def name_server() -> Iterator[NameServer]:
    started = NameServer()
    try:
        yield started
    finally:
        started.close()


class Answers(BaseHTTPRequestHandler):
    """A target that is well until its server is told otherwise."""

    def do_GET(self) -> None:
        time.sleep(TAKES_S)
        self.send_response(getattr(self.server, "status", 200))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def web_server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def web_services(host: str, port: int) -> list[dict[str, Any]]:
    """One server, checked in several ways; limits on time make three of them strict."""
    url = f"http://{host}:{port}/"
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "http": ("http", {"url": url}),
        "tcp": ("tcp", {"host": host, "port": port}),
        "quick": ("http", {"url": url, "failing_after": LIMIT}),
        "condition": ("http", {"url": url, "conditions": ["status == 200", f"latency < {LIMIT}"]}),
        "prompt": (
            "tcp",
            {
                "host": host,
                "port": port,
                "send": "GET / HTTP/1.0\r\n\r\n",
                "expect": "200",
                "degraded_after": LIMIT,
            },
        ),
    }
    return [service(name, kind, **settings) for name, (kind, settings) in kinds.items()]


def service(name: str, kind: str, **settings: Any) -> dict[str, Any]:
    timeout_ms = TIMEOUT_MS if name == kind else PATIENT_MS
    return {"name": name, "kind": kind, "settings": settings, "timeout_ms": timeout_ms}


class Targets:
    """Everything on this machine that is watched while the monitor itself suffers."""

    def __init__(self, web: ThreadingHTTPServer, names: NameServer, flag: Path) -> None:
        self._web, self._names, self._flag = web, names, flag
        flag.touch()
        works = f"sleep {TAKES_S}; test -e {flag}"
        self.services = [
            *web_services("127.0.0.1", web.server_port),
            service(
                "dns",
                "dns",
                domain="shop.example",
                resolver="127.0.0.1",
                port=names.port,
                failing_after=LIMIT,
            ),
            service("command", "command", command=["sh", "-c", works], codes="simple"),
            service("program", "command", command=["sh", "-c", works], codes="simple", failing_after=LIMIT),
        ]
        self.names = [each["name"] for each in self.services]
        if may_ping():
            self.services.append(service("ping", "ping", host="127.0.0.1", count=2, failing_after=LIMIT))

    def fail(self) -> None:
        """Fail, each in its way; only this machine itself cannot be made to answer no ping."""
        self._web.shutdown()
        self._web.server_close()
        self._names.dead = True
        self._flag.unlink()


def may_ping() -> bool:
    try:
        Echo("127.0.0.1").__exit__()
    except (Fault, OSError) as why:
        if os.environ.get("CI"):
            pytest.fail(f"cannot ping here: {why}")
        return False
    return True
