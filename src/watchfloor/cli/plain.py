"""The screens as plain text or JSON: the same boards, for scripts, pipes and screen readers."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import cast

from watchfloor.cli.asking import Answer, at_database
from watchfloor.cli.desk import Desk
from watchfloor.cli.options import Options
from watchfloor.console.format import share
from watchfloor.domain import settings as definitions
from watchfloor.domain.alert_boards import why_quiet
from watchfloor.domain.boards import (
    AlertDetail,
    AlertRow,
    HealthRow,
    LogRow,
    SettingRow,
    StatusLine,
    TaskRunRow,
)
from watchfloor.domain.durations import compact_duration, parse_duration
from watchfloor.domain.grouping import state_word
from watchfloor.domain.shape import plain
from watchfloor.domain.text import one_line
from watchfloor.domain.words import out_of_reach
from watchfloor.operations.actor import Actor, Refused
from watchfloor.store.database import Database
from watchfloor.store.logs import LogFilter


def ask(options: Options, question: Callable[[Desk], Awaitable[Answer]]) -> Answer:
    """Answer one question at a desk. Raises what the store raises, `Refused` for what may not be."""

    def at_desk(database: Database, label: str, actor: Actor) -> Awaitable[Answer]:
        async def connect() -> Database:
            return database

        return question(Desk(connect, lambda: label, actor))

    return at_database(options, at_desk)


async def health(desk: Desk) -> tuple[Sequence[HealthRow], StatusLine]:
    """The health board and the time it is from."""
    return await desk.health(), await desk.status()


async def task_runs(desk: Desk) -> tuple[Sequence[TaskRunRow], StatusLine]:
    """The latest task runs and the time they are from."""
    return await desk.task_runs(), await desk.status()


def alerts(resolved: bool) -> Callable[[Desk], Awaitable[tuple[Sequence[AlertRow], StatusLine]]]:
    """The question for alerts and the time they are from."""

    async def question(desk: Desk) -> tuple[Sequence[AlertRow], StatusLine]:
        return await desk.alerts(resolved=resolved), await desk.status()

    return question


LEVELS = {"trace": 1, "debug": 5, "info": 9, "warning": 13, "error": 17, "fatal": 21}


def logs(level: str, text: str, limit: int) -> Callable[[Desk], Awaitable[Sequence[LogRow]]]:
    """The question for log records. Raises `Refused` for a level that does not exist."""
    if level not in LEVELS:
        raise Refused(f"there is no level {one_line(level, 40)}; allowed: {', '.join(LEVELS)}")
    return lambda desk: desk.logs(LogFilter(LEVELS[level], "", text), None, limit)


def one_by_one(
    alert_ids: Sequence[int], act: Callable[[Desk, int], Awaitable[object]]
) -> Callable[[Desk], Awaitable[tuple[list[int], list[str]]]]:
    """The request to do something to each alert: which ones it was done to, and why not to the others."""

    async def request(desk: Desk) -> tuple[list[int], list[str]]:
        done: list[int] = []
        refusals: list[str] = []
        for alert_id in dict.fromkeys(alert_ids):
            try:
                await act(desk, alert_id)
            except Refused as refused:
                refusals.append(str(refused))
            else:
                done.append(alert_id)
        return done, refusals

    return request


def acknowledge(note: str, lasts: str, sticky: bool) -> Callable[[Desk, int], Awaitable[None]]:
    """How to acknowledge one alert; an empty ``lasts`` is for as long as the product settings say.

    Raises `Refused` for a duration that cannot be read.
    """
    try:
        given = parse_duration(lasts) if lasts not in ("", "resolved") else None
    except ValueError as error:
        raise Refused(f"--for: {error}") from None

    async def act(desk: Desk, alert_id: int) -> None:
        seconds = given if lasts else await _usual_expiry(desk)
        until = None if seconds is None else timedelta(seconds=seconds)
        await desk.acknowledge([alert_id], note, until, sticky=sticky)

    return act


async def _usual_expiry(desk: Desk) -> float:
    found = next(row.value for row in await desk.settings() if row.key == "alerts.ack_expiry")
    return cast(float, found)


def show_json(value: object) -> None:
    """Print a board as JSON."""
    unicode = sys.stdout.encoding.lower().replace("-", "") == "utf8"
    print(json.dumps(plain(value), indent=2, ensure_ascii=not unicode))


def say(text: str, value: object, as_json: bool) -> None:
    """Print what was done: as a sentence, or as JSON."""
    show_json(value) if as_json else print(text)


def show_health(rows: Sequence[HealthRow], now: datetime) -> None:
    """Print the health board, the worst first."""
    order = {"failing": 0, "degraded": 1, "unknown": 2, "pending": 3, "paused": 4, "ok": 5}
    table = [
        (
            state_word(row),
            row.name,
            row.kind,
            "-" if row.latency is None else f"{row.latency * 1000:.1f} ms",
            "-" if row.uptime_24h is None else share(row.uptime_24h),
            age(row.since, now),
            with_reasons(row),
        )
        for row in sorted(rows, key=lambda row: (order[state_word(row)], row.name))
    ]
    show_table(("STATE", "SERVICE", "KIND", "LATENCY", "UP 24H", "SINCE", "SUMMARY"), table)


def with_reasons(row: HealthRow) -> str:
    """What the latest check said, after why nobody is told of it."""
    reasons = [f"out of reach, {row.root} is down"] if row.root else []
    reasons += [word for word, holds in (("planned", row.planned), ("flapping", row.flapping)) if holds]
    return f"({'; '.join(reasons)}) {row.summary}" if reasons else row.summary


NOTE_SHOWN = 60


def show_alerts(rows: Sequence[AlertRow], now: datetime) -> None:
    """Print alerts as the list shows them."""
    table = [
        (
            f"#{row.id}",
            row.severity.word,
            f"{row.state} ({', '.join(why_quiet(row.quiet, row.root))})" if row.quiet else row.state,
            f"{row.title} ({out_of_reach(row.behind)})" if row.behind else row.title,
            age(row.fired_at or row.active_at, now),
            one_line(f"{row.acked_by}: {row.note}".rstrip(": "), NOTE_SHOWN) if row.acked_by else "",
        )
        for row in rows
    ]
    show_table(("ID", "SEVERITY", "STATE", "WHAT", "SINCE", "ACKNOWLEDGED"), table)


def show_task_runs(rows: Sequence[TaskRunRow], now: datetime) -> None:
    """Print task runs, the newest first."""
    table = [
        (
            row.task,
            row.node,
            row.outcome,
            age(row.started_at, now),
            f"{row.duration * 1000:.0f} ms",
            row.error,
        )
        for row in rows
    ]
    show_table(("TASK", "NODE", "OUTCOME", "STARTED", "TOOK", "ERROR"), table)


def show_logs(rows: Sequence[LogRow]) -> None:
    """Print log records in the order in which they happened."""
    words = {number: word for word, number in LEVELS.items()}
    for row in reversed(rows):
        word = words[max(number for number in words if number <= row.severity)]
        moment = row.at.astimezone().isoformat(sep=" ", timespec="milliseconds")
        print(f"{moment} {word:<7} {row.node} {row.channel}: {one_line(row.message, 2000)}")


def show_settings(rows: Sequence[SettingRow]) -> None:
    """Print settings by category."""
    table = [
        (row.key, definitions.shown(definitions.get(row.key), cast(definitions.Value, row.value)), row.source,
         definitions.shown(definitions.get(row.key), cast(definitions.Value, row.default)), row.description)
        for row in rows
    ]  # fmt: skip
    show_table(("SETTING", "VALUE", "SOURCE", "DEFAULT", "MEANING"), table)


def show_alert(detail: AlertDetail) -> None:
    """Print one alert with its history."""
    row = detail.row
    print(f"#{row.id} {row.severity.word} {row.state}: {row.title}")
    print(f"  {detail.summary}")
    if row.behind:
        print(f"  {out_of_reach(row.behind)}")
    if row.quiet and row.state != "resolved":
        print(f"  nobody is told: {', '.join(why_quiet(row.quiet, row.root))}")
    for each in detail.story.silences:
        until = (
            [] if each.ends_at is None else [f"until {each.ends_at.astimezone().isoformat(' ', 'seconds')}"]
        )
        until += ["until it is resolved"] if each.until_resolved else []
        print(f"  silence #{each.id} by {each.author}, {' or '.join(until)}: {one_line(each.comment, 200)}")
    known = (("rule", row.rule), ("runbook", detail.runbook), ("contact", detail.contact))
    print("  " + "  ".join(f"{name}: {value}" for name, value in known if value))
    for event in detail.events:
        moment = event.at.astimezone().isoformat(sep=" ", timespec="seconds")
        print(f"  {moment}  {event.kind:<18} {event.actor}" + (f": {event.note}" if event.note else ""))
    for delivery in detail.deliveries:
        print(f"  to {delivery.channel}: {delivery.kind} {delivery.state} {delivery.last_error}".rstrip())


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago, compact."""
    return "-" if moment is None else compact_duration(max(0.0, (now - moment).total_seconds()))


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as they need to be; the last one is not padded."""
    from rich.cells import cell_len  # a wide character takes two columns of a terminal

    widths = [max([len(head[at]), *(cell_len(row[at]) for row in rows)]) for at in range(len(head) - 1)]
    for row in (head, *rows):
        cells = [cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())
