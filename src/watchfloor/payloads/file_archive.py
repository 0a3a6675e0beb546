"""Makes and opens archives. What an archive says of itself is believed in nothing: names, sizes, kinds, numbers.

A member that would land outside, that is a link, a device or a pipe, or that makes more of the archive than the
limits allow, ends the extraction, and nothing of it is left.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from watchfloor.payloads.child_side import Out
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.file_copy import Desk, pour, reading
from watchfloor.payloads.file_place import DEEPEST, Item, opened, step

TARS = {".tar": "", ".tar.gz": "gz", ".tgz": "gz", ".tar.bz2": "bz2", ".tar.xz": "xz"}
SINGLE = {".gz": "gz", ".bz2": "bz2", ".xz": "xz"}
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    UnicodeError,
    NotImplementedError,
    OverflowError,
    ValueError,
    gzip.BadGzipFile,
)


def form_of(name: str) -> str:
    """``tar``, ``zip`` or ``single`` by the end of a file name; empty where it is neither."""
    low = name.lower()
    if low.endswith(tuple(TARS)):
        return "tar"
    if low.endswith(".zip"):
        return "zip"
    return "single" if low.endswith(tuple(SINGLE)) else ""


def ending_of(name: str, endings: dict[str, str]) -> str:
    """The longest of some endings that a file name has."""
    low = name.lower()
    return max((each for each in endings if low.endswith(each)), key=len, default="")


@contextlib.contextmanager
def packing(file: BinaryIO, how: str) -> Iterator[BinaryIO]:
    """A file whose content is compressed on its way into another."""
    if how == "gz":
        packed: Any = gzip.GzipFile("", "wb", fileobj=file, mtime=0)
    elif how == "bz2":
        packed = bz2.BZ2File(file, "wb")
    elif how == "xz":
        packed = lzma.LZMAFile(file, "wb")  # noqa: SIM115 - closed below
    else:
        yield file
        return
    with packed:
        yield packed


def unpacking(file: BinaryIO, how: str) -> BinaryIO:
    """What is compressed in a file, to be read piece by piece."""
    if how == "gz":
        return cast(BinaryIO, gzip.GzipFile(fileobj=file, mode="rb"))
    openers: dict[str, Any] = {"bz2": bz2.BZ2File, "xz": lzma.LZMAFile}
    return cast(BinaryIO, openers[how](file)) if how else file


class TarMaker:
    """Puts items into a tar."""

    def __init__(self, file: BinaryIO, how: str) -> None:
        self._stack = contextlib.ExitStack()
        self._tar = tarfile.open(  # noqa: SIM115 - closed with the stack
            mode="w|", fileobj=self._stack.enter_context(packing(file, how)), format=tarfile.PAX_FORMAT
        )

    def add(self, item: Item) -> bool:
        """Put one in; False where it is nothing that archives hold."""
        entry = tarfile.TarInfo(item.path)
        entry.mode, entry.mtime = stat.S_IMODE(item.status.st_mode) & 0o777, int(item.status.st_mtime)
        if item.is_directory:
            entry.type = tarfile.DIRTYPE
            self._tar.addfile(entry)
        elif item.is_link:
            entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(item.name, dir_fd=item.directory)
            self._tar.addfile(entry)
        elif item.is_file:
            with reading(item.directory, item.name, item.path) as file:
                entry.size = os.fstat(file.fileno()).st_size
                try:
                    self._tar.addfile(entry, file)
                except OSError as error:
                    if error.errno is not None:
                        raise
                    raise PayloadError("io.changed", f"{item.path} became shorter meanwhile") from None
        else:
            return False
        return True

    def close(self) -> None:
        """Write the end."""
        self._tar.close()
        self._stack.close()


class ZipMaker:
    """Puts items into a zip, which knows no links."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)

    def add(self, item: Item) -> bool:
        """Put one in; False where it is nothing that a zip holds."""
        if not (item.is_directory or item.is_file):
            return False
        entry = zipfile.ZipInfo(item.path + ("/" if item.is_directory else ""), (1980, 1, 1, 0, 0, 0))
        entry.external_attr = (item.status.st_mode & 0o170777) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        if item.is_directory:
            self._zip.writestr(entry, b"")
            return True
        with (
            reading(item.directory, item.name, item.path) as file,
            self._zip.open(entry, "w", force_zip64=True) as packed,
        ):
            while chunk := file.read(2**20):
                packed.write(chunk)
        return True

    def close(self) -> None:
        """Write the end."""
        self._zip.close()


