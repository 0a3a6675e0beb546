"""The sections of the Jobs room: what each lists and how a row looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from watchfloor.console.book import Book
from watchfloor.console.draw.spark import BARS
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment, latency
from watchfloor.console.glyphs import LOOP, RUN, mark
from watchfloor.console.line import Line, clean, join, says
from watchfloor.console.reader import Reader
from watchfloor.console.views.jobs import ahead, duration, job_mark, next_fire, origin, streak, took
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import TaskRunRow
from watchfloor.domain.calendar import CalendarFire
from watchfloor.domain.job_boards import FINAL_STATES, JobRow, QueueRow, RunRow, WorkerRow

FAULTS = frozenset({"failed", "dead", "missed"})
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def run_book() -> Book[RunRow]:
    """A list of runs, page by page."""
    return Book(lambda run: run.id, lambda run: run.state in FINAL_STATES)


@dataclass(frozen=True, slots=True)
class JobSection:
    """One table of the Jobs room."""

    name: str
    noun: str
    columns: Sequence[Column[Any]]
    key: Callable[[Any], Hashable]
    fields: Callable[[Any], Fields]
    is_fault: Callable[[Any], bool]
    read: Callable[[Reader], Awaitable[Sequence[Any]]] | None  # None: page by page
    empty: str


def _plain(name: str, role: str = "text") -> Callable[[Any, Moment, int], Line]:
    return lambda row, moment, cells: says(clean(str(getattr(row, name))), role)


def _last_error(row: JobRow, moment: Moment, cells: int) -> Line:
    return says(clean(row.broken or row.last_error), "failing" if row.last_state == "dead" else "muted")


JOBS = JobSection(
    "Jobs",
    "job",
    (
        Column("STATE", lambda row, *_: job_mark(row).line, 11, order=lambda row: job_mark(row).word),
        Column("JOB", _plain("name"), 14, grow=3, limit=34, order=lambda row: row.name.casefold()),
        Column(
            "NEXT FIRE",
            lambda row, moment, _: next_fire(row, moment),
            12,
            order=lambda r: (r.next_fire_at is None, r.next_fire_at),
        ),
        Column(
            "LATEST",
            lambda row, _, cells: streak(row.recent, cells),
            10,
            grow=1,
            limit=20,
            rank=1,
            align="right",
        ),
        Column(
            "TOOK", lambda row, *_: duration(row), 9, align="right", order=lambda row: row.last_took or 0.0
        ),
        Column(
            "USUALLY",
            lambda row, *_: says(latency(row.median), "muted"),
            8,
            rank=3,
            align="right",
            order=lambda row: row.median or 0.0,
        ),
        Column(
            "OWNER",
            lambda row, *_: says(clean(row.belongs_to or row.contact), "muted"),
            8,
            grow=1,
            limit=16,
            rank=4,
            order=lambda r: r.belongs_to,
        ),
        Column("QUEUE", _plain("queue", "muted"), 8, grow=1, limit=14, rank=5, order=lambda row: row.queue),
        Column(
            "ENDED",
            lambda row, moment, _: says(moment.brief(row.last_at), "muted"),
            6,
            rank=6,
            align="right",
            order=lambda row: (row.last_at is None, row.last_at),
        ),
        Column("LAST ERROR", _last_error, 12, grow=4, rank=7),
    ),
    key=lambda row: row.id,
    fields=lambda row: {
        "job": row.name.casefold(),
        "kind": row.kind,
        "state": job_mark(row).word,
        "owner": f"{row.belongs_to} {row.contact}".casefold(),
        "queue": row.queue.casefold(),
        "error": row.last_error.casefold(),
    },
    is_fault=lambda row: row.last_state == "dead" or bool(row.broken) or row.tripped,
    read=lambda reader: reader.jobs(),
    empty="No job is defined yet. + defines one here, jobs: in a config file others.",
)

RUN_COLUMNS: tuple[Column[RunRow], ...] = (
    Column("STATE", lambda row, *_: mark(RUN, row.state).line, 11, order=lambda row: row.state),
    Column("RUN", lambda row, *_: says(f"#{row.id}", "key"), 7, align="right", order=lambda row: row.id),
    Column("JOB", _plain("job"), 14, grow=3, limit=34, order=lambda row: row.job.casefold()),
    Column(
        "BEGAN",
        lambda row, moment, _: says(moment.brief(row.started_at or row.scheduled_for), "text"),
        6,
        align="right",
        order=lambda row: row.started_at or row.scheduled_for,
    ),
    Column("TOOK", lambda row, *_: says(took(row), "text"), 8, align="right"),
    Column(
        "FROM",
        lambda row, *_: says(clean(origin(row)), "muted"),
        10,
        grow=1,
        limit=22,
        rank=2,
        order=lambda row: row.origin,
    ),
    Column(
        "TRY",
        lambda row, *_: says(str(row.attempt or "—"), "muted"),
        3,
        rank=3,
        align="right",
        order=lambda row: row.attempt,
    ),
    Column("NODE", _plain("node", "muted"), 8, grow=1, limit=18, rank=4, order=lambda row: row.node),
    Column(
        "ERROR",
        lambda row, *_: says(clean(row.reason or row.error), "failing" if row.state in FAULTS else "muted"),
        10,
        grow=5,
        rank=1,
    ),
)


def run_fields(row: RunRow) -> Fields:
    """What can be searched in a run."""
    return {
        "job": row.job.casefold(),
        "kind": row.kind,
        "state": mark(RUN, row.state).word,
        "node": row.node.casefold(),
        "from": origin(row).casefold(),
        "error": f"{row.error_class} {row.error} {row.reason}".casefold(),
        "id": f"#{row.id}",
    }


RUNS = JobSection(
    "Runs",
    "run",
    RUN_COLUMNS,
    key=lambda row: row.id,
    fields=run_fields,
    is_fault=lambda row: row.state in FAULTS,
    read=None,
    empty="No job has run yet.",
)

LETTERS = JobSection(
    "Dead letters",
    "dead letter",
    RUN_COLUMNS,
    key=lambda row: row.id,
    fields=run_fields,
    is_fault=lambda row: True,
    read=None,
    empty="No dead letters: every run that failed for good was settled.",
)


def _when(row: CalendarFire, moment: Moment, cells: int) -> Line:
    return ((ahead(row.at, moment), "text"), (f" ×{row.times}" if row.times > 1 else "", "accent"))  # noqa: RUF001


def _note(row: CalendarFire, moment: Moment, cells: int) -> Line:
    """What is unusual about a fire: clocks that change on its day, runs that are likely to go on then."""
    clocks = says(f"▲ {row.clocks}", "degraded") if row.clocks else ()
    if row.meets_itself:
        beside = says("▲ its own run before goes on", "degraded")
    else:
        beside = says(f"with {', '.join(map(clean, row.beside))}", "muted") if row.beside else ()
    return join([clocks, beside])


CALENDAR_COLUMNS: tuple[Column[CalendarFire], ...] = (
    Column("WHEN", _when, 13, order=lambda row: row.at),
    Column("JOB", _plain("job"), 14, grow=3, limit=34, order=lambda row: row.job.casefold()),
    Column("USUALLY", lambda row, *_: says(latency(row.took_s), "muted"), 8, rank=2, align="right"),
    Column("NOTE", _note, 20, grow=3, limit=60, rank=1),
    Column("SCHEDULE", _plain("words", "muted"), 12, grow=2, limit=34, rank=4),
    Column("THERE", lambda row, *_: says(row.local, "muted"), 25, rank=5),
)


def _calendar(name: str, length: timedelta) -> JobSection:
    return JobSection(
        name,
        "fire",
        CALENDAR_COLUMNS,
        key=lambda row: (row.job, row.words, row.at),
        fields=lambda row: {
            "job": row.job.casefold(),
            "queue": row.queue.casefold(),
            "clocks": row.clocks,
            "beside": " ".join(row.beside).casefold(),
        },
        is_fault=lambda row: row.meets_itself or bool(row.clocks),
        read=lambda reader: reader.job_calendar(length),
        empty="Nothing fires in this time.",
    )


def _load(row: WorkerRow, moment: Moment, cells: int) -> Line:
    return says(f"{row.running} of {row.at_once}" if row.at_once else str(row.running), "text")


def _worker_state(row: WorkerRow) -> str:
    return (
        "stuck"
        if row.state in ("up", "draining") and not row.trusted
        else {"up": "running", "draining": "stopping"}.get(row.state, "stopped")
    )


WORKERS = JobSection(
    "Nodes",
    "node",
    (
        Column("STATE", lambda row, *_: mark(LOOP, _worker_state(row)).line, 11, order=_worker_state),
        Column("NODE", _plain("node"), 14, grow=2, limit=30, order=lambda row: row.node),
        Column("RUNNING", _load, 8, align="right", order=lambda row: row.running),
        Column("QUEUED", _plain("queued"), 7, align="right", order=lambda row: row.queued),
        Column(
            "QUEUES",
            lambda row, *_: says(clean(", ".join(row.queues) or "every queue"), "muted"),
            12,
            grow=2,
            limit=30,
            rank=1,
        ),
        Column(
            "TAGS", lambda row, *_: says(clean(", ".join(row.tags)), "muted"), 8, grow=1, limit=24, rank=3
        ),
        Column(
            "UP", lambda row, moment, _: says(moment.brief(row.started_at), "text"), 6, rank=2, align="right"
        ),
    ),
    key=lambda row: row.id,
    fields=lambda row: {
        "node": row.node.casefold(),
        "state": _worker_state(row),
        "queue": " ".join(row.queues).casefold(),
    },
    is_fault=lambda row: _worker_state(row) in ("stuck", "stopping"),
    read=lambda reader: reader.workers(),
    empty="No node has taken jobs yet. Start one with: watchfloor serve",
)


def _depth(row: QueueRow, moment: Moment, cells: int) -> Line:
    shown = row.depth[-cells:]
    top = max(shown, default=0)
    bars = "".join(
        BARS[min(len(BARS) - 1, value * len(BARS) // (top + 1))] if top else BARS[0] for value in shown
    )
    return says(bars, "accent" if top else "muted")


QUEUES = JobSection(
    "Queues",
    "queue",
    (
        Column("QUEUE", _plain("name"), 14, grow=2, limit=30, order=lambda row: row.name),
        Column("READY", _plain("ready"), 6, align="right", order=lambda row: row.ready),
        Column("WAITING", _plain("waiting"), 7, align="right", order=lambda row: row.waiting),
        Column("RUNNING", _plain("running"), 7, align="right", order=lambda row: row.running),
        Column(
            "NODES",
            lambda row, *_: says(
                str(row.nodes) if row.nodes else "✘ none", "text" if row.nodes else "failing"
            ),
            6,
            align="right",
        ),
        Column("LATE P50", lambda row, *_: says(latency(row.lag_p50), "muted"), 8, rank=2, align="right"),
        Column(
            "LATE P99",
            lambda row, *_: says(latency(row.lag_p99), "text"),
            8,
            rank=1,
            align="right",
            order=lambda row: row.lag_p99 or 0.0,
        ),
        Column("DEPTH, LAST HOUR", _depth, 16, grow=2, limit=60, rank=3),
        Column(
            "OLDEST",
            lambda row, *_: says(latency(row.oldest_s) if row.ready else "—", "muted"),
            8,
            rank=4,
            align="right",
        ),
    ),
    key=lambda row: row.name,
    fields=lambda row: {"queue": row.name.casefold()},
    is_fault=lambda row: not row.nodes and bool(row.ready or row.waiting),
    read=lambda reader: reader.queues(),
    empty="No job has a queue yet.",
)


def _task_error(row: TaskRunRow, moment: Moment, cells: int) -> Line:
    return says(clean(row.error), "failing" if row.outcome in FAULTS else "muted")


TASKS = JobSection(
    "Tasks",
    "run",
    (
        Column("OUTCOME", lambda row, *_: mark(RUN, row.outcome).line, 9, order=lambda row: row.outcome),
        Column("TASK", _plain("task"), 16, grow=2, limit=32, order=lambda row: row.task),
        Column("NODE", _plain("node", "muted"), 9, grow=1, limit=20, rank=4, order=lambda r: r.node),
        Column(
            "STARTED",
            lambda row, moment, _: says(moment.brief(row.started_at), "text"),
            7,
            align="right",
            order=lambda row: row.started_at,
        ),
        Column(
            "TOOK",
            lambda row, *_: says(latency(row.duration), "text"),
            8,
            rank=1,
            align="right",
            order=lambda row: row.duration,
        ),
        Column(
            "NEXT RUN",
            lambda row, moment, _: says(
                ahead(row.next_run_at, moment) if row.next_run_at and row.next_run_at > moment.now else "",
                "muted",
            ),
            9,
            rank=3,
            align="right",
        ),
        Column("ERROR", _task_error, 8, grow=5, rank=2),
    ),
    key=lambda row: (row.node, row.task, row.started_at),
    fields=lambda row: {
        "task": row.task.casefold(),
        "node": row.node.casefold(),
        "outcome": row.outcome,
        "error": row.error.casefold(),
    },
    is_fault=lambda row: row.outcome != "ok",
    read=lambda reader: reader.task_runs(),
    empty="No task has run yet; an engine runs its own every few minutes.",
)

CALENDARS = ("Day", "Week")

SECTIONS = (JOBS, RUNS, LETTERS, _calendar("Day", DAY), _calendar("Week", WEEK), WORKERS, QUEUES, TASKS)
