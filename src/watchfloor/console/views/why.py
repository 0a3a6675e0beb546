"""Why a service is not ok, in the words of `watchfloor.domain.why`; the times beside them as the reader wants them."""

from __future__ import annotations

from collections.abc import Sequence

from watchfloor.console.format import Moment
from watchfloor.console.line import Line, Span, clean, wrap
from watchfloor.console.views.sections import heading
from watchfloor.domain.why import Reason

ROLES = {"seen": "text", "behind": "accent"}
LINES = 3


def why_lines(reasons: Sequence[Reason], moment: Moment, cells: int) -> list[Line]:
    """A sentence for each reason, under the question that it answers."""
    if not reasons:
        return []
    size = max(len(each.topic) for each in reasons)
    lines = heading("WHY IT IS NOT OK", cells)
    topic = ""
    for each in reasons:
        lead: Span = (f"{each.topic if each.topic != topic else '':<{size}}  ", "muted")
        topic = each.topic
        words = f"{clean(each.words)}{_when(each, moment)}"
        role = ROLES.get(each.topic, "text")
        for place, line in enumerate(wrap(words, max(8, cells - size - 2), role, limit=LINES)):
            lines.append((lead if place == 0 else (" " * (size + 2), "text"), *line))
    return lines


def _when(reason: Reason, moment: Moment) -> str:
    if reason.at is None or (reason.topic == "seen" and "paused" not in reason.words):
        return ""  # the line of the state says when it was checked last
    if moment.absolute:
        return f" ({moment.when(reason.at)})"
    seconds = (moment.now - reason.at).total_seconds()  # no seconds are shown: they would tick
    return f" ({moment.when(reason.at) if seconds >= 60 else '<1m'} ago)"
