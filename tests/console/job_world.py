"""Jobs of a made-up operations room: boards for the console's tests and its preview."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from watchfloor.domain.calendar import CalendarFire, Plan, calendar
from watchfloor.domain.job_boards import (
    AttemptRow,
    JobRow,
    QueuePoint,
    QueueRow,
    RunDetail,
    RunLine,
    RunRow,
    WorkerRow,
)
from watchfloor.domain.outlook import Outlook
from watchfloor.domain.retry import Retry
from watchfloor.domain.schedules import Schedule

NOW = datetime(2026, 8, 20, 14, 2, 31, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

# name, kind, cron, zone, owner, queue, usual seconds, latest outcomes (oldest first), paused
JOBS = (
    (
        "nightly backup",
        "script",
        "30 3 * * *",
        "Europe/Berlin",
        "kim",
        "nightly",
        4_200.0,
        "ssssdsssss",
        False,
    ),
    ("send reports", "http", "0 7 * * mon-fri", "Europe/Berlin", "sam", "default", 12.4, "ssssssss", False),
    ("rotate logs", "script", "0 * * * *", "UTC", "ops", "default", 3.1, "ssssssssssssssssssss", False),
    ("sync catalogue", "script", "*/5 * * * *", "UTC", "robin", "default", 41.0, "ssssdcdsddd", False),
    ("close the books", "script", "0 2 1 * *", "Europe/Berlin", "accounting", "nightly", 900.0, "ssm", False),
    ("rebuild index", "script", "", "UTC", "robin", "heavy", 640.0, "sskss", False),
    ("old importer", "http", "15 4 * * *", "UTC", "", "default", None, "", True),
)
STATES = {"s": "succeeded", "d": "dead", "c": "cancelled", "k": "skipped", "m": "missed"}


def job_rows(now: datetime = NOW) -> list[JobRow]:
    """The list of jobs."""
    dice = random.Random(5)
    rows = []
    for number, (name, kind, cron, zone, owner, queue, usual, states, paused) in enumerate(JOBS, 1):
        recent = tuple(STATES[letter] for letter in states)
        took = (
            tuple(usual * dice.uniform(0.85, 1.2) for state in recent if state == "succeeded")
            if usual
            else ()
        )
        coming = next_of(cron, zone, now) if cron and not paused else None
        last = (
            recent[-1]
            if recent and recent[-1] in ("succeeded", "dead", "cancelled")
            else "succeeded"
            if recent
            else ""
        )
        rows.append(
            JobRow(
                id=number,
                name=name,
                kind=kind,
                contact=f"{owner}@example" if owner else "",
                description="Dumps every database and copies it to another house." if number == 1 else "",
                paused=paused,
                schedules=(f"{cron} {zone}",) if cron else (),
                next_fire_at=coming,
                broken="",
                last_run=400 + number if recent else None,
                last_state=last,
                last_at=now - number * HOUR if recent else None,
                last_took=(usual or 0) * (1.9 if number == 1 else 1.0) if recent else None,
                last_error="exit code 3" if last == "dead" else "",
                recent=recent,
                running=1 if name == "rebuild index" else 0,
                waiting=0,
                queue=queue,
                belongs_to=owner,
                owner="file" if name == "send reports" else "console",
                origin="config.yaml:31" if name == "send reports" else "console",
                took=took,
            )
        )
    return rows


def next_of(cron: str, zone: str, now: datetime) -> datetime:
    """The next fire of a schedule."""
    plan = Plan("", "", Schedule("cron", cron, zone), None)
    return calendar([plan], now, timedelta(days=40))[0].at


def run_row(
    id_: int, job: str, state: str, began: datetime | None, took: float | None, **more: object
) -> RunRow:
    """One run."""
    made = RunRow(
        id=id_,
        job=job,
        kind="script",
        origin="schedule",
        asked_by="",
        state=state,
        scheduled_for=(began or NOW) - timedelta(seconds=1),
        started_at=began,
        finished_at=None if began is None or took is None else began + timedelta(seconds=took),
        attempt=0 if began is None else 1,
        exit_code=3 if state == "dead" else 0 if state == "succeeded" else None,
        signal=None,
        error_class="script.exit.3" if state == "dead" else "",
        error="exit code 3" if state == "dead" else "",
        node="floor-01" if began else "",
        reason="all 3 attempts failed" if state == "dead" else "",
        open_letter=state == "dead",
    )
    return (
        made if not more else RunRow(**{**{name: getattr(made, name) for name in RunRow.__slots__}, **more})
    )  # type: ignore[arg-type]


def run_details(now: datetime = NOW) -> list[RunDetail]:
    """Runs, newest first, some of each state."""
    rows = [
        run_row(431, "sync catalogue", "waiting", None, None, attempt=1),
        run_row(430, "rebuild index", "running", now - 4 * MINUTE, None, origin="manual", asked_by="robin"),
        run_row(429, "sync catalogue", "dead", now - 9 * MINUTE, 41.0, attempt=3),
        run_row(428, "rotate logs", "succeeded", now - 62 * MINUTE, 3.1),
        run_row(427, "sync catalogue", "dead", now - 70 * MINUTE, 38.0, attempt=3),
        run_row(426, "rebuild index", "skipped", None, None, error="#425 had not ended"),
        run_row(425, "send reports", "succeeded", now - 7 * HOUR, 12.9),
        run_row(424, "nightly backup", "succeeded", now - 12 * HOUR, 7_980.0),
        run_row(
            423,
            "close the books",
            "missed",
            None,
            None,
            error="3 fires missed while no engine was there, 1 made",
        ),
        run_row(422, "nightly backup", "cancelled", now - 36 * HOUR, 600.0, error="cancelled by robin"),
    ]
    return [detail(row, now) for row in rows]


def detail(row: RunRow, now: datetime = NOW) -> RunDetail:
    """A run with its attempts and its future."""
    attempts = tuple(
        AttemptRow(
            attempt=number,
            node=row.node,
            started_at=row.started_at - (row.attempt - number) * 2 * MINUTE,
            finished_at=row.finished_at
            if number == row.attempt
            else row.started_at - (row.attempt - number) * 2 * MINUTE + MINUTE,
            exit_code=row.exit_code,
            signal=None,
            error_class=row.error_class,
            error=row.error,
        )
        for number in range(1, row.attempt + 1)
        if row.started_at is not None
    )
    outlook = Outlook(
        state=row.state,
        attempt=row.attempt,
        used=max(0, row.attempt - 1),
        retry=Retry(3, 10.0, 2.0, 3600.0),
        at_most_once=False,
        timeout_s=3600.0,
        available_at=now + 2 * MINUTE,
        started_at=row.started_at,
        deadline_at=None,
        cancel_by="",
        cancel_at=None,
        kill=False,
        paused=False,
        tripped=False,
        next_fire_at=now + 3 * MINUTE,
        queue="default",
        holders=(),
        follows=("report when it succeeds",),
        settled_by="",
        requeued_as=None,
    )
    settings: dict[str, object] = {"run": ["/usr/local/bin/sync", "--all"], "env": {"TOKEN": "${SHOP_TOKEN}"}}
    given: dict[str, object] = (
        {"run": ["/usr/local/bin/sync", "--only", "books"]} if row.origin == "manual" else {}
    )
    return RunDetail(row, attempts, outlook, given, settings)


def run_output(now: datetime = NOW) -> list[RunLine]:
    """What a run printed."""
    return [
        RunLine(
            1,
            number,
            now - timedelta(seconds=120 - number),
            "stderr" if number % 9 == 8 else "stdout",
            f"copied page {number} of 40",
        )
        for number in range(1, 41)
    ]


def fires(now: datetime, length: timedelta) -> list[CalendarFire]:
    """What is to come, by the real rules."""
    return calendar(
        [
            Plan(name, f"{cron} {zone}", Schedule("cron", cron, zone), usual, queue, paused)
            for name, _, cron, zone, _, queue, usual, _, paused in JOBS
            if cron
        ],
        now,
        length,
    )


def worker_rows(now: datetime = NOW) -> list[WorkerRow]:
    """Who carries runs out."""
    return [
        WorkerRow(7, "floor-01", "up", True, 1, 3, 16, (), ("ssd",), now - 70 * HOUR, now),
        WorkerRow(8, "floor-02", "draining", True, 2, 0, 8, ("nightly",), (), now - 20 * HOUR, now),
    ]


def queue_rows() -> list[QueueRow]:
    """How queues stand."""
    dice = random.Random(3)
    return [
        QueueRow("default", 1, 3, 1, 4.2, 1, 740, 0.0042, 0.031, tuple(dice.randrange(9) for _ in range(60))),
        QueueRow("heavy", 0, 2, 0, 320.0, 0, 0, None, None, (0,) * 50 + (2,) * 10),
        QueueRow("nightly", 0, 0, 2, 0.0, 1, 2, 0.003, 0.004, (0,) * 60),
    ]


def queue_points(now: datetime = NOW) -> list[QueuePoint]:
    """The last hour of a queue."""
    dice = random.Random(4)
    return [
        QueuePoint(
            now - (60 - minute) * MINUTE,
            dice.randrange(12),
            dice.randrange(5),
            12,
            0.004 * dice.random(),
            0.03 * dice.random(),
        )
        for minute in range(60)
    ]
