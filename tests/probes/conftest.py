"""What the tests of probes share: event loops of both makes, servers, an authority, a PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest
import uvloop
from probe_certificates import Authority
from probe_servers import Run, Servers


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run coroutines on one event loop; the test is repeated for each make. Unhandled errors fail the test."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
    unhandled: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: unhandled.append(context))

        async def shield(awaitable: Awaitable[Any]) -> Any:
            return await awaitable

        yield lambda awaitable: runner.run(shield(awaitable))
    assert unhandled == []


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers on a thread of their own."""
    started = Servers()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that signs certificates for the tests."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def postgres_dsn() -> str:
    """The address of a real PostgreSQL that lets us in."""
    host, port = "127.0.0.1", 5432
    try:
        socket.create_connection((host, port), 2).close()
    except OSError as error:
        reason = f"no PostgreSQL at {host}:{port} ({error}); start one that trusts the user postgres there"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return f"postgresql://postgres@{host}:{port}/postgres"
