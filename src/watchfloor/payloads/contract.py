"""What a payload is given, and how it says that it failed.

A payload is a module that declares a ``Settings`` model and ``async def run(settings, attempt)``, which returns when
the work is done. Cancelled, it ends everything that it started before it lets go. It knows nothing of the database:
what it needs of it, such as a place in a long work or the product's own records, it is handed. ``ERRORS`` of the module
names the error classes that are its own; `COMMON_ERRORS` are those of every kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from watchfloor.payloads.leash import Leash

COMMON_ERRORS = {
    "config.kind": "this node has no jobs of that kind",
    "config.settings": "this node cannot use the settings, for example because a secret is missing",
    "config.driver": "a library that the kind needs is not installed",
    "config.run_as": "this node does not let jobs run as that user",
    "config.roots": "this node does not let jobs touch that place",
    "process.memory": "the work needed more memory than such a job may have",
    "process.killed": "the process that did the work was killed",
    "timeout": "an attempt took longer than its time-out",
    "worker.lost": "the node that ran it is gone, or is no longer trusted with the run",
    "worker.shutdown": "its node was stopped; it starts again elsewhere and uses up no attempt",
    "internal": "the kind itself failed; please report it",
}
"""Error classes that a run of any kind may end with, and what they mean."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What the file of this node lets jobs do: users as whom they may run, directories that they may touch."""

    run_as: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Records:
    """Records of the product: the names of columns, and rows of plain values (texts, numbers, moments, None)."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


class Checkpoint(Protocol):
    """How far a job has got with a long work. It is kept under the fence of the attempt."""

    async def load(self) -> Mapping[str, Any] | None:
        """What the last attempt of this job that got anywhere saved; None at the beginning."""

    async def save(self, value: Mapping[str, Any]) -> None:
        """Keep how far it is. Raises `PayloadError` with ``worker.lost`` where the run is another's by now."""


class Reader(Protocol):
    """Reads the product's own records by the name of a query."""

    async def __call__(self, name: str, since: datetime, until: datetime) -> Records:
        """What the query of that name yields for a time. Raises `PayloadError` where it cannot be asked."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a run. ``uuid`` is the same for every attempt of the run.

    ``output`` takes bytes as they come, by the name of a stream, and waits where they come too fast; secrets are
    masked behind it. ``leash`` says whether the node is still trusted with the run.
    """

    run_id: int
    uuid: UUID
    attempt: int
    job: str
    scheduled_for: datetime
    output: Callable[[str, bytes], Awaitable[None]]
    leash: Leash = field(default_factory=Leash)
    grants: Grants = Grants()
    checkpoint: Checkpoint | None = None
    read: Reader | None = None

    @property
    def fence(self) -> str:
        """A token that grows with every attempt of the run, for targets that can refuse older ones."""
        return f"{self.run_id}.{self.attempt}"

    async def say(self, text: str, stream: str = "stdout") -> None:
        """Put one line into the log of the run."""
        await self.output(stream, text.encode(errors="replace") + b"\n")

    def must_hold(self) -> None:
        """To be called right before each effect on the outside. Raises `PayloadError` where trust has run out."""
        if not self.leash.holds:
            raise PayloadError("worker.lost", "this node is no longer trusted with the run")


class PayloadError(Exception):
    """The work was not done. ``error_class`` is a dotted word that retry policies name; the text is one line.

    ``wait_s`` is the pause that the other side asked for, in seconds.
    """

    def __init__(
        self,
        error_class: str,
        reason: str,
        *,
        exit_code: int | None = None,
        signal: int | None = None,
        wait_s: float = 0.0,
    ) -> None:
        super().__init__(reason)
        self.error_class = error_class
        self.exit_code = exit_code
        self.signal = signal
        self.wait_s = wait_s
