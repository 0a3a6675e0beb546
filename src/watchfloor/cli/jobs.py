"""Jobs and runs as plain text: the same boards and operations, for scripts, pipes and screen readers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from watchfloor.cli.desk import Desk
from watchfloor.cli.plain import age, show_json, show_table
from watchfloor.config.forms import written
from watchfloor.domain.boards import StatusLine
from watchfloor.domain.durations import compact_duration
from watchfloor.domain.job_boards import (
    FINAL_STATES,
    JobRow,
    RunDetail,
    RunLine,
    RunRow,
)
from watchfloor.domain.outlook import sentences
from watchfloor.domain.text import clean
from watchfloor.operations.actor import Refused

LOOK_S = 0.2
TIMED_OUT = 124
"""Exit code of a run that took too long, as timeout(1) has it."""


async def jobs(desk: Desk) -> tuple[Sequence[JobRow], StatusLine]:
    """The jobs and the time they are from."""
    return await desk.jobs(), await desk.status()


def runs(
    job: str | None, dead: bool, limit: int, state: str = "", before: int | None = None
) -> Callable[[Desk], Awaitable[tuple[Sequence[RunRow], StatusLine]]]:
    """The question for runs and the time they are from."""

    async def question(desk: Desk) -> tuple[Sequence[RunRow], StatusLine]:
        found = await desk.runs(job, dead=dead, limit=limit, state=state, before=before)
        return found, await desk.status()

    return question


def detail(run_id: int) -> Callable[[Desk], Awaitable[tuple[RunDetail, list[RunLine]] | None]]:
    """The question for one run with its whole log."""

    async def question(desk: Desk) -> tuple[RunDetail, list[RunLine]] | None:
        found = await desk.run(run_id)
        return None if found is None else (found, await _whole_log(desk, run_id))

    return question


async def _whole_log(desk: Desk, run_id: int) -> list[RunLine]:
    log: list[RunLine] = []
    while lines := await desk.run_log(run_id, _last(log)):
        log += lines
    return log


def log(run_id: int, follow: bool, json: bool) -> Callable[[Desk], Awaitable[int]]:
    """The request for the log of a run, as it comes if asked; the answer is the exit code.

    Raises `Refused` where there is no such run.
    """

    async def request(desk: Desk) -> int:
        if await desk.run(run_id) is None:
            raise Refused(f"There is no run #{run_id}.")
        if follow:
            return await _follow(desk, run_id, json)
        lines = await _whole_log(desk, run_id)
        if json:
            show_json(lines)
        else:
            print("".join(f"{line.text}\n" for line in lines), end="")
        return 0

    return request


def run(
    name: str, wait: bool, parameters: Mapping[str, object], key: UUID, json: bool
) -> Callable[[Desk], Awaitable[int]]:
    """The request to run a job now; what it comes to is the exit code."""

    async def request(desk: Desk) -> int:
        run_id = await desk.run_now(name, key, parameters)
        if not wait:
            show_json({"run": run_id}) if json else print(f"#{run_id}")
            return 0
        return await _follow(desk, run_id, json)

    return request


async def _follow(desk: Desk, run_id: int, json: bool) -> int:
    """Print the output of a run as it comes, until it has ended; returns its exit code.

    As JSON the output goes to standard error, and what became of the run to standard output.
    """
    out = sys.stderr if json else sys.stdout
    printed: list[RunLine] = []
    found = await desk.run(run_id)
    if found is not None and found.row.state not in FINAL_STATES and not (await desk.status()).nodes_live:
        print(f"watchfloor: #{run_id} waits: no engine is running on this database", file=sys.stderr)
    while True:
        found = await desk.run(run_id)
        while lines := await desk.run_log(run_id, _last(printed)):
            for line in lines:
                print(line.text, flush=True, file=out)
            printed = list(lines[-1:])
        if found is None or found.row.state in FINAL_STATES:
            break
        await asyncio.sleep(LOOK_S)
    if found is None:
        print(f"watchfloor: #{run_id} is gone", file=sys.stderr)
        return 1
    row = found.row
    if json:
        show_json(row)
    elif row.state != "succeeded":
        print(f"watchfloor: #{run_id} {row.state}: {row.error}", file=sys.stderr)
    return exit_code(row)


def _last(lines: Sequence[RunLine]) -> tuple[int, int]:
    return (lines[-1].attempt, lines[-1].seq) if lines else (0, 0)


def exit_code(row: RunRow) -> int:
    """The exit code that says how a run ended: that of its process where there was one."""
    if row.state == "succeeded":
        return 0
    if row.signal is not None:
        return 128 + row.signal
    return row.exit_code or (TIMED_OUT if row.error_class == "timeout" else 1)


def show_jobs(rows: Sequence[JobRow], now: datetime) -> None:
    """Print jobs by name."""
    table = [
        (
            row.name,
            row.kind,
            row.belongs_to or row.contact or "-",
            row.queue,
            "paused" if row.paused else "error" if row.broken else _ahead(row.next_fire_at, now),
            "; ".join(row.schedules) or "on request",
            row.last_state or "-",
            age(row.last_at, now),
            "-" if row.last_took is None else compact_duration(row.last_took),
            f"{row.running}/{row.waiting}",
            row.broken or row.last_error,
        )
        for row in rows
    ]
    head = ("JOB", "KIND", "OWNER", "QUEUE", "NEXT", "SCHEDULE", "LAST", "AGO", "TOOK", "RUN/WAIT", "ERROR")
    show_table(head, table)


def _ahead(moment: datetime | None, now: datetime) -> str:
    return "-" if moment is None else f"in {compact_duration((moment - now).total_seconds())}"


def show_runs(rows: Sequence[RunRow], now: datetime) -> None:
    """Print runs, the newest first."""
    table = [
        (
            f"#{row.id}",
            row.job,
            row.state,
            row.asked_by or row.origin,
            age(row.started_at or row.scheduled_for, now),
            took(row),
            str(row.attempt),
            row.node or "-",
            row.error,
        )
        for row in rows
    ]
    show_table(("ID", "JOB", "STATE", "FROM", "AGO", "TOOK", "ATTEMPT", "NODE", "ERROR"), table)


def took(row: RunRow) -> str:
    """How long a run took, from the start of its last attempt."""
    if row.started_at is None or row.finished_at is None:
        return "-"
    return f"{(row.finished_at - row.started_at).total_seconds():.2f} s"


def show_run(found: RunDetail, log: Sequence[RunLine]) -> None:
    """Print one run: what happens next, what it was given, its attempts and its log."""
    row = found.row
    print(f"#{row.id} {row.job} ({row.kind}): {row.state}" + (f", {row.reason}" if row.reason else ""))
    print(f"  from {row.asked_by or row.origin}, for {row.scheduled_for.astimezone().isoformat(sep=' ')}")
    if found.upstream is not None:
        print(f"  follows #{found.upstream}")
    if row.error and not found.attempts:
        print(f"  {row.error}")
    for words in () if found.outlook is None else sentences(found.outlook, _clock):
        print(f"  {words}")
    _show_settings("given to this run only", found.parameters)
    _show_settings("settings of its job", found.settings)
    for each in found.attempts:
        words = (
            f"{each.error_class}: {each.error}"
            if each.error_class
            else "ok"
            if each.finished_at
            else "goes on"
        )
        print(f"  attempt {each.attempt} on {each.node or 'a node that is gone'}: {words}")
        for line in log:
            if line.attempt == each.attempt:
                moment = line.at.astimezone().isoformat(sep=" ", timespec="milliseconds")
                print(f"    {moment} {line.stream:<6} {line.text}")


def _clock(at: datetime) -> str:
    return at.astimezone().isoformat(sep=" ", timespec="seconds")


def _show_settings(name: str, settings: Mapping[str, object]) -> None:
    """Print settings as a file would hold them; secrets are in it as references only."""
    if not settings:
        return
    print(f"  {name}:")
    for line in written(dict(settings)).splitlines():
        print(f"    {clean(line)}")
