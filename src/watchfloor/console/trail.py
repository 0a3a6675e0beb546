"""Where a person has been: places to go back and forward to, as in a browser. Pure: knows no screen."""

from __future__ import annotations

from dataclasses import dataclass

LIMIT = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A room, or something opened in it: ``kind`` is what (empty: nothing), ``key`` which one."""

    room: str
    kind: str = ""
    key: int = 0


class Trail:
    """The places in the order in which they were visited, and which of them is the present one."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._at = -1
        self._before: Place | None = None

    @property
    def present(self) -> Place | None:
        """Where one is; None before the first visit."""
        return self._places[self._at] if self._places else None

    @property
    def back(self) -> Place | None:
        """The place before the present one."""
        return self._places[self._at - 1] if self._at > 0 else None

    @property
    def forward(self) -> Place | None:
        """The place that one went back from."""
        return self._places[self._at + 1] if self._at + 1 < len(self._places) else None

    @property
    def previous(self) -> Place | None:
        """The place one was at last, however one left it."""
        return self._before

    def visit(self, place: Place) -> None:
        """Be at `place`; where that is new, what lay ahead is forgotten."""
        if place == self.present:
            return
        self._before = self.present
        del self._places[self._at + 1 :]
        self._places = [*self._places, place][-LIMIT:]
        self._at = len(self._places) - 1

    def go(self, step: int) -> Place | None:
        """Move one back (-1) or forward (1); the place that is the present one then, None where there is none."""
        place = self.back if step < 0 else self.forward
        if place is not None:
            self._before = self.present
            self._at += step
        return place
