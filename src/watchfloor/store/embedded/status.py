"""What can be said about the embedded server of a data directory without starting, stopping or changing anything."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from watchfloor.store.embedded import keeper, postmaster
from watchfloor.store.embedded.locks import is_held
from watchfloor.store.embedded.place import Place, unusable


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """The embedded server of one data directory, as it looks at this moment."""

    data_dir: Path
    state: str
    """"absent" (no cluster yet), "stopped", "starting", "running", "failing" or "stopping"."""
    pid: int | None
    """The process number of the postmaster."""
    keeper_pid: int | None
    users: int | None
    """How many processes use the server; None where the system does not tell."""
    version: str | None
    """The major version of the cluster, for instance "18"."""
    size: int
    """Bytes in the cluster's files."""
    socket: Path | None
    """The socket file, if it is there."""
    log: Path

    @property
    def running(self) -> bool:
        """Whether the database answers, or would but for the number of connections."""
        return self.state == "running"


def status(data_dir: Path) -> EmbeddedStatus:
    """Look at the embedded server of `data_dir`. Raises EmbeddedError if this user may not look."""
    place = Place.at(data_dir)
    try:
        return _look(place)
    except OSError as error:
        raise unusable(place, error) from error


def _look(place: Place) -> EmbeddedStatus:
    cluster = str(place.cluster)
    exists = place.cluster.is_dir()
    pid = postmaster.running(cluster) if exists else None
    kept = is_held(place.keeper_lock)
    keeper_pid, said, _ = keeper.report(str(place.keeper_lock))
    found = postmaster.pid_file(cluster) if pid is not None else None
    if found is not None:
        state = "running" if found.status == "ready" else found.status or "starting"
    elif kept:
        state = said
    else:
        state = "stopped" if exists else "absent"
    socket = place.socket_dir(place.cluster.stat().st_uid) / ".s.PGSQL.5432" if exists else None
    return EmbeddedStatus(
        data_dir=place.data_dir,
        state=state,
        pid=pid,
        keeper_pid=keeper_pid if kept else None,
        users=_users(place.users_lock),
        version=(place.cluster / "PG_VERSION").read_text(encoding="ascii").strip() if exists else None,
        size=_size_of(place.cluster),
        socket=socket if socket is not None and socket.exists() else None,
        log=place.log,
    )


def _users(lock: Path) -> int | None:
    """How many hold the users' lock shared, from the kernel's list of locks."""
    try:
        inode = str(lock.stat().st_ino)
        locks = Path("/proc/locks").read_text(encoding="ascii")
    except FileNotFoundError:
        return 0 if not lock.exists() else None
    fields = (line.split() for line in locks.splitlines())
    return sum(
        1
        for field in fields
        if len(field) >= 6 and field[1] == "FLOCK" and field[3] == "READ" and field[5].split(":")[-1] == inode
    )


def _size_of(directory: Path) -> int:
    total = 0
    for path, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                continue  # the server removes files as it works
    return total
