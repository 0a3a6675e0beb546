"""Advisory file locks that say who is alive: the kernel drops them when their process dies, however it dies.

Standard library only, because the keeper loads this file without the rest of the product. A lock belongs to one
open file description: it is closed on exec, and a forked child closes its copy at once, so no child ever keeps a
server alive by accident. Never ask `flock` to block here except where a comment says so: a blocked call cannot
be cancelled.
"""

from __future__ import annotations

import _thread
import fcntl
import os

_guard = _thread.allocate_lock()
_held: set[FileLock] = set()


def open_lock_file(path: str) -> int:
    """Open (or create, 0600) the file at `path` for locking. Raises OSError; refuses to follow a symbolic link."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def try_lock(fd: int, *, exclusive: bool) -> bool:
    """Lock the open file now if nobody stands in the way; True when the lock is ours."""
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class FileLock:
    """One lock on one file, held from a successful `try_acquire` until `release` or the end of the process."""

    def __init__(self, path: os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this process holds the lock; False in a child forked from the holder."""
        return self._fd is not None

    def fileno(self) -> int:
        """The descriptor, for handing the lock on to a child that must hold it too. Raises ValueError if not held."""
        if self._fd is None:
            raise ValueError(f"{self._path} is not locked by this process")
        return self._fd

    def try_acquire(self, *, exclusive: bool) -> bool:
        """Take the lock without waiting; True when it is ours. Raises OSError if the file cannot be opened."""
        with _guard:
            fd = open_lock_file(self._path)
            if not try_lock(fd, exclusive=exclusive):
                os.close(fd)
                return False
            self._fd = fd
            _held.add(self)
        return True

    def release(self) -> None:
        """Drop the lock; doing so twice, or in a forked child, is harmless."""
        with _guard:
            self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            _held.discard(self)
            os.close(fd)


def is_held(path: os.PathLike[str], *, by_anyone: bool = False) -> bool:
    """Whether somebody holds the file exclusively (`by_anyone`: or shared). A missing file is not held."""
    with _guard:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not try_lock(fd, exclusive=by_anyone)
        finally:
            os.close(fd)


def _forget_in_child() -> None:
    for lock in tuple(_held):
        lock._close()
    _guard.release()


# Holding the guard across a fork means that the child sees every lock file either open and listed, or closed.
os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_forget_in_child)
