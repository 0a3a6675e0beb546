"""Requests about jobs and dead letters: what is asked of the desk, and how the answer is printed."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from watchfloor.cli.desk import Desk
from watchfloor.cli.entries import read_entries
from watchfloor.cli.plain import age, show_json, show_table
from watchfloor.config.document import plain_value, read_document
from watchfloor.config.forms import written
from watchfloor.config.problems import Mistakes, suggest
from watchfloor.domain.backfill import Again
from watchfloor.domain.durations import compact_duration, format_duration
from watchfloor.domain.job_boards import QueuePoint, QueueRow, day_in_words
from watchfloor.domain.moments import parse_moment
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count
from watchfloor.operations.actor import Refused
from watchfloor.operations.backfill import Backfill
from watchfloor.operations.dead_letters import Settled
from watchfloor.operations.job_edits import Imports
from watchfloor.operations.jobs import no_such_job
from watchfloor.store.dead_letters import Selection
from watchfloor.store.written import Written

NAMED = 20
"""Of many things so many are named."""

Request = Callable[[Desk], Awaitable[Any]]


def run_key(key: str | None) -> UUID:
    """What makes a request for a run one request, however often it comes. Raises `Refused`."""
    try:
        return uuid4() if key is None else UUID(key)
    except ValueError:
        raise Refused("--key must be a UUID, such as uuidgen prints.") from None


def parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """Settings given as ``key=value``; a value is YAML, as in the config file. Raises `Refused`."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise Refused(f"{one_line(pair, 60)} is not KEY=VALUE.")
        mistakes = Mistakes("")
        node = read_document(text.encode(), mistakes) if text.strip()[:1] in ("[", "{") else None
        if mistakes:
            raise Refused(f"The value of {one_line(key, 60)} cannot be read: {mistakes.all()[0].message}.")
        found[key.strip()] = plain_value(text) if node is None else node.value
    return found


def _moment(text: str, now: datetime) -> datetime:
    try:
        return parse_moment(text, now, None)
    except ValueError as mistake:
        raise Refused(f"{mistake}.") from None


def backfill(
    name: str, since: str, until: str, again: str, rate: float, *, dry_run: bool, json: bool
) -> Request:
    """The request to run fires of the past."""
    if again not in {each.value for each in Again}:
        raise Refused(f"--again is one of {', '.join(Again)}.")

    async def request(desk: Desk) -> None:
        now = (await desk.status()).at
        found = await desk.backfill(
            name, _moment(since, now), _moment(until, now), Again(again), rate=rate, dry_run=dry_run
        )
        show_json(found) if json else _show_backfill(found, dry_run)

    return request


def _show_backfill(found: Backfill, dry_run: bool) -> None:
    for fire in found.chosen[:NAMED]:
        print(f"  {fire.at.astimezone().isoformat(sep=' ')}")
    if len(found.chosen) > NAMED:
        print(f"  and {len(found.chosen) - NAMED} more")
    did = "would be made" if dry_run else "made"
    lasts = f" within {found.lasts_s:.0f} s" if found.lasts_s else ""
    number = len(found.chosen) if dry_run else len(found.runs)
    print(f"{count(number, 'run')} {did}{lasts}, of {count(found.fires, 'fire')} in that time")


def letters(
    ids: tuple[int, ...],
    job: str,
    error_class: str,
    since: str,
    until: str,
    *,
    every: bool,
    json: bool,
    act: str = "",
    rate: float = 0.0,
    dry_run: bool = False,
) -> Request:
    """The question for dead letters, or the request to settle them. Raises `Refused` where nothing selects any."""
    if not (ids or job or error_class or since or until or every):
        raise Refused("Name dead letters (`watchfloor dead` lists them), select them, or add --all.")

    async def request(desk: Desk) -> None:
        now = (await desk.status()).at
        began, ended = (_moment(text, now) if text else None for text in (since, until))
        selection = Selection(job, error_class, began, ended, ids)
        if not act:
            found = await desk.dead_runs(selection)
            rows = [
                (f"#{each.run_id}", each.job, each.error_class, age(each.died_at, now), each.reason)
                for each in found
            ]
            show_json(found) if json else show_table(("RUN", "JOB", "CLASS", "DIED", "REASON"), rows)
            return
        settled = await desk.settle_letters(selection, discard=act == "discard", rate=rate, dry_run=dry_run)
        show_json(settled) if json else _show_settled(settled, act, dry_run)

    return request


