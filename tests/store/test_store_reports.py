"""The named queries of reports: what is in a time counts for as much of it as lies in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from watchfloor.store import archive, reports
from watchfloor.store.database import Connection, Database

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(days=1)


async def service(connection: Connection, name: str) -> int:
    row = await (
        await connection.execute(
            "INSERT INTO services (uuid, name, kind, settings, every_ms, retry_every_ms, timeout_ms, max_attempts, "
            "recover_attempts, group_name, tags, description, runbook, owner, origin) VALUES (%s, %s, 'http', '{}', "
            "1000, 1000, 800, 3, 1, 'web', '{}', '', '', 'file', '') RETURNING id",
            (uuid4(), name),
        )
    ).fetchone()
    assert row is not None
    return int(row[0])


async def test_uptime_counts_only_what_lies_in_the_time(database: Database) -> None:
    async with database.transaction() as connection:
        shop, _ = await service(connection, "shop"), await service(connection, "unseen")
        for state, began, ended in (
            ("up", START - timedelta(days=1), START + timedelta(hours=6)),
            ("down", START + timedelta(hours=6), START + timedelta(hours=12)),
            ("up", START + timedelta(hours=12), None),
        ):
            await connection.execute(
                "INSERT INTO state_spans VALUES (%s, %s, %s, %s)", (shop, began, ended, state)
            )
        await connection.execute(
            "INSERT INTO incidents (service_id, opened_at, confirmed_at, closed_at, worst, cause) "
            "VALUES (%s, %s, %s, %s, 2, 'it hung')",
            (shop, START + timedelta(hours=6), START + timedelta(hours=6), START + timedelta(hours=12)),
        )
    async with database.transaction() as connection:
        assert await reports.read(connection, "uptime", START, END) == [
            ("shop", "web", 75.0, 21600.0, 0.0, 1),
            ("unseen", "web", None, None, None, 0),
        ]
        (incident,) = await reports.read(connection, "incidents", START, END)
        assert (incident[0], incident[3], incident[4]) == ("shop", 21600.0, "it hung")
        assert await reports.read(connection, "incidents", END, END + timedelta(days=1)) == []


async def test_jobs_count_runs_that_are_archived_as_those_that_are_not(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO jobs (name, kind, settings, priority, overlap, at_most_once, timeout_ms, retry, contact, "
            "description, runbook, owner, origin, paused, paused_by_file) VALUES ('backup', 'fake', '{}', 5, 'allow', "
            "false, 1000, '{}', '', '', '', 'file', '', false, false)"
        )
        for hour, state, took in (
            (-1, "dead", 9),
            (1, "succeeded", 10),
            (2, "dead", 9),
            (20, "succeeded", 30),
        ):
            began = START + timedelta(hours=hour)
            await connection.execute(
                "INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, started_at, "
                "finished_at, priority, capped) SELECT %s, id, %s, 'schedule', %s, %s, %s, %s, %s, 5, false FROM jobs",
                (uuid4(), str(hour), state, began, began, began, began + timedelta(seconds=took)),
            )
        before = await reports.read(connection, "jobs", START, END)
        while await archive.move_batch(connection, START + timedelta(hours=12)):
            pass
    assert before == [("backup", 3, 2, 1, 0, 20.0, START + timedelta(hours=20, seconds=30))]
    async with database.transaction() as connection:
        assert await reports.read(connection, "jobs", START, END) == before


@pytest.mark.parametrize("name", reports.QUERIES)
async def test_every_query_yields_its_columns_and_nothing_of_an_empty_time(
    database: Database, name: str
) -> None:
    async with database.transaction() as connection:
        assert await reports.read(connection, name, START, END) == []
        cursor = await connection.execute(
            reports.QUERIES[name].statement, {"since": START, "until": END, "most": 1}
        )
        assert len(cursor.description or ()) == len(reports.QUERIES[name].columns)
