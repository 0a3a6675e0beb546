"""Checks of files and directories: are they there, how old, how large, how many.

A path may hold the pattern signs ``*``, ``?`` and ``[…]`` in its last part. Looking may hang on a dead
network file system, so it is done by a few threads that are kept for it. This module must never open a file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from time import time
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from watchfloor.config.base import Settings as BaseSettings
from watchfloor.config.fields import DurationField, InWords
from watchfloor.domain.durations import compact_duration, format_duration
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.blocking import Hands
from watchfloor.probes.checking import Check, Fault, conduct, reason
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import Limits
from watchfloor.probes.text import size

ENTRY_LIMIT = 100_000
"""How many entries of directories are looked at in one check."""

_looking = Hands(8, "files")
_SIGNS = frozenset("*?[")


Age = Annotated[float, DurationField("1s", "3650d")]


class AgeLimits(BaseSettings):
    """How old a file may be before it is degraded, and before it is failing."""

    degraded: Age | None = Field(None, description="Degraded from this age on.")
    failing: Age | None = Field(None, description="Failing from this age on.")

    @model_validator(mode="after")
    def _in_order(self) -> AgeLimits:
        if self.degraded is not None and self.failing is not None and self.degraded > self.failing:
            raise ValueError("the degraded limit must not be above the failing limit")
        return self


class Settings(BaseSettings):
    """A file, the files that a pattern matches, or what is in a directory."""

    path: Annotated[
        str, Field(pattern=r"^/[^\x00]*$", max_length=4096), InWords("an absolute path, such as /var/spool")
    ] = Field(
        description="The absolute path of a file or directory; its last part may be a pattern, as in "
        "`/backup/*.dump`. Of a directory, the files in it are looked at.",
    )
    recursive: bool = Field(False, description="Whether directories below are looked at too.")
    exists: bool = Field(True, description="Whether there must be a file; false: there must be none.")
    age: AgeLimits = Field(AgeLimits(), description="The age by the last change, of the file `age_of` says.")
    age_of: Literal["newest", "oldest"] = Field(
        "newest", description="Whose age counts: of the newest file (a backup) or the oldest (a queue)."
    )
    size: Limits = Field(Limits(), description="The size of all files together, in bytes.")
    min_size: int = Field(0, ge=0, description="How large the newest file must be at least, in bytes.")
    count: Limits = Field(Limits(), description="How many files there are.")


class Seen(NamedTuple):
    """What was found: figures of all files together, and of the newest; times in seconds since 1970."""

    files: int
    size: int
    newest: float
    oldest: float
    newest_size: int
    cut: bool


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Look once and judge within ``timeout`` seconds."""
    check = Check()
    check.doing = f"looking at {settings.path}"
    return await conduct(check, timeout, _look(settings, check))


async def _look(settings: Settings, check: Check) -> Outcome:
    name = f"{settings.path}\0{settings.recursive}"
    try:
        seen: Seen | None = await _looking.call(name, partial(look, settings.path, settings.recursive))
    except OSError as error:
        raise Fault(f"cannot look at {settings.path}: {reason(error)}", Status.UNKNOWN) from None
    if not settings.exists:
        if seen is None or not seen.files:
            return check.outcome(Status.OK, f"{settings.path} is not there")
        raise Fault(f"{settings.path} is there, but should not be")
    if seen is None:
        raise Fault(f"{settings.path} is not there")
    return _judge(settings, check, seen)


def look(path: str, recursive: bool) -> Seen | None:
    """Look at the files that a path names; None when nothing is there. Raises `OSError`."""
    folder, _, last = path.rpartition("/")
    if _SIGNS.isdisjoint(last):
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISDIR(found.st_mode):
            return Seen(1, found.st_size, found.st_mtime, found.st_mtime, found.st_size, False)
        return _sum(_files(path, recursive, lambda name: True))
    seen = _sum(_files(folder or "/", recursive, lambda name: fnmatchcase(name, last)))
    return seen if seen.files else None


def _files(folder: str, recursive: bool, wanted: Callable[[str], bool]) -> Iterator[os.stat_result | None]:
    """Yield what every file below a folder is like; None for each entry that does not count."""
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                try:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if is_folder and recursive:
                        folders.append(entry.path)
                    counts = not is_folder and wanted(entry.name)
                    yield entry.stat(follow_symlinks=False) if counts else None
                except FileNotFoundError:
                    continue  # gone while we were looking


def _sum(files: Iterator[os.stat_result | None]) -> Seen:
    count = total = newest_size = 0
    newest, oldest = 0.0, float("inf")
    for position, found in enumerate(files):
        if position == ENTRY_LIMIT:
            return Seen(count, total, newest, oldest, newest_size, True)
        if found is not None:
            count, total, oldest = count + 1, total + found.st_size, min(oldest, found.st_mtime)
            if found.st_mtime >= newest:
                newest, newest_size = found.st_mtime, found.st_size
    return Seen(count, total, newest, oldest, newest_size, False)


def _judge(settings: Settings, check: Check, seen: Seen) -> Outcome:
    findings = Findings(check)
    metrics = {"files": float(seen.files), "size_bytes": float(seen.size)}
    words = f"{seen.files} {'file' if seen.files == 1 else 'files'}, {size(seen.size)}"
    if seen.cut:
        findings.add(Status.DEGRADED, f"only the first {ENTRY_LIMIT:,} entries were looked at")
    findings.limit(settings.count, seen.files, "{:.0f} files (limit {:g})")
    findings.limit(settings.size, seen.size, "{:.0f} bytes (limit {:g})")
    if seen.files:
        now = time()
        metrics["newest_age_seconds"] = max(0.0, now - seen.newest)
        metrics["oldest_age_seconds"] = max(0.0, now - seen.oldest)
        age = metrics[f"{settings.age_of}_age_seconds"]
        words += f", {compact_duration(age)} old"
        limits = settings.age
        if limits.failing is not None and age >= limits.failing:
            findings.add(
                Status.FAILING, f"the {settings.age_of} is too old (limit {format_duration(limits.failing)})"
            )
        elif limits.degraded is not None and age >= limits.degraded:
            findings.add(
                Status.DEGRADED,
                f"the {settings.age_of} is too old (limit {format_duration(limits.degraded)})",
            )
        if seen.newest_size < settings.min_size:
            findings.add(
                Status.FAILING, f"the newest has {size(seen.newest_size)}, expected {size(settings.min_size)}"
            )
    elif settings.age.failing is not None or settings.min_size:
        findings.add(Status.FAILING, "there is no file in it")
    return findings.outcome(f"{settings.path}: {words}", metrics=metrics)
