"""What an engine found when it checked a service that is not saved yet."""

from __future__ import annotations

from datetime import datetime

from watchfloor.console.draw.waterfall import waterfall
from watchfloor.console.format import Moment, latency, number
from watchfloor.console.glyphs import STATUS, Mark
from watchfloor.console.line import Line, says, wrap
from watchfloor.console.views.facts import fact_lines
from watchfloor.console.views.sections import heading, pairs
from watchfloor.domain.outcome import PHASES
from watchfloor.domain.trial import Stage, Trial, stage, standing

MARKS = {
    Stage.WAITING: Mark("◌", "waiting", "muted"),
    Stage.RUNNING: Mark("▶", "checking", "accent"),
    Stage.UNTAKEN: Mark("✘", "no answer", "failing"),
    Stage.UNANSWERED: Mark("✘", "no answer", "failing"),
}
GONE = "This trial is gone: it is kept for an hour."


def trial_mark(trial: Trial, now: datetime) -> Mark:
    """How it stands: the verdict, or how far it has come."""
    return STATUS[trial.outcome.status] if trial.outcome else MARKS[stage(trial, now)]


def trial_lines(trial: Trial | None, now: datetime, moment: Moment, cells: int) -> list[Line]:
    """The verdict in words, the phases, the metrics and the facts; ``now`` is the database's."""
    if trial is None:
        return wrap(GONE, cells, "muted")
    mark = trial_mark(trial, now)
    lines: list[Line] = [mark.line, *wrap(standing(trial, now), cells, "muted")]
    found = trial.outcome
    if found is None:
        return lines
    lines += wrap(found.summary, cells, "text", limit=6)
    if found.latency is not None:
        lines.append((("in all ", "muted"), (latency(found.latency), "text")))
    phases = [(name.replace("_", " "), found.phases[name]) for name in PHASES if name in found.phases]
    if phases:
        lines += [*heading("PHASES", cells), *waterfall(phases, cells)]
    if found.metrics:
        items = [(name.replace("_", " "), says(number(value))) for name, value in found.metrics.items()]
        lines += [*heading("METRICS", cells), *pairs(items, cells)]
    return [*lines, *fact_lines(found.facts, moment, cells)]
