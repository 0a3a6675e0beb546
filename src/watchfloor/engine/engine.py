"""One engine: prepares its place in the database, runs its loops, drains when asked to stop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from watchfloor.config.kinds import Kinds
from watchfloor.config.model import Configuration
from watchfloor.domain.boards import ComponentRow
from watchfloor.domain.lanes import Serves
from watchfloor.domain.text import one_line
from watchfloor.engine import listener
from watchfloor.engine.ager import Ager
from watchfloor.engine.alive import Alive
from watchfloor.engine.courier import Courier
from watchfloor.engine.escalator import Escalator
from watchfloor.engine.evaluator import Evaluator
from watchfloor.engine.finding import Findings
from watchfloor.engine.firer import Firer
from watchfloor.engine.heart import Heart
from watchfloor.engine.heartbeats import Heartbeats
from watchfloor.engine.housekeeper import Housekeeper
from watchfloor.engine.intake import Intake, LogBuffer
from watchfloor.engine.node import Node
from watchfloor.engine.prober import Prober
from watchfloor.engine.reaper import Reaper
from watchfloor.engine.recorder import Recorder
from watchfloor.engine.registration import NameLock, register
from watchfloor.engine.roller import Roller
from watchfloor.engine.runner import Runner
from watchfloor.engine.sentry import Sentry
from watchfloor.engine.share import Share
from watchfloor.engine.steward import Steward
from watchfloor.engine.supervisor import Component, Supervisor
from watchfloor.engine.trier import Trier
from watchfloor.engine.upkeep import TASKS
from watchfloor.engine.vitals import Vitals
from watchfloor.engine.warden import Warden
from watchfloor.payloads.contract import Grants
from watchfloor.store import nodes, outbox
from watchfloor.store.database import Database
from watchfloor.store.errors import explain, is_away
from watchfloor.store.nodes import Entry
from watchfloor.store.pulse import pulse
from watchfloor.store.schema import ensure_schema

log = logging.getLogger(__name__)

QUEUE = 20_000
DRAIN_S = 10.0
WAIT_S = 1.0
STANDBY_S = 1.0
LAST_PAUSE_S = 0.3

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Plan:
    """What an engine is given. ``standby``: wait while another engine is live instead of sharing its work."""

    dsn: str
    configuration: Configuration
    probes: Kinds
    channels: Kinds
    payloads: Kinds
    buffer: LogBuffer
    standby: bool = False


@dataclass(slots=True)
class Progress:
    """What others may read of an engine from their own thread: plain values, replaced whole."""

    stage: str = "not started"
    error: str = ""
    node_id: int = 0
    services: int = 0
    tick: float = 0.0  # monotonic time at which the loop last turned
    components: tuple[ComponentRow, ...] = ()


class Engine:
    """Runs on one loop, once. A new run is a new engine."""

    def __init__(self, plan: Plan, progress: Progress, ensure_database: Callable[[], None]) -> None:
        """``ensure_database`` revives an embedded server whose keeper is gone; it returns at once otherwise.

        Raises `StoreError` for an address that cannot be read.
        """
        self._plan = plan
        self._progress = progress
        self._ensure_database = ensure_database
        self._database = Database(plan.dsn, name=f"engine {plan.configuration.node.name}", size=8)
        self._stopping = asyncio.Event()
        self._reread = asyncio.Event()

    def stop(self) -> None:
        """Ask for the end; call it on the engine's loop."""
        self._stopping.set()

    def reread_configuration(self) -> None:
        """Read the config file again; call it on the engine's loop."""
        self._reread.set()

    def abandon(self) -> None:
        """Let go of the database after the engine's loop was lost with the engine on it."""
        self._database.abandon()

    async def run(self) -> None:
        """Prepare, run until `stop`, drain. Raises `StoreError` or what made the engine impossible."""
        database = self._database
        lock = NameLock(database)
        ticking = asyncio.create_task(self._tick())
        try:
            prepared = await self._unless_stopped(self._prepare(database, lock))
            if prepared is not None:
                await self._work(*prepared, lock)
        finally:
            ticking.cancel()
            await lock.close()
            await database.close()

    async def _unless_stopped(self, preparing: Coroutine[Any, Any, Answer]) -> Answer | None:
        """What ``preparing`` comes to, None where the end is asked for before that."""
        prepared = asyncio.create_task(preparing)
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({prepared, stop}, return_when=asyncio.FIRST_COMPLETED)
            return prepared.result() if prepared.done() else None
        finally:
            stop.cancel()
            prepared.cancel()
            await asyncio.gather(prepared, stop, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            self._progress.tick = time.monotonic()
            await asyncio.sleep(0.25)

    async def _prepare(self, database: Database, lock: NameLock) -> tuple[Node, Entry]:
        """Everything that must be true before the first check. Waits for ever for a database that is away."""
        while True:
            try:
                await ensure_schema(database)
                await self._wait_for_turn(database)
                node, entry = await register(database, self._plan.configuration.node, lock)
            except Exception as error:
                if not is_away(error):
                    raise
                if self._progress.error != explain(error):
                    log.warning("the engine waits: %s", explain(error))
                self._progress.stage, self._progress.error = "waiting for the database", explain(error)
                self._ensure_database()
                await asyncio.sleep(WAIT_S)
            else:
                self._progress.node_id, self._progress.error = node.id, ""
                return node, entry

    async def _wait_for_turn(self, database: Database) -> None:
        while self._plan.standby:
            async with database.transaction() as connection:
                if not await nodes.live_node_ids(connection):
                    return
            self._progress.stage, self._progress.error = "standby", ""
            await asyncio.sleep(STANDBY_S)

    async def _work(self, node: Node, entry: Entry, lock: NameLock) -> None:
        findings = Findings(QUEUE)
        prober = Prober(node, findings, lambda: cast(int, node.settings["engine.max_concurrent_checks"]))
        recorder = Recorder(node, findings, prober.judged)
        path = self._plan.configuration.path
        base_dir = Path.cwd() if path is None else path.absolute().parent
        share = Share(node, self._plan.probes, base_dir, prober, recorder, Heartbeats(node, recorder))
        recorder.look_at = share.look_at
        steward = Steward(
            node,
            self._plan.configuration,
            self._plan.probes,
            self._plan.channels,
            self._plan.payloads,
            lambda: share.reload(anew=True),
        )
        courier = Courier(node, self._plan.channels, base_dir)
        node.outbox_filled = courier.hint
        me = self._plan.configuration.node
        serves = Serves(frozenset(me.queues), frozenset(me.tags))
        grants = Grants(me.run_as, me.roots)
        runner = Runner(node, self._plan.payloads, base_dir, serves, me.at_once, grants)
        firer = Firer(node, runner)
        vitals = Vitals(node, entry, prober, findings.qsize, lambda: runner.under_way)
        heart = Heart(node, entry, lock, vitals.stats, share.shared_anew)
        try:
            await self._insist(lambda: heart.once("starting"))
            await self._insist(steward.begin)
            await self._insist(lambda: heart.once("running"))
            await self._begin_checks(share)
            self._progress.stage = "running"
            log.info("node %s is running: %d services", node.name, len(recorder.services))
            supervisor = Supervisor(
                node,
                [
                    *self._components(node, heart, prober, recorder, courier, steward, share, runner, firer),
                    Component("vitals", vitals.run),
                ],
            )
            await self._until_stopped(supervisor, steward, recorder)
        except Exception as error:
            await _tell_failure(node, entry, error)
            raise
        else:
            await self._drain(node, entry, heart, prober, recorder, runner)
        finally:
            await runner.abandon()

    async def _insist(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step, again and again while the database is away, unless the end is asked for."""
        while not self._stopping.is_set():
            try:
                await step()
                return
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("the engine waits: %s", explain(error))
                self._ensure_database()
                await asyncio.sleep(WAIT_S)

    async def _begin_checks(self, share: Share) -> None:
        """Take up what is this node's; all else begins beside it. Where that fails, the component tries again."""
        if self._stopping.is_set():
            return
        try:
            await share.reload()
        except Exception as error:
            log.warning("checks begin later: %s", one_line(f"{type(error).__name__}: {error}"))

    def _components(
        self,
        node: Node,
        heart: Heart,
        prober: Prober,
        recorder: Recorder,
        courier: Courier,
        steward: Steward,
        share: Share,
        runner: Runner,
        firer: Firer,
    ) -> list[Component]:
        sentry = Sentry(node, self._plan.configuration.node.sentinels)
        prober.cut_off = sentry.cut_off

        trier = Trier(node, self._plan.probes, share.base_dir)
        escalator = Escalator(node)

        async def checks_asked() -> None:
            await share.take_requests()
            await trier.look()

        async def runs_changed() -> None:
            firer.wake()
            runner.look()

        async def run_ready() -> None:  # nothing else changed: neither schedules nor what goes on
            runner.wake()

        on = {
            "services": share.reload,
            "settings": share.reload,
            "checks": checks_asked,
            "outbox": courier.wake,
            "alerts": escalator.wake,
            "runs": runs_changed,
            "ready": run_ready,
            "pings": share.heartbeats.wake,
            "nodes": heart.look,
        }
        components: list[Component] = []
        alive = Alive(node, lambda: [each.name for each in components], lambda: steward.told_outside)
        components += [
            Component("heart", heart.run),
            Component("prober", prober.run),
            Component("trier", trier.run),
            Component("recorder", recorder.run),
            Component("heartbeats", share.heartbeats.run),
            Component("ager", Ager(node).run),
            Component("warden", Warden(node, recorder).run),
            Component("stalls", prober.stalls.run),
            Component("sentry", sentry.run),
            Component("evaluator", Evaluator(node).run),
            Component("escalator", escalator.run),
            Component("courier", courier.run),
            Component("firer", firer.run),
            Component("runner", runner.run),
            Component("reaper", Reaper(node, runner.wake).run),
            Component("steward", steward.run),
            Component("share", share.run),
            Component("listener", lambda beat: listener.run(node, on, beat)),
            Component("pulse", node.pulse.run),
            Component("intake", Intake(node, self._plan.buffer).run),
            Component("housekeeper", Housekeeper(node, TASKS).run),
            Component("roller", Roller(node).run),
            Component("watchdog", alive.run),
        ]
        return components

    async def _until_stopped(self, supervisor: Supervisor, steward: Steward, recorder: Recorder) -> None:
        running = asyncio.create_task(supervisor.run())
        stop = asyncio.create_task(self._stopping.wait())
        try:
            while not stop.done():
                done, _ = await asyncio.wait(
                    {running, stop}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED
                )
                if running in done:
                    running.result()
                self._progress.components = tuple(supervisor.rows())
                self._progress.services = len(recorder.services)
                self._ensure_database()
                if self._reread.is_set():
                    self._reread.clear()
                    steward.reread()
        finally:
            stop.cancel()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _drain(
        self, node: Node, entry: Entry, heart: Heart, prober: Prober, recorder: Recorder, runner: Runner
    ) -> None:
        """Finish what was begun: results in flight, logs, the node's own row. Does not wait for a database."""
        self._progress.stage = "stopping"
        log.info("node %s is stopping", node.name)
        node.let_go_at = prober.begun()
        prober.assign(())  # before the others hear of it
        leaving = asyncio.create_task(_give_away(node, heart))
        patience = cast(float, node.settings["jobs.drain"])
        await asyncio.gather(prober.drain(DRAIN_S), runner.drain(patience))
        try:
            async with asyncio.timeout(DRAIN_S):
                await leaving
                await _thrice(recorder.flush)
                await _thrice(Intake(node, self._plan.buffer).flush)
                await _thrice(lambda: _leave(node, entry))
        except TimeoutError:
            log.error("the database took too long; the last results may be missing")
        except Exception as error:
            if not is_away(error):
                raise
            log.error("the last results could not be stored: %s", explain(error))
        finally:
            leaving.cancel()
        self._progress.stage = "stopped"


async def _give_away(node: Node, heart: Heart) -> None:
    """Let the other nodes take this one's services over while it finishes; where that fails they do so later."""
    try:
        await heart.once("stopping")
        async with node.database.transaction() as connection:
            await pulse(connection, "nodes")
    except Exception as error:
        reason = explain(error) if is_away(error) else error
        log.warning("the other nodes could not be told of the end: %s", reason)


async def _leave(node: Node, entry: Entry) -> None:
    async with node.database.transaction() as connection:
        await outbox.release(connection, node.id)
        await nodes.leave(connection, entry)
        await pulse(connection, "nodes", "health", "outbox")


async def _thrice(step: Callable[[], Awaitable[object]]) -> None:
    """Take a last step. A connection may have been cut under the one before; a database that is away shows thrice."""
    for _ in range(2):
        try:
            await step()
            return
        except Exception as error:
            if not is_away(error):
                raise
            await asyncio.sleep(LAST_PAUSE_S)
    await step()


async def _tell_failure(node: Node, entry: Entry, error: Exception) -> None:
    """Leave the reason where people look for it, if that can be."""
    try:
        async with asyncio.timeout(DRAIN_S), node.database.transaction() as connection:
            await nodes.leave(connection, entry, one_line(f"{type(error).__name__}: {error}", 500))
    except Exception as trouble:
        reason = explain(trouble) if is_away(trouble) else trouble
        log.warning("the end of this engine could not be booked: %s", reason)
