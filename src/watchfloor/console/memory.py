"""What an operator's screens looked like, kept between runs: which room, its filter, order, cursor, what was open.

It is read once at the start and written a little after each change. What it names may be gone, and what another
version wrote may be anything: whatever does not fit is left out. It must never keep anybody from leaving.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from watchfloor.console.screens.room import Room
from watchfloor.console.trail import Place

Kept = dict[str, object]


def mapping(thing: object) -> Mapping[str, object]:
    """A mapping from what may be anything."""
    return thing if isinstance(thing, dict) else {}


class Memory:
    """The state of every room, as it was left or as it is."""

    def __init__(self) -> None:
        self._rooms: dict[str, Mapping[str, object]] = {}
        self._last: Kept = {}
        self.place: Place | None = None

    def take(self, kept: object, rooms: frozenset[str]) -> None:
        """Take what was kept."""
        found = mapping(kept)
        self._rooms = {name: mapping(state) for name, state in mapping(found.get("rooms")).items()}
        room, opened = found.get("room"), found.get("open")
        if isinstance(room, str) and room in rooms:
            match opened:
                case [str(kind), int(key)]:
                    self.place = Place(room, kind, key)
                case _:
                    self.place = Place(room)
        self._last = dict(found)

    def of(self, room: str) -> Mapping[str, object]:
        """How a room was left; empty where nothing is known of it."""
        return self._rooms.get(room, {})

    def changed(self, room: str, opened: Place | None, roots: Iterable[Room]) -> Kept | None:
        """What is to be kept now, if that is not what was kept last."""
        self._rooms.update((root.ROOM, root.keep()) for root in roots)
        now: Kept = {
            "room": room,
            "open": [opened.kind, opened.key] if opened and opened.kind and opened.room == room else None,
            "rooms": dict(self._rooms),
        }
        if now == self._last:
            return None
        self._last = now
        return now
