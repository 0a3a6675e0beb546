"""Where everything of one embedded server lives, given its data directory, and whether that directory will do.

Makes the data directory and the socket directory; never changes the mode or owner of anything it did not make,
except the data directory itself, which as root must let the server's account pass (0711).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from watchfloor.store.embedded.errors import EmbeddedError
from watchfloor.store.embedded.owner import Owner, account_name

PORT = 5432
"""Names the socket file; the server listens on no network port."""

_SOCKET_PATH_LIMIT = 103  # bytes; Linux allows 107, macOS 103
_PLAIN = re.compile(
    r"[A-Za-z0-9/._+-]+"
)  # everything else would need quoting in a list of socket directories
_NETWORK_FILE_SYSTEMS = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs", "ncpfs", "drvfs"),
        *("vboxsf", "prl_fs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone"),
    )
)


@dataclass(frozen=True, slots=True)
class Place:
    """The paths of the embedded server of one data directory (absolute, symbolic links resolved)."""

    data_dir: Path

    @classmethod
    def at(cls, data_dir: Path) -> Place:
        """The place in `data_dir`, which need not exist. Raises EmbeddedError for a path no server can use."""
        path = Path(os.path.realpath(data_dir.expanduser()))
        if any(ord(character) < 32 or ord(character) == 127 for character in str(path)):
            raise EmbeddedError(
                f"The data directory {str(path)!r} has control characters in its name. Choose another one."
            )
        return cls(path)

    @property
    def cluster(self) -> Path:
        """The cluster (PGDATA), private to the account the server runs as."""
        return self.data_dir / "postgres"

    @property
    def config(self) -> Path:
        """The server's configuration, ours; what ALTER SYSTEM sets overrides it."""
        return self.data_dir / "postgresql.conf"

    @property
    def password(self) -> Path:
        """The password of both roles."""
        return self.data_dir / "password"

    @property
    def log(self) -> Path:
        """The log of the server and its keeper."""
        return self.data_dir / "server.log"

    @property
    def users_lock(self) -> Path:
        """Held shared by each process that uses the server, exclusively by a keeper about to stop it."""
        return self.data_dir / "users.lock"

    @property
    def keeper_lock(self) -> Path:
        """Held exclusively by the keeper; its one line is the keeper's report."""
        return self.data_dir / "keeper.lock"

    @property
    def init_lock(self) -> Path:
        """Held exclusively while the cluster is made."""
        return self.data_dir / "init.lock"

    @property
    def name(self) -> str:
        """A short name for this place, the same for ever; the titles of the server's processes have it."""
        return "watchfloor-" + hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:10]

    def socket_dir(self, uid: int) -> Path:
        """The private directory of the socket: in the data directory if the path is short and plain, else in /tmp.

        `uid` is the account the server runs as. The fallback depends on nothing but it and the path, so that every
        process finds the same one, whatever its environment (and XDG_RUNTIME_DIR goes away with the last login).
        """
        inside = self.data_dir / "socket"
        length = len(os.fsencode(inside / f".s.PGSQL.{PORT}"))
        if length <= _SOCKET_PATH_LIMIT and _PLAIN.fullmatch(str(inside)):
            return inside
        return Path("/tmp") / f"{self.name}-{uid}"  # noqa: S108 - verified to be ours in prepare_socket_dir


def prepare_data_dir(place: Place) -> None:
    """Make the data directory, or check that the existing one is ours to use. Raises EmbeddedError."""
    as_root = os.geteuid() == 0
    try:
        _make_directories(place.data_dir, 0o711 if as_root else 0o700, as_root=as_root)
        _check_data_dir(place)
        if as_root and not (mode := place.data_dir.stat().st_mode) & stat.S_IXOTH:
            place.data_dir.chmod(stat.S_IMODE(mode) | 0o011)
    except OSError as error:
        raise unusable(place, error) from error


def prepare_socket_dir(place: Place, owner: Owner) -> Path:
    """Make the private socket directory, or check that the existing one is. Raises EmbeddedError."""
    path = place.socket_dir(owner.uid)
    try:
        os.mkdir(path, 0o700)
        if owner.foreign:
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.uid or found.st_mode & 0o077:
            raise EmbeddedError(
                f"{path} is not a private directory (0700) of {owner.name}, so the database socket cannot be "
                "put there. Remove it, or choose a data directory with a shorter path."
            ) from None
    except OSError as error:
        raise unusable(place, error) from error
    return path


def unusable(place: Place, error: OSError) -> EmbeddedError:
    """The error for a data directory on which an operation failed, with the remedy that fits."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return EmbeddedError(
            f"The data directory {place.data_dir} cannot be used: {error.filename or place.data_dir} is a file. "
            "Choose a directory with --data-dir."
        )
    return EmbeddedError(
        f"The data directory {place.data_dir} cannot be used: {error.strerror or error} ({error.filename or '-'}). "
        "Make it writable for this user, free some space, or choose another one with --data-dir."
    )


def network_file_system(path: Path, mountinfo: str) -> str | None:
    """The type of the network file system that `path` is on, by the text of /proc/self/mountinfo; None if local."""
    best, kind = "", ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        mount = _unescape(left.split()[4]) if len(left.split()) > 4 else ""
        if mount and len(mount) >= len(best) and path.is_relative_to(mount):
            best, kind = mount, right.split()[0] if right else ""
    return kind if kind in _NETWORK_FILE_SYSTEMS else None


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def _make_directories(path: Path, mode: int, *, as_root: bool) -> None:
    """Like mkdir -p, with `mode` for the last one. As root the new parents let everybody pass, whatever the umask."""
    if path.is_dir():
        return
    _make_directories(path.parent, 0o755, as_root=as_root)
    path.mkdir(mode=mode)
    if as_root:
        path.chmod(mode)


def _check_data_dir(place: Place) -> None:
    path = place.data_dir
    found = path.stat()
    if found.st_uid != os.geteuid():
        theirs = account_name(found.st_uid)
        raise EmbeddedError(
            f"The data directory {path} belongs to {theirs}, and this is {account_name(os.geteuid())}. "
            f"Run it as {theirs} (sudo -u {theirs} watchfloor ...), or choose another one with --data-dir."
        )
    if found.st_mode & 0o022:
        raise EmbeddedError(
            f"Other users may write to the data directory {path}, so what is in it cannot be trusted. "
            f"Take that right away (chmod go-w {path}), or choose another one with --data-dir."
        )
    if not place.users_lock.exists():
        _check_unclaimed(path)


def _check_unclaimed(path: Path) -> None:
    """Refuse to settle among somebody else's files. What the product may have put there first is named watchfloor*."""
    foreign = sorted(
        entry.name
        for entry in path.iterdir()
        if entry.name != "lost+found" and not entry.name.startswith("watchfloor")
    )
    if foreign:
        raise EmbeddedError(
            f"The data directory {path} is not empty and not Watchfloor's (it has {foreign[0]!r}). "
            "Choose an empty or a new one with --data-dir."
        )
    with tempfile.TemporaryFile(dir=path):
        pass  # it can be written to
    try:
        mountinfo = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except FileNotFoundError:
        return
    if kind := network_file_system(path, mountinfo):
        raise EmbeddedError(
            f"The data directory {path} is on a network file system ({kind}), which is not safe for a database. Choose "
            "one on a local disk with --data-dir, or use a PostgreSQL of your own (`database:` in config.yaml)."
        )
