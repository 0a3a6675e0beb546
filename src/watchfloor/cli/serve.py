"""``watchfloor serve``: the engine alone, until a signal ends it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from watchfloor import __version__
from watchfloor.cli.ground import Ground, configuration_for, stand
from watchfloor.cli.logs import collect
from watchfloor.cli.memory import settle_memory
from watchfloor.cli.options import Options
from watchfloor.cli.place import Place
from watchfloor.config.kinds import channel_kinds, payload_kinds, probe_kinds
from watchfloor.config.model import Configuration
from watchfloor.domain.words import count
from watchfloor.engine.engine import Plan
from watchfloor.engine.thread import EngineThread
from watchfloor.store.errors import StoreError

DRAIN_S = 30.0


def serve(options: Options) -> int:
    """Run a node in the foreground; returns the exit status.

    SIGTERM and SIGINT drain; SIGHUP reads the config file again.
    """
    buffer = collect(stderr=True)
    configuration = configuration_for(options)
    place = Place(configuration.database, configuration.data_dir)
    ground = stand(place, lambda line: print(line, file=sys.stderr, flush=True))
    try:
        plan = Plan(ground.dsn, configuration, probe_kinds(), channel_kinds(), payload_kinds(), buffer)
        engine = EngineThread(plan, ground.ensure_database)
        with _listening(ground, configuration, engine):
            return _run(ground, configuration, engine)
    finally:
        ground.leave()


@contextmanager
def _listening(ground: Ground, configuration: Configuration, engine: EngineThread) -> Iterator[None]:
    """Answer HTTP meanwhile, where that is configured. Raises `StoreError` where the address cannot be had."""
    if configuration.node.listen is None:
        yield
        return
    from watchfloor.api.listener import Listener  # what answers guests costs the start of those without any

    host, _, port = configuration.node.listen.rpartition(":")

    def not_ready() -> str:
        stage = engine.progress.stage
        return "" if stage == "running" else engine.progress.error or stage

    listener = Listener(ground.dsn, host.removeprefix("[").removesuffix("]"), int(port), not_ready)
    try:
        listener.start()
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"cannot listen on {configuration.node.listen} (node.listen): {reason}") from None
    try:
        yield
    finally:
        listener.stop()


def _run(ground: Ground, configuration: Configuration, engine: EngineThread) -> int:
    stop = threading.Event()

    def on_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    def on_hangup(_signal: int, _frame: FrameType | None) -> None:
        engine.reread_configuration()

    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, on_stop)
    signal.signal(signal.SIGHUP, on_hangup)
    engine.start()
    told = False
    while not stop.wait(0.2) and engine.alive:
        if not told and engine.progress.stage == "running":
            told = True
            settle_memory()
            _tell_ready(ground, configuration)
    if engine.failure is not None:
        print(f"watchfloor: {engine.failure}", file=sys.stderr)
        return 1
    _notify("STOPPING=1")
    began = time.monotonic()
    drained = engine.stop(DRAIN_S)
    took = time.monotonic() - began
    print(f"watchfloor: node {configuration.node.name} " + (
        f"stopped in {took:.1f} s" if drained else f"did not drain within {DRAIN_S:.0f} s"
    ), flush=True)  # fmt: skip
    return 0 if drained else 1


def _tell_ready(ground: Ground, configuration: Configuration) -> None:
    path = configuration.path or "built-in configuration"
    print(
        f"watchfloor {__version__}: node {configuration.node.name} is running, "
        f"{count(len(configuration.services), 'service')} from {path}, database {ground.label}, pid {os.getpid()}",
        flush=True,
    )
    _notify("READY=1")


def _notify(state: str) -> None:
    """Tell systemd, where it started us; see sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("\0" + address[1:] if address.startswith("@") else address)
        sender.sendall(state.encode())
