"""Jobs that are defined in the console: added, changed, renamed, deleted, by the rules of the file and audited."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from support.engines import configuration
from support.jobs import job, schedule, states
from support.sql import column, one, rows
from watchfloor.config.kinds import payload_kinds
from watchfloor.engine import definitions
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.editing import Invalid, Overtaken
from watchfloor.operations.job_edits import delete_job, import_jobs, left_behind, save_job
from watchfloor.operations.judge import Judge
from watchfloor.store.database import Database
from watchfloor.store.health import clock
from watchfloor.store.jobs import apply_jobs
from watchfloor.store.written import Written, find_written

ANN, KIM = Actor("ann"), Actor("kim")
JUDGE = Judge(payload_kinds().models, {}, Path("/nowhere"))
BACKUP: Mapping[str, Any] = {
    "name": "backup", "kind": "script", "script": "true", "schedules": [{"cron": "30 3 * * *"}, {"every": "1h"}],
}  # fmt: skip


DUE = datetime(2026, 3, 1, tzinfo=UTC)


async def held(database: Database, name: str = "backup") -> Written:
    async with database.transaction() as connection:
        found = await find_written(connection, "jobs", name)
    assert found is not None
    return found


async def file_defines(database: Database, *names: str) -> None:
    made = definitions.jobs(configuration(jobs=[job(name) for name in names]))
    async with database.transaction() as connection:
        await apply_jobs(connection, made, await clock(connection))


async def test_a_new_job_is_the_consoles_and_is_due_by_its_schedules(database: Database) -> None:
    assert await save_job(database, ANN, JUDGE, BACKUP) == "backup"
    found = await held(database)
    assert (found.owner, found.changed_by, found.written) == ("console", "ann", BACKUP)
    assert await one(database, "SELECT count(*) FROM schedules WHERE state = 'active'") == 2


async def test_a_change_is_audited_with_before_and_after(database: Database) -> None:
    await save_job(database, ANN, JUDGE, BACKUP)
    after = {**BACKUP, "priority": 2}
    await save_job(database, KIM, JUDGE, after, "backup", (await held(database)).version)
    found = await rows(database, "SELECT actor, action, object_id, before, after FROM audit ORDER BY id")
    assert [tuple(row) for row in found] == [
        ("ann", "add", "backup", None, BACKUP),
        ("kim", "change", "backup", BACKUP, after),
    ]


async def test_a_schedule_that_stays_keeps_its_next_fire(database: Database) -> None:
    await save_job(database, ANN, JUDGE, BACKUP)
    ids = "SELECT id FROM schedules WHERE spec->>'kind' = 'interval'"
    before = await column(database, ids)
    await save_job(database, ANN, JUDGE, {**BACKUP, "schedules": [{"every": "1h"}]}, "backup", 1)
    assert await column(database, ids) == before
    assert await one(database, "SELECT count(*) FROM schedules") == 1


FIRED = (
    "INSERT INTO runs (uuid, job_id, schedule_id, fire_key, origin, state, scheduled_for, available_at, priority, "
    "capped) SELECT gen_random_uuid(), s.job_id, s.id, 's:' || s.id, 'schedule', 'ready', %(at)s, %(at)s, 5, false "
    "FROM schedules s"
)
NEXT = "SELECT next_fire_at FROM schedules"


async def test_an_occasion_that_fires_while_its_schedule_is_edited_does_not_fire_again(
    database: Database,
) -> None:
    edited = {**BACKUP, "schedules": [{"cron": "0 0 * * *", "grace": "5m"}]}
    await save_job(database, ANN, JUDGE, {**BACKUP, "schedules": [{"cron": "0 0 * * *"}]})
    due = await one(database, NEXT)
    await rows(database, FIRED, at=due)
    await save_job(database, ANN, JUDGE, edited, "backup", 1)
    assert await one(database, NEXT) == due + timedelta(days=1)


async def test_nor_where_it_is_edited_in_a_file(database: Database) -> None:
    for grace in ("1m", "5m"):
        made = definitions.jobs(configuration(jobs=[job("filed", schedule(cron="0 0 * * *", grace=grace))]))
        async with database.transaction() as connection:
            await apply_jobs(connection, made, DUE - timedelta(milliseconds=1))
        if grace == "1m":
            assert await one(database, NEXT) == DUE
            await rows(database, FIRED, at=DUE)
    assert await one(database, NEXT) == DUE + timedelta(days=1)


async def test_of_two_changes_to_one_version_the_second_is_told_and_changes_nothing(
    database: Database,
) -> None:
    await save_job(database, ANN, JUDGE, BACKUP)
    await save_job(database, KIM, JUDGE, {**BACKUP, "priority": 1}, "backup", 1)
    with pytest.raises(Overtaken, match="kim changed backup in between") as told:
        await save_job(database, ANN, JUDGE, {**BACKUP, "priority": 9}, "backup", 1)
    assert told.value.now is not None
    assert told.value.now.written["priority"] == 1
    assert (await held(database)).written["priority"] == 1


async def test_of_many_who_save_the_same_version_at_once_one_wins(database: Database) -> None:
    await save_job(database, ANN, JUDGE, BACKUP)
    saving = [
        save_job(database, Actor(f"p{n}"), JUDGE, {**BACKUP, "priority": n}, "backup", 1) for n in range(1, 9)
    ]
    ends = await asyncio.gather(*saving, return_exceptions=True)
    assert sum(end == "backup" for end in ends) == 1
    assert sum(isinstance(end, Overtaken) for end in ends) == 7
    assert await one(database, "SELECT count(*) FROM audit") == 2


async def test_what_has_mistakes_is_not_saved_and_each_names_its_field(database: Database) -> None:
    with pytest.raises(Invalid) as told:
        await save_job(database, ANN, JUDGE, {"name": "", "kind": "script", "timeout": "2"})
    assert {problem.path for problem in told.value.problems} >= {"name", "timeout"}
    assert await one(database, "SELECT count(*) FROM jobs") == 0


async def test_a_secret_never_reaches_the_database(database: Database) -> None:
    with pytest.raises(Invalid):
        await save_job(database, ANN, JUDGE, {**BACKUP, "env": {"API_TOKEN": "s3cr3t-value"}})
    assert await one(database, "SELECT count(*) FROM jobs") == 0
    await save_job(database, ANN, JUDGE, {**BACKUP, "env": {"API_TOKEN": "${API_TOKEN}"}})
    assert await one(database, "SELECT settings->'env'->>'API_TOKEN' FROM jobs") == "${API_TOKEN}"


async def test_a_job_of_a_file_is_changed_in_its_file(database: Database) -> None:
    await file_defines(database, "filed")
    for act in (
        save_job(database, ANN, JUDGE, {**BACKUP, "name": "filed"}, "filed", 1),
        delete_job(database, ANN, "filed"),
    ):
        with pytest.raises(Refused, match="is defined in"):
            await act


async def test_a_name_that_is_taken_is_a_mistake_at_the_name(database: Database) -> None:
    await file_defines(database, "filed")
    with pytest.raises(Invalid) as told:
        await save_job(database, ANN, JUDGE, {**BACKUP, "name": "filed"})
    assert [problem.path for problem in told.value.problems] == ["name"]


async def test_a_renamed_job_keeps_its_history(database: Database) -> None:
    await save_job(database, ANN, JUDGE, BACKUP)
    run = await operations.run_now(database, ANN, "backup", uuid4())
    assert await save_job(database, ANN, JUDGE, {**BACKUP, "name": "dump"}, "backup", 1) == "dump"
    assert (
        await one(database, f"SELECT j.name FROM runs r JOIN jobs j ON j.id = r.job_id WHERE r.id = {run}")
        == "dump"
    )
    assert await one(database, "SELECT count(*) FROM jobs") == 1


async def test_a_deleted_job_leaves_its_history_and_its_name(database: Database) -> None:
    await save_job(database, ANN, JUDGE, BACKUP)
    await operations.run_now(database, ANN, "backup", uuid4())
    await delete_job(database, KIM, "backup")
    assert await states(database, "backup") == ["cancelled"]
    assert await one(database, "SELECT count(*) FROM schedules") == 0
    with pytest.raises(Overtaken, match="no job called backup any more"):
        await delete_job(database, KIM, "backup")
    await save_job(database, ANN, JUDGE, BACKUP)
    assert await column(database, "SELECT action FROM audit ORDER BY id") == ["add", "run", "delete", "add"]


async def test_a_name_that_a_deleted_job_had_can_be_given_to_another(database: Database) -> None:
    await save_job(database, ANN, JUDGE, BACKUP)
    await save_job(database, ANN, JUDGE, {**BACKUP, "name": "other"})
    await delete_job(database, ANN, "backup")
    await save_job(database, ANN, JUDGE, BACKUP, "other", 1)
    assert await column(database, "SELECT name FROM jobs WHERE retired_at IS NULL") == ["backup"]


async def test_a_reload_of_the_file_leaves_the_jobs_of_the_console_alone(database: Database) -> None:
    await save_job(database, ANN, JUDGE, BACKUP)
    await file_defines(database, "filed")
    await file_defines(database)
    assert (await held(database)).owner == "console"
    assert await one(database, "SELECT count(*) FROM schedules WHERE state = 'active'") == 2


async def test_whom_a_job_belongs_to_is_kept_with_it(database: Database) -> None:
    await save_job(database, ANN, JUDGE, {**BACKUP, "owner": "kim", "role": "data", "contact": "kim@example"})
    found = await rows(database, "SELECT belongs_to, role, contact FROM jobs")
    assert tuple(found[0]) == ("kim", "data", "kim@example")


async def test_a_link_to_a_job_that_is_not_there_is_refused_with_its_place(database: Database) -> None:
    chained = {**BACKUP, "then": [{"job": "report"}, {"job": "gone"}]}
    await file_defines(database, "report")
    with pytest.raises(Invalid) as refused:
        await save_job(database, ANN, JUDGE, chained)
    (problem,) = refused.value.problems
    assert (problem.path, problem.found) == ("then[1].job", "gone")
    assert await one(database, "SELECT count(*) FROM jobs WHERE name = 'backup'") == 0
    await save_job(database, ANN, JUDGE, {**BACKUP, "then": [{"job": "report"}]})
    await file_defines(database, "other")  # the file defines the other job no more
    with pytest.raises(Invalid, match="there is no job of this name"):
        await save_job(database, ANN, JUDGE, {**BACKUP, "then": [{"job": "report"}]}, "backup", 1)


async def test_jobs_of_one_list_may_start_those_that_stand_later_in_it(database: Database) -> None:
    last = {**BACKUP, "name": "last"}
    middle = {**BACKUP, "name": "middle", "then": [{"job": "last"}]}
    first = {**BACKUP, "name": "first", "then": [{"job": "middle"}, {"job": "last"}]}
    stray = {**BACKUP, "name": "stray", "then": [{"job": "nowhere"}]}
    found = await import_jobs(database, ANN, JUDGE, [first, stray, middle, last])
    assert found.added == ("last", "middle", "first")
    assert [name for name, _ in found.refused] == ["stray"]


async def test_who_starts_a_job_is_told_before_it_goes(database: Database) -> None:
    await save_job(database, ANN, JUDGE, BACKUP)
    await save_job(database, ANN, JUDGE, {**BACKUP, "name": "dump", "then": [{"job": "backup"}]})
    await rows(database, 'UPDATE routing SET reactions = \'[{"name": "tidy", "job": "backup"}]\'')
    async with database.transaction() as connection:
        assert await left_behind(connection, "dump") == ""
        told = await left_behind(connection, "backup")
    assert told == "no longer started by job dump, reaction tidy, which name it: change them, too"


async def test_jobs_that_start_each_other_in_a_circle_are_refused_as_in_a_file(database: Database) -> None:
    with pytest.raises(Invalid, match='in a circle: "backup" → "backup"'):
        await save_job(database, ANN, JUDGE, {**BACKUP, "then": [{"job": "backup"}]})
    await save_job(database, ANN, JUDGE, BACKUP)
    await save_job(database, ANN, JUDGE, {**BACKUP, "name": "dump", "then": [{"job": "backup"}]})
    with pytest.raises(Invalid, match='in a circle: "backup" → "dump" → "backup"'):
        await save_job(database, ANN, JUDGE, {**BACKUP, "then": [{"job": "dump"}]}, "backup", 1)
