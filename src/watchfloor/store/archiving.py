"""Any moment of the past: the embedded server's write-ahead log kept apart, base backups, recovery to a moment.

A recovery goes into a new data directory; what is there is never touched. The log is copied by a command that keeps
a file complete or not at all and never replaces another. For a PostgreSQL of one's own its own tools do the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import psycopg

from watchfloor.store.backup import BackupError
from watchfloor.store.embedded import Embedded, EmbeddedError
from watchfloor.store.embedded.cluster import DATABASE
from watchfloor.store.embedded.owner import Owner, blocked_at, choose_owner
from watchfloor.store.embedded.place import PORT, Place, prepare_data_dir

_PLAIN = re.compile(r"/[A-Za-z0-9._/-]+")
_RECOVERY = ("restore_command", "recovery_target_time", "recovery_target_action", "hot_standby")


def archive_on(data_dir: Path, archive: Path) -> None:
    """Have the server keep every finished piece of its log in ``archive`` as well; from its next start on.

    A piece that is not full is finished once a minute, so that at most a minute is lost with the disk. Raises
    `BackupError`, and `EmbeddedError` where there is no server to be had.
    """
    place = Place.at(data_dir)
    with Embedded.start(data_dir):
        owner = choose_owner(place.cluster)
        path = _plain(archive)
        _make_for(owner, path)
        kept, new = f"{path}/%f", f"{path}/.%f.new"
        copy = f'cp "%p" "{new}" && sync "{new}" && mv "{new}" "{kept}"'
        command = f'cmp -s "%p" "{kept}" || {{ test ! -e "{kept}" && {copy}; }}'
        _alter(
            place,
            owner,
            {
                "wal_level": "replica",
                "max_wal_senders": "4",
                "archive_mode": "on",
                "archive_command": command,
                "archive_timeout": "60s",
            },
        )


def archive_off(data_dir: Path) -> None:
    """Keep no log apart any more; from the next start of the server on. Raises as `archive_on`."""
    place = Place.at(data_dir)
    with Embedded.start(data_dir):
        settings = ("wal_level", "max_wal_senders", "archive_mode", "archive_command", "archive_timeout")
        _alter(place, choose_owner(place.cluster), dict.fromkeys(settings))


def base_backup(data_dir: Path, target: Path) -> int:
    """Copy the whole cluster, while it is in use, into the new directory ``target``; returns its size in bytes.

    With the log that is kept from its beginning on, any later moment can be recovered. Raises as `archive_on`.
    """
    place, target = Place.at(data_dir), Path(os.path.abspath(target))
    if os.path.lexists(target):
        raise BackupError(f"{target} exists, and a base backup replaces nothing. Choose another name.")
    with Embedded.start(data_dir) as server:
        owner = choose_owner(place.cluster)
        _require_archive(place, owner)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=_parent(target)))
        try:
            # --wal-method=fetch: it can be started even where the archive is lost, as of its own end.
            _run(
                server.binaries / "pg_basebackup",
                *(
                    "--pgdata",
                    str(partial / "cluster"),
                    "--checkpoint=fast",
                    "--wal-method=fetch",
                    "--no-password",
                    "--manifest-checksums=SHA256",
                ),
                f"--dbname={_conninfo(place, owner)}",
            )
            shutil.copyfile(place.password, partial / "password")
            (partial / "password").chmod(0o600)
            os.sync()
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return sum(each.stat().st_size for each in target.rglob("*") if each.is_file())


def recover(
    data_dir: Path,
    base: Path,
    archive: Path,
    moment: datetime | None,
    on_progress: Callable[[str], None] | None = None,
) -> None:
    """Make a cluster in a new data directory as it was at a moment (None: as late as the archive leads).

    ``base`` is a base backup that ended before the moment. Raises `BackupError` and `EmbeddedError`.
    """
    if moment is not None and moment.tzinfo is None:
        raise ValueError("the moment needs an offset")
    place, path = Place.at(data_dir), _plain(archive)
    if not path.is_dir():
        raise BackupError(f"There is no archive {path}.")
    if os.path.lexists(place.cluster):
        raise BackupError(
            f"{data_dir} has a database already, and a recovery replaces nothing. Name a new directory."
        )
    _verify(base / "cluster")
    prepare_data_dir(place)
    place.users_lock.touch(0o600)  # from now on the directory counts as ours, whatever is put there first
    owner = choose_owner(place.cluster)
    _copy_cluster(place, owner, base)
    target = {} if moment is None else {"recovery_target_time": moment.astimezone(UTC).isoformat(sep=" ")}
    order = {"restore_command": f'cp "{path}/%f" "%p"', "recovery_target_action": "promote", **target}
    order["hot_standby"] = "off"  # nobody reads what is not yet what was asked for
    _write_target(place, owner, order)
    with Embedded.start(data_dir, on_progress):
        _alter(place, owner, dict.fromkeys(_RECOVERY))


def _verify(cluster: Path) -> None:
    """Every file of a base backup is there and is what it was. (The log it begins with is judged by the server.)"""
    try:
        manifest = json.loads((cluster / "backup_manifest").read_text(encoding="utf-8"))
        for each in manifest["Files"]:
            with (cluster / each["Path"]).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != each["Checksum"]:
                raise BackupError(
                    f"The base backup {cluster.parent} is damaged: {each['Path']} is not what it was."
                )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{cluster.parent} is not a whole base backup: {error}.") from error


def _copy_cluster(place: Place, owner: Owner, base: Path) -> None:
    new = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=place.data_dir))
    try:
        shutil.copytree(base / "cluster", new / "cluster")
        for each in (new / "cluster", *(new / "cluster").rglob("*")):
            each.chmod(0o700 if each.is_dir() else 0o600)
            if owner.foreign:
                os.chown(each, owner.uid, owner.gid, follow_symlinks=False)
        shutil.copyfile(base / "password", place.password)
        place.password.chmod(0o600)
        os.sync()
        (new / "cluster").rename(place.cluster)
    except OSError as error:
        raise BackupError(f"Cannot copy {base} to {place.data_dir}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _write_target(place: Place, owner: Owner, settings: dict[str, str]) -> None:
    """What to recover to; and nothing is archived while that goes on, nor afterwards until somebody wants it."""
    auto, signal = place.cluster / "postgresql.auto.conf", place.cluster / "recovery.signal"
    lines = [f"{name} = '{value}'" for name, value in {**settings, "archive_mode": "off"}.items()]
    with auto.open("a", encoding="utf-8") as file:
        file.write("\n".join(["", *lines, ""]))
    signal.touch(0o600)
    if owner.foreign:
        os.chown(signal, owner.uid, owner.gid)


def _alter(place: Place, owner: Owner, settings: dict[str, str] | dict[str, None]) -> None:
    """Set settings of the server as its superuser, or reset those that are None."""
    with psycopg.connect(_conninfo(place, owner), autocommit=True) as connection:
        for name, value in settings.items():
            if value is None:
                connection.execute(f"ALTER SYSTEM RESET {name}".encode())
            else:
                quoted = psycopg.sql.Literal(value).as_string(connection)
                connection.execute(f"ALTER SYSTEM SET {name} = {quoted}".encode())
        connection.execute("SELECT pg_reload_conf()")


def _require_archive(place: Place, owner: Owner) -> None:
    with psycopg.connect(_conninfo(place, owner), autocommit=True) as connection:
        row = connection.execute(
            "SELECT current_setting('archive_mode') = 'on', current_setting('max_wal_senders')::int > 0"
        ).fetchone()
    if row != (True, True):
        raise BackupError(
            "The server keeps no log apart. Turn that on (watchfloor database archive DIR) and let it start anew: "
            "stop every watchfloor that uses this data directory."
        )


def _conninfo(place: Place, owner: Owner) -> str:
    """How the superuser connects."""
    password = quote(place.password.read_text(encoding="ascii").strip(), safe="")
    sockets = quote(str(place.socket_dir(owner.uid)), safe="/")
    return f"postgresql://postgres:{password}@/{DATABASE}?host={sockets}&port={PORT}"


def _plain(path: Path) -> Path:
    """An absolute path that a shell reads as it is."""
    found = Path(os.path.abspath(path))
    if _PLAIN.fullmatch(str(found)) is None:
        raise BackupError(
            f"The path {found} holds characters that the server's shell would read otherwise. "
            "Choose one of letters, digits, dots, dashes and underscores."
        )
    return found


def _parent(path: Path) -> Path:
    if not path.parent.is_dir():
        raise BackupError(f"There is no directory {path.parent}.")
    return path.parent


def _make_for(owner: Owner, path: Path) -> None:
    """A directory that the server can write to and nobody else can read."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        if owner.foreign:
            os.chown(path, owner.uid, owner.gid)
        blocked = blocked_at(path, owner)
    except OSError as error:
        raise BackupError(f"Cannot make the archive {path}: {error.strerror or error}.") from error
    if blocked is not None:
        raise BackupError(
            f"The server runs as {owner.name}, who may not pass {blocked} on the way to {path}."
        )


def _run(program: Path, *arguments: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - PostgreSQL's programs, no shell
            [str(program), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise EmbeddedError(f"Cannot run {program}: {error.strerror or error}.") from error
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-4:])
        raise BackupError(f"{program.name} failed: {said}")
