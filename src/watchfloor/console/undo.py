"""What a person did last and can take back: the newest first, each for 10 s.

Whoever does something says with it how it is taken back; nothing here knows what was done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TypeAlias

UNDO_S = 10.0
"""So long what was done can be taken back."""

Offer: TypeAlias = tuple[str, Callable[[], Awaitable[object]], str]
"""What was done in a word, the operation that takes it back, what to say when it did."""


@dataclass(frozen=True, slots=True)
class Undo:
    """What takes one thing back until `deadline` (monotonic, seconds)."""

    label: str
    run: Callable[[], Awaitable[object]]
    said: str
    things: int  # to so many it was done
    deadline: float


class Undos:
    """What can be taken back, the last thing first."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._offered: list[Undo] = []

    @property
    def next(self) -> Undo | None:
        """What is taken back next; None: there is nothing, or its time is over."""
        now = self._clock()
        self._offered = [undo for undo in self._offered if now < undo.deadline]
        return self._offered[-1] if self._offered else None

    def offer(self, offer: Offer, things: int = 1) -> None:
        """Offer to take back what was just done, to so many things."""
        label, run, said = offer
        self._offered.append(Undo(label, run, said, things, self._clock() + UNDO_S))

    def take(self) -> Undo | None:
        """What is taken back now; it is offered no more."""
        return self._offered.pop() if self.next is not None else None

    def put_back(self, undo: Undo) -> None:
        """Offer again what could not be taken back, for as long as it would have been offered."""
        self._offered.append(undo)
