"""The one part of the demo's world that reports itself: a job that syncs the stock, and falls silent now and then.

It pings as any job would. Where nobody listens yet, or any more, it says nothing and tries again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Self

from psycopg.errors import UndefinedTable

from watchfloor.demo.script import Trouble
from watchfloor.domain.heartbeats import Signal
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.heartbeats import Said, ping
from watchfloor.store.database import Database
from watchfloor.store.errors import is_away

NAME = "stock-sync"
EVERY_S = 3.0
_SILENCE = Trouble(first=(20, 25), lasting=(40, 55), period=200)


def silent(seed: int, t: float) -> bool:
    """Whether the job hangs ``t`` seconds after the start of the world of this seed."""
    return t >= 0 and _SILENCE.covers(f"{seed}/{NAME}", t)


class Reporter:
    """A thread that pings while the job works; use it in a ``with`` statement."""

    def __init__(self, seed: int, dsn: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._seed = seed
        self._dsn = dsn
        self._clock = clock
        self._ending = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._report()), name="demo-job", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    async def _report(self) -> None:
        database, began = Database(self._dsn, name="demo job", size=1), self._clock()
        try:
            while not self._ending.is_set():
                if not silent(self._seed, self._clock() - began):
                    await _run_once(database)
                await asyncio.to_thread(self._ending.wait, EVERY_S)
        finally:
            await database.close()


async def _run_once(database: Database) -> None:
    job = Actor(NAME)
    try:
        await ping(database, job, NAME, Said(Signal.START), "demo")
        await ping(database, job, NAME, Said(body="212 articles, 3 changed"), "demo")
    except Refused:
        return  # the configuration is not in force yet
    except UndefinedTable:
        return  # the tables are not there yet
    except Exception as error:
        if not is_away(error):
            raise
