"""A process's share in the embedded server of one data directory.

The server itself belongs to the keeper (see `keeper`); this module makes sure that there is one, waits until the
database answers, and holds the lock that says "in use". It never signals the server.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg

from watchfloor.store.embedded import keeper, postmaster, run_keeper
from watchfloor.store.embedded.binaries import Binaries, find_binaries, readable_binaries
from watchfloor.store.embedded.cluster import DATABASE, ROLE, cluster_is_there, make_cluster, write_config
from watchfloor.store.embedded.errors import EmbeddedError
from watchfloor.store.embedded.locks import FileLock, is_held
from watchfloor.store.embedded.owner import Owner, choose_owner, environment
from watchfloor.store.embedded.place import PORT, Place, prepare_data_dir, prepare_socket_dir, unusable

_GIVE_UP_AFTER = 3  # starts in a row that end before the server is ready
_KEEPERS_LOST = 5  # keepers in a row that vanish while we wait
_SAY_EVERY = 0.5  # seconds between reports of progress


class Embedded:
    """A running embedded server that this process uses. Made by `start`; safe to use from any thread.

    The server lives as long as any process holds one of these; a process that is killed lets go of it by dying. A
    forked child holds nothing: it must start its own. As a context manager it stops, and waits, at the end.
    """

    data_dir: Path
    """The data directory, absolute, symbolic links resolved."""
    binaries: Path
    """The directory of psql, pg_dump and the like, for use by this process."""
    version: str
    """The version of the running server, for instance "18.4"."""

    def __init__(self, place: Place, owner: Owner, users: FileLock, binaries: Binaries) -> None:
        self._place = place
        self._owner = owner
        self._users = users
        self._socket_dir = place.socket_dir(owner.uid)
        self._server = binaries.bin / "postgres"
        self._password = place.password.read_text(encoding="ascii").strip()
        self.data_dir = place.data_dir
        self.binaries = find_binaries().bin
        self.version = binaries.version

    @classmethod
    def start(cls, data_dir: Path, on_progress: Callable[[str], None] | None = None) -> Embedded:
        """Join the server of `data_dir`, starting it, and creating it first, where needed. Returns when it answers.

        There is no time limit as long as the server lives: a recovery may take long. `on_progress` is called, in
        this thread, with a line of text whenever there is something to tell. Raises EmbeddedError, which names the
        place and the remedy, when the server cannot be made or does not stay up.
        """
        say = _Progress(on_progress)
        place = Place.at(data_dir)
        prepare_data_dir(place)
        owner = choose_owner(place.cluster)
        if owner.notice:
            say(owner.notice)
        users = FileLock(place.users_lock)
        try:
            # Waits while a keeper stops the server: it holds this lock exclusively until that is done.
            _acquire(
                users, place, exclusive=False, say=say, what="waiting for the database to finish stopping"
            )
            self = cls(place, owner, users, _prepare(place, owner, say))
            self._await_ready(say)
        except OSError as error:
            users.release()
            raise unusable(place, error) from error
        except BaseException:
            users.release()
            raise
        return self

    @property
    def dsn(self) -> str:
        """The URL of the database, for libpq, with the password. Never to be shown or logged."""
        return self._url(f"{ROLE}:{quote(self._password, safe='')}")

    @property
    def dsn_shown(self) -> str:
        """The same URL without the password."""
        return self._url(ROLE)

    def ensure(self) -> None:
        """Put a keeper in place if the last one was killed. Cheap (microseconds): call it now and then.

        Does not wait for the server. Raises EmbeddedError if there can be no keeper, or after `stop`.
        """
        if not self._users.held:
            raise EmbeddedError(
                f"This process does not use the database in {self.data_dir} (any more). Start it first."
            )
        if not is_held(self._place.keeper_lock):
            prepare_socket_dir(self._place, self._owner)
            self._start_keeper()

    def stop(self, wait: bool = False) -> None:
        """Leave the server; the last one out stops it. With `wait`, return only when it is down if that was us.

        Doing so twice is harmless.
        """
        if not self._users.held:
            return
        try:
            self.ensure()  # without a keeper nobody would stop the server
        finally:
            self._users.release()
        others = 0
        while wait and is_held(self._place.keeper_lock) and others < 3:
            # A keeper that is stopping the server holds the users' lock exclusively; other users hold it shared,
            # and keep it, while another process that leaves only touches it for an instant.
            used = is_held(self._place.users_lock, by_anyone=True) and not is_held(self._place.users_lock)
            others = others + 1 if used else 0
            time.sleep(0.003)

    def __enter__(self) -> Embedded:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(wait=True)

    def __repr__(self) -> str:
        return f"<Embedded {self.dsn_shown}>"

    def _url(self, user: str) -> str:
        return f"postgresql://{user}@/{DATABASE}?host={quote(str(self._socket_dir), safe='/')}&port={PORT}"

    def _await_ready(self, say: _Progress) -> None:
        """Wait until the database answers, keeping a keeper in place. Raises EmbeddedError if the server gives up."""
        log_from = _size(self._place.log)
        keepers = 0
        tolerated = keeper.report(str(self._place.keeper_lock))[2] if is_held(self._place.keeper_lock) else 0
        while True:
            if not is_held(self._place.keeper_lock):
                keepers += 1
                self.ensure()
            found = postmaster.pid_file(str(self._place.cluster))
            if found is not None and found.status == "ready" and self._answers(say):
                return
            failures = keeper.report(str(self._place.keeper_lock))[2]
            if failures >= max(_GIVE_UP_AFTER, tolerated + 1) or keepers > _KEEPERS_LOST:
                raise EmbeddedError(
                    f"The database in {self.data_dir} does not start. The end of its log, {self._place.log}:\n"
                    + "\n".join(_last_lines(self._place.log, 12, log_from))
                )
            if say.due() and (lines := _last_lines(self._place.log, 1, log_from)):
                say(f"waiting for the database: {lines[0]}")
            time.sleep(0.003)

    def _answers(self, say: _Progress) -> bool:
        try:
            with psycopg.connect(
                self.dsn, connect_timeout=10, application_name="watchfloor start"
            ) as connection:
                major, minor = divmod(connection.info.server_version, 10000)
                self.version = f"{major}.{minor}"
        except psycopg.OperationalError as error:
            text = _printable(str(error))
            if "authentication failed" in text or "does not exist" in text:
                raise EmbeddedError(
                    f"The database in {self.data_dir} refuses its own role {ROLE}: {text}. Put back the file "
                    f"{self._place.password} that belongs to it, or undo the change to the role or database."
                ) from error
            if say.due():
                say(f"waiting for the database: {text}")
            return False
        return True

    def _start_keeper(self) -> None:
        """Start a keeper and return when there is one, this or another. Raises EmbeddedError if there is none."""
        place, owner = self._place, self._owner
        orders = {
            "lock": place.keeper_lock,
            "users": place.users_lock,
            "log": place.log,
            "cluster": place.cluster,
            "config": place.config,
            "name": place.name,
            "sockets": self._socket_dir,
            "binary": self._server,
            "uid": owner.uid if owner.foreign else "",
            "gid": owner.gid if owner.foreign else "",
        }
        command = [sys.executable, "-I", "-S", "-E", str(Path(run_keeper.__file__))]
        log_from = _size(place.log)
        with open(place.log, "ab", opener=_private) as log:
            started = subprocess.run(  # noqa: S603 - ourselves, no shell
                [*command, *(f"{name}={value}" for name, value in orders.items())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd="/",
                env=environment(),
                start_new_session=True,
                check=False,
            )
        if started.returncode not in (0, keeper.EXIT_ANOTHER_KEEPS):
            raise EmbeddedError(
                f"The keeper of the database in {self.data_dir} does not start. The end of its log, {place.log}:\n"
                + "\n".join(_last_lines(place.log, 8, log_from))
            )


class _Progress:
    """Passes lines on to whoever wants to know, the same line only once, and says when the next one is due."""

    def __init__(self, on_progress: Callable[[str], None] | None) -> None:
        self._tell = on_progress
        self._last = ""
        self._next = time.monotonic() + _SAY_EVERY

    def __call__(self, text: str) -> None:
        self._next = time.monotonic() + _SAY_EVERY
        if self._tell is not None and text != self._last:
            self._last = text
            self._tell(text)

    def due(self) -> bool:
        return time.monotonic() >= self._next


def _acquire(lock: FileLock, place: Place, *, exclusive: bool, say: _Progress, what: str) -> None:
    while not lock.try_acquire(exclusive=exclusive):
        if say.due():
            say(f"{what} ({place.data_dir})")
        time.sleep(0.003)


def _prepare(place: Place, owner: Owner, say: _Progress) -> Binaries:
    """Everything a keeper needs, made by one process at a time: programs, cluster, socket directory, configuration."""
    lock = FileLock(place.init_lock)
    _acquire(lock, place, exclusive=True, say=say, what="waiting for another process to create the database")
    try:
        binaries = find_binaries()
        there = cluster_is_there(place, owner, binaries)
        in_use = there and (is_held(place.keeper_lock) or postmaster.running(str(place.cluster)) is not None)
        binaries = readable_binaries(binaries, place.data_dir, owner, in_use=in_use)
        if not there:
            make_cluster(place, owner, binaries, lock.fileno(), say)
        write_config(place, owner, prepare_socket_dir(place, owner))
    finally:
        lock.release()
    return binaries


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _last_lines(path: Path, count: int, start: int) -> list[str]:
    """The last lines of a log written since it had `start` bytes (or of all of it, if it has been cut since)."""
    size = _size(path)
    with open(path, "rb") as file:
        file.seek(max(start if start <= size else 0, size - 8192))
        return [_printable(line.decode(errors="replace")) for line in file.read().splitlines()[-count:]]


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text).strip()[:400]
