"""A world opens, lives by its script and leaves nothing behind, however it ends."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from cryptography import x509

from watchfloor.demo import servers
from watchfloor.demo.script import STORIES, fault
from watchfloor.demo.servers import ADDRESS
from watchfloor.demo.world import World, WorldThread

SEED = 7


class Clock:
    """The time of a world in the hands of its test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def at(self, t: float) -> None:
        self.now = 1000.0 + t


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(tmp_path: Path, clock: Clock) -> AsyncIterator[World]:
    made = World(SEED, tmp_path, clock)
    await made.start()
    yield made
    await made.stop()


def trusting(directory: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(directory / "demo-authority.pem"))


async def get(port: int, path: str, tls: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    """Status and body of one page."""
    reader, writer = await asyncio.open_connection(ADDRESS, port, ssl=tls)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n".encode())
        async with asyncio.timeout(5):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body
    finally:
        writer.close()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await condition():
            await asyncio.sleep(0.02)


def anybody_at(port: int) -> bool:
    with socket.socket() as visitor:
        return visitor.connect_ex((ADDRESS, port)) == 0


def open_sockets() -> int:
    return len(psutil.Process().net_connections(kind="inet"))


def assert_nothing_is_left(directory: Path, ports: Mapping[str, int], sockets_before: int) -> None:
    assert list(directory.iterdir()) == []
    assert not any(anybody_at(port) for port in ports.values())
    assert open_sockets() == sockets_before


async def test_every_server_of_the_script_is_there(world: World) -> None:
    assert set(world.ports) == set(STORIES)
    assert len(set(world.ports.values())) == len(STORIES)
    assert all(anybody_at(port) for port in world.ports.values())


@pytest.mark.parametrize(
    ("server", "path", "expected"),
    [
        ("storefront", "/", b"basket"),
        ("checkout-api", "/health", b'"status": "ok"'),
        ("search", "/search?q=lamp", b'"hits"'),
        ("image-cdn", "/pixel.gif", b"GIF89a"),
        ("profile-api", "/health", b'"status": "ok"'),
        ("status-api", "/status", b'"writable": true'),
        ("invoices", "/health", b'"unsent": 0'),
        ("reports", "/", b"Reports"),
    ],
)
async def test_at_first_all_is_well(world: World, server: str, path: str, expected: bytes) -> None:
    status, body = await get(world.ports[server], path)
    assert status == 200
    assert expected in body


async def test_the_checkout_falls_and_heals(world: World, clock: Clock) -> None:
    seen = []
    for t in (0, 15, 60, 145):
        clock.at(t)
        seen.append((await get(world.ports["checkout-api"], "/health"))[0])
    assert seen == [200, 503, 503, 200]


async def test_the_status_page_says_otherwise_while_the_script_wants_it(world: World, clock: Clock) -> None:
    clock.at(next(t for t in range(300) if fault(SEED, "status-api", t).wrong))
    status, body = await get(world.ports["status-api"], "/status")
    assert status == 200
    assert b'"status": "degraded"' in body


async def test_the_session_port_goes_away_and_returns(world: World, clock: Clock) -> None:
    port = world.ports["sessions"]

    async def refused() -> bool:
        return not anybody_at(port)

    async def answers() -> bool:
        return anybody_at(port)

    clock.at(15)
    await until(refused)
    clock.at(70)
    await until(answers)
    assert world.ports["sessions"] == port


async def test_login_redirects_to_a_page_over_tls(world: World, tmp_path: Path) -> None:
    assert (await get(world.ports["login"], "/", trusting(tmp_path)))[0] == 302
    status, body = await get(world.ports["login"], "/sign-in", trusting(tmp_path))
    assert status == 200
    assert b"Sign in" in body


async def test_the_payment_certificate_verifies_and_expires_in_nine_days(
    world: World, tmp_path: Path
) -> None:
    _, writer = await asyncio.open_connection(ADDRESS, world.ports["payment-gateway"], ssl=trusting(tmp_path))
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    left = x509.load_der_x509_certificate(shown).not_valid_after_utc - datetime.now(UTC)
    assert left.days == 9


async def test_the_certificate_of_the_archive_has_expired(world: World, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        await get(world.ports["archive"], "/", trusting(tmp_path))


async def test_the_mail_relay_greets(world: World) -> None:
    reader, writer = await asyncio.open_connection(ADDRESS, world.ports["mail-relay"])
    assert await reader.readline() == b"220 mail-relay ready\r\n"
    writer.close()


async def test_a_stopped_world_leaves_nothing_behind_even_with_visitors_in_every_room(tmp_path: Path) -> None:
    before = open_sockets()
    world = World(SEED, tmp_path)
    await world.start()
    ports = dict(world.ports)
    visitors = [await asyncio.open_connection(ADDRESS, port) for port in ports.values()]
    await world.stop()
    async with asyncio.timeout(5):
        await asyncio.gather(*(reader.read() for reader, _ in visitors), return_exceptions=True)
    for _, writer in visitors:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert_nothing_is_left(tmp_path, ports, before)
    await world.stop()


async def test_a_stop_that_is_cancelled_still_stops_everything(tmp_path: Path) -> None:
    before = open_sockets()
    world = World(SEED, tmp_path)
    await world.start()
    ports = dict(world.ports)
    stopping = asyncio.create_task(world.stop())
    asyncio.get_running_loop().call_soon(stopping.cancel)
    with pytest.raises(asyncio.CancelledError):
        await stopping

    async def alone() -> bool:
        return asyncio.all_tasks() == {asyncio.current_task()}

    await until(alone)
    assert_nothing_is_left(tmp_path, ports, before)


async def test_a_world_that_cannot_start_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError):
        await World(SEED, tmp_path / "missing").start()

    before = open_sockets()
    left = iter(range(9))
    real = servers.bind

    def bind(port: int, *, listening: bool = False) -> socket.socket:
        if next(left, None) is None:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(port, listening=listening)

    monkeypatch.setattr(servers, "bind", bind)
    world = World(SEED, tmp_path)
    with pytest.raises(OSError, match="Too many open files"):
        await world.start()
    assert_nothing_is_left(tmp_path, {}, before)
    assert world.ports == {}


async def test_a_port_that_cannot_be_had_again_is_tried_again(
    world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = world.ports["sessions"]
    real = servers.bind
    refusals: list[int] = []

    def bind(wanted: int, *, listening: bool = False) -> socket.socket:
        if len(refusals) < 2:
            refusals.append(wanted)
            raise OSError(errno.EMFILE, "Too many open files")
        return real(wanted, listening=listening)

    async def refused() -> bool:
        return not anybody_at(port)

    async def answers() -> bool:
        return anybody_at(port)

    clock.at(15)
    await until(refused)
    monkeypatch.setattr(servers, "bind", bind)
    clock.at(70)
    await until(answers)
    assert refusals == [port, port]


def test_a_world_on_its_own_thread_answers_and_ends(tmp_path: Path) -> None:
    before = open_sockets()
    with WorldThread(SEED, tmp_path) as world:
        ports = dict(world.ports)
        assert anybody_at(ports["storefront"])
        assert "demo-world" in {thread.name for thread in threading.enumerate()}
    world.stop()
    assert "demo-world" not in {thread.name for thread in threading.enumerate()}
    assert_nothing_is_left(tmp_path, ports, before)


def test_a_world_thread_that_cannot_start_raises_and_ends(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        WorldThread(SEED, tmp_path / "missing").start()
    assert "demo-world" not in {thread.name for thread in threading.enumerate()}


def test_a_world_thread_that_never_began_can_be_stopped(tmp_path: Path) -> None:
    WorldThread(SEED, tmp_path).stop()
