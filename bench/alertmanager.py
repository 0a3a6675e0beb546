"""The peer for messages: Alertmanager from Debian, with every wait set to zero and each alert in a group of its own.

Its clock starts when an alert is handed to it; what Prometheus needs to find out about it is not counted.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import cast

import httptools
import uvloop

from processes import leave
from support import free_port, until

PROGRAM = "prometheus-alertmanager"
HOW_TO_INSTALL = (
    "the peer is not installed; on Debian: apt-get install prometheus-alertmanager (and stop its service)"
)


def installed() -> bool:
    """Whether the program is there."""
    return shutil.which(PROGRAM) is not None


class Inbox:
    """Takes webhooks at once and notes when each service was first told of; a context manager."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self.port = 0
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Inbox:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _start(self) -> None:
        server = await self._loop.create_server(lambda: _Taker(self.arrived), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]


class _Taker(asyncio.Protocol):
    def __init__(self, arrived: dict[str, float]) -> None:
        self._arrived = arrived
        self._body = b""
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        now = time.time()
        body, self._body = json.loads(self._body or b"{}"), b""
        for alert in body.get("alerts", ()):
            self._arrived.setdefault(alert["labels"]["service"], now)
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


class Alertmanager:
    """The process, running; a context manager."""

    def __init__(self, ground: Path, hook: str) -> None:
        route = {
            "receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s",
            "repeat_interval": "1h",
        }  # fmt: skip
        config = {"route": route, "receivers": [{"name": "hook", "webhook_configs": [{"url": hook}]}]}
        (ground / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML
        self._url = f"http://127.0.0.1:{free_port()}"
        argv = [
            PROGRAM, f"--config.file={ground}/alertmanager.yml", f"--storage.path={ground}/alertmanager",
            f"--web.listen-address={self._url.removeprefix('http://')}", "--cluster.listen-address=",
            "--log.level=error",
        ]  # fmt: skip
        with open(ground / "alertmanager.log", "ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ground
            )
        until(self._ready, 30, "alertmanager starts")

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def fire(self, services: Sequence[str]) -> float:
        """Hand over an alert about each; returns when that began."""
        alerts = [
            {"labels": {"alertname": "down", "service": name, "severity": "critical"}} for name in services
        ]
        began = time.time()
        request = urllib.request.Request(
            f"{self._url}/api/v2/alerts", json.dumps(alerts).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30):
            return began

    def __enter__(self) -> Alertmanager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave(self._process)


def latencies(ground: Path, bursts: int, burst: int, pause_s: float) -> list[float]:
    """Milliseconds from handing over an alert to its webhook, for ``bursts`` of ``burst`` alerts."""
    found: list[float] = []
    with Inbox() as inbox, Alertmanager(ground, f"http://127.0.0.1:{inbox.port}/") as peer:
        for number in range(bursts):
            names = [f"burst-{number}-{at}" for at in range(burst)]
            began = peer.fire(names)
            until(
                lambda names=names: all(name in inbox.arrived for name in names), 30, "webhooks of the peer"
            )  # type: ignore[misc]
            found += [(inbox.arrived[name] - began) * 1000 for name in names]
            time.sleep(pause_s)
    return found


def drain_ms(ground: Path, count: int) -> float:
    """Milliseconds for each of ``count`` alerts that are handed over together, until the last webhook."""
    with Inbox() as inbox, Alertmanager(ground, f"http://127.0.0.1:{inbox.port}/") as peer:
        names = [f"drain-{at}" for at in range(count)]
        began = peer.fire(names)
        until(lambda: len(inbox.arrived) >= count, 300, "the peer's webhooks")
        return (max(inbox.arrived.values()) - began) / count * 1000
