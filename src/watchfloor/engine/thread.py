"""The engine's own thread and loop, restarted when the loop dies, watched from outside the loop.

Whoever owns the terminal may freeze for minutes; nothing here ever waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from watchfloor.engine.engine import Engine, Plan, Progress
from watchfloor.engine.watchdog import report_silence
from watchfloor.store.errors import StoreError, explain, is_away

log = logging.getLogger(__name__)

SILENT_S = 5.0
LONGEST_PAUSE_S = 30.0
CLEAN_UP_S = 5.0


def new_loop() -> asyncio.AbstractEventLoop:
    """A fast loop where uvloop is installed, else asyncio's own."""
    with contextlib.suppress(ImportError):
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    return asyncio.new_event_loop()


class EngineThread:
    """Runs engines one after another until told to stop."""

    def __init__(self, plan: Plan, ensure_database: Callable[[], None] = lambda: None) -> None:
        self._plan = plan
        self._ensure_database = ensure_database
        self.progress = Progress()
        self._stop = threading.Event()
        self._failed: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._engine: Engine | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._watchdog = threading.Thread(target=self._watch, name="engine watchdog", daemon=True)

    def start(self) -> None:
        """Start; returns at once."""
        self.progress.tick = time.monotonic()
        self._thread.start()
        self._watchdog.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Drain and end; True when the thread ended within ``timeout`` seconds."""
        self._stop.set()
        self._call(lambda engine: engine.stop())
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def reread_configuration(self) -> None:
        """Read the config file again."""
        self._call(lambda engine: engine.reread_configuration())

    @property
    def failure(self) -> BaseException | None:
        """Why this engine can never run (a newer schema, a name that is taken), or None."""
        return self._failed

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def _call(self, what: Callable[[Engine], Any]) -> None:
        loop, engine = self._loop, self._engine
        if loop is not None and engine is not None:
            with contextlib.suppress(
                RuntimeError
            ):  # the loop ended in between: there is nothing left to tell
                loop.call_soon_threadsafe(what, engine)

    def _run(self) -> None:
        pause = 0.5
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._run_once()
                if self._stop.is_set():
                    return
                log.error("the engine's loop ended by itself; starting a new one")
            except StoreError as error:
                self._failed = error
                self.progress.stage, self.progress.error = "failed", str(error)
                log.error("the engine cannot run: %s", error)
                return
            except Exception as error:
                reason = explain(error) if is_away(error) else f"{type(error).__name__}: {error}"
                self.progress.stage, self.progress.error = "restarting", reason
                log.error("the engine failed; starting a new one: %s", reason, exc_info=not is_away(error))
            if time.monotonic() - began > 60:
                pause = 0.5
            self._stop.wait(pause)
            pause = min(LONGEST_PAUSE_S, pause * 2)

    def _run_once(self) -> None:
        engine = Engine(self._plan, self.progress, self._ensure_database)
        loop = new_loop()
        asyncio.set_event_loop(loop)
        try:
            self._loop, self._engine = loop, engine
            if self._stop.is_set():
                return
            main = loop.create_task(engine.run())
            try:
                loop.run_until_complete(main)
            finally:
                _end(loop, main)
        finally:
            self._loop = self._engine = None
            _close(loop)
            engine.abandon()  # what could not be cleaned up must not keep its locks

    def _watch(self) -> None:
        """From outside the loop: say so in the database when the loop stops turning."""
        told = False
        while not self._stop.wait(1.0) and self._thread.is_alive():
            silent = time.monotonic() - self.progress.tick
            if silent > SILENT_S and self.progress.node_id and not told:
                log.error("the engine's loop has not turned for %.0f s", silent)
                told = report_silence(
                    self._plan.dsn, self.progress.node_id, self._plan.configuration.node.name, silent
                )
            elif silent < SILENT_S:
                told = False


def _end(loop: asyncio.AbstractEventLoop, main: asyncio.Task[None]) -> None:
    """Let an engine whose loop was stopped under it clean up."""
    if main.done() or loop.is_closed():
        return
    main.cancel()
    with contextlib.suppress(RuntimeError):  # stopped once more
        loop.run_until_complete(asyncio.wait({main}, timeout=CLEAN_UP_S))


def _close(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks and not loop.is_closed():
        with contextlib.suppress(RuntimeError):
            loop.run_until_complete(asyncio.wait(tasks, timeout=2.0))
    asyncio.set_event_loop(None)
    loop.close()
