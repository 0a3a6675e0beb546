"""Checks of files and directories: are they there, how old, how large, how many.

What must be there is said in one of three ways: something (the usual), nothing, or either. A directory counts as
something when there is a file in it, unless it is looked at as a queue, which may be empty. A file that is dated in
the future never counts as fresh. A path may hold the pattern signs ``*``, ``?`` and ``[…]`` in its last part.
Looking may hang on a dead network file system, so it is done by a few threads that are kept for it. This module must
never open a file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cached_property, partial
from time import time
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

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

AHEAD_S = 60.0
"""Clocks of file servers may be ahead of ours by so many seconds; a file that is dated later has no age."""

_GONE = (FileNotFoundError, NotADirectoryError)
_looking = Hands(8, "files")
_SIGNS = frozenset("*?[")


Age = Annotated[float, DurationField("1s", "3650d")]


def _in_words(value: object) -> object:
    """YAML has words for true and false that people write here."""
    return ("yes" if value else "no") if isinstance(value, bool) else value


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
    exists: Annotated[Literal["yes", "no", "any"], BeforeValidator(_in_words)] = Field(
        "yes",
        description="Whether there must be a file (yes, or true), must be none (no, or false), or may be (any); what "
        "is there is then held against the limits.",
    )
    age: AgeLimits = Field(AgeLimits(), description="The age by the last change, of the file `age_of` says.")
    age_of: Literal["newest", "oldest"] = Field(
        "newest", description="Whose age counts: of the newest file (a backup) or the oldest (a queue)."
    )
    size: Limits = Field(Limits(), description="The size of all files together, in bytes.")
    min_size: int = Field(0, ge=0, description="How large the newest file must be at least, in bytes.")
    count: Limits = Field(Limits(), description="How many files there are.")
    min_count: int | None = Field(
        None,
        ge=0,
        le=ENTRY_LIMIT,
        description="How many files there must be at least. If left out 1, but 0 in a directory that `age_of: oldest` "
        "or `count` makes a queue, and 0 where `exists` is not yes.",
    )
    max_count: int | None = Field(
        None, ge=0, le=ENTRY_LIMIT, description="How many files there may be at most."
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> Settings:
        given = self.model_fields_set
        if self.exists == "no":
            if useless := sorted(given - {"path", "recursive", "exists"}):
                raise ValueError(f"exists: no leaves nothing to measure; leave out {', '.join(useless)}")
            return self
        if self.is_pattern and self.min_count == 0 and "exists" in given and self.exists == "yes":
            raise ValueError("exists: yes asks for a match and min_count: 0 for none; write exists: any")
        if self.exists == "any" and self.min_count:
            raise ValueError(
                f"exists: any allows for none, min_count asks for {self.min_count}; leave out one"
            )
        if self.exists == "any":
            return self  # met at least by nothing
        least = self.least
        if self.max_count is not None and self.max_count < least:
            raise ValueError(
                f"max_count is {self.max_count}, but there must be {least}; raise it, or lower min_count or exists"
            )
        for name, limits, reached in (
            ("count", self.count, least),
            ("size", self.size, self.min_size if least else 0),
        ):
            for word, limit in (("degraded", limits.degraded), ("failing", limits.failing)):
                if limit is not None and limit <= reached:
                    raise ValueError(
                        f"{name}.{word} is reached from {limit:g} on, and there must be at least {reached}; "
                        f"raise it, or lower min_{name} or write exists: any"
                    )
        return self

    @cached_property
    def is_pattern(self) -> bool:
        """Whether the path means every file that it matches."""
        return not _SIGNS.isdisjoint(self.path.rpartition("/")[2])

    @cached_property
    def least(self) -> int:
        """How many files there must be at least."""
        if self.min_count is not None:
            return self.min_count
        if self.exists == "any":
            return 0
        queue = self.age_of == "oldest" or self.count != Limits()
        return 0 if queue and not self.is_pattern and "exists" not in self.model_fields_set else 1


class Seen(NamedTuple):
    """What was found: figures of all files together, and of the newest; times in seconds since 1970.

    ``newest`` and ``oldest`` are of the files that are not dated in the future, None where there are none, and
    ``ahead`` is how many seconds the last of the others lies in the future, 0 where there are none.
    """

    files: int = 0
    size: int = 0
    newest: float | None = None
    oldest: float | None = None
    newest_size: int = 0
    ahead: float = 0.0
    cut: bool = False


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
    if settings.exists == "no":
        if seen is None or not seen.files:
            return check.outcome(Status.OK, f"{settings.path} is not there")
        raise Fault(f"{settings.path} is there, but should not be")
    if seen is None and settings.exists == "any":
        return check.outcome(Status.OK, f"{settings.path} is not there, as it may be", metrics={"files": 0.0})
    if seen is None:
        missing = settings.path.rpartition("/")[0] if settings.is_pattern else settings.path
        raise Fault(f"{missing} is not there")
    return _judge(settings, check, seen)


def look(path: str, recursive: bool) -> Seen | None:
    """Look at the files that a path names; None when nothing is there. Raises `OSError`."""
    folder, _, last = path.rpartition("/")
    try:
        if not _SIGNS.isdisjoint(last):
            return _sum(_files(folder or "/", recursive, lambda name: fnmatchcase(name, last)))
        found = os.stat(path)
        if not stat.S_ISDIR(found.st_mode):
            return _sum(iter((found,)))
        return _sum(_files(path, recursive, lambda name: True))
    except _GONE:
        return None


def _files(folder: str, recursive: bool, wanted: Callable[[str], bool]) -> Iterator[os.stat_result | None]:
    """Yield what every file below a folder is like; None for each entry that does not count.

    Raises one of `_GONE` where the folder itself is not there; what goes while we are looking is left out.
    """
    below: list[str] = []
    yield from _entries(folder, wanted, below if recursive else None)
    while below:
        with suppress(*_GONE):
            yield from _entries(below.pop(), wanted, below)


def _entries(
    folder: str, wanted: Callable[[str], bool], below: list[str] | None
) -> Iterator[os.stat_result | None]:
    """Yield the entries of one folder; the folders among them are added to ``below``."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
                if is_folder and below is not None:
                    below.append(entry.path)
                counts = not is_folder and wanted(entry.name)
                yield entry.stat(follow_symlinks=False) if counts else None
            except _GONE:
                continue


