"""Answers trials: checks of services that somebody is writing just now. Nothing of them is recorded as a result.

A trial is taken by one engine, checked as any service would be there, and answered within its time-out. The trier
must never judge states nor raise alerts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from watchfloor.config.kinds import Kind
from watchfloor.config.problems import ConfigError
from watchfloor.domain.harmless import harmless
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.text import one_line
from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.engine.watches import settings_of
from watchfloor.store import trials

log = logging.getLogger(__name__)

IDLE_S = 2.0
AT_ONCE = 4
OVERTIME_S = 2.0
"""A probe that runs this much longer than its time-out breaks its contract and is stopped."""


class Trier:
    """The trials of one node."""

    def __init__(self, node: Node, probes: Mapping[str, Kind], base_dir: Path) -> None:
        """``base_dir`` is where relative references to files start."""
        self._node = node
        self._probes = probes
        self._base_dir = base_dir
        self._wake = asyncio.Event()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._going: set[asyncio.Task[None]] = set()

    async def look(self) -> None:
        """Somebody may have asked for a trial."""
        self._wake.set()

    async def run(self, beat: Beat) -> None:
        """Answer trials, for ever. Raises when the database is away."""
        try:
            while True:
                beat()
                self._wake.clear()
                if self._room.locked() or not await self._take():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(IDLE_S):
                            await self._wake.wait()
        finally:
            for task in self._going:
                task.cancel()
            await asyncio.gather(*self._going, return_exceptions=True)

    async def _take(self) -> bool:
        async with self._node.database.transaction() as connection:
            taken = await trials.take(connection, self._node.id)
        if taken is None:
            return False
        await self._room.acquire()
        task = asyncio.create_task(self._answer(*taken))
        self._going.add(task)
        task.add_done_callback(self._ended)
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._going.discard(task)
        self._room.release()
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a trial could not be answered: %s: %s", type(error).__name__, error)

    async def _answer(self, trial_id: UUID, kind: str, raw: Mapping[str, Any], timeout_s: float) -> None:
        outcome = harmless(await self._check(kind, raw, timeout_s), kind)
        async with self._node.database.transaction() as connection:
            await trials.answer(connection, trial_id, outcome)
        self._node.pulse.mark("checks")

    async def _check(self, name: str, raw: Mapping[str, Any], timeout_s: float) -> object:
        kind = self._probes.get(name)
        if kind is None:
            return Outcome(Status.UNKNOWN, f"this node has no probe of kind {name}")
        try:
            settings = settings_of(kind, raw, self._base_dir, self._node.settings)
        except ConfigError as error:
            return Outcome(Status.UNKNOWN, one_line(f"this node cannot check it: {error}"))
        try:
            async with asyncio.timeout(timeout_s + OVERTIME_S):
                return await kind.run(settings, timeout_s)
        except TimeoutError:
            return Outcome(Status.UNKNOWN, f"the {name} probe did not end in time and was stopped")
        except Exception as error:
            log.exception("probe %s failed in a trial", name)
            return Outcome(Status.UNKNOWN, f"the {name} probe failed: {type(error).__name__}")
