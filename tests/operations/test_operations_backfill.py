"""Backfills, runs with other settings, kills and imports: what is made, what is refused, what is audited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from support.sql import column, one, rows
from watchfloor.config.kinds import payload_kinds
from watchfloor.domain.backfill import Again
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.backfill import backfill
from watchfloor.operations.editing import Invalid
from watchfloor.operations.job_edits import delete_job, import_jobs, save_job
from watchfloor.operations.judge import Judge
from watchfloor.store import archive
from watchfloor.store.database import Database

ANN = Actor("ann")
JUDGE = Judge(payload_kinds().models, {}, Path("/nowhere"))
HOURLY: Mapping[str, Any] = {
    "name": "report", "kind": "script", "run": ["true"], "schedules": [{"cron": "0 * * * *"}], "overlap": "skip",
}  # fmt: skip
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(hours=4)


async def end(database: Database, state: str, *runs: int) -> None:
    for run in runs:
        await rows(
            database, f"UPDATE runs SET state = '{state}', slot = NULL, finished_at = now() WHERE id = {run}"
        )


async def archive_what_ended(database: Database) -> None:
    async with database.transaction() as connection:
        await archive.move_batch(connection, datetime.now(UTC) + timedelta(minutes=1))


async def test_a_dry_run_says_how_many_and_makes_none(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    found = await backfill(database, ANN, "report", SINCE, UNTIL, dry_run=True)
    assert (found.fires, len(found.chosen), found.runs) == (5, 5, ())
    assert await one(database, "SELECT count(*) FROM runs") == 0
    assert await column(database, "SELECT action FROM audit") == ["add"]


async def test_missing_fires_get_a_run_once_however_often_that_is_asked(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    found = await backfill(database, ANN, "report", SINCE, UNTIL)
    again = await backfill(database, ANN, "report", SINCE, UNTIL)
    assert (len(found.runs), len(again.runs)) == (5, 0)
    moments = await column(database, "SELECT scheduled_for FROM runs ORDER BY id")
    assert moments == [SINCE + timedelta(hours=hour) for hour in range(5)]
    assert set(await column(database, "SELECT origin FROM runs")) == {"backfill"}
    assert await column(database, "SELECT action FROM audit ORDER BY id") == ["add", "backfill"]


async def test_only_those_that_failed_are_run_again(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    first, second, third, *others = (await backfill(database, ANN, "report", SINCE, UNTIL)).runs
    await end(database, "succeeded", first, *others)
    await end(database, "dead", second)
    await end(database, "cancelled", third)
    found = await backfill(database, ANN, "report", SINCE, UNTIL, again=Again.FAILED)
    assert [fire.at for fire in found.chosen] == [SINCE + timedelta(hours=hour) for hour in (1, 2)]
    assert len(found.runs) == 2
    await end(database, "succeeded", *found.runs)
    assert not (await backfill(database, ANN, "report", SINCE, UNTIL, again=Again.FAILED)).chosen
    every = await backfill(database, ANN, "report", SINCE, UNTIL, again=Again.ALL)
    assert len(every.runs) == 5


async def test_what_ran_so_long_ago_that_it_is_archived_counts_as_what_it_was(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    first, second, *others = (await backfill(database, ANN, "report", SINCE, UNTIL)).runs
    await end(database, "succeeded", first, *others)
    await end(database, "dead", second)
    await archive_what_ended(database)
    assert await one(database, "SELECT count(*) FROM run_archive") == 5
    assert not (await backfill(database, ANN, "report", SINCE, UNTIL)).chosen
    failed = await backfill(database, ANN, "report", SINCE, UNTIL, again=Again.FAILED)
    assert [fire.at for fire in failed.chosen] == [SINCE + timedelta(hours=1)]
    await end(database, "succeeded", *failed.runs)
    assert not (await backfill(database, ANN, "report", SINCE, UNTIL, again=Again.FAILED)).chosen
    every = await backfill(database, ANN, "report", SINCE, UNTIL, again=Again.ALL)
    assert len(every.runs) == 5


@pytest.mark.parametrize(
    "schedule", [{"grace": "5m"}, {"not_on": ["2026-12-25"]}, {"cron": "0 0-23/2 * * *"}]
)
async def test_what_ran_before_its_schedule_was_edited_is_not_run_again(
    database: Database, schedule: dict[str, Any]
) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    first, second, third, *others = (await backfill(database, ANN, "report", SINCE, UNTIL)).runs
    await end(database, "succeeded", first, second, *others)
    await end(database, "dead", third)
    edited = {**HOURLY, "schedules": [{**HOURLY["schedules"][0], **schedule}]}
    await save_job(database, ANN, JUDGE, edited, "report", 1)
    assert not (await backfill(database, ANN, "report", SINCE, UNTIL)).chosen
    again = await backfill(database, ANN, "report", SINCE, UNTIL, again=Again.FAILED)
    assert [fire.at for fire in again.chosen] == [SINCE + timedelta(hours=2)]
    assert not (await backfill(database, ANN, "report", SINCE, UNTIL, again=Again.FAILED)).chosen


async def test_what_a_deleted_job_ran_is_not_run_again_once_it_is_back(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    await end(database, "succeeded", *(await backfill(database, ANN, "report", SINCE, UNTIL)).runs)
    await archive_what_ended(database)
    await delete_job(database, ANN, "report")
    await save_job(database, ANN, JUDGE, HOURLY)
    assert not (await backfill(database, ANN, "report", SINCE, UNTIL)).chosen


async def test_two_schedules_of_one_moment_have_a_run_each_also_after_one_was_edited(
    database: Database,
) -> None:
    both = [{"cron": "0 * * * *"}, {"cron": "0 0-23/2 * * *"}]
    await save_job(database, ANN, JUDGE, {**HOURLY, "schedules": both})
    assert len((await backfill(database, ANN, "report", SINCE, UNTIL)).runs) == 8
    await save_job(
        database, ANN, JUDGE, {**HOURLY, "schedules": [both[0], {**both[1], "grace": "5m"}]}, "report", 1
    )
    assert not (await backfill(database, ANN, "report", SINCE, UNTIL)).chosen


async def test_no_occasion_is_named_twice_by_what_runs_and_what_is_archived(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    for _ in range(3):
        made = await backfill(database, ANN, "report", SINCE, UNTIL, again=Again.ALL)
        await end(database, "succeeded", *made.runs)
        await archive_what_ended(database)
    await backfill(database, ANN, "report", SINCE, UNTIL, again=Again.ALL)
    keys = await column(
        database, "SELECT fire_key FROM runs UNION ALL SELECT fire_key FROM run_archive ORDER BY 1"
    )
    assert len(keys) == len(set(keys)) == 20


async def test_a_rate_spreads_the_starts(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    found = await backfill(database, ANN, "report", SINCE, UNTIL, rate=0.5)
    assert found.lasts_s == 8
    spread = await one(database, "SELECT max(available_at) - min(available_at) FROM runs")
    assert spread == timedelta(seconds=8)


async def test_what_is_still_to_come_is_not_run_before_its_time(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    now = datetime.now(UTC)
    found = await backfill(database, ANN, "report", now - timedelta(hours=2), now + timedelta(days=2))
    assert all(fire.at <= datetime.now(UTC) for fire in found.chosen)


async def test_a_stretch_without_end_is_refused_before_anything_is_made(database: Database) -> None:
    await save_job(database, ANN, JUDGE, {**HOURLY, "schedules": [{"cron": "* * * * * *"}]})
    with pytest.raises(Refused, match="10,000 fires"):
        await backfill(database, ANN, "report", SINCE, datetime.now(UTC))
    with pytest.raises(Refused, match="ends before"):
        await backfill(database, ANN, "report", UNTIL, SINCE)
    with pytest.raises(Refused, match="no job called nobody"):
        await backfill(database, ANN, "nobody", SINCE, UNTIL)


async def test_a_run_with_other_settings_changes_that_run_only(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    run = await operations.run_now(database, ANN, "report", uuid4(), {"run": ["false"]}, JUDGE)
    assert await one(database, f"SELECT parameters->'run'->>0 FROM runs WHERE id = {run}") == "false"
    assert await one(database, "SELECT settings->'run'->>0 FROM jobs") == "true"
    after = await one(database, "SELECT after FROM audit WHERE action = 'run'")
    assert after == {"run": run, "parameters": {"run": ["false"]}}


async def test_one_key_runs_once_whatever_is_given_the_second_time(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    key = uuid4()
    run = await operations.run_now(database, ANN, "report", key, {"run": ["false"]}, JUDGE)
    assert await operations.run_now(database, ANN, "report", key, {"run": ["true"]}, JUDGE) == run
    assert await one(database, "SELECT count(*) FROM runs") == 1


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"timeout": "5s"}, "timeout is no setting of kind script"),
        ({"rnu": ["x"]}, 'Did you mean "run"'),
        ({"nice": 99}, "nice"),
        ({"env": {"API_TOKEN": "s3cr3t-value"}}, "secret"),
    ],
)
async def test_settings_that_cannot_be_are_refused(
    database: Database, parameters: dict[str, Any], words: str
) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    with pytest.raises(Refused, match=words):
        await operations.run_now(database, ANN, "report", uuid4(), parameters, JUDGE)
    assert await one(database, "SELECT count(*) FROM runs") == 0


async def test_a_requeued_run_is_given_what_the_dead_one_was_given(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    run = await operations.run_now(database, ANN, "report", uuid4(), {"run": ["false"]}, JUDGE)
    await end(database, "dead", run)
    await rows(database, f"INSERT INTO dead_letters VALUES ({run}, 'it failed', now())")
    new = await operations.requeue(database, ANN, run)
    assert await one(database, f"SELECT parameters->'run'->>0 FROM runs WHERE id = {new}") == "false"


async def test_a_kill_is_booked_with_who_wanted_it(database: Database) -> None:
    await save_job(database, ANN, JUDGE, HOURLY)
    run = await operations.run_now(database, ANN, "report", uuid4())
    await operations.kill(database, ANN, run)
    assert await one(database, f"SELECT state FROM runs WHERE id = {run}") == "cancelled"
    assert await column(database, "SELECT action FROM audit ORDER BY id DESC LIMIT 1") == ["kill"]
    with pytest.raises(Refused, match="has ended already"):
        await operations.kill(database, ANN, run)


async def test_jobs_are_imported_and_those_with_mistakes_are_told(database: Database) -> None:
    entries = [HOURLY, {**HOURLY, "name": "other"}, {"name": "bad", "kind": "script"}, HOURLY]
    dry = await import_jobs(database, ANN, JUDGE, entries, dry_run=True)
    assert (dry.added, [name for name, _ in dry.refused]) == (("report", "other", "report"), ["bad"])
    assert await one(database, "SELECT count(*) FROM jobs") == 0
    done = await import_jobs(database, ANN, JUDGE, entries)
    assert (done.added, [name for name, _ in done.refused]) == (("report", "other"), ["bad", "report"])
    with pytest.raises(Invalid):
        await save_job(database, ANN, JUDGE, HOURLY)