def _sum(files: Iterator[os.stat_result | None]) -> Seen:
    now = time()
    count = total = newest_size = 0
    past: list[float] = []  # the oldest and the newest
    last = float("-inf")
    cut = False
    for position, found in enumerate(files):
        if position == ENTRY_LIMIT:
            cut = True
            break
        if found is None:
            continue
        count, total, changed = count + 1, total + found.st_size, found.st_mtime
        if changed >= last:
            last, newest_size = changed, found.st_size
        if changed <= now + AHEAD_S:
            past = [min(past[0], changed), max(past[1], changed)] if past else [changed, changed]
    oldest, newest = past or (None, None)
    ahead = last - now if last > now + AHEAD_S else 0.0
    return Seen(count, total, newest, oldest, newest_size, ahead, cut)


def _judge(settings: Settings, check: Check, seen: Seen) -> Outcome:
    findings = Findings(check)
    metrics = {"files": float(seen.files), "size_bytes": float(seen.size)}
    words = f"{seen.files} {'file' if seen.files == 1 else 'files'}, {size(seen.size)}"
    if seen.cut:
        findings.add(Status.DEGRADED, f"only the first {ENTRY_LIMIT:,} entries were looked at")
    if seen.files < settings.least:
        findings.add(Status.FAILING, _too_few(settings, seen.files))
    if settings.max_count is not None and seen.files > settings.max_count:
        findings.add(Status.FAILING, f"{seen.files} files, at most {settings.max_count} may be there")
    findings.limit(settings.count, seen.files, "{:.0f} files (limit {:g})")
    findings.limit(settings.size, seen.size, "{:.0f} bytes (limit {:g})")
    if seen.newest is not None and seen.oldest is not None:
        now = time()
        metrics["newest_age_seconds"] = max(0.0, now - seen.newest)
        metrics["oldest_age_seconds"] = max(0.0, now - seen.oldest)
        age = metrics[f"{settings.age_of}_age_seconds"]
        words += f", {compact_duration(age)} old"
        _judge_age(settings, findings, age)
    if seen.ahead:
        _tell_of_the_future(settings, findings, seen)
    if seen.files and seen.newest_size < settings.min_size:
        findings.add(
            Status.FAILING, f"the newest has {size(seen.newest_size)}, expected {size(settings.min_size)}"
        )
    return findings.outcome(f"{settings.path}: {words}", metrics=metrics)


def _too_few(settings: Settings, files: int) -> str:
    if files:
        return f"there must be at least {settings.least} files"
    return "no file matches" if settings.is_pattern else "there is no file in it"


def _judge_age(settings: Settings, findings: Findings, age: float) -> None:
    limits = settings.age
    for status, limit in ((Status.FAILING, limits.failing), (Status.DEGRADED, limits.degraded)):
        if limit is not None and age >= limit:
            words = f"the {settings.age_of} is too old (limit {format_duration(limit)})"
            findings.add(status, words)
            return


def _tell_of_the_future(settings: Settings, findings: Findings, seen: Seen) -> None:
    """A file dated tomorrow would be fresh for ever, so it has no age; where ages matter, somebody must look."""
    words = f"the newest is dated {compact_duration(seen.ahead)} in the future"
    if settings.age == AgeLimits():
        findings.add(Status.OK, words)
    else:
        findings.add(
            Status.DEGRADED, f"{words} and does not count as fresh; set the clocks right, or touch the file"
        )
