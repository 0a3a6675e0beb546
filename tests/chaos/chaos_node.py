"""A node under attack: the real program on an embedded database, how it is started and what can be killed of it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from watchfloor.store.embedded import postmaster, status
from watchfloor.store.embedded.cluster import DATABASE, ROLE
from watchfloor.store.embedded.place import Place

PATIENCE_S = 90.0
"""The longest that anything may take on a slow machine before it counts as not happening."""

PROGRAM = Path(__file__).with_name("chaos_serve.py")


def address(data_dir: Path, role: str = ROLE) -> str:
    """How to connect to the embedded database, running or not, without counting as its user."""
    place = Place.at(data_dir)
    password = quote(place.password.read_text().strip(), safe="")
    directory = place.socket_dir(place.cluster.stat().st_uid)
    return f"postgresql://{role}:{password}@/{DATABASE}?host={quote(str(directory), safe='/')}"


class ChaosNode:
    """``watchfloor serve``, started again and again on the same ground."""

    def __init__(self, ground: Path, config: str, environ: Mapping[str, str] | None = None) -> None:
        self.data_dir = ground / "data"
        self._config = ground / "config.yaml"
        self._config.write_text(config)
        self._log = ground / "serve.log"
        self._environ = {**os.environ, **(environ or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.killed = False
        """Whether the program is not there because `kill` killed it."""

    def start(self) -> None:
        """Start the program; nothing else is ever done to bring it up."""
        self.killed = False
        argv = [
            sys.executable,
            str(PROGRAM),
            "--config",
            str(self._config),
            "--data-dir",
            str(self.data_dir),
            "serve",
        ]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environ
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The program as it was started last."""
        assert self._process is not None
        return self._process

    @property
    def alive(self) -> bool:
        """Whether the program runs."""
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        """Everything it wrote so far."""
        return self._log.read_text(errors="replace")

    def obituary(self) -> str:
        """What there is to say about a program that ended by itself."""
        return f"the node ended by itself, exit status {self.process.poll()}\n{self.said()[-4000:]}"

    def kill(self, what: str, chance: random.Random) -> bool:
        """kill -9 what is named; False where there is no such process at this moment."""
        if what == "loop":
            self.process.send_signal(signal.SIGUSR1)
            return True
        found = status(self.data_dir)
        place = Place.at(self.data_dir)
        backends = postmaster.children(str(place.cluster), place.name)
        backend = [chance.choice(backends)] if backends else []
        victims: dict[str, list[int | None]] = {
            "process": [self.process.pid],
            "postmaster": [found.pid],
            "keeper": [found.keeper_pid],
            "backend": [*backend],
            "everything": [self.process.pid, found.keeper_pid, found.pid, *backends],
        }
        killed = [pid for pid in victims[what] if pid is not None and _killed(pid)]
        if self.process.pid in killed:
            self.killed = True
            self.process.wait()
        return bool(killed)

    def stop(self) -> int:
        """Ask it to end, as a service manager would; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def end(self) -> None:
        """Whatever happened, leave no process behind."""
        if self.alive:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        deadline = time.monotonic() + PATIENCE_S
        while self.data_dir.exists() and status(self.data_dir).keeper_pid is not None:
            assert time.monotonic() < deadline, "the keeper does not leave"
            time.sleep(0.02)


def _killed(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


async def come_about(
    condition: Callable[[], object], what: str, node: ChaosNode, seconds: float = PATIENCE_S
) -> None:
    """Wait for a condition while the node lives. Fails the test with the end of the node's log when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert node.alive, node.obituary()
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}\n{node.said()[-4000:]}"
        await asyncio.sleep(0.02)
