"""Notices that somebody saved a file that the console follows, without looking at it again and again.

On Linux the kernel says so (inotify(7)); where that cannot be had, whoever asks is called at intervals and looks by
itself. It never reads a file, and a call may be for nothing.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

LOOK_S = 0.7
"""So often is looked where nobody says anything, so that what is saved is in force within a second."""

_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_SAVED = 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200
"""IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, of what is in a directory."""
_EVENT = struct.Struct("iIII")


class Saves:
    """Calls `told` when files in the followed files' directories were saved. Runs on the loop that made it."""

    def __init__(self, told: Callable[[], None], *, kernel: bool = True) -> None:
        """Without `kernel` it looks at intervals, as where the kernel says nothing."""
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._folders: dict[Path, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._fd = -1
        if kernel:
            self._open()
        if self._fd < 0:
            self._look()

    def _open(self) -> None:
        try:
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.inotify_init1(_NONBLOCK_CLOEXEC)
        except (OSError, AttributeError):  # not this system
            return
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._read)

    def follow(self, files: Iterable[Path]) -> None:
        """Follow these files and no others; of a link also what it leads to."""
        wanted = {folder for file in files for folder in (file.parent, file.resolve().parent)}
        if self._fd < 0:
            return
        for folder in self._folders.keys() - wanted:
            self._libc.inotify_rm_watch(self._fd, self._folders.pop(folder))
        for folder in wanted - self._folders.keys():
            watch = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), ctypes.c_uint32(_SAVED))
            if watch < 0:  # no such directory, or the kernel follows too many already
                self._give_up()
                return
            self._folders[folder] = watch

    def _give_up(self) -> None:
        """Look at intervals from now on."""
        self._close()
        self._look()

    def _read(self) -> None:
        try:
            events = os.read(self._fd, 65_536)
        except BlockingIOError:
            return
        if len(events) >= _EVENT.size:
            self._told()

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK_S, self._look)
        self._told()

    def _close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._folders.clear()

    def end(self) -> None:
        """Follow nothing any more."""
        self._close()
        if self._timer is not None:
            self._timer.cancel()
