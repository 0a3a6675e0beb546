"""The operations of a FILE_SYSTEM job that have to do with archives: archive, compress, extract."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.file_archive import (
    SINGLE,
    TARS,
    Budget,
    TarMaker,
    ZipMaker,
    ending_of,
    form_of,
    packing,
    unpack,
)
from watchfloor.payloads.file_copy import pour, reading
from watchfloor.payloads.file_job import Job, items, there
from watchfloor.payloads.file_place import Item, opened, walk


def archive(job: Job) -> None:
    """Put files into an archive. Raises `PayloadError`."""
    if job.desk.dry:
        _into_archive(job, None)
    else:
        name = job.target.name
        with (
            job.target.parent(create=True) as directory,
            job.desk.writing(directory, name, job.target.shown, job.replace) as file,
        ):
            zipped = form_of(name) == "zip"
            made = ZipMaker(file) if zipped else TarMaker(file, TARS[ending_of(name, TARS)])
            with contextlib.closing(made) as maker:
                _into_archive(job, maker)
            os.fchmod(file.fileno(), 0o640)
    job.done("archived")


def _into_archive(job: Job, maker: TarMaker | ZipMaker | None) -> None:
    def add(item: Item) -> None:
        if maker is None or maker.add(item):
            job.files += item.is_file
            job.bytes += item.status.st_size if item.is_file else 0
            job.desk.say("archived", item.path)
        else:
            job.desk.say("left out, as this archive holds no such thing,", item.path)

    status = job.source_status()
    if stat.S_ISDIR(status.st_mode):
        with job.source.directory() as tree:
            for item in items(job, tree):
                add(item)
    else:
        with job.source.parent() as directory:
            add(Item(directory, job.source.name, job.source.name, status))


def compress(job: Job) -> None:
    """Compress one file. Raises `PayloadError`."""
    name = job.target.name
    if job.desk.dry:
        job.files, job.bytes = 1, job.source_status().st_size
    else:
        with (
            job.source.parent() as directory,
            reading(directory, job.source.name, job.source.shown) as source,
            job.target.parent(create=True) as into,
            job.desk.writing(into, name, job.target.shown, job.replace) as file,
        ):
            with packing(file, SINGLE[ending_of(name, SINGLE)]) as packed:
                job.bytes = pour(source, packed, job.out)
            os.fchmod(file.fileno(), stat.S_IMODE(os.fstat(source.fileno()).st_mode) & 0o777)
        job.files = 1
        if job.asked["remove_source"]:
            with job.source.parent() as directory:
                os.unlink(job.source.name, dir_fd=directory)
            job.desk.say("deleted", job.source.shown)
    job.desk.say("compressed", f"{job.source.shown} to {job.target.shown}")
    job.done("compressed")


def extract(job: Job) -> None:
    """Take an archive apart, as a whole or not at all. Raises `PayloadError`."""
    limits = job.asked["limits"]
    if job.target.status() is not None and job.asked["exists"] == "fail":
        raise PayloadError("io.exists", f"{job.target.shown} is there already")
    with (
        job.source.parent() as holder,
        reading(holder, job.source.name, job.source.shown) as source,
    ):
        packed = os.fstat(source.fileno()).st_size
        budget = Budget(limits["files"], limits["size"] * 2**20, limits["ratio"], packed)
        if job.desk.dry:
            job.files = unpack(job.desk, source, job.source.name, budget, None)
        else:
            with job.target.parent(create=True) as directory, _staging(job, directory) as (name, staging):
                job.files = unpack(job.desk, source, job.source.name, budget, staging)
                _put_in_place(job, directory, name, staging)
    job.out.say(f"{'would have ' if job.desk.dry else ''}extracted {job.files:,} files")


@contextlib.contextmanager
def _staging(job: Job, directory: int) -> Iterator[tuple[str, int]]:
    """A directory beside the target in which it is put together; gone afterwards, whatever became of it."""
    name = job.desk.temporary()
    _clear(directory, name)
    os.mkdir(name, 0o755, dir_fd=directory)
    staging = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
    try:
        yield name, staging
    finally:
        os.close(staging)
        _clear(directory, name)


def _clear(directory: int, name: str) -> None:
    if not there(directory, name):
        return
    with opened(directory, [name], name) as tree:
        for item in walk(tree, leave_first=True):
            remove = os.rmdir if item.is_directory else os.unlink
            remove(item.name, dir_fd=item.directory)
    os.rmdir(name, dir_fd=directory)


def _put_in_place(job: Job, directory: int, name: str, staging: int) -> None:
    """A new target appears as a whole; into one that is there the files are renamed one by one."""
    if not there(directory, job.target.name):
        os.rename(name, job.target.name, src_dir_fd=directory, dst_dir_fd=directory)
        return
    with job.target.directory() as into:
        for item in walk(staging):
            parts = item.path.split("/")
            if item.is_directory:
                with opened(into, parts, item.path, create=True):
                    continue
            with opened(into, parts[:-1], item.path) as below:
                if job.replace or not there(below, item.name):
                    os.rename(item.name, item.name, src_dir_fd=item.directory, dst_dir_fd=below)
                else:
                    job.desk.say("kept what is there already:", item.path)
