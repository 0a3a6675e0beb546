"""No false alarm: whatever happens to the monitor, what it watches was never down, and it never says so.

Every target here is well while the monitor is made to stall, stopped, cut off, left without name server. Limits are
tight: every single check counts, and an answer that is late by as much as the shortest stall is failing. Not one check
may be found failing. Then the targets really fail, and all must be found: who excuses everything is no monitor.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from chaos_targets import Targets, name_server, web_server, web_services

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(3600),
]  # 100 injections may take an hour on a busy machine

WATCH = Path(__file__).with_name("chaos_watch.py")
BAD = ("failing", "degraded")


@pytest.fixture
def target() -> Iterator[int]:
    """The port of a server that answers."""
    with web_server() as server:
        yield server.server_port


@pytest.fixture
def targets(tmp_path: Path) -> Iterator[Targets]:
    with web_server() as web, name_server() as names:
        yield Targets(web, names, tmp_path / "flag")


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
        self.each: Counter[tuple[str, str]] = Counter()
        self._heard = asyncio.Event()

    async def listen(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            said = json.loads(line)
            self.said.append(said)
            self.counts[said["status"]] += 1
            self.each[said["name"], said["status"]] += 1
            self._heard.set()

    async def until(self, status: str, more: int = 1) -> None:
        """Until so many more checks found this."""
        wanted = self.counts[status] + more
        async with asyncio.timeout(90):
            while self.counts[status] < wanted:
                self._heard.clear()
                await self._heard.wait()

    async def until_each(self, names: Iterable[str], status: str, more: int = 1) -> None:
        """Until so many more checks of each of these found this."""
        wanted = {(name, status): self.each[name, status] + more for name in names}
        async with asyncio.timeout(90):
            while any(self.each[each] < number for each, number in wanted.items()):
                self._heard.clear()
                await self._heard.wait()

    def bad(self) -> list[dict[str, str]]:
        return [said for said in self.said if said["status"] in BAD]


@asynccontextmanager
async def watching(
    services: Sequence[dict[str, Any]], sentinels: tuple[str, ...] = (), name_server: int | None = None
) -> AsyncIterator[Watcher]:
    """A process that checks services ten times a second."""
    plan = json.dumps({"services": services, "sentinels": sentinels, "name_server": name_server})
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(WATCH), plan, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    watcher = Watcher(process)
    listening = asyncio.create_task(watcher.listen())
    try:
        await watcher.until_each([each["name"] for each in services], "ok")
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
    """How long each stall lasts, drawn evenly in the logarithm: with --chaos-long up to a minute, else seconds."""
    chance, most = random.Random(seed), 60.0 if chaos_long else 4.0
    drawn = [math.exp(chance.uniform(0.0, math.log(most))) for _ in range(times)]
    print(f"seed {seed}: stalls of {', '.join(f'{length:.2f}' for length in drawn)} s")
    return drawn


async def nobody_was_down_until_they_failed(watcher: Watcher, targets: Targets) -> None:
    assert watcher.bad() == []
    targets.fail()
    await watcher.until_each(targets.names, "failing", 2)


async def test_a_loop_that_stands_still_finds_nobody_down(
    targets: Targets, times: int, chaos_seed: int, chaos_long: bool
) -> None:
    async with watching(targets.services) as watcher:
        assert watcher.process.stdin is not None
        for length in lengths(times, chaos_seed, chaos_long):
            watcher.process.stdin.write(f"{length}\n".encode())
            await watcher.process.stdin.drain()
            await watcher.until_each(targets.names, "ok", 3)
        await nobody_was_down_until_they_failed(watcher, targets)


async def test_a_process_that_was_stopped_finds_nobody_down(
    targets: Targets, times: int, chaos_seed: int, chaos_long: bool
) -> None:
    async with watching(targets.services) as watcher:
        for length in lengths(times, chaos_seed, chaos_long):
            watcher.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(length)  # the stop itself has this length: there is nothing to wait for
            watcher.process.send_signal(signal.SIGCONT)
            await watcher.until_each(targets.names, "ok", 3)
        await nobody_was_down_until_they_failed(watcher, targets)


async def test_who_fails_while_the_loop_stands_still_again_and_again_is_found(targets: Targets) -> None:
    async with watching(targets.services) as watcher:
        assert watcher.process.stdin is not None
        targets.fail()
        for _ in range(3):
            watcher.process.stdin.write(b"1.5\n")
            await watcher.process.stdin.drain()
            await watcher.until_each(targets.names, "failing")


async def test_a_link_that_is_cut_finds_nobody_down(target: int, times: int) -> None:
    link = Link(target, target, target)
    await link.restore()
    first, *others = link.ports
    sentinels = tuple(f"127.0.0.1:{port}" for port in others)
    services = web_services("127.0.0.1", first)
    async with watching(services, sentinels) as watcher:
        for _ in range(times):
            link.cut()
            await watcher.until("unknown", 3)
            await link.restore()
            await watcher.until_each([each["name"] for each in services], "ok")
        assert watcher.bad() == []
        assert any("cut off" in said["summary"] for said in watcher.said)
    link.cut()


async def test_a_name_server_that_is_dead_finds_nobody_down(target: int, times: int) -> None:
    with name_server() as names:
        services = web_services("shop.example", target)
        async with watching(services, name_server=names.port) as watcher:
            for _ in range(times):
                names.dead = True
                await watcher.until("unknown", 3)
                names.dead = False
                await watcher.until_each([each["name"] for each in services], "ok")
            assert watcher.bad() == []
            assert any("no name server answers" in said["summary"] for said in watcher.said)


async def test_a_target_that_is_really_down_is_found_failing_all_the_same(target: int) -> None:
    """Without this the tests above would pass with a monitor that is blind."""
    link, others = Link(target), Link(target, target)
    await link.restore()
    await others.restore()
    sentinels = tuple(f"127.0.0.1:{port}" for port in others.ports)
    services = web_services("127.0.0.1", link.ports[0])
    async with watching(services, sentinels) as watcher:
        link.cut()
        await watcher.until_each([each["name"] for each in services], "failing", 2)
        assert not any("cut off" in said["summary"] for said in watcher.said)
    others.cut()
