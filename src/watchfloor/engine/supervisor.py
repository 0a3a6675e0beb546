"""Runs every loop of the engine, restarts what fails or hangs, and reports how each is doing.

A component is an endless coroutine that calls its ``beat`` at least every few seconds. The supervisor overwrites
one row per component in ``component_health`` and never lets a failure pass without a log line and a count.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watchfloor.domain.boards import ComponentRow
from watchfloor.domain.component import LOOP
from watchfloor.domain.text import one_line
from watchfloor.engine.node import Node
from watchfloor.operations.components import report
from watchfloor.store.errors import StoreError, explain, is_away

log = logging.getLogger(__name__)

Beat = Callable[[], None]

REPORT_EVERY_S = 2.0
WATCH_EVERY_S = 1.0
TOLERANCE_S = 8.0
"""Seconds without a beat after which a component counts as stuck and is restarted."""

ANSWER_S = 2.0
"""A database that takes longer to say anything is away, and whoever is silent may be waiting for it."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
AWAY_PAUSE_S = 1.0
HEALTHY_AFTER_S = 30.0
PATIENCE = 2
"""A component may fail this often in a row without an alert: one hiccup is not a fault."""


@dataclass(slots=True)
class Component:
    """A loop and what is known of it."""

    name: str
    run: Callable[[Beat], Awaitable[None]]
    state: str = "running"
    since: datetime | None = None
    beat_at: float = field(default_factory=time.monotonic)
    started_at: float = field(default_factory=time.monotonic)
    failures: int = 0  # in a row, without `HEALTHY_AFTER_S` of health in between
    restarts: int = 0
    last_error: str = ""
    task: asyncio.Task[None] | None = None

    def beat(self) -> None:
        """The loop is alive."""
        self.beat_at = time.monotonic()

    @property
    def healthy(self) -> bool:
        """It has been running for long enough to forget what was before."""
        return self.state == "running" and time.monotonic() - self.started_at > HEALTHY_AFTER_S

    @property
    def failing(self) -> bool:
        """Somebody should look at it."""
        return self.failures > PATIENCE and not self.healthy


class Supervisor:
    """Keeps the components of one node running until it is cancelled."""

    def __init__(self, node: Node, components: list[Component]) -> None:
        self._node = node
        self._components = components
        self._report_now = asyncio.Event()
        self._since = node.clock.now()
        self._excused_at = 0.0  # when the database was last seen not to answer

    async def run(self) -> None:
        """Run every component for ever."""
        async with asyncio.TaskGroup() as group:
            for component in self._components:
                group.create_task(self._keep(component), name=f"keep {component.name}")
            group.create_task(self._watch(), name="watch components")
            group.create_task(self._report(), name="report components")

    async def _keep(self, component: Component) -> None:
        while True:
            self._enter(component, "running")
            component.beat()
            component.started_at = time.monotonic()
            component.task = asyncio.ensure_future(_as_coroutine(component))
            try:
                await asyncio.shield(component.task)
                reason = "ended without being asked to"
            except asyncio.CancelledError:
                if _being_cancelled():  # and not only the component
                    component.task.cancel()
                    await asyncio.gather(component.task, return_exceptions=True)
                    raise
                reason = component.last_error
            except StoreError:
                raise  # this engine is not wanted here
            except Exception as error:
                if is_away(error):
                    await self._wait(component, one_line(explain(error)))
                    continue
                reason = f"{type(error).__name__}: {error}"
                log.exception("component %s failed", component.name)
            await self._pause(component, one_line(reason))

    async def _wait(self, component: Component, reason: str) -> None:
        """The database is away, which is no fault of the component: try again soon, for ever."""
        if component.last_error != reason:
            log.warning("component %s waits: %s", component.name, reason)
        component.last_error = reason
        self._enter(component, "restarting")
        await asyncio.sleep(AWAY_PAUSE_S)

    async def _pause(self, component: Component, reason: str) -> None:
        if time.monotonic() - component.started_at > HEALTHY_AFTER_S and component.state != "stuck":
            component.failures = 0
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**component.failures)
        component.failures += 1
        component.restarts += 1
        component.last_error = reason
        self._node.count("component_restarts")
        self._enter(component, "restarting")
        await asyncio.sleep(pause)

    def _enter(self, component: Component, state: str) -> None:
        if component.state != state or component.since is None:
            component.state, component.since = state, self._node.clock.now()
            self._report_now.set()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            silent = [component for component in self._components if self._is_silent(component)]
            if not silent:
                continue
            if not await self._node.database.answers(ANSWER_S):
                self._excused_at = time.monotonic()
                continue
            for component in silent:
                if self._is_silent(component):
                    self._restart(component)

    def _is_silent(self, component: Component) -> bool:
        """Whether it gave no sign of life for too long, although the database would have answered it."""
        silent = time.monotonic() - max(component.beat_at, self._excused_at)
        return component.state == "running" and component.task is not None and silent > TOLERANCE_S

    def _restart(self, component: Component) -> None:
        silent = time.monotonic() - component.beat_at
        component.last_error = f"no sign of life for {silent:.0f} s"
        log.error("component %s is stuck: %s; restarting it", component.name, component.last_error)
        self._enter(component, "stuck")
        component.failures = max(component.failures, PATIENCE + 1)  # no hiccup: told at once
        if component.task is not None:
            component.task.cancel()

    async def _report(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REPORT_EVERY_S):
                    await self._report_now.wait()
            self._report_now.clear()
            try:
                changed = await self._store()
            except Exception as error:
                if not is_away(error):
                    log.exception("the health of components could not be stored")
                await asyncio.sleep(REPORT_EVERY_S)
                continue
            if changed:
                self._node.pulse.mark("nodes", "alerts", "outbox")

    async def _store(self) -> bool:
        failing = [component.name for component in self._components if component.failing]
        node = self._node
        async with node.database.transaction() as connection:
            return await report(connection, self.rows(), node.name, node.clock.now(), failing)

    def rows(self) -> list[ComponentRow]:
        """The health of every component now; whoever reads this sees that the loop itself turns."""
        now, mono = self._node.clock.now(), time.monotonic()
        loop = ComponentRow(self._node.id, self._node.name, LOOP, "running", now, self._since, 0, "")
        return [loop] + [
            ComponentRow(
                node_id=self._node.id,
                node=self._node.name,
                component=component.name,
                state=component.state,
                beat_at=now - timedelta(seconds=mono - component.beat_at),
                since=component.since or now,
                restarts=component.restarts,
                last_error=component.last_error,
            )
            for component in self._components
        ]


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _as_coroutine(component: Component) -> None:
    await component.run(component.beat)
