"""The world of ``watchfloor demo``: its servers, running, and the configuration that watches them.

You are the operator of a small shop on the web. Twenty-one services in four groups stand on the board: the
shop, the accounts, the back office and the platform below them, with this machine and Watchfloor's own
database. The servers are real and answer on 127.0.0.1; `watchfloor.demo.script` tells what befalls them.

A world must leave nothing behind: when it has stopped, or was cancelled at any moment of its life, its ports
are closed and its files are gone. It knows neither the engine nor the console, and shares no loop with them.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from watchfloor.demo import cast, services
from watchfloor.demo.script import Behaviour, fault
from watchfloor.demo.servers import Server

STAGE_INTERVAL = 0.25
"""Seconds between two looks at the script for servers that should appear or vanish."""


class World:
    """The servers of one seed, on the loop that starts them.

    ``directory`` must exist; the world keeps one file there, the certificate of its authority. ``clock``
    gives seconds from any beginning; the script begins at `start`.
    """

    def __init__(self, seed: int, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._seed = seed
        self._directory = directory
        self._authority = directory / "demo-authority.pem"
        self._clock = clock
        self._began = 0.0
        self._servers: Mapping[str, Server] = {}
        self._stage: asyncio.Task[None] | None = None

    @property
    def ports(self) -> Mapping[str, int]:
        """The port of every server, by name; empty while the world does not run."""
        return {name: server.port for name, server in self._servers.items()}

    async def start(self) -> None:
        """Open every server and begin the script.

        Raises OSError when ports or files cannot be had; nothing is left open then, nor when cancelled.
        """
        try:
            self._open()
        except BaseException:
            await self.stop()
            raise
        self._stage = asyncio.create_task(self._follow_script())

    async def stop(self) -> None:
        """Close every port, end every connection, delete the file. Harmless when there is nothing to stop."""
        servers, self._servers = self._servers, {}
        ending = set().union(*(server.close() for server in servers.values()))
        if self._stage is not None:
            self._stage.cancel()
            ending.add(self._stage)
            self._stage = None
        self._authority.unlink(missing_ok=True)
        await asyncio.gather(*ending, return_exceptions=True)

    def config_text(self) -> str:
        """A whole ``config.yaml`` that watches this world, this machine and the demo's own database.

        The database's address is not in it: the configuration expects it in ``WATCHFLOOR_DEMO_DSN``. Raises
        RuntimeError while the world does not run.
        """
        if not self._servers:
            raise RuntimeError("the world does not run, so there is nothing to watch yet")
        return services.config_text(self.ports, self._authority)

    def _open(self) -> None:
        pem, self._servers = cast.servers(self._behave_as, datetime.now(UTC), self._directory)
        self._authority.write_bytes(pem)
        self._began = self._clock()
        for server in self._servers.values():
            server.open()

    def _behave_as(self, name: str) -> Callable[[], Behaviour]:
        return lambda: fault(self._seed, name, self._clock() - self._began)

    async def _follow_script(self) -> None:
        while True:
            await asyncio.sleep(STAGE_INTERVAL)
            for server in self._servers.values():
                # Listening fails while the process has no file descriptor left; the next look tries again.
                with suppress(OSError):
                    server.follow()


class WorldThread:
    """A `World` on a thread and a loop of its own, so that neither engine nor console waits for it.

    Use it in a ``with`` statement, or `start` and `stop` it. It cannot be started twice.
    """

    def __init__(self, seed: int, directory: Path) -> None:
        self._world = World(seed, directory)
        self._started: Future[None] = Future()
        self._ending: Future[None] = Future()
        # A daemon: a program that fails without a word to its world must still be able to exit.
        self._thread = threading.Thread(target=self._run, name="demo-world", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Return when every server is open. Raises what `World.start` raises; nothing is left open then."""
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Return when nothing of the world is left. Harmless when it has not begun, or has ended before."""
        if not self._ending.done():
            self._ending.set_result(None)
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def ports(self) -> Mapping[str, int]:
        """As `World.ports`."""
        return self._world.ports

    def config_text(self) -> str:
        """As `World.config_text`."""
        return self._world.config_text()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        try:
            await self._world.start()
        except Exception as reason:
            self._started.set_exception(reason)
            return
        self._started.set_result(None)
        try:
            await asyncio.wrap_future(self._ending)
        finally:
            await self._world.stop()
