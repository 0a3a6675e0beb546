"""The cluster: made once and completely, checked at every start, configured by a file of ours.

A cluster appears under its name only when it is whole: it is made beside it, synced, and renamed. It has two roles
with one random password: `watchfloor`, which owns the database `watchfloor` and is what the product uses, and
`postgres`, the superuser, for people. Nothing here starts the server for use.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from watchfloor.store.embedded.binaries import Binaries
from watchfloor.store.embedded.errors import EmbeddedError
from watchfloor.store.embedded.owner import Owner, blocked_at
from watchfloor.store.embedded.place import Place

ROLE = "watchfloor"
DATABASE = "watchfloor"
_SUPERUSER = "postgres"
_NEEDED = 160 << 20  # bytes: a new cluster (46 MB), its first write-ahead log, and room to work
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "max_locks_per_transaction": "128",  # one query may touch a year of daily partitions and their indexes
    "shared_buffers": "64MB",
    "maintenance_work_mem": "32MB",
    "effective_cache_size": "512MB",
    "random_page_cost": "1.1",
    "io_method": "sync",  # a worker that is killed during a recovery would keep whoever reads waiting for ever
    "max_worker_processes": "4",
    "autovacuum_max_workers": "2",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_level": "minimal",  # nobody replicates from here
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "512MB",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_startup_progress_interval": "1s",  # what a person waiting for a recovery gets to see
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "lc_messages": "C",
}


def cluster_is_there(place: Place, owner: Owner, binaries: Binaries) -> bool:
    """Whether there is a cluster. Raises EmbeddedError for one that this server would not or should not run."""
    if not os.path.lexists(place.cluster):
        return False
    _check(place, owner, binaries)
    return True


def make_cluster(
    place: Place, owner: Owner, binaries: Binaries, keep_open: int, on_progress: Callable[[str], None]
) -> None:
    """Make the cluster. To be called with the init lock held.

    `keep_open` is the lock's descriptor: the programs run here hold it too, so that when we are killed, the next
    process waits for them before it clears away what they left. Raises EmbeddedError.
    """
    on_progress("creating the database")
    try:
        for leftover in place.data_dir.glob("postgres.new-*"):
            shutil.rmtree(leftover)
        _check_ground(place, owner)
        new = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=place.data_dir))
        try:
            _make(place, owner, binaries, new, keep_open)
        finally:
            shutil.rmtree(new)
    except OSError as error:
        raise EmbeddedError(
            f"Cannot create the database in {place.data_dir}: {error.strerror or error}. "
            "Free some space, or choose another data directory with --data-dir."
        ) from error


def write_config(place: Place, owner: Owner, socket_dir: Path) -> None:
    """Write the server's configuration if it differs from what is there. Raises OSError."""
    settings = {"cluster_name": place.name, "unix_socket_directories": str(socket_dir), **_SETTINGS}
    text = (
        "# Written by Watchfloor; changes here are lost. To change a setting, connect as the role postgres and use\n"
        "# ALTER SYSTEM, which overrides this file.\n"
        "include 'postgres/postgresql.conf'  # what initdb found to work here\n"
        + "".join(f"{name} = '{value}'\n" for name, value in settings.items())
    )
    try:
        if place.config.read_text(encoding="utf-8") == text:
            return
    except FileNotFoundError:
        pass  # the first start
    # Readable for the server's account; it holds no secret.
    _write_safely(place.config, text, 0o644 if owner.foreign else 0o600)


def _check(place: Place, owner: Owner, binaries: Binaries) -> None:
    try:
        if place.cluster.lstat().st_uid != owner.uid:
            raise EmbeddedError(
                f"The cluster {place.cluster} does not belong to {owner.name}. Run as its owner."
            )
        found = (place.cluster / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
        if not place.password.is_file():
            raise EmbeddedError(
                f"The password of the database is missing: {place.password}. Put it back from a copy; or move "
                f"{place.cluster} away, start anew and restore a backup (watchfloor database restore FILE)."
            )
    except OSError as error:
        raise EmbeddedError(
            f"{place.cluster} is not a PostgreSQL cluster ({error.strerror or error}). Move it away, or choose "
            "another data directory with --data-dir."
        ) from error
    if found != str(binaries.major):
        raise EmbeddedError(
            f"The cluster {place.cluster} was made by PostgreSQL {found[:20]}, and this is {binaries.version}. "
            "Go back to the Watchfloor that made it and write a backup (watchfloor database backup FILE); then, with "
            f"this one, move {place.cluster} away and restore it (watchfloor database restore FILE)."
        )


def _check_ground(place: Place, owner: Owner) -> None:
    blocked = blocked_at(place.data_dir, owner)
    if blocked is not None:
        raise EmbeddedError(
            f"PostgreSQL does not run as root but as {owner.name}, who may not pass {blocked} on the way to the data "
            f"directory {place.data_dir}. Choose one it can reach: --data-dir /var/lib/watchfloor"
        )
    space = os.statvfs(place.data_dir)
    if (free := space.f_bavail * space.f_frsize) < _NEEDED:
        raise EmbeddedError(
            f"There are only {free >> 20} MB free for the data directory {place.data_dir}, and a new database needs "
            f"{_NEEDED >> 20} MB. Free some space, or choose another data directory with --data-dir."
        )


def _make(place: Place, owner: Owner, binaries: Binaries, new: Path, keep_open: int) -> None:
    """Make the cluster inside `new`, a private directory of ours, and move it to its name."""
    password = secrets.token_urlsafe(32)
    password_file = new / "password"
    _write_safely(password_file, password + "\n", 0o600)
    if owner.foreign:
        for path in (password_file, new):
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
    cluster = new / "cluster"
    bin = binaries.bin
    initdb: list[str | Path] = [
        *(
            bin / "initdb",
            "-D",
            cluster,
            "-U",
            _SUPERUSER,
            "-A",
            "scram-sha-256",
            f"--pwfile={password_file}",
        ),
        *("--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--data-checksums", "--no-instructions", "--no-sync"),
    ]
    # The database that initdb makes becomes ours: ten times faster than making another one.
    roles = (
        f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}'\n"
        f"GRANT pg_monitor TO {ROLE}\n"
        f"ALTER DATABASE postgres RENAME TO {DATABASE}\n"
        f"ALTER DATABASE {DATABASE} OWNER TO {ROLE}\n"
    )
    quiet = ["-c", "log_min_error_statement=panic", "-c", "log_checkpoints=off", "-c", "exit_on_error=on"]
    steps: tuple[tuple[list[str | Path], str], ...] = (
        (initdb, ""),
        ([bin / "postgres", "--single", "-D", cluster, *quiet, "template1"], roles),
        ([bin / "initdb", "--sync-only", "-D", cluster], ""),
    )
    for command, stdin in steps:
        answer = owner.run(command, stdin=stdin, keep_open=[keep_open])
        if answer.returncode != 0:
            said = "\n".join((answer.stderr or answer.stdout).strip().splitlines()[-8:])
            raise EmbeddedError(
                f"Cannot create the database in {place.data_dir} ({Path(command[0]).name} failed). "
                f"Free some space, or choose another data directory with --data-dir.\n{said}"
            )
    _write_safely(place.password, password + "\n", 0o600)
    cluster.rename(place.cluster)
    _sync_directory(place.data_dir)


def _write_safely(path: Path, text: str, mode: int) -> None:
    """Write a file that is either as it was or complete, and on the disk. The init lock makes us the only writer."""
    new = path.with_name(f".{path.name}.new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    new.replace(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
