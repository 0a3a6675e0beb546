"""Reads the small files a configuration consists of, without ever hanging on a pipe or filling memory."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


class Unreadable(Exception):
    """A file that cannot be used: ``reason`` completes "this file …", ``remedy`` is a sentence or empty."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


_REASONS = {
    errno.ENOENT: ("does not exist", "Create it or correct the path."),
    errno.ENOTDIR: ("does not exist", "Part of the path is a file, not a directory. Correct the path."),
    errno.EACCES: ("is not readable for this user", "Give this user permission to read it."),
    errno.EPERM: ("is not readable for this user", "Give this user permission to read it."),
    errno.EISDIR: ("is a directory", "Name a file."),
    errno.ELOOP: ("is a link to itself", "Correct the link."),
    errno.ENAMETOOLONG: ("has a name that is too long", "Correct the path."),
    errno.ENXIO: ("is not a regular file", "Name a regular file."),
}


def read_small(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """Read a regular file of at most ``limit`` bytes; return its bytes and its status.

    Raises `Unreadable` for anything else: missing, not permitted, a directory, pipe or device, too large.
    """
    try:
        with open(path, "rb", opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(*_REASONS[errno.ENXIO])
            data = file.read(limit + 1)
            if len(data) > limit:
                raise Unreadable(f"is larger than {_size(limit)}", "Make it smaller.")
            return data, status
    except OSError as error:
        reason = _REASONS.get(error.errno or 0)
        raise Unreadable(*(reason or (f"cannot be read ({error.strerror})", ""))) from error
    except ValueError as error:  # a NUL in the path
        raise Unreadable("has a name with a NUL character", "Correct the path.") from error


def _open(path: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a pipe nobody writes to would wait for ever.
    return os.open(path, flags | os.O_NONBLOCK)


def _size(count: int) -> str:
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count // 2**10} KiB"
