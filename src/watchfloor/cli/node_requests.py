"""Requests about nodes: the list of them, and one in full with how its figures went; as text or JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from watchfloor.cli.desk import Desk
from watchfloor.cli.history import share
from watchfloor.cli.plain import age, show_json, show_table
from watchfloor.config.problems import suggest
from watchfloor.console.views.charts import unit
from watchfloor.domain.boards import ComponentRow, ConfigFileRow, NodeRow
from watchfloor.domain.component import without
from watchfloor.domain.durations import compact_duration, parse_duration
from watchfloor.domain.node import MEASURED, NodeCourse, with_work
from watchfloor.domain.text import one_line
from watchfloor.operations.actor import Refused

Request = Callable[[Desk], Awaitable[None]]


async def _rows(desk: Desk) -> Sequence[NodeRow]:
    workers = {row.node: row for row in await desk.workers()}
    rows = await desk.nodes()
    total = sum(row.stats.get("services", 0.0) for row in rows if row.live)
    return [with_work(row, workers.get(row.name), total) for row in rows]


def nodes(json: bool) -> Request:
    """The question for all nodes."""

    async def request(desk: Desk) -> None:
        rows, now = await _rows(desk), (await desk.status()).at
        show_json(rows) if json else _show(rows, now)

    return request


def node(name: str, within: str, json: bool) -> Request:
    """The question for one node, with its figures of a stretch of time. Raises `Refused` for what cannot be meant."""
    try:
        length = timedelta(seconds=parse_duration(within))
    except (ValueError, OverflowError) as error:
        raise Refused(f"--within: {error}") from None

    async def request(desk: Desk) -> None:
        rows, now = await _rows(desk), (await desk.status()).at
        row = next((each for each in rows if each.name == name), None)
        if row is None:
            names = [each.name for each in rows]
            raise Refused(f"There is no node called {one_line(name, 100)}. {suggest(name, names)}".rstrip())
        course = await desk.node_course(row.id, length)
        components = [each for each in await desk.components() if each.node_id == row.id]
        file = next((each for each in await desk.config_files() if each.node == row.name), None)
        if json:
            show_json(_document(row, components, file, course))
        else:
            _show_one(row, components, file, course, now)

    return request


def _state(row: NodeRow) -> str:
    return row.state if row.live or row.state in ("stopped", "error") else "lost"


def _show(rows: Sequence[NodeRow], now: datetime) -> None:
    def figure(row: NodeRow, name: str, ending: str) -> str:
        found = row.stats.get(name) if row.live else None
        return "-" if found is None else unit(f"x{ending}")(found)

    table = [
        (
            row.name,
            _state(row),
            row.machine,
            str(row.pid),
            row.version,
            ", ".join(row.tags),
            figure(row, "services", ""),
            figure(row, "running", ""),
            figure(row, "queued", ""),
            figure(row, "cpu_pct", "_percent"),
            figure(row, "rss_bytes", "_bytes"),
            figure(row, "lag_p99_ms", "_ms"),
            age(row.started_at, now),
            age(row.beat_at, now),
        )
        for row in rows
    ]
    head = (
        "NODE",
        "STATE",
        "MACHINE",
        "PID",
        "VERSION",
        "TAGS",
        "SERVICES",
        "RUNS",
        "QUEUED",
        "CPU",
        "MEMORY",
    )
    show_table((*head, "LAG P99", "UP", "BEAT"), table)


def _show_one(
    row: NodeRow,
    components: Sequence[ComponentRow],
    file: ConfigFileRow | None,
    course: NodeCourse,
    now: datetime,
) -> None:
    _show([row], now)
    facts = [
        ("environment", row.environment),
        ("started", f"{row.started_at.astimezone():%Y-%m-%d %H:%M:%S %z}"),
        ("config file", "" if file is None else file.path or "built in"),
        *(("mistake", problem) for problem in (file.problems if file else ())),
        ("error", row.error),
    ]
    if course.uptime is not None:
        facts.append(
            ("alive", f"{share(course.uptime)} of {compact_duration(course.covered.total_seconds())}")
        )
    print()
    show_table(("FACT", "VALUE"), [(name, value) for name, value in facts if value])
    figures = []
    for name, each in MEASURED.items():
        found, words = course.courses[name].figures, unit(f"x{each.label}")
        if found is not None:
            values = (found.least, found.mean, found.p95, found.most)
            figures.append(
                (each.title.lower(), *("-" if value is None else words(value) for value in values))
            )
    print()
    if figures:
        show_table(("FIGURE", "MIN", "AVG", "P95", "MAX"), figures)
    else:
        print("No figures of this time.")
    print()
    show_table(
        ("COMPONENT", "STATE", "BEAT", "RESTARTS", "WITHOUT IT", "LAST ERROR"),
        [
            (
                each.component,
                each.state,
                age(each.beat_at, now),
                str(each.restarts),
                without(each.component),
                each.last_error,
            )
            for each in components
        ],
    )


def _document(
    row: NodeRow, components: Sequence[ComponentRow], file: ConfigFileRow | None, course: NodeCourse
) -> dict[str, Any]:
    return {
        "node": asdict(row),
        "config_file": None if file is None else asdict(file),
        "components": [{**asdict(each), "without": without(each.component)} for each in components],
        "figures": {
            "start": course.start,
            "end": course.end,
            "since": course.since,
            "alive": course.uptime,
            "courses": {name: asdict(each) for name, each in course.courses.items()},
        },
    }