def _show_settled(settled: Settled, act: str, dry_run: bool) -> None:
    done = f"{'would be ' if dry_run else ''}{'requeued' if act == 'requeue' else 'discarded'}"
    for letter in settled.letters[:NAMED]:
        print(f"  #{letter.run_id} {letter.job}: {letter.reason}")
    if len(settled.letters) > NAMED:
        print(f"  and {len(settled.letters) - NAMED} more")
    lasts = f" within {settled.lasts_s:.0f} s" if settled.lasts_s else ""
    print(f"{count(len(settled.letters), 'dead letter')} {done}{lasts}")
    if settled.left_out:
        print(f"{settled.left_out} belong to jobs that are gone: they can only be discarded")


def calendar(days: int, json: bool) -> Request:
    """The question for what fires soon."""

    async def request(desk: Desk) -> None:
        found = await desk.job_calendar(timedelta(days=days))
        rows = [
            (
                each.at.astimezone().isoformat(sep=" ", timespec="minutes"),
                f"x{each.times}" if each.times > 1 else "",
                each.job,
                "-" if each.took_s is None else compact_duration(each.took_s),
                ", ".join(filter(None, (each.clocks, *(f"with {job}" for job in each.beside)))),
            )
            for each in found
        ]
        show_json(found) if json else show_table(("WHEN", "TIMES", "JOB", "USUALLY", "NOTE"), rows)

    return request


def queues(json: bool) -> Request:
    """The question for how queues stand."""

    async def request(desk: Desk) -> None:
        found = await desk.queues()
        rows = [
            (
                each.name,
                *(str(number) for number in (each.ready, each.waiting, each.running)),
                _seconds(each.oldest_s) if each.ready else "-",
                *(str(number) for number in (each.nodes, each.started)),
                *_late(each),
            )
            for each in found
        ]
        head = (
            "QUEUE",
            "READY",
            "WAITING",
            "RUNNING",
            "OLDEST",
            "NODES",
            "STARTED/H",
            "LATE P50",
            "LATE P99",
        )
        show_json(found) if json else show_table(head, rows)

    return request


def queue_course(name: str, since: str, json: bool) -> Request:
    """The question for how one queue stood, minute by minute. Raises `Refused` where there is none of this name."""

    async def request(desk: Desk) -> None:
        begin = _moment(since, (await desk.status()).at)
        found = await desk.queue_course(name, begin)
        names = [] if found else [each.name for each in await desk.queues()]
        if not found and name not in names:
            raise Refused(f"There is no queue called {one_line(name, 100)}. {suggest(name, names)}".rstrip())
        rows = [
            (
                f"{each.at.astimezone():%Y-%m-%d %H:%M %z}",
                *(str(number) for number in (each.depth, each.running, each.started)),
                *_late(each),
            )
            for each in found
        ]
        head = ("MINUTE", "WAIT", "RUNNING", "STARTED", "LATE P50", "LATE P99")
        show_json(found) if json else show_table(head, rows)

    return request


def _late(each: QueueRow | QueuePoint) -> tuple[str, ...]:
    return tuple("-" if lag is None else f"{lag * 1000:.1f} ms" for lag in (each.lag_p50, each.lag_p99))


def workers(json: bool) -> Request:
    """The question for the nodes that carry jobs out."""

    async def request(desk: Desk) -> None:
        now, found = (await desk.status()).at, await desk.workers()
        rows = [
            (
                each.node,
                each.state if each.trusted or each.state not in ("up", "draining") else "not heard of",
                str(each.running),
                str(each.queued),
                "-" if each.at_once is None else str(each.at_once),
                ", ".join(each.queues) or "every queue",
                ", ".join(each.tags) or "-",
                age(each.started_at, now),
            )
            for each in found
        ]
        head = ("NODE", "STATE", "RUNNING", "QUEUED", "MOST", "QUEUES", "TAGS", "UP")
        show_json(found) if json else show_table(head, rows)

    return request


