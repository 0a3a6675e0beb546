"""Places in the file system that a job may touch, reached step by step from the allowed roots.

Every directory on the way is opened by itself and never through a symbolic link, and everything is done relative to
an open directory. So nothing that somebody swaps meanwhile leads out of the roots. This module must never open a
path as a whole, except a root.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from watchfloor.payloads.contract import PayloadError

DEEPEST = 100
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CLASSES = {
    errno.ENOENT: "io.missing", errno.EEXIST: "io.exists", errno.ENOTEMPTY: "io.exists", errno.EACCES: "io.permission",
    errno.EPERM: "io.permission", errno.EROFS: "io.permission", errno.ENOSPC: "io.full", errno.EDQUOT: "io.full",
    errno.ELOOP: "io.outside", errno.EFBIG: "io.full",
}  # fmt: skip


def failure(error: OSError, what: str) -> PayloadError:
    """What an error of the system means."""
    name = _CLASSES.get(error.errno or 0, "io.other")
    return PayloadError(name, f"{what}: {os.strerror(error.errno) if error.errno else error}")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place below an open root. ``parts`` is never empty: a root itself is nobody's to move or delete."""

    root: int
    parts: tuple[str, ...]
    shown: str

    @property
    def name(self) -> str:
        """The last part."""
        return self.parts[-1]

    @contextlib.contextmanager
    def parent(self, create: bool = False) -> Iterator[int]:
        """The open directory that holds the place. Raises `PayloadError`."""
        with opened(self.root, self.parts[:-1], self.shown, create) as directory:
            yield directory

    def status(self) -> os.stat_result | None:
        """What is there, not followed if it is a link; None where nothing is."""
        try:
            with self.parent() as directory:
                return os.stat(self.name, dir_fd=directory, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PayloadError as error:
            if error.error_class == "io.missing":
                return None
            raise

    @contextlib.contextmanager
    def directory(self, create: bool = False) -> Iterator[int]:
        """The place itself, an open directory. Raises `PayloadError`."""
        with opened(self.root, self.parts, self.shown, create) as directory:
            yield directory


@contextlib.contextmanager
def opened(start: int, parts: Sequence[str], shown: str, create: bool = False) -> Iterator[int]:
    """Open a directory below another, step by step. Raises `PayloadError`."""
    now = os.dup(start)
    try:
        for part in parts:
            below = step(now, part, shown, create)
            os.close(now)
            now = below
        yield now
    finally:
        os.close(now)


def step(directory: int, name: str, shown: str, create: bool = False) -> int:
    """Open one directory in another. Raises `PayloadError`."""
    try:
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=directory)
        return os.open(name, _DIRECTORY, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and _is_link(directory, name):
            raise PayloadError("io.outside", f"{shown} leads through the symbolic link {name!r}") from None
        raise failure(error, shown) from None


def _is_link(directory: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except OSError:
        return False


class Roots:
    """The directories that this node lets jobs touch."""

    def __init__(self, written: Sequence[str]) -> None:
        """A root that is not there, or cannot be opened, is none."""
        self._open: dict[PurePosixPath, int] = {}
        for text in written:
            with contextlib.suppress(OSError):
                self._open[PurePosixPath(text)] = os.open(text, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def spot(self, text: str) -> Spot:
        """The place that a path means. Raises `PayloadError` where it lies outside of every root."""
        path = PurePosixPath(text)
        for root in sorted(self._open, key=lambda each: -len(each.parts)):
            if path.is_relative_to(root) and ".." not in path.parts:
                parts = path.relative_to(root).parts
                if not parts:
                    raise PayloadError(
                        "config.roots", f"{text} is itself one of node.roots; name what is in it"
                    )
                return Spot(self._open[root], parts, text)
        raise PayloadError("config.roots", f"{text} is in none of the directories of node.roots on this node")


@dataclass(frozen=True, slots=True)
class Item:
    """Something found in a tree: in which open directory, its name there, its path from the top, what it is."""

    directory: int
    name: str
    path: str
    status: os.stat_result

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory; a link to one is none."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.status.st_mode)


def walk(directory: int, path: str = "", *, leave_first: bool = False) -> Iterator[Item]:
    """Everything in a tree, by name; a directory before what is in it, or after it with ``leave_first``.

    An item is to be used before the next one is asked for. Raises `PayloadError`.
    """
    if path.count("/") >= DEEPEST:
        raise PayloadError("io.too_much", f"{path[:80]}… lies more than {DEEPEST} directories deep")
    for name in sorted(os.listdir(directory)):
        inner = f"{path}/{name}" if path else name
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            continue  # it went meanwhile
        item = Item(directory, name, inner, status)
        if not leave_first:
            yield item
        if item.is_directory:
            below = step(directory, name, inner)
            try:
                yield from walk(below, inner, leave_first=leave_first)
            finally:
                os.close(below)
        if leave_first:
            yield item
