"""Keeps the configuration in force: reads the file when it changes, applies what is good, reports what is not.

A bad file changes nothing: the one in force stays, its mistakes go to every screen. Checks go on while a file is
applied, and those whose rhythm did not change keep it. So it is at a start, where this node had the very same file in
force: checks begin with what the database holds, and the file is applied beside them.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from watchfloor.config.kinds import Kinds
from watchfloor.config.loader import load
from watchfloor.config.model import Configuration
from watchfloor.config.problems import render
from watchfloor.config.watch import ConfigWatch
from watchfloor.domain.alert import SYSTEM
from watchfloor.engine import definitions
from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.retiring import end_services
from watchfloor.store import audit
from watchfloor.store.channels import try_soon
from watchfloor.store.database import Connection
from watchfloor.store.duty import apply_oncall
from watchfloor.store.health import clock
from watchfloor.store.jobs import apply_jobs
from watchfloor.store.maintenance import apply_windows
from watchfloor.store.nodes import config_file, save_config_file, tags_of_nodes
from watchfloor.store.objectives import apply_objectives
from watchfloor.store.pauses import book_pauses
from watchfloor.store.policy import apply_routing
from watchfloor.store.pulse import pulse
from watchfloor.store.reactions import apply_reactions
from watchfloor.store.rules import apply_channels, apply_rules
from watchfloor.store.services import apply_definitions, file_in_force, lock_definitions

log = logging.getLogger(__name__)

LOOK_S = 1.0
NAMES_AUDITED = 200

Answer = TypeVar("Answer")


class Steward:
    """The configuration of one node."""

    def __init__(
        self,
        node: Node,
        configuration: Configuration,
        probes: Kinds,
        channels: Kinds,
        payloads: Kinds,
        applied: Callable[[], Awaitable[None]],
    ) -> None:
        """``configuration`` is valid; ``applied`` hears that new definitions are in the database."""
        self._node = node
        self._configuration = configuration
        self._probes = probes.models
        self._channels = channels.models
        self._payloads = payloads.models
        self._applied = applied
        self._due = asyncio.Event()  # stays set until a reading went all the way through
        self._made_sure = False  # that the database holds what the file says, since this node started
        path, files, digest = configuration.path, configuration.files, configuration.digest
        self._watch = None if path is None else ConfigWatch(path, files, digest)

    @property
    def base_dir(self) -> Path:
        """Where relative ``${file:…}`` references start."""
        path = self._configuration.path
        return Path.cwd() if path is None else path.parent

    @property
    def told_outside(self) -> bool:
        """Whether somebody outside is told every minute that all is well."""
        return self._configuration.watchdog is not None

    @property
    def _file(self) -> tuple[str, str]:
        """The file whose word counts here, and the digest of what it says."""
        return str(self._configuration.path or ""), self._configuration.digest

    def reread(self) -> None:
        """Read the file again now, changed or not."""
        self._due.set()

    async def begin(self) -> None:
        """See that something is in force: what the database holds will do, where it got it from this file."""
        async with self._node.database.connection() as connection:
            before = await config_file(connection, self._node.id)
        if before != self._file:
            await self._apply()

    async def run(self, beat: Beat) -> None:
        """Follow the file for ever. Raises when the database is away; the next run goes on where this one ended."""
        while True:
            beat()
            path, watch = self._configuration.path, self._watch
            if path is not None and watch is not None:
                if watch.changed():
                    self._due.set()
                if self._due.is_set():
                    await self._read(path, watch, beat)
                    self._due.clear()
            if not self._made_sure:
                await _beating(self._apply(), beat)
            await asyncio.sleep(LOOK_S)

    async def _read(self, path: Path, watch: ConfigWatch, beat: Beat) -> None:
        # In a thread of its own: twenty thousand services take longer than a loop may be silent.
        reading = partial(load, path, self._probes, self._channels, os.environ, payload_kinds=self._payloads)
        loaded = await _beating(asyncio.to_thread(reading), beat)
        watch.follow(loaded.files)
        problems = render(loaded.problems)
        if loaded.configuration is None:
            log.error("%s has %d mistakes; what was in force stays: %s", path, len(problems), problems[0])
            async with self._node.database.transaction() as connection:
                await save_config_file(connection, self._node.id, *self._file, problems, applied=False)
                await pulse(connection, "settings", "nodes", "health")
            return
        self._configuration = loaded.configuration
        await _beating(self._apply(), beat)
        await self._applied()

    async def _apply(self) -> None:
        """Put the configuration into force, in one transaction.

        The built-in one takes nothing from a file: it applies only where none has a word.
        """
        async with self._node.database.transaction() as connection:
            await lock_definitions(connection)
            built_in = self._configuration.path is None
            if built_in and await file_in_force(connection):
                log.info("this node has no config file; what another node's file defined stays in force")
            else:
                await self._define(connection, built_in)
            await save_config_file(connection, self._node.id, *self._file, (), applied=True)
            await pulse(
                connection, "services", "settings", "nodes", "health", "alerts", "outbox", "jobs", "runs"
            )
        self._made_sure = True

    async def _warn_of_tags(self, connection: Connection) -> None:
        """Say which services no node may check; a node that has the tags may come yet, so it is no mistake."""
        known = await tags_of_nodes(connection) | set(self._configuration.node.tags)
        for service in self._configuration.services:
            unknown = [tag for tag in service.on_nodes if tag not in known]
            if unknown:
                log.warning(
                    "%s: service %s asks for nodes with the tags %s, which no node has; known ones: %s",
                    definitions.origin(self._configuration, service.line),
                    service.name,
                    ", ".join(unknown),
                    ", ".join(sorted(known)) or "none",
                )

    async def _define(self, connection: Connection, built_in: bool) -> None:
        configuration = self._configuration
        changed, retired = await apply_definitions(
            connection, definitions.services(configuration), built_in=built_in
        )
        await self._warn_of_tags(connection)
        await apply_channels(connection, definitions.channels(configuration))
        await try_soon(connection)
        now = await clock(connection)
        await book_pauses(connection, changed, now)
        jobs_changed, jobs_retired = (
            ([], [])
            if built_in
            else await apply_jobs(connection, definitions.jobs(configuration), now, configuration.calendars)
        )
        told = [channel.name for channel in configuration.channels if channel.enabled]
        await apply_rules(connection, definitions.rules(configuration), told)
        await apply_objectives(connection, definitions.objectives(configuration))
        if not built_in:
            await apply_windows(connection, definitions.windows(configuration))
        await apply_routing(connection, configuration.routes, configuration.inhibitions)
        await apply_oncall(connection, configuration.oncall)
        await apply_reactions(connection, configuration.reactions)
        if retired:
            await end_services(connection, retired, now)
        if changed or retired or jobs_changed or jobs_retired:
            after = {"changed": changed[:NAMES_AUDITED], "retired": retired[:NAMES_AUDITED]}
            if jobs_changed or jobs_retired:
                after |= {"jobs": jobs_changed[:NAMES_AUDITED], "jobs_retired": jobs_retired[:NAMES_AUDITED]}
            path = str(configuration.path or definitions.BUILT_IN)
            await audit.record(connection, [audit.Line(SYSTEM, "apply", "config", path, None, after)])
        log.info("configuration applied: %d services changed, %d retired", len(changed), len(retired))


async def _beating(work: Coroutine[Any, Any, Answer], beat: Beat) -> Answer:
    """Do something that may take long, such as wait for another node that applies its file, and be seen to live."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=LOOK_S))[0]:
            beat()
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
