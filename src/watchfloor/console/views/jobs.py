"""How jobs and their runs look in lists: outcomes as a streak, durations against the usual one, moments to come. Pure.

Nothing here counts down: a moment to come is shown as the moment itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from watchfloor.console.format import NOTHING, Moment, latency
from watchfloor.console.glyphs import RUN, Mark, mark
from watchfloor.console.line import Line, Span, clean, says
from watchfloor.domain.job_boards import JobRow, RunRow

SLOWER, FASTER = 1.5, 0.67
"""A run that took so many times the usual is worth a sign."""

PAUSED = Mark("○", "paused", "muted")
TRIPPED = Mark("✘", "tripped", "failing")
BROKEN = Mark("▲", "no zone", "degraded")
NEVER = Mark("◌", "never ran", "muted")

STREAK = {"succeeded": "●", "dead": "✘", "cancelled": "○", "skipped": "·", "missed": "▲"}


def job_mark(row: JobRow) -> Mark:
    """How a job stands: what goes on now, else how its latest run ended."""
    if row.tripped:
        return TRIPPED
    if row.broken:
        return BROKEN
    if row.running:
        return RUN["running"]
    if row.paused:
        return PAUSED
    return mark(RUN, row.last_state) if row.last_state else NEVER


def streak(states: Sequence[str], cells: int) -> Line:
    """The latest outcomes, the newest at the right; each has a glyph of its own."""
    spans: list[Span] = []
    for state in states[-cells:]:
        glyph, role = STREAK.get(state, "?"), mark(RUN, state).role
        if spans and spans[-1][1] == role:
            spans[-1] = (spans[-1][0] + glyph, role)
        else:
            spans.append((glyph, role))
    return tuple(spans)


def ahead(at: datetime | None, moment: Moment) -> str:
    """A moment to come as it stands on the clock, with the day where that is not today: it stands still.

    >>> from datetime import UTC
    >>> now = Moment(datetime(2026, 8, 20, 14, 0, tzinfo=UTC), UTC)
    >>> [ahead(now.now + timedelta(hours=h), now) for h in (1, 10, 30, 24 * 9, 24 * 400)]
    ['15:00', 'Fri 00:00', 'Fri 20:00', '29 Aug 14:00', '2027-09-24']
    """
    if at is None:
        return NOTHING
    local, today = at.astimezone(moment.zone), moment.now.astimezone(moment.zone)
    days = (local.date() - today.date()).days
    if days == 0:
        return f"{local:%H:%M}"
    if 0 < days < 7:
        return f"{local:%a %H:%M}"
    return f"{local.day} {local:%b %H:%M}" if days < 300 else f"{local:%Y-%m-%d}"


def next_fire(row: JobRow, moment: Moment) -> Line:
    """When a job fires next, or why it does not."""
    if row.tripped:
        return says("failed too often", "failing")
    if row.paused:
        return says("paused", "muted")
    if row.broken:
        return says(clean(row.broken), "degraded")
    if row.next_fire_at is None:
        return says("on request" if not row.schedules else "no more", "muted")
    if row.next_fire_at < moment.now - timedelta(seconds=5):
        return says("due", "degraded")
    return says(ahead(row.next_fire_at, moment), "text")


def duration(row: JobRow) -> Line:
    """How long the latest run took, with a sign where that is unusual."""
    if row.last_took is None:
        return says(NOTHING, "muted")
    usual = row.median
    words = latency(row.last_took)
    if usual and row.last_state == "succeeded" and len(row.took) >= 3:
        part = row.last_took / usual
        if part >= SLOWER:
            return ((words, "text"), (" ▲", "degraded"))
        if part <= FASTER:
            return ((words, "text"), (" ▼", "muted"))
    return ((words, "text"), ("  ", "text"))


def took(row: RunRow) -> str:
    """How long a run took from the start of its last attempt."""
    if row.started_at is None or row.finished_at is None:
        return NOTHING
    return latency((row.finished_at - row.started_at).total_seconds())


def origin(row: RunRow) -> str:
    """Why a run exists, in a word or two."""
    word = "by hand" if row.origin == "manual" else row.origin
    return f"{word}, {row.asked_by}" if row.asked_by else word
