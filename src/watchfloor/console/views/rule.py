"""A rule in full: what it fires for, how its evaluations go, and what it would have done in the last days, here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from watchfloor.console.draw.uptime import uptime_bar
from watchfloor.console.format import Moment, clock, latency
from watchfloor.console.glyphs import RULE, SEVERITY, mark
from watchfloor.console.line import Line, clean, clip, clip_line, says, wrap
from watchfloor.console.views.sections import heading, pairs
from watchfloor.domain.boards import IncidentRow
from watchfloor.domain.durations import compact_duration
from watchfloor.domain.outcome import Status
from watchfloor.domain.rehearsal import Rehearsal, WouldFire
from watchfloor.domain.rule_boards import UNHEARD, RuleRow
from watchfloor.domain.severity import Severity
from watchfloor.domain.words import count

ON = 3
"""So many things that a rule would have fired for are named in a preview."""

BRIEF = 2
"""A preview of so many rows says only how often, on what and when."""

LISTED = 50
"""So many of the times that a rule would have fired are listed, the latest first."""


def standing(row: RuleRow) -> str:
    """How a rule stands, as a key of `RULE`."""
    if not row.enabled:
        return "off"
    if row.error or row.over_limit:
        return "fault"
    return "firing" if row.firing else "on"


def trouble(row: RuleRow) -> str:
    """What is wrong with a rule; empty: nothing."""
    if row.error:
        return row.error
    return "more fires than is told one by one: narrow it, or raise its limit" if row.over_limit else ""


def rule_lines(row: RuleRow, moment: Moment, cells: int, *, titled: bool = False) -> list[Line]:
    """What a rule is; `titled` when nothing above names it."""
    lines = wrap(clean(row.name), cells, "title", limit=3) if titled else []
    lines += [mark(RULE, standing(row)).line]
    lines += [each for words in (trouble(row),) if words for each in wrap(clean(words), cells, "failing")]
    lines += pairs(_facts(row, moment), cells)
    return lines


def _facts(row: RuleRow, moment: Moment) -> list[tuple[str, Line]]:
    facts: list[tuple[str, Line]] = [
        ("fires when", says(clean(row.words))),
        ("about", says(clean(row.about))),
        ("for", says(compact_duration(row.waits_s) if row.waits_s else "at once")),
        ("severity", says(row.severity)),
        ("tells", _tells(row)),
        (
            "stands in",
            says(
                "the console" if row.owner == "console" else clean(row.origin) or "the product itself",
                "muted",
            ),
        ),
        ("firing", says(str(row.firing), "failing" if row.firing else "text")),
        ("in 7 days", says(count(row.fired_week, "alert"))),
    ]
    if row.fired_at is not None:
        facts.append(("last fired", says(moment.when(row.fired_at))))
    if row.tried_at is not None:
        took = latency(None if row.took_ms is None else row.took_ms / 1000)
        looked = f"{moment.when(row.tried_at)}, {took}, {count(row.instances or 0, 'instance')}"
        facts.append(("evaluated", says(looked)))
    return facts


def _tells(row: RuleRow) -> Line:
    if row.unheard:
        return says(UNHEARD, "degraded")
    return says(clean(", ".join(row.channels)) or "whom routes name")


def rehearsal_lines(found: Rehearsal, moment: Moment, cells: int) -> list[Line]:
    """When a rule would have fired: how often, a strip of the days, the latest times."""
    span = found.until - found.since
    times = says(count(len(found.fired), "time"), "degraded" if found.fired else "ok")
    lines = heading(f"WOULD HAVE FIRED IN {compact_duration(span.total_seconds())}", cells, times)
    lines.append(uptime_bar([_incident(each) for each in found.fired], None, found.until, span, cells))
    first, last = f"{compact_duration(span.total_seconds())} ago", "now"
    lines.append(says(f"{first}{last:>{max(1, cells - len(first))}}", "muted"))
    looked = f"It looked at {count(found.instances, 'instance')}."
    if found.left_out:
        looked += f" {found.left_out} more were left out."
    for words in (looked, *found.notes):
        lines += wrap(words, cells, "muted")
    for each in list(reversed(found.fired))[:LISTED]:
        lines.append(_time(each, moment, cells))
    if len(found.fired) > LISTED:
        lines.append(says(f"and {len(found.fired) - LISTED} before", "muted"))
    return lines


def preview_lines(found: Rehearsal, moment: Moment, cells: int, rows: int) -> list[Line]:
    """What a rule would have done, in so many rows: how often and on what; when; then a strip, and the latest times."""
    length = compact_duration((found.until - found.since).total_seconds())
    times = found.fired
    if not times:
        head: Line = (("would not have fired", "ok"), (f" in the last {length}", "muted"))
        why = [*found.notes[:1], f"It looked at {_looked(found)}."]
        return [clip_line(head, cells), says(clip(" ".join(why), cells), "muted")][:rows]
    names = Counter(each.instance.name for each in times)
    on = ", ".join(f"{clean(name)} ({number})" for name, number in names.most_common(ON))
    on += f" and {len(names) - ON} more" if len(names) > ON else ""
    head = (
        ("would have fired ", "muted"),
        (count(len(times), "time"), "degraded"),
        (f" in the last {length}, on {on}", "muted"),
    )
    lines = [clip_line(head, cells), says(clip(_span(times, moment), cells), "muted")]
    if rows > BRIEF:
        lines.append(
            uptime_bar(
                [_incident(each) for each in times], None, found.until, found.until - found.since, cells
            )
        )
        lines += [
            says(clip(words, cells), "muted") for words in (f"It looked at {_looked(found)}.", *found.notes)
        ]
        lines += [_time(each, moment, cells) for each in reversed(times[-rows:])]
    return lines[:rows]


def _span(times: Sequence[WouldFire], moment: Moment) -> str:
    """When a rule would have fired first and last, and for how long at most."""
    ended = [(each.ended_at - each.fired_at).total_seconds() for each in times if each.ended_at is not None]
    going = len(times) - len(ended)
    parts = [f"first {_clock(times[0].fired_at, moment)}"] if len(times) > 1 else []
    parts.append(f"last {_clock(times[-1].fired_at, moment)}")
    parts += [f"longest {compact_duration(max(ended))}"] if ended else []
    parts += [f"{going} would fire now"] if going else []
    return ", ".join(parts)


def _clock(at: datetime, moment: Moment) -> str:
    return clock(at, moment.now, moment.zone)


def _looked(found: Rehearsal) -> str:
    more = f" of {found.instances + found.left_out:,}" if found.left_out else ""
    return f"{count(found.instances, 'instance')}{more}"


def _incident(each: WouldFire) -> IncidentRow:
    worst = Status.FAILING if each.severity >= Severity.CRITICAL else Status.DEGRADED
    return IncidentRow(0, 0, "", each.fired_at, each.ended_at, worst, "")


def _time(each: WouldFire, moment: Moment, cells: int) -> Line:
    ended = each.ended_at
    lasted = "goes on" if ended is None else compact_duration((ended - each.fired_at).total_seconds())
    look = SEVERITY[each.severity]
    start: Line = (
        (f"{moment.brief(each.fired_at):>6}  ", "text"),
        (f"{look.glyph} ", look.role),
        (f"{lasted:>8}  ", "muted"),
    )
    words = f"{clean(each.title)}{': ' if each.summary else ''}{clean(each.summary)}"
    return (*start, (clip(words, max(1, cells - 20)), "text"))
