"""What the console says of what belongs to an alert: its cause, who is called next, what was before and meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from watchfloor.console.format import Moment, clock, span, until
from watchfloor.console.glyphs import RUN, mark
from watchfloor.console.keys import key_of
from watchfloor.console.line import Line, clean, fit, says, wrap
from watchfloor.console.views.sections import column, heading
from watchfloor.domain.alert_boards import AlertChain, AlertStory, Earlier, EarlierAlert, why_quiet
from watchfloor.domain.boards import AlertDetail
from watchfloor.domain.post_mortem import LinkedRun, LogLine
from watchfloor.domain.severity import Severity
from watchfloor.domain.words import count, out_of_reach

WHOLE = 1000
"""So many lines that nothing of a text is cut off: the screen is scrolled."""
LABEL = 9


def at_once(detail: AlertDetail, moment: Moment, cells: int) -> list[Line]:
    """What somebody who is called needs before anything else: cause, next call, runbook, whom to ask."""
    story = detail.story
    lines = _quiet(detail, moment, cells)
    if story.root:
        alert = (
            ""
            if story.root_alert is None
            else f", alert #{story.root_alert} ({key_of('show_cause')} shows it)"
        )
        lines += _labelled("cause", f"{story.root}{alert}", cells, "failing")
    if detail.row.behind:
        lines += _labelled("behind", out_of_reach(detail.row.behind), cells, "failing")
    if story.run_id is not None:
        lines += _labelled("run", f"#{story.run_id} ({key_of('show_run')} shows it)", cells, "text")
    if story.chain is not None and not story.chain.ended_why:
        lines += _labelled("next", _next_step(story.chain, moment), cells, "degraded")
    if detail.runbook:
        lines += _labelled("runbook", detail.runbook, cells, "accent")
    if detail.contact:
        lines += _labelled("contact", detail.contact, cells, "text")
    return lines


def _quiet(detail: AlertDetail, moment: Moment, cells: int) -> list[Line]:
    """Why nobody is told of it, and who wants that until when."""
    row = detail.row
    if not row.quiet or row.state == "resolved":
        return []
    words = ", ".join(why_quiet(row.quiet, row.root))
    lines = _labelled("quiet", f"⊘ nobody is told: {words}", cells, "degraded")
    for each in detail.story.silences:
        ends = [] if each.ends_at is None else [f"ends {until(each.ends_at, moment.now)}"]
        ends += ["ends with it"] if each.until_resolved else []
        said = f"#{each.id} by {each.author}, {' or '.join(ends)}: {each.comment}"
        lines += _labelled("silence", said, cells, "text")
    return lines


def _labelled(name: str, text: str, cells: int, role: str) -> list[Line]:
    found = wrap(text, max(8, cells - LABEL), role, limit=WHOLE)
    return [((fit(name if n == 0 else "", LABEL), "muted"), *line) for n, line in enumerate(found)]


def indented(text: str, indent: int, cells: int, role: str = "text") -> list[Line]:
    """A text of any length under what it belongs to."""
    return [((" " * indent, "text"), *line) for line in wrap(text, max(8, cells - indent), role, limit=WHOLE)]


def story_lines(story: AlertStory, moment: Moment, cells: int) -> list[Line]:
    """What belongs to an alert, by section; what there is nothing of is left out."""
    lines: list[Line] = []
    if story.chain is not None:
        lines += _chain(story.chain, moment, cells)
    if story.earlier.alerts:
        lines += _earlier(story.earlier, moment, cells)
    if story.runs:
        lines += run_lines(story.runs, moment, cells)
    if story.logs:
        lines += log_lines(story.logs, moment, cells)
    return lines


def _next_step(chain: AlertChain, moment: Moment) -> str:
    step = chain.steps[chain.next_step]
    when = "stands still" if chain.next_at is None else until(chain.next_at, moment.now)
    return f"{step.targets}, {when} (step {chain.next_step + 1} of {len(chain.steps)})"


def _chain(chain: AlertChain, moment: Moment, cells: int) -> list[Line]:
    rounds = f", round {chain.round + 1}" if chain.round else ""
    lines = heading("ESCALATION", cells, says(f"{clean(chain.name)}{rounds}", "muted"))
    for place, step in enumerate(chain.steps):
        words = f"{step.targets}, {span(step.after_s)} after the one before" if place else step.targets
        least = f", from {step.severity.word} on" if step.severity > Severity.INFO else ""
        due = place == chain.next_step and not chain.ended_why
        when = (
            ""
            if not due
            else ": stands still"
            if chain.next_at is None
            else f": {until(chain.next_at, moment.now)}"
        )
        role = "degraded" if due else "text"
        first, *others = indented(f"{words}{least}{when}", 5, cells, role)
        lines += [((f"{'▶' if due else ' '} {place + 1}  ", role), *first[1:]), *others]
    if chain.ended_why:
        lines += wrap(f"ended: {chain.ended_why}", cells, "muted", limit=WHOLE)
    return lines


def _earlier(earlier: Earlier, moment: Moment, cells: int) -> list[Line]:
    often = f"{earlier.week} in 7 days, {earlier.month} in 30 days before this one"
    lines = heading("EARLIER", cells, says(often, "muted"))
    times = column([clock(each.fired_at, moment.now, moment.zone, seconds=False) for each in earlier.alerts])
    for time, each in zip(times, earlier.alerts, strict=True):
        lines.append(((f"{time}  ", "muted"), (f"#{each.id}  ", "key"), (_ended(each), "text")))
        lines += indented(each.note, len(time) + 4, cells, "muted")
    return lines


def _ended(each: EarlierAlert) -> str:
    acked = f", acknowledged by {clean(each.acked_by)}" if each.acked_by else ""
    if each.resolved_at is None:
        return f"not over{acked}"
    how = f"resolved by {clean(each.ended_by)}" if each.ended_by else "over by itself"
    return f"{how} after {span((each.resolved_at - each.fired_at).total_seconds())}{acked}"


def run_lines(runs: Sequence[LinkedRun], moment: Moment, cells: int) -> list[Line]:
    lines = heading("RUNS OF JOBS MEANWHILE", cells, says(count(len(runs), "run"), "muted"))
    times = column([clock(run.started_at, moment.now, moment.zone) for run in runs])
    for time, run in zip(times, runs, strict=True):
        lines.append(
            (
                (f"{time}  ", "muted"),
                *mark(RUN, run.state).line,
                (f"  {clean(run.job)} ", "text"),
                (f"#{run.id}", "key"),
            )
        )
        lines += indented(run.error, len(time) + 4, cells, "failing")
    return lines


def log_lines(logs: Sequence[LogLine], moment: Moment, cells: int) -> list[Line]:
    """Warnings and errors without what follows their first line, such as a traceback: that is in Logs."""
    lines = heading("WARNINGS AND ERRORS MEANWHILE", cells, says(count(len(logs), "line"), "muted"))
    times = column([clock(line.at, moment.now, moment.zone) for line in logs])
    for time, line in zip(times, logs, strict=True):
        lines.append(((f"{time}  ", "muted"), (f"{clean(line.node)} {clean(line.channel)}", "accent")))
        first, *more = line.text.splitlines() or [""]
        words = f"{first} … ({count(len(more), 'more line')})" if more else first
        lines += indented(words, len(time) + 4, cells)
    return lines
