"""What every change of a definition has in common: judged by the rules of the file, made on a version, owned.

What a file defines is changed in that file. A change carries the version it was made on: what somebody else changed in
between is never written over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from watchfloor.config.problems import Problem
from watchfloor.domain.text import one_line
from watchfloor.operations.actor import Refused
from watchfloor.store.database import Connection
from watchfloor.store.written import Table, Written, find_written

Noun = Literal["job", "rule", "service"]
TABLES: Mapping[Noun, Table] = {"job": "jobs", "rule": "rules", "service": "services"}


class Invalid(Refused):
    """What was written has mistakes; nothing was changed."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems[:3]))
        self.problems = problems


class Overtaken(Refused):
    """Somebody else changed it since it was read; nothing was changed. ``now`` is what it is, None: it is gone."""

    def __init__(self, message: str, now: Versioned | None) -> None:
        super().__init__(message)
        self.now = now


class Versioned(Protocol):
    """What is owned by somebody and has a version."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def owner(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def changed_by(self) -> str: ...


async def held(connection: Connection, noun: Noun, name: str, version: int | None) -> Written:
    """The thing called ``name``, locked, if it is the console's and of this version. Raises `Overtaken`, `Refused`."""
    found = await find_written(connection, TABLES[noun], name, lock=True)
    if found is None:
        raise gone(noun, name)
    owned(found, version)
    return found


def gone(noun: str, name: str) -> Overtaken:
    """Why something cannot be changed that is not there."""
    return Overtaken(f"There is no {noun} called {one_line(name, 100)} any more.", None)


def owned(found: Versioned, version: int | None) -> None:
    """Raises `Refused` where it is not the console's, `Overtaken` where it is of another version."""
    if found.owner == "system":
        raise Refused(f"{found.name} belongs to the program.")
    if found.owner != "console":
        raise Refused(f"{found.name} is defined in {found.origin}; change it there.")
    if version is not None and found.version != version:
        who = found.changed_by or "somebody"
        raise Overtaken(f"{who} changed {found.name} in between; nothing was written over.", found)


async def free_name(connection: Connection, noun: Noun, name: str) -> None:
    """Raises `Invalid` where the name is taken."""
    if await find_written(connection, TABLES[noun], name) is not None:
        raise name_taken(noun)


def name_taken(noun: str) -> Invalid:
    """Why a name cannot be given."""
    message = f"there is a {noun} of this name already"
    return Invalid((Problem("", 0, 0, "name", message, hint="Choose another name."),))
