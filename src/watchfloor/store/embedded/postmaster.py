"""Which PostgreSQL processes belong to a cluster, read from the outside: its `postmaster.pid` and /proc.

Standard library only, because the keeper loads this file without the rest of the product. A process number alone
proves nothing: it may be dead, a zombie, or long since somebody else's. A postmaster is recognised by its command
line, `postgres -D <this cluster>`, and its children by the cluster name in their titles. Both are readable without
privileges, also for root in a container without CAP_SYS_PTRACE. This module sends no signals and removes no files.
"""

from __future__ import annotations

import os
from itertools import pairwise

_PID_FILE = "postmaster.pid"
_SIZE_LIMIT = 4096


class PidFile:
    """What a postmaster says about itself: its process number and, once known, its status word."""

    __slots__ = ("pid", "status")

    def __init__(self, pid: int, status: str) -> None:
        self.pid = pid
        self.status = status


def pid_file(cluster: str) -> PidFile | None:
    """The content of `postmaster.pid`, or None when there is none or it is not (yet) complete.

    The status is one of "starting", "ready", "standby", "stopping", or "" while the file is being written.
    Raises OSError when the cluster may not be read.
    """
    try:
        # The cluster belongs to another account when we are root: neither follow its links nor wait on its pipes.
        fd = os.open(
            os.path.join(cluster, _PID_FILE), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except FileNotFoundError:
        return None
    try:
        lines = os.read(fd, _SIZE_LIMIT).decode("utf-8", "replace").split("\n")
    finally:
        os.close(fd)
    if not (lines[0].isascii() and lines[0].isdigit() and len(lines[0]) < 10):
        return None
    return PidFile(int(lines[0]), lines[7].strip() if len(lines) > 7 else "")


def running(cluster: str) -> int | None:
    """The process number of the living postmaster named by `postmaster.pid`, or None."""
    found = pid_file(cluster)
    return found.pid if found is not None and is_postmaster(found.pid, cluster) else None


def is_postmaster(pid: int, cluster: str) -> bool:
    """Whether this process is alive and the postmaster of this very cluster. Zombies have no command line."""
    if not os.path.isdir("/proc/self"):
        return exists(pid)  # no way to know more: PostgreSQL's own interlock decides
    argv = _command_line(pid)
    wanted = (b"-D", os.fsencode(cluster))
    return os.path.basename(argv[0]) == b"postgres" and wanted in pairwise(argv)


def find(cluster: str) -> int | None:
    """The process number of the living postmaster of this cluster, also when its `postmaster.pid` is lost."""
    return running(cluster) or next((pid for pid in _processes() if is_postmaster(pid, cluster)), None)


def exists(pid: int) -> bool:
    """Whether the process number is in use, if only by a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def children(cluster: str, cluster_name: str) -> list[int]:
    """The living server processes of the cluster other than its postmaster; empty where there is no /proc."""
    title = b"postgres: " + os.fsencode(cluster_name) + b": "
    owner = _owner(cluster)
    return [
        pid
        for pid in _processes()
        if _command_line(pid)[0].startswith(title) and _owner(f"/proc/{pid}") == owner
    ]


def only_idle_helpers(cluster: str, cluster_name: str) -> bool:
    """Whether nothing is left but the postmaster and who only helps: no backend, no recovery, nobody who writes."""
    name = b"postgres: " + os.fsencode(cluster_name) + b": "
    jobs = [_command_line(pid)[0].removeprefix(name).rstrip() for pid in children(cluster, cluster_name)]
    helpers = (b"checkpointer", b"background writer")
    return bool(jobs) and all(job in helpers for job in jobs)


def _processes() -> list[int]:
    return (
        [int(name) for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc/self") else []
    )


def _command_line(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(_SIZE_LIMIT * 4).split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return [b""]


def _owner(path: str) -> int | None:
    try:
        return os.stat(path).st_uid
    except (FileNotFoundError, ProcessLookupError):
        return None
