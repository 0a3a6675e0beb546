"""The next fires of a job, as its form shows them below the fields: soonest first, and where clocks change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchfloor.console.format import Moment, until
from watchfloor.console.line import Line, clip, clip_line, join, says, width
from watchfloor.domain.coming import Coming


def coming_lines(
    found: Sequence[Coming], scheduled: bool, moment: Moment, cells: int, rows: int
) -> list[Line]:
    """The fires in so many rows: in two, as many as fit beside each other; in more, one in each row."""
    if not found:
        words = "it has no fire to come, or is not filled in rightly yet" if scheduled else "only when asked"
        return [clip_line((("next  ", "muted"), (words, "muted")), cells)]
    if rows > 2:
        head: Line = (("its next fires, as clocks in the zone of each schedule show them", "muted"),)
        return [clip_line(head, cells), *coming_list(found, moment, cells)[: rows - 1]]
    return [_beside(found, moment, cells), _marks(found, cells)]


def coming_list(found: Sequence[Coming], moment: Moment, cells: int) -> list[Line]:
    """One fire in each line: its moment, how far away it is, what clocks do then."""
    return [
        clip_line(join([says(each.local), says(until(each.at, moment.now), "muted"), _clocks(each)]), cells)
        for each in found
    ]


def _beside(found: Sequence[Coming], moment: Moment, cells: int) -> Line:
    several = len(_offsets(found)) > 1
    first = _short(found[0], several)
    line: Line = (("next  ", "muted"), (first, "text"), (f" {until(found[0].at, moment.now)}", "muted"))
    for each in found[1:]:
        longer = join([line, says(_short(each, several))])
        if width(longer) > cells:
            break
        line = longer
    return clip_line(line, cells)


def _marks(found: Sequence[Coming], cells: int) -> Line:
    """The first time that clocks change among the fires; where none does, which clocks are shown."""
    marked = next((each for each in found if each.clocks), None)
    if marked is not None:
        return says(clip(f"▲ {_short(marked, False)}: {marked.clocks}", cells), "degraded")
    return says(clip(f"as clocks show it at UTC{' and at UTC'.join(_offsets(found))}", cells), "muted")


def _offsets(found: Sequence[Coming]) -> list[str]:
    return sorted({each.local[19:] for each in found})


def _short(fire: Coming, offset: bool) -> str:
    """As ``Mon 2026-11-30 03:30``; with seconds where there are some, and with the offset where that tells apart."""
    local = f"{datetime.fromisoformat(fire.local):%a} {fire.local[:19].removesuffix(':00')}"
    return local + fire.local[19:] if offset else local


def _clocks(fire: Coming) -> Line:
    return says(f"▲ {fire.clocks}", "degraded") if fire.clocks else ()
