"""What lies over the state of a service when its time is booked: maintenance, and being out of reach.

Time inside a window is *planned*, whatever checks find. The time of an outage while something the service needs was
down is *unreachable*, and stays so until a look of its own says otherwise. This module must never count results.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from watchfloor.domain.check_state import CheckState
from watchfloor.domain.spans import SpanState, booking, span_state


@dataclass(frozen=True, slots=True)
class Cover:
    """``root`` is the service whose failure puts this one out of reach, from ``lost_since`` on; once that is over,
    ``lost_until`` says when. ``depth`` counts the windows that are open, since ``planned_since``; ``planned_until``
    is the end of the last one when none is.
    """

    root: int | None = None
    lost_since: datetime | None = None
    lost_until: datetime | None = None
    depth: int = 0
    planned_since: datetime | None = None
    planned_until: datetime | None = None

    def shade(self, state: SpanState, moment: datetime) -> SpanState:
        """What ``state`` counts as at ``moment``."""
        if _within(moment, self.planned_since, None if self.depth else self.planned_until):
            return SpanState.PLANNED
        if state is SpanState.DOWN and _within(
            moment, self.lost_since, None if self.root is not None else self.lost_until
        ):
            return SpanState.UNREACHABLE
        return state


BARE = Cover()
"""Nothing lies over a service."""

Booked = list[tuple[datetime, SpanState]]


def _within(moment: datetime, since: datetime | None, until: datetime | None) -> bool:
    return since is not None and since <= moment and (until is None or moment < until)


def book(before: CheckState, after: CheckState, cover: Cover) -> Booked:
    """From when a service counts as what, if the step from ``before`` to ``after`` changes that; oldest first."""
    booked = booking(before, after)
    if booked is not None:
        at, state = booked
        pieces = layered(cover, state, at)
        unchanged = len(pieces) == 1 and cover.shade(span_state(before), at) is pieces[0][1]
        known = before.last_started is not None  # what was never checked had no time that could be planned
        return [] if known and unchanged and pieces[0][1] is SpanState.PLANNED else pieces
    if after.last_started is None:
        return []
    shade, first = cover.shade(span_state(after), after.last_started), before.last_started
    was = SpanState.UNKNOWN if first is None else cover.shade(span_state(before), first)
    return [] if shade is was else [(after.last_started, shade)]


def after_silence(cover: Cover, silent_from: datetime, state: SpanState, heard: datetime) -> Booked:
    """What a service counts as that was silent and then heard in ``state``; silence inside a window is planned."""
    silence = [piece for piece in layered(cover, SpanState.UNKNOWN, silent_from) if piece[0] < heard]
    pieces = [*silence, (heard, cover.shade(state, heard))]
    while pieces and pieces[0][1] is SpanState.PLANNED:  # as it was before the silence
        pieces.pop(0)
    return pieces


def layered(cover: Cover, state: SpanState, start: datetime) -> Booked:
    """What a service in ``state`` from ``start`` on counts as: one entry for each change."""
    edges = (cover.lost_since, cover.lost_until, cover.planned_since, cover.planned_until)
    moments = sorted({start, *(edge for edge in edges if edge is not None and edge > start)})
    pieces: Booked = []
    for moment in moments:
        shade = cover.shade(state, moment)
        if not pieces or pieces[-1][1] is not shade:
            pieces.append((moment, shade))
    return pieces
