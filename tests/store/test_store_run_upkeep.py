"""Upkeep of runs: the archive, the figures that outlive them, sessions whose old snapshot keeps dead rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from support.databases import Server
from support.sql import column, one, rows
from watchfloor.domain.job_boards import day_in_words
from watchfloor.domain.shape import plain
from watchfloor.store import archive, figures, job_boards, snapshots
from watchfloor.store.database import Database
from watchfloor.store.partitions import ensure_partitions

JOB = (
    "INSERT INTO jobs (name, kind, settings, priority, overlap, at_most_once, timeout_ms, retry, contact, description, "
    "runbook, owner, origin, paused, paused_by_file, lane) VALUES (%(name)s, 'dummy', '{}', 5, 'allow', false, 1000, "
    "'{\"only_on\": [], \"not_on\": []}', '', '', '', 'file', '', false, false, %(lane)s)"
)
RUN = (
    "INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, started_at, finished_at, "
    "priority, capped, attempt, missed, lane) SELECT gen_random_uuid(), j.id, gen_random_uuid()::text, 'schedule', "
    "%(state)s, %(at)s, %(at)s, %(at)s + %(lag)s * interval '1 ms', %(at)s + (%(lag)s + %(took)s) * interval '1 ms', "
    "5, false, 1, 0, j.lane FROM jobs j WHERE j.name = %(name)s RETURNING id"
)


async def job(database: Database, name: str, lane: str = "default") -> None:
    async with database.transaction() as connection:
        await connection.execute(JOB, {"name": name, "lane": lane})


async def run(
    database: Database, name: str, at: datetime, state: str = "succeeded", lag: float = 2, took: float = 100
) -> int:
    values: dict[str, Any] = {"name": name, "at": at, "state": state, "lag": lag, "took": took}
    async with database.transaction() as connection:
        cursor = await connection.execute(RUN, values)
        row = await cursor.fetchone()
    assert row is not None
    run_id = int(row[0])
    await rows(
        database,
        f"INSERT INTO attempts SELECT {run_id}, 1, 7, started_at, finished_at FROM runs WHERE id = {run_id}",
    )
    return run_id


@pytest.fixture
async def now(database: Database) -> datetime:
    async with database.transaction() as connection:
        found: datetime = await one(database, "SELECT date_trunc('hour', now()) + interval '30 minutes'")
        await ensure_partitions(connection, found.date())
    return found


async def test_what_ended_long_ago_moves_to_the_archive_and_is_read_as_before(
    database: Database, now: datetime
) -> None:
    await job(database, "a")
    old = [await run(database, "a", now - timedelta(days=days)) for days in (30, 29, 29, 20)]
    kept = await run(database, "a", now - timedelta(days=40), "dead")
    await rows(database, f"INSERT INTO dead_letters VALUES ({kept}, 'it failed', now())")
    young = [await run(database, "a", now - timedelta(minutes=5)), await run(database, "a", now)]
    async with database.transaction() as connection:
        before = await job_boards.runs(connection, "a", dead=False)
        detail = await job_boards.run_detail(connection, old[0])
    moved = 1
    while moved:
        async with database.transaction() as connection:
            moved = await archive.move_batch(connection, now - timedelta(days=14))
    assert await column(database, "SELECT id FROM run_archive ORDER BY id") == old
    assert await column(database, "SELECT id FROM runs ORDER BY id") == [kept, *young]
    async with database.transaction() as connection:
        assert await job_boards.runs(connection, "a", dead=False) == before
        pages = [before[0]]
        while page := await job_boards.runs(connection, "a", dead=False, before=pages[-1].id, limit=2):
            pages += page
        assert [row.id for row in pages] == [row.id for row in before]
        again = await job_boards.run_detail(connection, old[0])
        assert again is not None
        assert detail is not None
        assert (again.row, again.attempts) == (detail.row, detail.attempts)
        dead = await job_boards.runs(connection, "a", dead=False, state="dead")
        assert [row.id for row in dead] == [kept]
        done = await job_boards.runs(connection, "a", dead=False, state="succeeded")
        assert len(done) == len(old) + len(young)


async def test_an_archived_run_still_says_what_it_was_given_and_what_it_followed(
    database: Database, now: datetime
) -> None:
    await job(database, "a")
    first, second = [await run(database, "a", now - timedelta(days=30)) for _ in range(2)]
    given = '{"run": ["false"], "nice": 5}'
    await rows(database, f"UPDATE runs SET parameters = '{given}', upstream_id = {first} WHERE id = {second}")
    async with database.transaction() as connection:
        assert await archive.move_batch(connection, now - timedelta(days=14)) == 2
        before, after = [await job_boards.run_detail(connection, each) for each in (first, second)]
    assert before is not None
    assert after is not None
    assert (before.parameters, before.upstream) == ({}, None)
    assert (after.parameters, after.upstream) == ({"run": ["false"], "nice": 5}, first)


async def test_an_archive_that_is_cut_off_leaves_each_run_in_one_place(
    database: Database, now: datetime
) -> None:
    await job(database, "a")
    old = [await run(database, "a", now - timedelta(days=30)) for _ in range(3)]

    async def cut_off() -> None:
        async with database.transaction() as connection:
            assert await archive.move_batch(connection, now - timedelta(days=14)) == 3
            raise KeyError

    with pytest.raises(KeyError):
        await cut_off()
    assert await column(database, "SELECT id FROM runs ORDER BY id") == old
    assert await one(database, "SELECT count(*) FROM run_archive") == 0


async def test_hours_count_each_run_once_however_often_they_are_counted(
    database: Database, now: datetime
) -> None:
    await job(database, "a")
    for took, state in ((100, "succeeded"), (300, "succeeded"), (200, "dead"), (0, "skipped")):
        await run(database, "a", now - timedelta(hours=2), state, took=took)
    await run(database, "a", now - timedelta(minutes=1), took=50)
    job_id = await one(database, "SELECT id FROM jobs")
    for _ in range(3):
        async with database.transaction() as connection:
            await figures.count_hours(connection, now)
    await run(database, "a", now - timedelta(seconds=30), took=150)
    async with database.transaction() as connection:
        await figures.count_hours(connection, now)
        hours = await figures.job_hours(connection, job_id, now - timedelta(days=1))
    assert [(each.succeeded, each.dead, each.skipped) for each in hours] == [(2, 1, 1), (2, 0, 0)]
    assert (hours[0].took_p50_ms, hours[0].took_max_ms) == (pytest.approx(200), pytest.approx(300))
    assert hours[1].took_p50_ms == pytest.approx(100)
    assert hours[0].lag_p99_ms == pytest.approx(2)


async def test_the_last_day_of_a_job_puts_its_hours_together(database: Database, now: datetime) -> None:
    await job(database, "a")
    await run(database, "a", now - timedelta(hours=30), "dead", took=9_000)
    for hour in range(1, 20):
        await run(database, "a", now - timedelta(hours=hour), took=100 * hour, lag=hour)
    await run(database, "a", now - timedelta(hours=20), "dead", took=50_000, lag=30)
    await run(database, "a", now - timedelta(hours=20), "skipped", lag=30)
    async with database.transaction() as connection:
        await figures.count_hours(connection, now)
        day = await figures.job_day(connection, "a", now)
        none = await figures.job_day(connection, "nobody", now)
    assert (day.succeeded, day.dead, day.skipped) == (19, 1, 1)
    assert (day.took_p50, day.took_p95) == (pytest.approx(1.0), pytest.approx(1.9))
    assert (day.late_p50, day.late_p99) == (pytest.approx(0.01), pytest.approx(0.03))
    assert day_in_words(day) == "19 of 20 runs succeeded (95 %), 1 skipped"
    assert plain(day)["success"] == 0.95  # type: ignore[index]
    assert (day_in_words(none), none.success, none.took_p50) == ("no run", None, None)


async def test_a_minute_says_how_a_queue_stands_and_how_late_its_runs_began(
    database: Database, now: datetime
) -> None:
    await job(database, "a")
    await job(database, "b", "reports\x1fgpu")
    for lag in (1, 3, 5):
        await run(database, "a", now + timedelta(seconds=5), lag=lag)
    for state in ("ready", "ready", "waiting", "running"):
        waiting = await run(database, "b", now - timedelta(seconds=50), state)
        await rows(database, f"UPDATE runs SET finished_at = NULL WHERE id = {waiting}")
    async with database.transaction() as connection:
        await figures.sample_queues(connection, now)
        await figures.sample_queues(connection, now)
        found = {each.queue: each for each in await figures.queue_minutes(connection, now)}
    assert found.keys() == {"default", "reports"}
    assert (found["default"].started, found["default"].lag_p50_ms) == (3, pytest.approx(3))
    reports = found["reports"]
    assert (reports.ready, reports.waiting, reports.running, reports.started) == (2, 1, 1, 0)


async def test_who_holds_an_old_snapshot_is_named(database: Database, server: Server, dsn: str) -> None:
    with psycopg.connect(dsn, application_name="report of eve") as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute("SELECT count(*) FROM runs")
        async with database.transaction() as connection:
            (found,) = await snapshots.old_snapshots(connection, 0.0)
            assert await snapshots.old_snapshots(connection) == []
        assert found.pid == session.info.backend_pid
    assert found.holder.startswith("report of eve of ")
    assert found.age_s >= 0
