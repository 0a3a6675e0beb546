"""What the console says about a maintenance window and one time in which it is open."""

from __future__ import annotations

from datetime import datetime

from watchfloor.console.format import Moment, span
from watchfloor.console.glyphs import Mark
from watchfloor.console.line import Line, clean, says, wrap
from watchfloor.console.views.sections import heading, paragraphs
from watchfloor.domain.planner import Slot
from watchfloor.domain.words import count

MARKS = {
    "open": Mark("▶", "open", "accent"),
    "waiting": Mark("◌", "waiting", "accent"),
    "next": Mark("◌", "next", "text"),
    "over": Mark("○", "over", "muted"),
}


def when(at: datetime, moment: Moment) -> str:
    """A moment of a plan, by the reader's clock: the day is always said, for plans are about days."""
    local = at.astimezone(moment.zone)
    year = "" if local.year == moment.now.astimezone(moment.zone).year else f" {local:%Y}"
    return f"{local:%a} {local.day:>2} {local:%b}{year} {local:%H:%M}"


def window_lines(slot: Slot, moment: Moment, cells: int) -> list[Line]:
    """One time of a window in full."""
    mark = MARKS[slot.state]
    owner = (
        clean(slot.origin) if slot.owner == "file" else f"planned by {clean(slot.author) or 'nobody known'}"
    )
    items = [
        ("opens", when(slot.starts, moment)),
        ("closes", when(slot.ends, moment)),
        ("for", span((slot.ends - slot.starts).total_seconds())),
        ("covers", slot.covers),
        ("rule", slot.rule),
        ("owned by", owner),
    ]
    if slot.ended_by:
        items.append(("ended by", slot.ended_by))
    if slot.note:
        items.append(("note", slot.note))
    lines: list[Line] = [
        says(clean(slot.name), "title"),
        mark.line,
        *heading("WINDOW", cells),
        *paragraphs([(name, clean(text)) for name, text in items], cells),
    ]
    if slot.clocks:
        lines += wrap(f"▲ {slot.clocks}", cells, "degraded")
    if slot.muted:
        lines += wrap(f"{count(slot.muted, 'alert')} kept quiet", cells, "muted")
    if slot.state == "waiting":
        lines += wrap("it opens with the first failure of a service that it covers", cells, "muted")
    return lines
