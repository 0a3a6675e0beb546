"""Does what a FILE_SYSTEM job is asked, in a child. What is asked: the settings of the job, ``roots`` and ``mark``."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable
from typing import Any

from watchfloor.payloads.child_side import Out
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.file_copy import copy_file
from watchfloor.payloads.file_job import Job, items, made, made_parent, there
from watchfloor.payloads.file_pack import archive, compress, extract
from watchfloor.payloads.file_place import Item, Spot, failure, opened, walk


def work(asked: dict[str, Any], out: Out) -> None:
    """Do it. Raises `PayloadError`."""
    os.umask(0o022)
    job = Job(asked, out)
    try:
        _OPERATIONS[asked["operation"]](job)
    except OSError as error:
        raise failure(error, str(error.filename or asked["operation"])) from None


def _copy(job: Job) -> None:
    if stat.S_ISDIR(job.source_status().st_mode):
        with job.source.directory() as tree, made(job, job.target) as into:
            for item in items(job, tree):
                _copy_item(job, item, into)
    else:
        with job.source.parent() as tree, made_parent(job, job.target) as into:
            status = job.source_status()
            item = Item(tree, job.source.name, job.source.name, status)
            _copy_one(job, item, into, job.target.name, job.target.shown)
    job.done("copied")


def _copy_item(job: Job, item: Item, into: int | None) -> None:
    parts = item.path.split("/")
    if into is None:
        if not item.is_directory:
            _copy_one(job, item, None, item.name, item.path)
    elif item.is_directory:
        with opened(into, parts, item.path, create=True) as made:
            os.fchmod(made, stat.S_IMODE(item.status.st_mode) & 0o777 | 0o700)
    else:
        with opened(into, parts[:-1], item.path, create=True) as directory:
            _copy_one(job, item, directory, item.name, item.path)


def _copy_one(job: Job, item: Item, directory: int | None, name: str, shown: str) -> None:
    """Copy a file or a link into a directory; None: only tell."""
    if not (item.is_file or item.is_link):
        job.desk.say("left out, as it is no file,", item.path)
        return
    if directory is not None:
        if job.asked["exists"] == "keep" and there(directory, name):
            job.desk.say("kept what is there already:", shown)
            return
        if item.is_link:
            _copy_link(job, item, directory, name)
        else:
            copy_file(job.desk, (item.directory, item.name), (directory, name), shown, job.replace)
    job.files += 1
    job.bytes += item.status.st_size if item.is_file else 0
    job.desk.say("copied", shown)


def _copy_link(job: Job, item: Item, directory: int, name: str) -> None:
    """The link itself, never what it leads to."""
    leads = os.readlink(item.name, dir_fd=item.directory)
    temporary = job.desk.temporary()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=directory)
    if job.replace:
        os.symlink(leads, temporary, dir_fd=directory)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    else:
        os.symlink(leads, name, dir_fd=directory)


def _move(job: Job) -> None:
    status = job.source_status()
    present = job.target.status()
    if present is not None and job.asked["exists"] == "keep":
        job.desk.say("kept what is there already:", job.target.shown)
        return
    if present is not None and not job.replace:
        raise PayloadError("io.exists", f"{job.target.shown} is there already")
    if not job.desk.dry:
        with job.source.parent() as old, job.target.parent(create=True) as new:
            try:
                os.rename(job.source.name, job.target.name, src_dir_fd=old, dst_dir_fd=new)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                job.out.say("the target is on another file system: it is copied, then deleted")
                _copy(job)
                _remove(job, job.source, status)
                return
    job.files, job.bytes = 1, status.st_size
    job.desk.say("moved", f"{job.source.shown} to {job.target.shown}")


def _delete(job: Job) -> None:
    status = job.source.status()
    if status is None:
        if not job.asked["missing_ok"]:
            raise PayloadError("io.missing", f"{job.source.shown} is not there")
        job.out.say(f"{job.source.shown} is not there: nothing to delete")
        return
    if stat.S_ISDIR(status.st_mode) and not job.asked["recursive"]:
        raise PayloadError("io.unsafe", f"{job.source.shown} is a directory; set recursive to delete it")
    _remove(job, job.source, status)
    job.done("deleted")


def _remove(job: Job, spot: Spot, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        filtered = bool(job.asked["include"] or job.asked["exclude"])
        with spot.directory() as tree:
            for item in items(job, tree, leave_first=True):
                _unlink(job, item, keep_full=filtered)
        if filtered:
            return
    with spot.parent() as directory:
        _unlink(job, Item(directory, spot.name, spot.shown, status))


def _unlink(job: Job, item: Item, keep_full: bool = False) -> None:
    """Delete a file or an empty directory; with ``keep_full`` a directory that is not empty is left."""
    if not job.desk.dry:
        try:
            if item.is_directory:
                os.rmdir(item.name, dir_fd=item.directory)
            else:
                os.unlink(item.name, dir_fd=item.directory)
        except FileNotFoundError:
            return
        except OSError as error:
            if keep_full and item.is_directory and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return
            raise failure(error, item.path) from None
    elif keep_full and item.is_directory:
        return
    if not item.is_directory:
        job.files += 1
        job.bytes += item.status.st_size
    job.desk.say("deleted", item.path)


def _sync(job: Job) -> None:
    if not stat.S_ISDIR(job.source_status().st_mode):
        raise PayloadError("io.unsafe", f"{job.source.shown} is no directory")
    found: set[str] = set()
    same = 0
    job.replace = True
    with job.source.directory() as tree, made(job, job.target) as into:
        for item in items(job, tree):
            found.add(item.path)
            if not item.is_directory and _same(job, item):
                same += 1
            else:
                _copy_item(job, item, into)
    job.done("copied")
    job.out.say(f"{same:,} files were the same already")
    if job.asked["delete_extra"]:
        if not found:
            raise PayloadError(
                "io.unsafe", f"{job.source.shown} is empty: what is in the target is not deleted"
            )
        _delete_extra(job, found)


def _same(job: Job, item: Item) -> bool:
    spot = job.target
    present = Spot(spot.root, (*spot.parts, *item.path.split("/")), item.path).status()
    if present is None or stat.S_IFMT(present.st_mode) != stat.S_IFMT(item.status.st_mode):
        return False
    if item.is_link:
        return False
    return present.st_size == item.status.st_size and int(present.st_mtime) == int(item.status.st_mtime)


def _delete_extra(job: Job, found: set[str]) -> None:
    if job.target.status() is None:
        return  # a dry run of the first time
    job.files = job.bytes = 0
    with job.target.directory() as tree:
        for item in walk(tree, leave_first=True):
            job.out.check()
            if item.path not in found and (item.is_directory or job.wanted(item.path)):
                _unlink(job, item, keep_full=True)
    job.done("deleted")


def _clean_up(job: Job) -> None:
    """Delete what is old, by the time of its last change, but never the newest ``keep_newest``."""
    older, newest = job.asked["older_than"], job.asked["keep_newest"]
    now = time.time()
    with job.source.directory() as tree:
        ages = [
            (item.status.st_mtime, item.path)
            for item in items(job, tree)
            if item.is_file and (job.asked["recursive"] or "/" not in item.path)
        ]
        ages.sort(reverse=True)
        doomed = {path for at, path in ages[newest:] if older is None or now - at > older}
        for item in walk(tree, leave_first=True):
            job.out.check()
            if item.path in doomed:
                _unlink(job, item)
            elif item.is_directory and job.asked["recursive"] and job.asked["remove_empty"]:
                _unlink(job, item, keep_full=True)
    job.out.say(f"{len(ages) - len(doomed):,} files were kept")
    job.done("deleted")


_OPERATIONS: dict[str, Callable[[Job], None]] = {
    "copy": _copy,
    "move": _move,
    "delete": _delete,
    "archive": archive,
    "compress": compress,
    "extract": extract,
    "sync": _sync,
    "clean_up": _clean_up,
}
