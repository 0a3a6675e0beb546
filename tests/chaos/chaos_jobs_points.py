"""Carries one fire through all its statements, again and again, each time killed at another one of them.

A program of its own that imports everything once and forks for each point. Its input is the address of the database
and, line by line, a point: the number of the exchange with the server, and whether to die before or after it. Each
answer is ``killed`` or ``done``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg

from support.engines import MemoryKinds, NoSettings
from watchfloor.config.kinds import Kind
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import runner as runner_module
from watchfloor.engine.firer import Firer
from watchfloor.engine.node import Node
from watchfloor.engine.runner import Runner
from watchfloor.payloads.contract import Attempt
from watchfloor.store.database import Database
from watchfloor.store.pulse import Pulse

ENDED = "SELECT count(*) FROM runs WHERE state IN ('succeeded', 'dead')"


async def work(settings: NoSettings, attempt: Attempt) -> None:
    await attempt.output("stdout", f"attempt {attempt.attempt}\n".encode())


KINDS = MemoryKinds(Kind("fake", NoSettings, work))


async def carry(dsn: str) -> None:
    """Fire what is due, run it, book its end."""
    database = Database(dsn, name="point", size=1)
    node = Node(1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS})
    runner = Runner(node, KINDS, Path.cwd())
    await Firer(node, runner.wake).once()
    running = asyncio.create_task(runner.run(lambda: None))
    try:
        with psycopg.connect(dsn, autocommit=True) as look:
            while look.execute(ENDED).fetchone() == (0,):
                await asyncio.sleep(0.005)
        await runner.drain(0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await database.close()


def die_at(point: int, when: str) -> None:
    """Have this process killed at its ``point``-th exchange with the server."""
    exchanges = 0
    waited: Callable[..., Awaitable[Any]] = psycopg.AsyncConnection.wait

    async def wait(self: Any, *args: Any, **values: Any) -> Any:
        nonlocal exchanges
        exchanges += 1
        mine = exchanges == point
        if mine and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        found = await waited(self, *args, **values)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    psycopg.AsyncConnection.wait = wait  # type: ignore[method-assign, assignment]


def main() -> None:
    runner_module.POLL_S = 0.05
    for line in sys.stdin:
        dsn, point, when = line.rstrip("\n").rsplit(" ", 2)
        child = os.fork()
        if child == 0:
            die_at(int(point), when)
            asyncio.run(carry(dsn))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else "done", flush=True)


if __name__ == "__main__":
    main()