@dataclass(slots=True)
class Budget:
    """What an archive may become: files, bytes, and bytes for each of its own."""

    files: int
    size: int
    ratio: int
    packed: int
    _files: int = 0
    _size: int = 0

    def file(self) -> None:
        """One more member. Raises `PayloadError`."""
        self._files += 1
        if self._files > self.files:
            raise PayloadError("io.too_much", f"the archive holds more than {self.files:,} files")

    def bytes(self, number: int) -> None:
        """So many more bytes. Raises `PayloadError`."""
        self._size += number
        if self._size > self.size:
            raise PayloadError("io.too_much", f"the archive becomes more than {self.size // 2**20:,} MiB")
        if self._size > max(self.packed * self.ratio, 2**20):
            raise PayloadError(
                "io.too_much", f"the archive becomes more than {self.ratio} times as large as it is"
            )


class _Counted(io.RawIOBase):
    """Passes on what it reads and counts it, also what is only skipped."""

    def __init__(self, file: BinaryIO, budget: Budget, out: Out) -> None:
        self._file, self._budget, self._out = file, budget, out

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._out.check()
        data = self._file.read(len(buffer))
        self._budget.bytes(len(data))
        buffer[: len(data)] = data
        return len(data)


def parts_of(name: str) -> tuple[str, ...]:
    """Where a member of an archive goes, step by step. Raises `PayloadError` where that leads outside."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise PayloadError("io.unsafe", f"the archive holds {name[:100]!r}, which leads out of it")
    if len(parts) > DEEPEST or any(len(os.fsencode(part)) > 255 for part in parts):
        raise PayloadError("io.unsafe", f"the archive holds {name[:100]!r}, which is too deep or too long")
    return parts


Member = tuple[str, int, BinaryIO | None]
"""The name, the rights, the content; no content: a directory."""


def members(file: BinaryIO, name: str, budget: Budget, out: Out) -> Iterator[Member]:
    """What an archive holds, one after the other; each is to be read before the next."""
    if form_of(name) == "tar":
        yield from _tar_members(file, TARS[ending_of(name, TARS)], budget, out)
    elif form_of(name) == "zip":
        yield from _zip_members(file, budget, out)
    else:
        ending = ending_of(name, SINGLE)
        content = io.BufferedReader(_Counted(unpacking(file, SINGLE[ending]), budget, out))
        yield name[: -len(ending)], 0o644, cast(BinaryIO, content)


def _tar_members(file: BinaryIO, how: str, budget: Budget, out: Out) -> Iterator[Member]:
    counted = io.BufferedReader(_Counted(unpacking(file, how), budget, out))
    with tarfile.open(mode="r|", fileobj=counted) as tar:
        for entry in tar:
            budget.file()
            if not (entry.isreg() or entry.isdir()):
                raise PayloadError("io.unsafe", f"the archive holds {entry.name[:100]!r}, a link or a device")
            content = tar.extractfile(entry) if entry.isreg() else None
            yield entry.name, entry.mode & 0o777, cast(BinaryIO | None, content)
            tar.members = []  # type: ignore[attr-defined]  # the list would grow with the archive


def _zip_members(file: BinaryIO, budget: Budget, out: Out) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            budget.file()
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise PayloadError(
                    "io.unsafe", f"the archive holds {entry.filename[:100]!r}, a link or a device"
                )
            if entry.flag_bits & 1:
                raise PayloadError("io.unsafe", "the archive is encrypted")
            mode = (entry.external_attr >> 16) & 0o777
            if entry.is_dir():
                yield entry.filename, mode, None
                continue
            with archive.open(entry) as packed:
                content = io.BufferedReader(_Counted(cast(BinaryIO, packed), budget, out))
                yield entry.filename, mode, cast(BinaryIO, content)


def unpack(desk: Desk, source: BinaryIO, name: str, budget: Budget, staging: int | None) -> int:
    """Put what an archive holds into an open directory, or only tell where that is None.

    Returns the number of files. Raises `PayloadError`.
    """
    files = 0
    try:
        for written, mode, content in members(source, name, budget, desk.out):
            parts = parts_of(written)
            if parts:
                _put(desk, parts, mode, content, staging)
                desk.say("extracted", written)
                files += content is not None
    except (*BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise PayloadError("io.unsafe", f"{name} is broken or no such archive: {error}") from None
    return files


def _put(
    desk: Desk, parts: tuple[str, ...], mode: int, content: BinaryIO | None, staging: int | None
) -> None:
    shown = "/".join(parts)
    if staging is None:
        while content is not None and content.read(2**20):
            pass
        return
    with opened(staging, parts[:-1], shown, create=True) as directory:
        if content is None:
            os.close(step(directory, parts[-1], shown, create=True))
            return
        with desk.writing(directory, parts[-1], shown, replace=True, durable=False) as file:
            pour(content, file, desk.out)
            os.fchmod(file.fileno(), (mode or 0o644) | 0o600)
