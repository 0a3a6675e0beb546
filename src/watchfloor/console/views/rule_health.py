"""How the evaluations of a rule went in the last day: a line for each fact, and a cell or two for each hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from watchfloor.console.draw.spark import trend
from watchfloor.console.draw.uptime import MARKS, uptime_bar
from watchfloor.console.format import Moment, latency
from watchfloor.console.line import EMPTY, Line, clip_line, join, says, wrap
from watchfloor.console.views.sections import heading, pairs
from watchfloor.domain.boards import IncidentRow
from watchfloor.domain.history import Sample
from watchfloor.domain.outcome import Status
from watchfloor.domain.rule_boards import RuleRow
from watchfloor.domain.rule_health import RuleHealth, RuleHour, unevaluated
from watchfloor.domain.words import count, grouped

HOURS = 24
HOUR = timedelta(hours=1)
LABEL = 5
"""The cells of a name in front of a fact or a bar."""

_MEANS = {
    Status.DEGRADED: "some failed",
    Status.FAILING: "all failed",
    Status.UNKNOWN: "nobody looked",
}


def health_lines(row: RuleRow, health: RuleHealth | None, moment: Moment, cells: int) -> list[Line]:
    """The section about the evaluations of a rule; where there are none it says why."""
    why = unevaluated(row, health)
    if why or health is None:
        return [*heading("EVALUATIONS", cells), *wrap(why, cells, "muted")]
    failed = f"{grouped(health.failures)} of {grouped(health.evaluations)} failed"
    note = says(failed, "failing") if health.failures else says("none failed", "ok")
    lines = heading("EVALUATIONS IN 24h", cells, note)
    lines += pairs(_facts(health, moment), cells, LABEL)
    return [*lines, *_bars(health.hours, moment.now, cells)]


def _facts(health: RuleHealth, moment: Moment) -> list[tuple[str, Line]]:
    took = [None if each is None else each / 1000 for each in (health.took_mean_ms, health.took_most_ms)]
    facts = [
        ("times", says(grouped(health.evaluations))),
        ("took", says(f"{latency(took[0])} on average, {latency(took[1])} at most")),
        ("fired", says(f"for {count(health.firing_most, 'instance')} at once, at most")),
    ]
    if health.judged_at is not None:
        known = [health.instances or 0, health.pending or 0, health.firing or 0]
        found = f"{count(known[0], 'instance')}, {known[1]} waiting, {known[2]} firing"
        facts.append(("found", says(f"{found}, {moment.when(health.judged_at)}")))
    if health.error_since is not None:
        facts.append(("fails", says(f"since {moment.when(health.error_since)}", "failing")))
    return facts


def _bars(hours: Sequence[RuleHour], now: datetime, cells: int) -> list[Line]:
    """How each hour went, how long evaluations took in it and for how many it fired; none where there is no room."""
    room = cells - LABEL - 2
    size = HOURS * min(2, room // HOURS)
    if size <= 0:
        return []
    end = now + HOUR - timedelta(seconds=now.timestamp() % HOUR.total_seconds())
    begin = end - HOURS * HOUR
    troubles = _troubles(hours, begin, end)
    bars = {
        "went": uptime_bar(troubles, hours[0].hour, end, end - begin, size),
        "took": _trend([(each.hour, each.took_mean_ms) for each in hours], begin, end, size),
        "fired": _trend([(each.hour, float(each.firing_most)) for each in hours], begin, end, size),
    }
    lines = [((f"{name:<{LABEL}}  ", "muted"), *bar) for name, bar in bars.items()]
    lines.append(says(f"{'':<{LABEL}}  24h ago{'now':>{size - 7}}", "muted"))
    legend = [
        ((f"{MARKS[status][0]} ", MARKS[status][1]), (words, "muted"))
        for status, words in _MEANS.items()
        if any(each.worst is status for each in troubles)
    ]
    return [EMPTY, *lines, *([clip_line(join(legend), cells)] if legend else [])]


def _trend(values: Sequence[tuple[datetime, float]], begin: datetime, end: datetime, cells: int) -> Line:
    """A value for each hour, in as many cells as an hour has."""
    each = cells // HOURS
    samples = [
        Sample(hour + HOUR * (2 * part + 1) / (2 * each), value)
        for hour, value in values
        for part in range(each)
    ]
    return trend(samples, begin, end, cells)


def _troubles(hours: Sequence[RuleHour], begin: datetime, end: datetime) -> list[IncidentRow]:
    """The hours in which evaluations failed, and those since the first one in which there were none."""
    known = {each.hour: each for each in hours}
    moments = [begin + HOUR * n for n in range(HOURS) if begin + HOUR * n >= hours[0].hour]
    found = [(moment, _verdict(known.get(moment))) for moment in moments]
    return [
        IncidentRow(0, 0, "", moment, moment + HOUR, status, "")
        for moment, status in found
        if status is not None
    ]


def _verdict(hour: RuleHour | None) -> Status | None:
    """What is wrong with an hour; None: nothing."""
    if hour is None:
        return Status.UNKNOWN
    if not hour.failures:
        return None
    return Status.FAILING if hour.failures == hour.evaluations else Status.DEGRADED
