"""PostgreSQL servers of a test's own: a primary, and a standby that follows it over a socket."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg

from support.waiting import until_now
from watchfloor.store.embedded.binaries import find_binaries, readable_binaries
from watchfloor.store.embedded.owner import Owner, choose_owner, environment

_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "shared_buffers=8MB",
)


class Cluster:
    """A server that listens on a socket in its own directory alone."""

    def __init__(self, home: Path, owner: Owner, programs: Path) -> None:
        self.home = home
        self.dsn = f"postgresql://postgres@/postgres?host={home}"
        self._owner, self._programs = owner, programs
        self._log = home / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make an empty cluster that trusts who reaches its socket."""
        options = ("-U", "postgres", "-E", "UTF8", "--no-locale", "-N")
        made = self._owner.run([self._programs / "initdb", "-D", self.home / "data", *options])
        assert made.returncode == 0, made.stderr

    def follow(self, primary: Cluster) -> None:
        """Become a standby of ``primary``, which must be down: its copy, that streams from it."""
        shutil.copytree(primary.home / "data", self.home / "data")
        (self.home / "data" / "standby.signal").touch()
        for path in ((self.home / "data"), *(self.home / "data").rglob("*")):
            os.chown(path, self._owner.uid, self._owner.gid)
        (self.home / "data").chmod(0o700)

    def start(self, primary: Cluster | None = None) -> None:
        """Start it and wait until it answers."""
        options = [*_SETTINGS, f"unix_socket_directories={self.home}"]
        if primary is not None:
            options.append(f"primary_conninfo=host={primary.home} user=postgres")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.home / "data"]
                + [word for option in options for word in ("-c", option)],
                env=dict(environment()), cwd="/", stdout=log, stderr=log,
                **({"user": self._owner.uid, "group": self._owner.gid} if self._owner.foreign else {}),
            )  # fmt: skip
        until_now(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            psycopg.connect(self.dsn).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """End it in order; harmless when it does not run."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def primary_and_standby(directory: Path) -> Iterator[tuple[Cluster, Cluster]]:
    """A primary and a standby that follows it, both running."""
    owner = choose_owner(directory / "none")
    programs = readable_binaries(find_binaries(), directory, owner, in_use=False).bin
    homes = [directory / "primary", directory / "standby"]
    for home in homes:
        home.mkdir(mode=0o755)
        os.chown(home, owner.uid, owner.gid)
    primary, standby = (Cluster(home, owner, programs) for home in homes)
    try:
        primary.make()
        standby.follow(primary)
        primary.start()
        standby.start(primary)
        yield primary, standby
    finally:
        standby.stop()
        primary.stop()
