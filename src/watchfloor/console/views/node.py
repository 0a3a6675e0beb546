"""What the console says about one node: who it is, what it does, its components, and how its figures went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from watchfloor.console.format import Moment, amount, latency, number, share
from watchfloor.console.glyphs import LOOP, mark
from watchfloor.console.line import EMPTY, Line, clean, clip, says, wrap
from watchfloor.console.screens.sections import node_mark
from watchfloor.console.views.charts import course_lines, unit
from watchfloor.console.views.sections import heading, pairs
from watchfloor.domain.boards import ComponentRow, ConfigFileRow, NodeRow
from watchfloor.domain.component import SHARED, without
from watchfloor.domain.durations import compact_duration
from watchfloor.domain.job_boards import WorkerRow
from watchfloor.domain.node import MEASURED, NodeCourse
from watchfloor.domain.words import count

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class AboutNode:
    """What is known of one node now."""

    row: NodeRow
    worker: WorkerRow | None  # what it does for jobs
    files: Sequence[ConfigFileRow]
    components: Sequence[ComponentRow]


def node_lines(node: AboutNode, course: NodeCourse | None, moment: Moment, cells: int) -> list[Line]:
    """A node in full; ``course``: how its figures went, None where that is not asked for."""
    row, worker = node.row, node.worker
    state = node_mark(row)
    lines: list[Line] = [
        (
            *state.line,
            ("  ", "text"),
            *says(clean(row.name), "title"),
            *says(f"  beat {moment.when(row.beat_at)}", "muted"),
        )
    ]
    if row.error:
        lines += wrap(row.error, cells, "failing", limit=4)
    lines += [*heading("WHO IT IS", cells), *pairs(_identity(row, worker, moment), cells)]
    lines += [*heading("WHAT IT DOES", cells), *pairs(_work(row, worker, course), cells)]
    lines += _configuration(row, node.files, moment, cells)
    if course is not None:
        lines += _charts(course, moment, cells)
    return [*lines, *_components(node.components, moment, cells)]


def _identity(row: NodeRow, worker: WorkerRow | None, moment: Moment) -> list[tuple[str, Line]]:
    life = f"started {moment.when(row.started_at)}"
    if row.stopped_at is not None:
        life += f", ended {moment.when(row.stopped_at)}"
    found = [
        ("machine", says(f"{clean(row.machine)}, process {row.pid}")),
        ("version", says(clean(row.version))),
        ("environment", says(clean(row.environment) or "none")),
        ("tags", says(clean(", ".join(row.tags)) or "none")),
        ("life", says(life)),
    ]
    if worker is not None:
        queues = clean(", ".join(worker.queues)) or "every queue"
        found.append(("serves", says(queues)))
    return found


def _work(row: NodeRow, worker: WorkerRow | None, course: NodeCourse | None) -> list[tuple[str, Line]]:
    stats = row.stats if row.live else {}
    found: list[tuple[str, Line]] = []
    if course is not None and course.uptime is not None:
        known = "" if course.covered > course.end - course.start - 2 * MINUTE else " that are known"
        span = compact_duration(course.covered.total_seconds())
        found.append(("alive", says(f"{share(course.uptime)} of {span}{known}")))
    if not row.live:
        return [*found, ("now", says("nothing: it is not live", "muted"))]
    found.append(("services", says(number(stats.get("services", 0.0)))))
    if worker is not None:
        most = "" if worker.at_once is None else f", {worker.at_once} at most"
        found.append(("runs of jobs", says(f"{worker.running} going on{most}; {worker.queued} ready for it")))
    for name, stat, words in (
        ("checks in flight", "in_flight", number),
        ("results that wait", "waiting", number),
        ("lag p50", "lag_p50_ms", _ms),
        ("lag p99", "lag_p99_ms", _ms),
        ("processor", "cpu_pct", lambda value: f"{number(round(value, 1))} % of one core"),
        ("memory", "rss_bytes", lambda value: amount(value, "B")),
        ("database answers in", "database_ms", _ms),
        ("clock off by", "clock_offset_ms", _ms),
    ):
        if stat in stats:
            found.append((name, says(words(stats[stat]))))
    bad = {
        name: stats.get(name, 0.0) for name in ("missed", "overlaps", "results_dropped", "component_restarts")
    }
    told = ", ".join(f"{number(value)} {name.replace('_', ' ')}" for name, value in bad.items() if value)
    found.append(
        ("since it started", says(told, "degraded") if told else says("nothing missed, nothing dropped"))
    )
    return found


def _ms(value: float) -> str:
    sign = "-" if value < 0 else ""
    return sign + latency(abs(value) / 1000)


def _configuration(row: NodeRow, files: Sequence[ConfigFileRow], moment: Moment, cells: int) -> list[Line]:
    found = next((each for each in files if each.node == row.name), None)
    lines = heading("CONFIGURATION", cells)
    if found is None:
        return [*lines, says("not known: the node is not live", "muted")]
    path = clean(found.path) or "built in, there is no file"
    lines += pairs(
        [
            ("file", says(path)),
            ("in force since", says(moment.when(found.loaded_at))),
            ("digest", says(clean(found.digest[:12]) or "none", "muted")),
        ],
        cells,
    )
    if found.problems:
        lines.append(
            says(
                f"▲ {count(len(found.problems), 'mistake')}: the file that was in force before stays",
                "degraded",
            )
        )
        for problem in found.problems[:5]:
            lines += wrap(problem, cells, "degraded", limit=3)
    return lines


def _charts(course: NodeCourse, moment: Moment, cells: int) -> list[Line]:
    shown = [
        (each.title, course.courses[name], unit(f"x{each.label}"), each.limit)
        for name, each in MEASURED.items()
    ]
    lines = course_lines(shown, course.start, course.end, moment, cells)
    if lines:
        return lines
    return [
        EMPTY,
        says("No figures of this time: they are kept each minute while the node is alive.", "muted"),
    ]


def _components(rows: Sequence[ComponentRow], moment: Moment, cells: int) -> list[Line]:
    lines = heading(f"COMPONENTS · {len(rows)}", cells)
    if not rows:
        return [*lines, says("none runs", "muted")]
    names = max(len(row.component) for row in rows)
    for row in rows:
        state = mark(LOOP, row.state)
        head = f"{state.glyph} {state.word:<10} "
        name = f"{clean(row.component):<{names}}  "
        room = max(10, cells - len(head) - len(name))
        bad = row.state != "running"
        said = row.last_error if bad and row.last_error else f"beat {moment.when(row.beat_at)}"
        restarts = f", {count(row.restarts, 'restart')}" if row.restarts else ""
        lines.append(((head, state.role), (name, "text"), (clip(clean(said + restarts), room), "muted")))
        if bad and without(row.component):
            lines += [
                (("  ", "text"), *line)
                for line in wrap(consequence(row.component), cells - 2, state.role, limit=3)
            ]
    return lines


def consequence(component: str) -> str:
    """What does not work without a component, as a sentence."""
    words = f"Without it, {without(component)}."
    return f"{words} Other live nodes do this as well." if component in SHARED else words


def component_lines(row: ComponentRow, moment: Moment, cells: int) -> list[Line]:
    """A component in full: how it stands, and what does not work without it."""
    state = mark(LOOP, row.state)
    items: list[tuple[str, Line]] = [
        ("node", says(clean(row.node))),
        ("since", says(moment.when(row.since))),
        ("beat", says(moment.when(row.beat_at))),
        ("restarts", says(str(row.restarts))),
    ]
    lines: list[Line] = [(*state.line, ("  ", "text"), *says(clean(row.component), "title")), EMPTY]
    lines += pairs(items, cells)
    if without(row.component):
        role = "text" if row.state == "running" else state.role
        lines += [EMPTY, *wrap(consequence(row.component), cells, role, limit=6)]
    if row.last_error:
        lines += [*heading("LAST ERROR", cells), *wrap(row.last_error, cells, "failing", limit=10)]
    return lines
