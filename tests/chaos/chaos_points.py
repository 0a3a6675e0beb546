"""Carries one errand through all its statements, again and again, each time killed at another one of them.

A program of its own that imports everything once and forks for each point. Its input is, line by line, the address of
the database, the errand, the number of the exchange with the server or a place in the code that sends something, and
whether to die before or after it. Each answer is ``killed`` with the place in the code that was at it, or ``done`` with
all places that sent something.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
from chaos_statements import PACKAGE, Sent

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


async def work(settings: NoSettings, attempt: Attempt) -> None:
    """What a job does. The run of one is meanwhile taken from its worker and ended, as if by another node."""
    await attempt.output("stdout", f"attempt {attempt.attempt}\n".encode())
    if attempt.job == "taken":
        with psycopg.connect(DSN.get()) as other:
            other.execute(
                "UPDATE runs SET state = 'cancelled', finished_at = clock_timestamp() WHERE id = %s",
                [attempt.run_id],
            )


DSN: ContextVar[str] = ContextVar("the database that jobs run on")
KINDS = MemoryKinds(Kind("fake", NoSettings, work))


async def fire(dsn: str, database: Database, node: Node) -> None:
    """Fire what is due, let in what waits, run it, book its end with what follows."""
    async with at_work(node) as firer:
        await firer.once()
        await none_are(dsn, "waiting", "ready", "running")


async def promote(dsn: str, database: Database, node: Node) -> None:
    """As `fire`, and in between let in what waits for nothing any more."""
    async with at_work(node) as firer:
        await firer.once()
        await none_are(dsn, "ready", "running")
        await Reaper(node, lambda: None).once()
        await none_are(dsn, "waiting", "ready", "running")


@asynccontextmanager
async def at_work(node: Node) -> AsyncIterator[Firer]:
    """A node that runs what it is given."""
    runner = Runner(node, KINDS, Path.cwd())
    running = asyncio.create_task(runner.run(lambda: None))
    try:
        yield Firer(node, runner)
        await runner.drain(0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def none_are(dsn: str, *states: str) -> None:
    """Wait until no run is in one of these states. Looks on a connection of its own, which nobody is killed at."""
    with psycopg.connect(dsn, autocommit=True) as look:
        while look.execute("SELECT count(*) FROM runs WHERE state = ANY(%s)", [list(states)]).fetchone() != (
            0,
        ):
            await asyncio.sleep(0.005)


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
    "promote": promote,
    "reap": reap,
    "requeue": requeue,
    "escalate": escalate,
    "send": send,
    "take_charge": take_charge,
}


async def carry(dsn: str, errand: str) -> None:
    """Do one errand as a node would."""
    DSN.set(dsn)
    database = Database(dsn, name="point", size=2)
    node = Node(1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS})
    try:
        await ERRANDS[errand](dsn, database, node)
    finally:
        await database.close()


PARTS = {"_enter_gen": "begin", "_exit_gen": "commit"}
HELPERS = PACKAGE / "store/database.py"


def sender(part: str) -> Sent:
    """Where in the program something is being sent from."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE) and path != HELPERS:
            return Sent(str(path.relative_to(PACKAGE)), frame.f_lineno, part)
        frame = frame.f_back
    return Sent("", 0, part)


def die_at(point: str, when: str, tell: Callable[[str], None]) -> set[str]:
    """Have this process killed at an exchange with the server, by its number or by the place in the code it is from,
    and ``tell`` which one it is; returns the places, as far as they have been seen."""
    exchanges, seen = 0, set[str]()
    waited: Callable[..., Awaitable[Any]] = psycopg.AsyncConnection.wait

    async def wait(self: Any, exchange: Any, *args: Any, **values: Any) -> Any:
        nonlocal exchanges
        exchanges += 1
        sent = sender(PARTS.get(exchange.__name__, "statement"))
        mine = point in (str(exchanges), str(sent))
        seen.add(str(sent))
        if mine and when == "before":
            die(sent)
        found = await waited(self, exchange, *args, **values)
        if mine:
            die(sent)
        return found

    def die(sent: Sent) -> None:
        tell(f"killed {sent}")
        os.kill(os.getpid(), signal.SIGKILL)

    psycopg.AsyncConnection.wait = wait  # type: ignore[method-assign, assignment]
    return seen


def main() -> None:
    runner_module.POLL_S = 0.05
    courier_module.POLL_S = 0.05
    for line in sys.stdin:
        dsn, errand, point, when = line.rstrip("\n").rsplit(" ", 3)
        answer, ours = os.pipe()
        child = os.fork()
        if child == 0:
            tell = partial(_tell, ours)
            seen = die_at(point, when, tell)
            asyncio.run(carry(dsn, errand))
            tell(f"done {' '.join(sorted(seen))}")
            os._exit(0)
        os.close(ours)
        os.waitpid(child, 0)
        with os.fdopen(answer) as told:
            print(told.read() or "failed", flush=True)


def _tell(to: int, what: str) -> None:
    os.write(to, what.encode())


if __name__ == "__main__":
    main()
