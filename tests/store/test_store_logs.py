"""Log records and task runs: appended once, paged by key."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from support.make import EPOCH, at, make_days
from support.sql import column, one
from watchfloor.domain.boards import LogRow, TaskRunRow
from watchfloor.store import logs, tasks
from watchfloor.store.database import Database
from watchfloor.store.logs import LogFilter, LogRecord, LogTerm
from watchfloor.store.tasks import TaskRun

NOW = EPOCH + timedelta(hours=1)


def record(id_: int, seconds: float = 0.0, **values: Any) -> LogRecord:
    wanted = {"source_id": 1, "sev": 9, "channel": "watchfloor.engine", "msg": f"message {id_}", "attrs": {}}
    return LogRecord(ts=at(seconds), id=id_, **{**wanted, **values})


async def append(database: Database, *records: LogRecord) -> None:
    async with database.transaction() as connection:
        await logs.append(connection, records)


async def newest(database: Database, **values: Any) -> list[LogRow]:
    async with database.transaction() as connection:
        return await logs.newest(connection, NOW, values.pop("wanted", LogFilter()), **values)


@pytest.fixture(autouse=True)
async def days(database: Database) -> None:
    await make_days(database)


async def test_records_come_back_newest_first(database: Database) -> None:
    await append(
        database, record(1, 5, attrs={"thread": "engine"}), record(2, 5), record(3, 1, channel="x", sev=17)
    )
    found = await newest(database)
    assert [row.id for row in found] == [2, 1, 3]
    assert found[1] == LogRow(1, at(5), 9, "watchfloor.engine", "#1", "message 1", {"thread": "engine"})


async def test_a_batch_that_is_stored_again_is_stored_once(database: Database) -> None:
    """The answer to a commit may be lost; the node then sends what it sent, and what came since."""
    await append(database, record(1), record(2))
    await append(database, record(1), record(2), record(3))
    assert [row.id for row in await newest(database)] == [3, 2, 1]
    assert await column(database, "SELECT name FROM log_channels") == ["watchfloor.engine"]


async def test_pages_by_key_lose_nothing_and_repeat_nothing(database: Database) -> None:
    random = Random(3)
    await append(database, *(record(n, random.randrange(10), source_id=n % 3) for n in range(137)))
    seen: list[LogRow] = []
    while page := await newest(database, before=(seen[-1].at, seen[-1].id) if seen else None, limit=10):
        seen += page
    assert sorted(row.id for row in seen) == list(range(137))
    assert seen == sorted(seen, key=lambda row: (row.at, row.id), reverse=True)


async def test_records_that_come_in_while_a_person_pages_do_not_shift_the_pages(database: Database) -> None:
    await append(database, *(record(n, n) for n in range(20)))
    first = await newest(database, limit=10)
    await append(database, record(99, 99))
    second = await newest(database, limit=10, before=(first[-1].at, first[-1].id))
    assert [row.id for row in (*first, *second)] == list(reversed(range(20)))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (LogFilter(), {1, 2, 3}),
        (LogFilter(severity=13), {2, 3}),
        (LogFilter(channel="other"), {3}),
        (LogFilter(text="REFUSED"), {1, 3}),
        (LogFilter(text="größe"), {2}),
        (LogFilter(text="100%_"), {2}),
        (LogFilter(text="re\0fused"), {1, 3}),
        (LogFilter(13, "other", "refused"), {3}),
        (LogFilter(text="'; DROP TABLE logs"), set()),
    ],
)
async def test_filters(database: Database, wanted: LogFilter, found: set[int]) -> None:
    await append(
        database,
        record(1, msg="connection refused"),
        record(2, sev=13, msg="GRÖSSE 100%_ größe"),
        record(3, sev=17, channel="other", msg="Refused"),
    )
    assert {row.id for row in await newest(database, wanted=wanted)} == found


async def test_attributes_hold_whatever_came(database: Database) -> None:
    await append(database, record(1, attrs={"x": "a\0b", "y": float("nan"), "z": "\ud800"}))
    assert (await newest(database))[0].attributes == {"x": "ab", "y": None, "z": "�"}


async def test_channels_are_listed(database: Database) -> None:
    await append(database, record(1, channel="b"), record(2, channel="a"), record(3, channel="b"))
    async with database.transaction() as connection:
        assert await logs.channels(connection) == ["a", "b"]


def run(task: str, seconds: float, node_id: int = 1) -> TaskRun:
    return TaskRun(node_id, task, at(seconds), 1500, "ok", "", at(seconds + 60))


async def save(database: Database, *runs: TaskRun) -> None:
    async with database.transaction() as connection:
        for each in runs:
            await tasks.save_task_run(connection, each)


async def runs(database: Database, **values: Any) -> list[TaskRunRow]:
    async with database.transaction() as connection:
        return await tasks.task_runs(connection, NOW, **values)


async def test_task_runs_come_back_newest_first(database: Database) -> None:
    await save(database, run("a", 1), run("b", 2))
    assert await runs(database) == [
        TaskRunRow("#1", "b", at(2), 1.5, "ok", "", at(62)),
        TaskRunRow("#1", "a", at(1), 1.5, "ok", "", at(61)),
    ]


async def test_a_run_that_is_stored_again_is_stored_once(database: Database) -> None:
    await save(database, run("a", 1))
    await save(database, run("a", 1))
    assert await one(database, "SELECT count(*) FROM task_runs") == 1


async def test_pages_of_runs_lose_none_that_began_at_the_same_moment(database: Database) -> None:
    await save(database, *(run(task, 5, node) for task in "abcd" for node in (1, 2, 3)))
    seen: list[TaskRunRow] = []
    while page := await runs(database, before=seen[-1] if seen else None, limit=5):
        seen += page
    assert len(seen) == len({(row.task, row.node) for row in seen}) == 12


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (LogFilter(terms=(LogTerm("refused"),)), {1, 3}),
        (LogFilter(terms=(LogTerm("refused", without=True),)), {2}),
        (LogFilter(terms=(LogTerm("other"),)), {3}),
        (LogFilter(terms=(LogTerm("other", "text"),)), set()),
        (LogFilter(terms=(LogTerm("OTH", "channel"), LogTerm("rfs", fuzzy=True))), {3}),
        (LogFilter(terms=(LogTerm("#", "node"),)), {1, 2, 3}),
        (LogFilter(terms=(LogTerm("0%_", fuzzy=True),)), {2}),
        (LogFilter(terms=(LogTerm("warn", "level", severities=(13, 14)),)), {2}),
        (LogFilter(terms=(LogTerm("warn", "level"),)), set()),
        (LogFilter(severity=9, below=13), {1}),
        (LogFilter(terms=(LogTerm("\0' OR true --"),)), set()),
    ],
)
async def test_terms(database: Database, wanted: LogFilter, found: set[int]) -> None:
    await append(
        database,
        record(1, msg="connection refused"),
        record(2, sev=13, msg="GRÖSSE 100%_ größe"),
        record(3, sev=17, msg="Refused again", channel="other"),
    )
    assert {row.id for row in await newest(database, wanted=wanted)} == found


async def test_pages_towards_the_newest_lose_nothing_and_repeat_nothing(database: Database) -> None:
    random = Random(4)
    await append(database, *(record(n, random.randrange(10), source_id=n % 3) for n in range(137)))
    seen: list[LogRow] = []
    start = (NOW - timedelta(days=30), 0)
    while page := await newest(database, after=(seen[0].at, seen[0].id) if seen else start, limit=10):
        seen = [*page, *seen]
    assert seen == await newest(database, limit=200)
