"""How soon an acknowledgement is seen by somebody else: one operator acknowledges, a second reader sees it.

The writer does what the console and the command line do: one operation, one transaction. The reader is another
process with the reading side of a console: it hears the pulse and reads the active alerts. The clock runs from the
call of the operation to the moment at which the reader holds a board that shows it. An engine checks 1,000 services
every 5 s on the same database meanwhile.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing.connection import Connection

from processes import Served, dsn, services_yaml
from support import Report, percentile, run, temporary_ground, until
from target import Target
from watchfloor.cli.desk import Desk
from watchfloor.operations.actor import Actor
from watchfloor.store.database import Database

SERVICES = 1_000
FAILING = 50
BUDGET_MS = 100.0


def measure(report: Report, quick: bool) -> None:
    """Acknowledge and take back, again and again."""
    rounds = 60 if quick else 500
    with Target() as target, temporary_ground() as ground:
        target.fail(range(FAILING))
        config = services_yaml(map(target.url, range(SERVICES)), "5s", attempts=1)
        with Served(ground, config) as served:
            served.ready()
            with served.connect() as connection:

                def firing() -> Sequence[int]:
                    return [
                        row[0] for row in connection.execute("SELECT id FROM alerts WHERE state = 'firing'")
                    ]

                until(lambda: len(firing()) >= FAILING, 60, f"{FAILING} alerts")
                ids = firing()
            address = dsn(served.data_dir)
            ours, theirs = multiprocessing.get_context("spawn").Pipe()
            reader = multiprocessing.get_context("spawn").Process(
                target=_read, args=(address, theirs), daemon=True
            )
            reader.start()
            ours.recv()  # it listens
            seen = asyncio.run(_write(address, ids, rounds, ours))
            ours.send(None)
            reader.join(10)
    report.note(
        f"{rounds} operations on {FAILING} alerts, beside an engine with {SERVICES:,} services every 5 s"
    )
    report.add("acknowledgement to second reader, p50", "ms", [percentile(seen, 0.5)])
    report.add("acknowledgement to second reader, p99", "ms", [percentile(seen, 0.99)], BUDGET_MS)


async def _write(address: str, ids: Sequence[int], rounds: int, reader: Connection) -> list[float]:
    """Milliseconds from the call of each operation to the reader's sight of it."""
    database = Database(address, name="bench writer", size=1)

    async def connect() -> Database:
        return database

    desk = Desk(connect, lambda: "bench", Actor("bench"))
    seen = []
    chance = random.Random(1)
    acknowledged: set[int] = set()
    for number in range(rounds):
        alert = ids[number % len(ids)]
        called = time.monotonic()
        if alert in acknowledged:
            acknowledged.remove(alert)
            await desk.unacknowledge([alert])
        else:
            acknowledged.add(alert)
            await desk.acknowledge([alert], "on it", timedelta(hours=1))
        reader.send((alert, alert in acknowledged))
        if not await asyncio.to_thread(reader.poll, 10):
            break
        seen.append((reader.recv() - called) * 1000)
        await asyncio.sleep(chance.uniform(0.01, 0.06))
    await database.close()
    return seen


def _read(address: str, writer: Connection) -> None:
    """The reader's process: says when it saw what the writer did."""
    asyncio.run(_follow(address, writer))


async def _follow(address: str, writer: Connection) -> None:
    database = Database(address, name="bench reader", size=1)

    async def connect() -> Database:
        return database

    desk = Desk(connect, lambda: "bench", Actor("bench"))
    board: dict[int, tuple[bool, float]] = {}  # alert: acknowledged, since when we know
    changed = asyncio.Event()

    async def keep_up() -> None:
        async for topics in desk.pulses():
            if "alerts" not in topics:
                continue
            rows = await desk.alerts(resolved=False)
            now = time.monotonic()
            for row in rows:
                known = board.get(row.id)
                if known is None or known[0] != (row.state == "acknowledged"):
                    board[row.id] = (row.state == "acknowledged", now)
            changed.set()

    keeping_up = asyncio.create_task(keep_up())
    await changed.wait()
    writer.send("listening")
    while (asked := await asyncio.to_thread(writer.recv)) is not None:
        alert, acknowledged = asked
        while board.get(alert, (None, 0.0))[0] is not acknowledged:
            changed.clear()
            await changed.wait()
        writer.send(board[alert][1])
    keeping_up.cancel()
    await database.close()


if __name__ == "__main__":
    run(measure, "Acknowledgement seen by a second reader", __doc__)
