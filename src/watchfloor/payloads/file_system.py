"""Copies, moves, deletes, archives, compresses, extracts, mirrors and cleans up files, in directories that the node
allows.

`node.roots` of a node names the directories that jobs may touch; nothing outside of them is read or written, whatever
links or archives say. A symbolic link is copied as a link and never followed. A file appears in its place as a whole
or not at all. What is done to each file is in the log of the run; with `dry_run`, what would be done.

It runs in a process of its own.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from watchfloor.config import base
from watchfloor.config.fields import DurationField, InWords
from watchfloor.payloads.child import plain, run_child
from watchfloor.payloads.contract import Attempt
from watchfloor.payloads.file_archive import SINGLE, form_of

ERRORS = {
    "io.missing": "what it works on is not there",
    "io.exists": "the target is there already",
    "io.outside": "the way there leads through a symbolic link",
    "io.unsafe": "an archive holds what leads out of it, a link or a device; or what is asked would destroy too much",
    "io.too_much": "an archive becomes larger than its limits allow, or a tree is too deep",
    "io.permission": "the node may not do that",
    "io.full": "no space is left",
    "io.changed": "a file changed while it was read",
    "io.other": "the system refuses it for another reason",
}


def _path(text: str) -> str:
    path = PurePosixPath(text)
    if not path.is_absolute() or ".." in path.parts or not text.isprintable() or len(text) > 4000:
        raise PydanticCustomError("path", "is no absolute path without ..")
    return str(path)


FilePath = Annotated[str, AfterValidator(_path), InWords("an absolute path without ..")]
Patterns = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=500)], ...],
    Field(max_length=100),
    InWords('a list of patterns such as "*.log"; one with / is held against the path in the tree'),
]

_NEEDS_TARGET = {"copy", "move", "archive", "compress", "extract", "sync"}
_OWN_KEYS = {
    "recursive": {"delete", "clean_up"},
    "missing_ok": {"delete"},
    "remove_source": {"compress"},
    "delete_extra": {"sync"},
    "older_than": {"clean_up"},
    "keep_newest": {"clean_up"},
    "remove_empty": {"clean_up"},
    "limits": {"extract"},
    "exists": {"copy", "move", "archive", "compress", "extract"},
    "include": {"copy", "delete", "archive", "sync", "clean_up"},
    "exclude": {"copy", "delete", "archive", "sync", "clean_up"},
}
"""Keys that only some operations have."""


class Extraction(base.Settings):
    """What an archive may become."""

    files: Annotated[int, Field(ge=1, le=10_000_000)] = Field(100_000, description="Files.")
    size: Annotated[int, Field(ge=1, le=10_000_000)] = Field(10_240, description="MiB in all.")
    ratio: Annotated[int, Field(ge=1, le=10_000)] = Field(
        200, description="How many times as large as the archive; up to 1 MiB it does not matter."
    )


class Settings(base.Settings):
    """Settings of a file system job."""

    operation: Literal["copy", "move", "delete", "archive", "compress", "extract", "sync", "clean_up"] = (
        Field(description="What to do.")
    )
    source: FilePath = Field(description="What it is done to: a file or directory.")
    target: FilePath | None = Field(
        None,
        description="The path of what comes of it; of archives and compressed files the ending tells the form.",
    )
    include: Patterns = Field((), description="Only files that match one of these; all.")
    exclude: Patterns = Field((), description="No files that match one of these.")
    exists: Literal["fail", "replace", "keep"] = Field(
        "fail", description="What becomes of a file that is there already."
    )
    dry_run: bool = Field(False, description="Only log what would be done.")
    recursive: bool = Field(
        False, description="For delete and clean_up: directories with all that is in them."
    )
    missing_ok: bool = Field(False, description="For delete: fine if there is nothing.")
    remove_source: bool = Field(False, description="For compress: delete the original afterwards.")
    delete_extra: bool = Field(
        False, description="For sync: delete what the source has not; never if the source is empty."
    )
    older_than: Annotated[float, DurationField("1m", "36500d")] | None = Field(
        None, description="For clean_up: files changed last before that."
    )
    keep_newest: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="For clean_up: so many of the newest files stay whatever their age."
    )
    remove_empty: bool = Field(False, description="For clean_up: delete directories that are empty then.")
    limits: Extraction = Field(Extraction(), description="For extract: what the archive may become.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Settings:
        for key, operations in _OWN_KEYS.items():
            if key in self.model_fields_set and self.operation not in operations:
                raise ValueError(f"{key} works with {' and '.join(sorted(operations))} only")
        if (self.target is None) == (self.operation in _NEEDS_TARGET):
            raise ValueError(
                f"{self.operation} {'needs a target' if self.target is None else 'has no target'}"
            )
        if self.operation == "clean_up" and self.older_than is None and not self.keep_newest:
            raise ValueError("clean_up needs older_than or keep_newest, or it would delete everything")
        if self.target is not None:
            self._check_target(PurePosixPath(self.source), PurePosixPath(self.target))
        return self

    def _check_target(self, source: PurePosixPath, target: PurePosixPath) -> None:
        if self.operation == "archive" and form_of(target.name) not in ("tar", "zip"):
            raise ValueError("target must end in .tar, .tar.gz, .tar.bz2, .tar.xz or .zip")
        if self.operation == "compress" and not target.name.lower().endswith(tuple(SINGLE)):
            raise ValueError("target must end in .gz, .bz2 or .xz")
        if self.operation == "extract" and not form_of(source.name):
            raise ValueError("source must end in .tar, .tar.gz, .tar.bz2, .tar.xz, .zip, .gz, .bz2 or .xz")
        if target.is_relative_to(source) or (self.operation == "sync" and source.is_relative_to(target)):
            raise ValueError("source and target lie in one another")


async def run(settings: Settings, attempt: Attempt) -> None:
    """Do it and log what was done to each file. Raises `PayloadError`."""
    attempt.must_hold()
    asked = {**plain(settings), "roots": attempt.grants.roots, "mark": f"{attempt.run_id}"}
    asked["older_than"] = None if settings.older_than is None else float(settings.older_than)
    await run_child("file_work", asked, attempt)
