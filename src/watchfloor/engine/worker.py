"""One life of this node as a worker: its lease, renewed from a thread of its own, and the leash of what it runs.

A thread with its own connection, because a loop that is busy must not look dead; and it beats only for a loop that
turns, because one that is stuck must not look alive. Trust ends well before the lease, so that everything this
worker started is dead by the time another may begin it again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from pathlib import Path

import psycopg

from watchfloor.domain.lanes import Serves
from watchfloor.payloads.leash import Leash, moment
from watchfloor.payloads.leftovers import born
from watchfloor.store import workers
from watchfloor.store.database import Database
from watchfloor.store.workers import BEAT, EVERYTHING, LEASE_S

log = logging.getLogger(__name__)

BEAT_S = 3.0
MARGIN_S = 3.0
"""Trust ends so long before the lease: time for keepers to end what they keep."""

LOOP_SILENT_S = 5.0
RETRY_S = 0.5


def process_place() -> tuple[str, str]:
    """Where this process runs (boot and process namespace of a machine) and when it was born; empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}", born(os.getpid())
    except OSError:
        return "", ""


class Worker:
    """A registered worker, until it ends or is lost."""

    def __init__(self, worker_id: int, conninfo: str, asked: float) -> None:
        """``asked`` is the moment before its registration."""
        self.id = worker_id
        self.leash = Leash(asked + LEASE_S - MARGIN_S)
        self.lost = False
        self._conninfo = conninfo
        self._tick = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"worker {worker_id}", daemon=True)
        self._thread.start()

    @classmethod
    async def register(
        cls, database: Database, node_id: int, serves: Serves = EVERYTHING, at_once: int | None = None
    ) -> Worker:
        """A new worker. Raises when the database is away."""
        place, birth = process_place()
        asked = moment()
        async with database.transaction() as connection:
            worker_id = await workers.register(
                connection, node_id, place, os.getpid(), birth, serves, at_once
            )
        return cls(worker_id, database.conninfo, asked)

    def tick(self) -> None:
        """The loop turns."""
        self._tick = time.monotonic()

    def end(self) -> None:
        """Beat no more; what still runs is trusted no longer."""
        self._stop.set()
        self.leash.extend(moment())

    def _run(self) -> None:
        try:
            self._beat_on()
        except Exception as error:  # a thread ends without a word, and nobody else beats
            self._lose(f"its heart failed with {type(error).__name__}: {error}")

    def _beat_on(self) -> None:
        connection: psycopg.Connection | None = None
        while not self._stop.is_set() and not self.lost:
            silent = time.monotonic() - self._tick
            if silent > LEASE_S:
                self._lose("its loop does not turn any more")
            elif silent > LOOP_SILENT_S:
                self._stop.wait(RETRY_S)
            else:
                connection = self._beat(connection)
        if connection is not None:
            connection.close()

    def _beat(self, connection: psycopg.Connection | None) -> psycopg.Connection | None:
        """One beat and the pause after it; returns the connection where it is good."""
        try:
            if connection is None:
                connection = psycopg.connect(self._conninfo, autocommit=True, connect_timeout=3)
            asked = moment()
            found = connection.execute(BEAT, (self.id,)).fetchone()
        except psycopg.Error as error:
            log.debug("worker %d cannot beat: %s", self.id, error)
            if connection is not None:
                with contextlib.suppress(psycopg.Error):
                    connection.close()
            self._stop.wait(RETRY_S)
            return None
        if found is None and not self._stop.is_set():
            self._lose("it was declared dead")
        elif not self._stop.is_set():
            self.leash.extend(asked + LEASE_S - MARGIN_S)
            self._stop.wait(BEAT_S)
        return connection

    def _lose(self, why: str) -> None:
        log.error("worker %d is lost: %s; everything it ran is ended", self.id, why)
        self.lost = True
        self.leash.extend(moment())
