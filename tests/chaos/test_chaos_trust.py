"""No false alarm: whatever happens to the monitor, what it watches was never down, and it never says so.

Every target here is well all the time. The monitor is made to stall, stopped, cut off, left without name server; its
clock jumps, its database goes away. Not one check may be found failing by that.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(3600),
]  # 100 injections may take an hour on a busy machine

WATCH = Path(__file__).with_name("chaos_watch.py")
BAD = ("failing", "degraded")
TIMEOUT_MS = 1000


class Answers(BaseHTTPRequestHandler):
    """A target that is always well."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def target() -> Iterator[int]:
    """The port of a server that answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


class Link:
    """Ports that lead somewhere while the link is there."""

    def __init__(self, *leads_to: int) -> None:
        self._leads_to = leads_to
        self.ports: list[int] = []
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.StreamWriter] = set()

    async def restore(self) -> None:
        known = self.ports or [0] * len(self._leads_to)
        for port, to in zip(known, self._leads_to, strict=True):
            server = await asyncio.start_server(self._handler(to), "127.0.0.1", port, reuse_address=True)
            self._servers.append(server)
        self.ports = [server.sockets[0].getsockname()[1] for server in self._servers]

    def cut(self) -> None:
        for server in self._servers:
            server.close()
        self._servers = []
        for writer in list(self._open):
            writer.transport.abort()

    def _handler(self, to: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", to)
            self._open |= {writer, back}
            try:
                await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
            finally:
                self._open -= {writer, back}
                for each in (writer, back):
                    each.transport.abort()

        return carry


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


class Watcher:
    """The prober's process and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[dict[str, str]] = []
        self.counts: Counter[str] = Counter()
        self._heard = asyncio.Event()

    async def listen(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            said = json.loads(line)
            self.said.append(said)
            self.counts[said["status"]] += 1
            self._heard.set()

    async def until(self, status: str, more: int = 1) -> None:
        """Until so many more checks found this."""
        wanted = self.counts[status] + more
        async with asyncio.timeout(90):
            while self.counts[status] < wanted:
                self._heard.clear()
                await self._heard.wait()

    def bad(self) -> list[dict[str, str]]:
        return [said for said in self.said if said["status"] in BAD]


@asynccontextmanager
async def watching(
    url: str, sentinels: tuple[str, ...] = (), name_server: int | None = None
) -> AsyncIterator[Watcher]:
    """A process that checks one target ten times a second in several ways."""
    host, _, port = url.removeprefix("http://").removesuffix("/").rpartition(":")
    services = [
        {"name": "http", "kind": "http", "settings": {"url": url}, "timeout_ms": TIMEOUT_MS},
        {
            "name": "tcp",
            "kind": "tcp",
            "settings": {"host": host, "port": int(port)},
            "timeout_ms": TIMEOUT_MS,
        },
    ]
    plan = json.dumps({"services": services, "sentinels": sentinels, "name_server": name_server})
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(WATCH), plan, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    watcher = Watcher(process)
    listening = asyncio.create_task(watcher.listen())
    try:
        await watcher.until("ok", 4)
        yield watcher
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        await process.wait()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


@pytest.fixture
def times(chaos_long: bool) -> int:
    """How many injections of each kind."""
    return 100 if chaos_long else 5


def lengths(times: int, seed: int, chaos_long: bool) -> list[float]:
    """How long each stall lasts: with --chaos-long up to a minute, most of them short."""
    chance = random.Random(seed)
    if not chaos_long:
        return [chance.uniform(1.0, 2.5) for _ in range(times)]
    return [min(60.0, 1.0 + chance.expovariate(1 / 3.0)) for _ in range(times)]


async def test_a_loop_that_stands_still_finds_nobody_down(
    target: int, times: int, chaos_seed: int, chaos_long: bool
) -> None:
    async with watching(f"http://127.0.0.1:{target}/") as watcher:
        assert watcher.process.stdin is not None
        for length in lengths(times, chaos_seed, chaos_long):
            watcher.process.stdin.write(f"{length}\n".encode())
            await watcher.process.stdin.drain()
            await watcher.until("ok", 6)
        assert watcher.bad() == []


async def test_a_process_that_was_stopped_finds_nobody_down(
    target: int, times: int, chaos_seed: int, chaos_long: bool
) -> None:
    async with watching(f"http://127.0.0.1:{target}/") as watcher:
        for length in lengths(times, chaos_seed, chaos_long):
            watcher.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(length)  # the stop itself has this length: there is nothing to wait for
            watcher.process.send_signal(signal.SIGCONT)
            await watcher.until("ok", 6)
        assert watcher.bad() == []


async def test_a_link_that_is_cut_finds_nobody_down(target: int, times: int) -> None:
    link = Link(target, target, target)
    await link.restore()
    first, *others = link.ports
    sentinels = tuple(f"127.0.0.1:{port}" for port in others)
    async with watching(f"http://127.0.0.1:{first}/", sentinels) as watcher:
        for _ in range(times):
            link.cut()
            await watcher.until("unknown", 3)
            await link.restore()
            await watcher.until("ok", 6)
        assert watcher.bad() == []
        assert any("cut off" in said["summary"] for said in watcher.said)
    link.cut()


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


async def test_a_name_server_that_is_dead_finds_nobody_down(target: int, times: int) -> None:
    with name_server() as names:
        async with watching(f"http://shop.example:{target}/", name_server=names.port) as watcher:
            for _ in range(times):
                names.dead = True
                await watcher.until("unknown", 3)
                names.dead = False
                await watcher.until("ok", 4)
            assert watcher.bad() == []
            assert any("no name server answers" in said["summary"] for said in watcher.said)


async def test_a_target_that_is_really_down_is_found_failing_all_the_same(target: int) -> None:
    """Without this the tests above would pass with a monitor that is blind."""
    link, others = Link(target), Link(target, target)
    await link.restore()
    await others.restore()
    sentinels = tuple(f"127.0.0.1:{port}" for port in others.ports)
    async with watching(f"http://127.0.0.1:{link.ports[0]}/", sentinels) as watcher:
        link.cut()
        await watcher.until("failing", 2)
        assert not any("cut off" in said["summary"] for said in watcher.said)
    others.cut()
