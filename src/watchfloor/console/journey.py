"""A journey into the past: the moment that is looked at, and what can be told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from watchfloor.console.format import span
from watchfloor.console.reader import Boards
from watchfloor.domain.boards import Kept

if TYPE_CHECKING:
    from watchfloor.console.screens.room import Room


@dataclass(frozen=True, slots=True)
class Journey:
    """Where in time the console is; `began_on` is the screen on which a person left the present."""

    at: datetime
    boards: Boards
    kept: Kept
    began_on: Room

    @property
    def thin(self) -> bool:
        """Whether single checks of that time are no longer kept."""
        return self.at < self.kept.results


def named(moment: datetime, zone: tzinfo | None) -> str:
    """A moment in full, with its zone: of a past day nobody should have to guess.

    >>> from datetime import UTC
    >>> named(datetime(2026, 11, 24, 3, 0, tzinfo=UTC), UTC)
    'Tue 24 Nov 2026 03:00:00 UTC'
    """
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M:%S} {local.tzname() or ''}".rstrip()


def refusal(at: datetime, now: datetime, kept: Kept, zone: tzinfo | None) -> str | None:
    """Why nobody can look at that moment, as a sentence; None where it can be told."""
    if at > now:
        return f"{named(at, zone)} is still to come"
    if at < kept.story:
        return f"incidents and alerts of {named(at, zone)} are no longer kept; they begin at {named(kept.story, zone)}"
    return None


def banner_words(journey: Journey, now: datetime, zone: tzinfo | None, way_back: str) -> list[str]:
    """What the banner says over a board of the past, the longest form first."""
    when, ago = named(journey.at, zone), span((now - journey.at).total_seconds())
    long = f"◷ {when}, {ago} ago: you look at the past, read-only. {way_back}"
    short = f"◷ The past: {when}, {ago} ago. {way_back}"
    if not journey.thin:
        return [f"{long}.", short]
    kept = f"Single checks are kept only since {named(journey.kept.results, zone)}: no latency, no trend."
    return [f"{long}. {kept}", f"{long}; no single checks kept.", f"◷ {when}; checks not kept. {way_back}"]


def cannot_travel(room: str) -> str:
    """What a room says that shows only the present."""
    return f"{room.capitalize()} shows only the present; Health and Alerts can be seen as they were"