def next_fires(name: str, most: int, json: bool) -> Request:
    """The question for the next fires of a job. Raises `Refused` where there is none of this name."""

    async def request(desk: Desk) -> None:
        coming = await desk.coming(name, most)
        if json:
            show_json(coming)
            return
        for each in coming:
            print(each)

    return request


def show_job(name: str, json: bool) -> Request:
    """The question for one job as it was written. Raises `Refused` where there is none."""

    async def request(desk: Desk) -> None:
        jobs = {each.name: each for each in await desk.written_jobs()}
        job = jobs.get(name)
        if job is None:
            raise no_such_job(name, list(jobs))
        coming, day = await desk.coming(name, 5), await desk.job_day(name)
        if json:
            show_json({"job": job, "next": [each.at for each in coming], "last_day": day})
            return
        print(written(desk.in_order(job)), end="")
        stands = job.origin if job.owner == "file" else "the console"
        by = f", changed by {job.changed_by}" if job.changed_by else ""
        print(
            f"# version {job.version}, defined in {stands}{by} {job.changed_at.astimezone():%Y-%m-%d %H:%M}"
        )
        for each in coming:
            print(f"# next {each}")
        print(f"# last day: {day_in_words(day)}")
        if day.took_p50 is not None:
            print(f"# took p50 {_seconds(day.took_p50)}, p95 {_seconds(day.took_p95)}")
        if day.late_p50 is not None:
            print(f"# began late p50 {_seconds(day.late_p50)}, p99 {_seconds(day.late_p99)}")

    return request


def _seconds(value: float | None) -> str:
    return "-" if value is None else format_duration(round(value, 3 if value < 60 else 0))


def export(names: Sequence[str], json: bool) -> Request:
    """The question for jobs as a config file would hold them. Raises `Refused` for a name that does not exist."""

    async def request(desk: Desk) -> None:
        jobs = [job for job in await desk.written_jobs() if job.owner != "system"]
        for name in names:
            if not any(job.name == name for job in jobs):
                raise no_such_job(name, [job.name for job in jobs])
        found = [desk.in_order(job) for job in jobs if not names or job.name in names]
        show_json({"jobs": found}) if json else print(written({"jobs": found}), end="")

    return request


def copy(name: str, new: str) -> Request:
    """The request for a copy of a job. Raises `Refused`."""

    async def request(desk: Desk) -> str:
        form = await desk.form("job", name, "")
        if form is None:
            raise no_such_job(name, [job.name for job in await desk.written_jobs()])
        return await desk.save_form("job", {**form.values, "name": new, "paused": True})

    return request


def save(file: str, change: bool, dry_run: bool, json: bool) -> Request:
    """The request to add jobs that are written in a file of their own; the answer is the exit code."""

    async def request(desk: Desk) -> int:
        entries = read_entries(file, "jobs", "job")
        known = {job.name: job for job in await desk.written_jobs() if job.owner == "console"}
        changed = [raw for raw in entries if change and str(raw.get("name")) in known]
        new = [raw for raw in entries if raw not in changed]
        found = await desk.import_jobs(new, dry_run=dry_run)
        if not dry_run:
            await _change(desk, changed, known)
        names = [str(raw["name"]) for raw in changed]
        if json:
            show_json({"added": found.added, "changed": names, "refused": found.refused})
        else:
            show_imports(found, dry_run)
            for name in names:
                print(f"{one_line(name, 100)}: {'would be changed' if dry_run else 'changed'}")
        return 1 if found.refused else 0

    return request


async def _change(desk: Desk, entries: Sequence[Mapping[str, Any]], known: Mapping[str, Written]) -> None:
    for raw in entries:
        name = str(raw["name"])
        await desk.save_form("job", raw, name, known[name].version)


def show_imports(found: Imports, dry_run: bool) -> None:
    """Print what became of jobs that were written elsewhere."""
    for name in found.added:
        print(f"{one_line(name, 100)}: {'would be added' if dry_run else 'added'}")
    for name, problems in found.refused:
        for problem in problems:
            print(f"{one_line(name, 100) or 'a job without a name'}: {problem}", file=sys.stderr)
