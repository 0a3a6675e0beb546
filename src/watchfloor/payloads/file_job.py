"""What the operations of a FILE_SYSTEM job share: what was asked, which files are wanted, where things are made."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from watchfloor.payloads.child_side import Out
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.file_copy import TEMPORARY, Desk
from watchfloor.payloads.file_place import Item, Roots, Spot, walk


class Job:
    """One job at work."""

    def __init__(self, asked: dict[str, Any], out: Out) -> None:
        """Raises `PayloadError` where a path lies outside of the roots."""
        roots = Roots(asked["roots"])
        self.asked = asked
        self.out = out
        self.desk = Desk(out, asked["mark"], asked["dry_run"])
        self.source = roots.spot(asked["source"])
        self.target = roots.spot(asked["target"]) if asked["target"] else self.source
        self.replace = asked["exists"] == "replace"
        self.files = self.bytes = 0

    def wanted(self, path: str) -> bool:
        """Whether the patterns choose a file; one with ``/`` is held against its path, others against its name."""
        name = path.rpartition("/")[2]

        def fits(pattern: str) -> bool:
            return fnmatchcase(path if "/" in pattern else name, pattern)

        chosen = not self.asked["include"] or any(map(fits, self.asked["include"]))
        return chosen and not any(map(fits, self.asked["exclude"])) and not name.startswith(TEMPORARY)

    def source_status(self) -> os.stat_result:
        """What the source is. Raises `PayloadError` where it is nothing."""
        status = self.source.status()
        if status is None:
            raise PayloadError("io.missing", f"{self.source.shown} is not there")
        return status

    def done(self, verb: str) -> None:
        """Log what it came to."""
        would = "would have " if self.desk.dry else ""
        files = "file" if self.files == 1 else "files"
        self.out.say(f"{would}{verb} {self.files:,} {files}, {self.bytes:,} bytes")


def items(job: Job, directory: int, *, leave_first: bool = False) -> Iterator[Item]:
    """What is in a tree and wanted. Directories come always."""
    for item in walk(directory, leave_first=leave_first):
        job.out.check()
        if item.is_directory or job.wanted(item.path):
            yield item


@contextlib.contextmanager
def made(job: Job, spot: Spot) -> Iterator[int | None]:
    """A directory that may have to be made; None where nothing may be made."""
    if job.desk.dry:
        yield None
    else:
        with spot.directory(create=True) as directory:
            yield directory


@contextlib.contextmanager
def made_parent(job: Job, spot: Spot) -> Iterator[int | None]:
    """As `made`, for the directory that holds a place."""
    if job.desk.dry:
        yield None
    else:
        with spot.parent(create=True) as directory:
            yield directory


def there(directory: int, name: str) -> bool:
    """Whether a directory holds something of that name."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
