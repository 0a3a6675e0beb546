"""The console with its database and, unless only attached, an engine that stands by.

The order is chosen for the first useful picture: the database starts while Textual is imported, the console shows
what is stored as soon as the database answers, and the configuration and the engine come after that.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from watchfloor.cli.memory import collect_often, collect_seldom, settle_memory
from watchfloor.cli.options import Options
from watchfloor.cli.place import Place, place_for

if TYPE_CHECKING:
    from watchfloor.cli.ground import Ground
    from watchfloor.config.model import Configuration
    from watchfloor.engine.intake import LogBuffer
    from watchfloor.engine.thread import EngineThread
    from watchfloor.store.database import Database

PATIENCE_S = 3.0
"""How long the engine lets the first picture go ahead of it."""

PROBLEM = "the engine cannot start"
PAINT_S = 0.1
SLICE_S = 0.0005
DRAIN_S = 10.0
STATEMENT_TIMEOUT_S = 10.0


Configure = Callable[[], "Configuration"]


class Boot:
    """Brings up the ground, then an engine, beside the console; takes both down again."""

    def __init__(self, place: Place, configure: Configure | None) -> None:
        """``configure`` makes the configuration of the engine; None: there is to be no engine."""
        self._place = place
        self._configure = configure
        self._ground: Future[Ground] = Future()
        self._painted = threading.Event()
        self._ending = threading.Event()
        self._engine: EngineThread | None = None
        self._opening: asyncio.Task[Database] | None = None
        self._thread = threading.Thread(target=self._run, name="boot", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.problem: Exception | None = None
        self.on_problem: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def board_read(self) -> None:
        """The console has read its first board: once that is on the screen the engine may have the processor."""
        if not self._painted.is_set():
            asyncio.get_running_loop().call_later(PAINT_S, self._first_picture)

    def _first_picture(self) -> None:
        if self._configure is None:
            collect_often()
        self._painted.set()

    def _run(self) -> None:
        try:
            ground = self._stand()
            if self._configure is not None:
                self._painted.wait(PATIENCE_S)
                self._start_engine(ground, self._configure())
        except Exception as error:
            self.problem = error
            if self._loop is not None:
                self._loop.call_soon_threadsafe(lambda: self.on_problem())

    def _stand(self) -> Ground:
        from watchfloor.cli.ground import stand

        try:
            ground = stand(self._place, lambda _line: None)
        except Exception as error:
            self._ground.set_exception(error)
            raise
        self._ground.set_result(ground)
        return ground

    def _start_engine(self, ground: Ground, configuration: Configuration) -> None:
        from watchfloor.cli.logs import collect
        from watchfloor.config.kinds import channel_kinds, payload_kinds, probe_kinds
        from watchfloor.engine.engine import Plan
        from watchfloor.engine.thread import EngineThread

        buffer: LogBuffer = collect(stderr=False)
        plan = Plan(
            ground.dsn, configuration, probe_kinds(), channel_kinds(), payload_kinds(), buffer, standby=True
        )
        engine = EngineThread(plan, ground.ensure_database)
        if not self._ending.is_set():
            self._engine = engine
            engine.start()
        settle_memory()

    async def connect(self) -> Database:
        """The console's database; waits until it answers. Raises what made it impossible."""
        self._loop = asyncio.get_running_loop()
        if self.problem is not None:
            self.on_problem()
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        try:
            # Whoever waits may give up; the database comes up all the same, for the next one who asks.
            return await asyncio.shield(self._opening)
        except Exception:
            self._opening = None
            raise

    async def _open(self) -> Database:
        from watchfloor.store.database import Database
        from watchfloor.store.schema import ensure_schema, require_schema

        ground = await asyncio.shield(asyncio.wrap_future(self._ground))
        database = Database(ground.dsn, name="console", size=3, statement_timeout=STATEMENT_TIMEOUT_S)
        try:
            await (ensure_schema if self._configure is not None else require_schema)(database)
        except BaseException:
            await database.close()
            raise
        return database

    @property
    def label(self) -> str:
        """How the database is named on screen."""
        if self._ground.done() and self._ground.exception() is None:
            return self._ground.result().label
        return "embedded" if self._place.database is None else "postgresql"

    def trouble(self) -> str:
        """Why the engine of this process does not run, as far as there is a reason; else empty."""
        return "" if self._engine is None else self._engine.progress.error

    def end(self) -> None:
        """Drain the engine and leave the database."""
        self._ending.set()
        self._painted.set()
        self._thread.join(DRAIN_S)
        if self._engine is not None:
            self._engine.stop(DRAIN_S)
        if self._ground.done() and self._ground.exception() is None:
            self._ground.result().leave()


def console(options: Options, *, attach: bool) -> int:
    """Run the console until it is left; returns the exit status. Raises what kept the engine from starting."""

    def configure() -> Configuration:
        from watchfloor.cli.ground import configuration_for

        return configuration_for(options)

    return show(lambda: place_for(options), None if attach else configure, options)


def show(place: Callable[[], Place], configure: Configure | None, options: Options) -> int:
    """Run the console on a place, which is looked for only where there is a terminal to show it on."""
    from watchfloor.console.terminal import refusal

    problem = refusal()
    if problem is not None:
        print(f"watchfloor: {problem}", file=sys.stderr)
        return 2
    collect_seldom()
    boot = Boot(place(), None if options.read_only else configure)
    boot.start()
    try:
        status = _run_app(boot, options)
    finally:
        boot.end()
    if boot.problem is not None:
        raise boot.problem
    return status


def _run_app(boot: Boot, options: Options) -> int:
    from watchfloor.cli.desk import Desk
    from watchfloor.console.app import WatchfloorApp
    from watchfloor.console.terminal import run
    from watchfloor.operations.actor import Actor, this_person

    person = this_person()
    actor = Actor(person.name, options.read_only)
    desk = Desk(boot.connect, lambda: boot.label, actor, boot.board_read, boot.trouble)
    app = WatchfloorApp(
        desk,
        desk,
        theme=options.theme,
        keys=options.keys,
        read_only=options.read_only,
        mouse=options.mouse,
    )
    boot.on_problem = lambda: app.leave(PROBLEM)
    # A key must not wait for the engine's thread to finish its slice of the interpreter.
    sys.setswitchinterval(SLICE_S)
    why = run(app)
    if why not in ("", "quit", PROBLEM):
        print(f"watchfloor: left: {why}", file=sys.stderr)
    return app.return_code or 0
