"""Copies files so that nobody ever sees half of one: written under another name beside the target, then renamed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from typing import BinaryIO

from watchfloor.payloads.child_side import Out
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.file_place import failure

CHUNK = 2**20
TEMPORARY = ".watchfloor-"
"""How the names of what is half made begin."""


class Desk:
    """Where one run writes: its log, its mark on temporary names, whether it only tells what it would do."""

    def __init__(self, out: Out, mark: str, dry: bool) -> None:
        self.out = out
        self.dry = dry
        self._mark = mark
        self._last = 0

    def temporary(self) -> str:
        """A name for something half made. An attempt of the same run that was killed used the same ones."""
        self._last += 1
        return f"{TEMPORARY}{self._mark}-{self._last}"

    def say(self, what: str, path: str) -> None:
        """Log what was done to one item."""
        self.out.check()
        self.out.say(f"{'would have ' if self.dry else ''}{what} {path}")

    @contextlib.contextmanager
    def writing(
        self, directory: int, name: str, shown: str, replace: bool, durable: bool = True
    ) -> Iterator[BinaryIO]:
        """A file that becomes ``name`` when all of it is written and stored, and never exists in part.

        Raises `PayloadError` where there is one already and it may not be replaced. ``durable``: it waits for the
        disk before the name changes, so that a power cut leaves the old one or the new one.
        """
        temporary = self.temporary()
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(temporary, flags, 0o600, dir_fd=directory), "w+b") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            self.out.check()
            if replace:
                os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            else:
                os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
                os.unlink(temporary, dir_fd=directory)
        except OSError as error:
            if error.errno is None:
                raise  # what is read is broken, not the place where it goes
            raise failure(error, shown) from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)


@contextlib.contextmanager
def reading(directory: int, name: str, shown: str) -> Iterator[BinaryIO]:
    """A regular file to read; never a link, a device or a pipe. Raises `PayloadError`."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(name, flags, dir_fd=directory), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise PayloadError("io.unsafe", f"{shown} is no regular file")
            yield file
    except OSError as error:
        raise failure(error, shown) from None


def pour(source: BinaryIO, target: BinaryIO, out: Out, count: Callable[[int], None] | None = None) -> int:
    """Copy what is left of a file to another; returns the number of bytes. ``count`` hears of each piece first."""
    total = 0
    while chunk := source.read(CHUNK):
        out.check()
        if count is not None:
            count(len(chunk))
        target.write(chunk)
        total += len(chunk)
    return total


def copy_file(desk: Desk, source: tuple[int, str], target: tuple[int, str], shown: str, replace: bool) -> int:
    """Copy a regular file with its rights and times; returns its size. Raises `PayloadError`."""
    with (
        reading(*source, shown) as original,
        desk.writing(*target, shown, replace) as copy,
    ):
        size = pour(original, copy, desk.out)
        copy.flush()
        status = os.fstat(original.fileno())
        os.fchmod(copy.fileno(), stat.S_IMODE(status.st_mode) & 0o777)
        os.utime(copy.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
    return size
