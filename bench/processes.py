"""Processes under measurement: Watchfloor with its database, what they cost in time and memory, how they end.

CPU is user plus system time from /proc, of a whole tree of processes. Children that end are counted through the
parent that reaped them. Nothing here is killed unless it does not leave when asked.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import psutil
import psycopg

from support import TooSlow, until
from watchfloor.store.embedded import status
from watchfloor.store.embedded.cluster import DATABASE, ROLE

Observer = psycopg.Connection[tuple[Any, ...]]
"""A connection of somebody who only looks."""

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def command() -> list[str]:
    """The installed command of this interpreter."""
    script = Path(sys.executable).with_name("watchfloor")
    if script.exists():
        return [str(script)]
    return [sys.executable, "-c", "from watchfloor.cli.main import main; main()"]


def clean_environment(home: Path) -> dict[str, str]:
    """The environment of a person who just installed it; home and XDG directories are below ``home``.

    Nothing leads Watchfloor elsewhere, and Python may keep its compiled files, as it may on any user's machine.
    """
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("WATCHFLOOR_") and key != "PYTHONDONTWRITEBYTECODE"
    }
    for variable, below in (
        ("HOME", ""),
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_STATE_HOME", ".local/state"),
    ):
        path = home / below
        path.mkdir(parents=True, exist_ok=True)
        environ[variable] = str(path)
    return environ


def tree(pid: int) -> set[int]:
    """A process and all its descendants; empty when it is gone."""
    try:
        process = psutil.Process(pid)
        return {pid, *(child.pid for child in process.children(recursive=True))}
    except psutil.NoSuchProcess:
        return set()


def cpu_s(pids: Iterable[int]) -> float:
    """Seconds of CPU these processes and their ended, reaped children have used so far."""
    ticks = 0
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended: its parent has its time
        ticks += sum(map(int, stat.rpartition(b")")[2].split()[11:15]))
    return ticks * TICK_S


def threads_cpu_s(pid: int) -> float:
    """Seconds of CPU of the living threads of one process, to the nanosecond: for what hardly uses any."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread ended
    return total / 1e9


def rss_mb(pids: Iterable[int]) -> float:
    """Resident memory of these processes in MB (10^6 bytes), memory they share counted in each."""
    return sum(_memory(pid, "rss") for pid in pids) / 1e6


def pss_mb(pids: Iterable[int]) -> float:
    """Resident memory in MB with every shared page divided among those who share it."""
    return sum(_memory(pid, "pss") for pid in pids) / 1e6


def _memory(pid: int, what: str) -> int:
    try:
        process = psutil.Process(pid)
        info = process.memory_info() if what == "rss" else process.memory_full_info()
        return int(getattr(info, what))
    except psutil.NoSuchProcess:
        return 0


def embedded_pids(data_dir: Path) -> set[int]:
    """The keeper and every server process of an embedded database."""
    found = status(data_dir)
    return {pid for root in (found.keeper_pid, found.pid) if root for pid in tree(root)}


def dsn(data_dir: Path) -> str:
    """How to connect to the embedded database of a data directory without counting as its user."""
    socket = status(data_dir).socket
    if socket is None:
        raise TooSlow(f"there is no server in {data_dir}")
    password = (data_dir / "password").read_text().strip()
    return f"postgresql://{ROLE}:{quote(password, safe='')}@/{DATABASE}?host={quote(str(socket.parent), safe='/')}"


class Served:
    """A running ``watchfloor serve`` with an embedded database below ``ground``; a context manager.

    ``config`` is the text of its config file. Raises `TooSlow` when it does not come up.
    """

    def __init__(self, ground: Path, config: str, environ: Mapping[str, str] | None = None) -> None:
        self.config = ground / "config.yaml"
        self.config.write_text(config)
        self.data_dir = ground / "data"
        self._log = ground / "serve.log"
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen(
                [*command(), "--config", str(self.config), "--data-dir", str(self.data_dir), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**clean_environment(ground / "home"), **(environ or {})},
            )

    def ready(self, seconds: float = 60) -> Served:
        """Wait until it says that it runs."""
        until(
            lambda: self._says("is running") or self.process.poll() is not None, seconds, "watchfloor serve"
        )
        if self.process.poll() is not None:
            raise TooSlow(f"watchfloor serve ended:\n{self._log.read_text()[-2000:]}")
        return self

    def _says(self, what: str) -> bool:
        return what in self._log.read_text()

    @property
    def product(self) -> set[int]:
        """The processes that are Watchfloor itself."""
        return tree(self.process.pid)

    @property
    def everything(self) -> set[int]:
        """Watchfloor, the keeper and PostgreSQL."""
        return self.product | embedded_pids(self.data_dir)

    def connect(self) -> Observer:
        """A connection to its database, autocommit."""
        return psycopg.connect(dsn(self.data_dir), autocommit=True)

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave(self.process)
        until(lambda: status(self.data_dir).state in ("stopped", "absent"), 60, "the database stops")


def leave(process: subprocess.Popen[bytes], patience: float = 40) -> None:
    """Ask a process to end, and make it if it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def counters(connection: Observer) -> dict[str, float]:
    """What the only node of a database counted since its start: checks, missed, overlaps and so on."""
    row = connection.execute("SELECT stats FROM nodes ORDER BY beat_at DESC LIMIT 1").fetchone()
    return dict(row[0]) if row is not None else {}


def services_yaml(urls: Iterable[str], every: str, **keys: object) -> str:
    """A config file that watches these addresses over HTTP; ``keys`` go into ``defaults``."""
    lines = ["node:", "  name: bench", "defaults:", f"  every: {every}"]
    lines += [f"  {key}: {value}" for key, value in keys.items()]
    lines.append("services:")
    for number, url in enumerate(urls):
        lines.append(f"  - {{name: service-{number:05}, kind: http, url: '{url}'}}")
    return "\n".join(lines) + "\n"
