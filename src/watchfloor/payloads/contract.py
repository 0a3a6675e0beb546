"""What a payload is given, and how it says that it failed.

A payload is a module that declares a ``Settings`` model and ``async def run(settings, attempt)``, which returns when
the work is done. Cancelled, it ends everything that it started before it lets go. It knows nothing of the database.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from watchfloor.payloads.leash import Leash


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

    @property
    def fence(self) -> str:
        """A token that grows with every attempt of the run, for targets that can refuse older ones."""
        return f"{self.run_id}.{self.attempt}"


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
