"""What the console says about one incident: how long it lasted and why, what happened when, what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watchfloor.console.format import Moment, clock, number, span
from watchfloor.console.glyphs import STATUS, Mark
from watchfloor.console.keys import key_of
from watchfloor.console.line import EMPTY, Line, clean, clip, says, wrap
from watchfloor.console.views.alert import WORDS
from watchfloor.console.views.alert_story import indented, log_lines, run_lines
from watchfloor.console.views.sections import column, folded, heading, pairs
from watchfloor.domain.post_mortem import HEAD, Dependant, IncidentReport, TimelineEntry
from watchfloor.domain.words import count

ENTRIES: Mapping[str, Mark] = {
    **{mark.word: mark for mark in STATUS.values()},
    "opened": Mark("▶", "opened", "degraded"),
    "recovered": Mark("●", "recovered", "ok"),
    "retired": Mark("○", "no longer watched", "muted"),
    "closed": Mark("■", "closed", "ok"),
    "note": Mark("◇", "note", "text"),
    **{f"alert {kind}": Mark(glyph, words, role) for kind, (glyph, words, role) in WORDS.items()},
}
"""How each kind of line of a timeline looks."""


def incident_lines(report: IncidentReport, moment: Moment, cells: int) -> list[Line]:
    """Everything that belongs to an incident, as far as a screen shows it."""
    return [
        *_standing(report, moment, cells),
        *_facts(report, moment, cells),
        *_timeline(report, moment, cells),
        *_dependants(report, moment, cells),
        *(run_lines(report.runs, moment, cells) if report.runs else []),
        *(log_lines(report.logs, moment, cells) if report.logs else []),
    ]


def _standing(report: IncidentReport, moment: Moment, cells: int) -> list[Line]:
    worst = STATUS[report.worst]
    end = report.closed_at or moment.now
    lasted = span((end - report.opened_at).total_seconds())
    labels = " · ".join(clean(word) for word in (report.kind, report.group) if word)
    parts: list[Line] = [
        worst.line,
        ((clip(clean(report.service), max(8, cells // 2)), "title"),),
        ((labels, "muted"),),
        (("open for " if report.closed_at is None else "took ", "muted"), (lasted, "text")),
    ]
    return [*folded(parts, cells), *wrap(report.cause, cells, worst.role, limit=3)]


def _facts(report: IncidentReport, moment: Moment, cells: int) -> list[Line]:
    """When, why, and where to go on."""
    ended = "not yet" if report.closed_at is None else clock(report.closed_at, moment.now, moment.zone)
    items = [
        ("began", says(clock(report.opened_at, moment.now, moment.zone))),
        ("confirmed", says(clock(report.confirmed_at, moment.now, moment.zone))),
        ("ended", says(ended, "degraded" if report.closed_at is None else "text")),
    ]
    if report.root:
        items.append(("root cause", says(f"{clean(report.root)} was down, and this needs it", "failing")))
    if report.runbook:
        items.append(("runbook", says(clean(report.runbook), "accent")))
    if report.previous_id is not None:
        items.append(("the one before", says(f"#{report.previous_id}", "key")))
    return [EMPTY, *pairs(items, cells)]


def _timeline(report: IncidentReport, moment: Moment, cells: int) -> list[Line]:
    whole = len(report.timeline) + report.left_out
    lines = heading("TIMELINE", cells, says(count(whole, "line"), "muted"))
    if not report.left_out:
        return [*lines, *_entries(report.timeline, moment, cells)]
    words = (
        f"{number(report.left_out)} lines between are not shown; {key_of('post_mortem')} writes all of them"
    )
    return [
        *lines,
        *_entries(report.timeline[:HEAD], moment, cells),
        *wrap(words, cells, "degraded"),
        *_entries(report.timeline[HEAD:], moment, cells),
    ]


def _entries(entries: Sequence[TimelineEntry], moment: Moment, cells: int) -> list[Line]:
    lines: list[Line] = []
    times = column([clock(entry.at, moment.now, moment.zone) for entry in entries])
    for time, entry in zip(times, entries, strict=True):
        kind = clean(entry.kind)
        mark = ENTRIES.get(entry.kind, Mark("·", kind.replace("_", " "), "text"))
        who = "" if entry.actor in ("", "watchfloor") else f" by {clean(entry.actor)}"
        alert = "alert " if entry.kind.startswith("alert ") else ""
        lines.append(((f"{time}  ", "muted"), (f"{mark.glyph} {alert}{mark.word}", mark.role), (who, "text")))
        lines += indented(entry.text, len(time) + 4, cells)
    return lines


def _dependants(report: IncidentReport, moment: Moment, cells: int) -> list[Line]:
    found = report.dependants
    if not found:
        return []
    whole = len(found) + report.unnamed
    lines = heading("ALSO OUT OF REACH", cells, says(count(whole, "service"), "muted"))
    times = column([clock(each.began, moment.now, moment.zone) for each in found])
    lines += [_dependant(time, each, cells) for time, each in zip(times, found, strict=True)]
    if report.unnamed:
        words = f"and {number(report.unnamed)} more; {key_of('post_mortem')} writes all of them"
        lines += wrap(words, cells, "degraded")
    return lines


def _dependant(time: str, each: Dependant, cells: int) -> Line:
    lasted = span(each.lasted_s)
    room = max(4, cells - len(time) - len(lasted) - 8)
    return ((f"{time}  ", "muted"), (clip(clean(each.name), room), "text"), (f"  for {lasted}", "muted"))
