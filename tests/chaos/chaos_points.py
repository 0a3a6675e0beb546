"""Carries one errand through all its statements, again and again, each time killed at another one of them.

A program of its own that imports everything once and forks for each point. Its input is, line by line, the address of
the database, the errand, the number of the exchange with the server, and whether to die before or after it. Each answer
is ``killed`` or ``done``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from support.engines import MemoryKinds, NoSettings
from support.floor import Floor
from support.make import EPOCH
from watchfloor.channels import webhook
from watchfloor.config.kinds import Kind
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import courier as courier_module
from watchfloor.engine import runner as runner_module
from watchfloor.engine.courier import Courier
from watchfloor.engine.firer import Firer
from watchfloor.engine.node import Node
from watchfloor.engine.reaper import Reaper
from watchfloor.engine.runner import Runner
from watchfloor.operations.actor import Actor
from watchfloor.operations.alerts import acknowledge
from watchfloor.operations.dead_letters import requeue_many
from watchfloor.operations.escalating import take_steps
from watchfloor.payloads.contract import Attempt
from watchfloor.store.database import Database
from watchfloor.store.dead_letters import Selection
from watchfloor.store.pulse import Pulse

OPEN = "SELECT count(*) FROM runs WHERE state IN ('waiting', 'ready', 'running')"


async def work(settings: NoSettings, attempt: Attempt) -> None:
    await attempt.output("stdout", f"attempt {attempt.attempt}\n".encode())


KINDS = MemoryKinds(Kind("fake", NoSettings, work))


async def fire(dsn: str, database: Database, node: Node) -> None:
    """Fire what is due, let in what waits, run it, book its end with what follows."""
    runner = Runner(node, KINDS, Path.cwd())
    firer = Firer(node, runner)
    running = asyncio.create_task(runner.run(lambda: None))
    try:
        with psycopg.connect(dsn, autocommit=True) as look:
            await firer.once()
            while look.execute(OPEN).fetchone() != (0,):
                await asyncio.sleep(0.005)
        await runner.drain(0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def reap(dsn: str, database: Database, node: Node) -> None:
    """Bury a worker and take its runs over."""
    await Reaper(node, lambda: None).once()


async def requeue(dsn: str, database: Database, node: Node) -> None:
    """Run every dead letter once more."""
    await requeue_many(database, Actor("ann"), Selection(), rate=1000.0)


UNSENT = "SELECT count(*) FROM outbox WHERE state IN ('queued', 'leased')"
WEBHOOKS = MemoryKinds(Kind("webhook", webhook.Settings, webhook.deliver, webhook.render))
ALERTS = ("a", "b")


async def escalate(dsn: str, database: Database, node: Node) -> None:
    """Let alerts fire, if none has, and take every step of their chains when it is due, by a simulated clock."""
    floor = Floor(database, EPOCH)
    if await floor.ids(*ALERTS) == []:
        await floor.fire(*ALERTS)
    await steps(database)


async def steps(database: Database) -> None:
    """Take what is left of all chains."""
    at = EPOCH
    while True:
        _, coming = await take_steps(database, at)
        if coming is None:
            return
        at = max(at, coming)


async def send(dsn: str, database: Database, node: Node) -> None:
    """Deliver what is queued."""
    running = asyncio.create_task(Courier(node, WEBHOOKS, Path.cwd()).run(lambda: None))
    try:
        with psycopg.connect(dsn, autocommit=True) as look:
            while look.execute(UNSENT).fetchone() != (0,):
                await asyncio.sleep(0.005)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def take_charge(dsn: str, database: Database, node: Node) -> None:
    """Acknowledge what fires in the middle of its chain, and go on with what is left of it."""
    await take_steps(database, EPOCH + timedelta(minutes=5))
    ids = await Floor(database, EPOCH).ids(*ALERTS)
    await acknowledge(database, Actor("ann"), ids, "on it", None)
    await steps(database)


ERRANDS = {
    "fire": fire,
    "reap": reap,
    "requeue": requeue,
    "escalate": escalate,
    "send": send,
    "take_charge": take_charge,
}


async def carry(dsn: str, errand: str) -> None:
    """Do one errand as a node would."""
    database = Database(dsn, name="point", size=2)
    node = Node(1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS})
    try:
        await ERRANDS[errand](dsn, database, node)
    finally:
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
    courier_module.POLL_S = 0.05
    for line in sys.stdin:
        dsn, errand, point, when = line.rstrip("\n").rsplit(" ", 3)
        child = os.fork()
        if child == 0:
            die_at(int(point), when)
            asyncio.run(carry(dsn, errand))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else "done", flush=True)


if __name__ == "__main__":
    main()
