"""Jobs on the command line, against a database without an engine: what is printed, as text and as JSON."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from support.databases import _drop_templates, database, dsn, empty_dsn, server
from support.make import make_days, now
from support.sql import one, rows
from watchfloor.cli import crontab, entries, job_requests, plain
from watchfloor.cli import jobs as show
from watchfloor.cli.desk import Desk
from watchfloor.cli.job_commands import jobs_app
from watchfloor.cli.run_commands import dead_app, runs_app
from watchfloor.config.document import read_document
from watchfloor.config.problems import Mistakes
from watchfloor.domain.calendar import CalendarFire, Plan
from watchfloor.domain.calendar import calendar as planned
from watchfloor.domain.coming import Coming
from watchfloor.domain.schedules import Schedule
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.editing import Invalid
from watchfloor.store import job_boards
from watchfloor.store.database import Database

__all__ = ["_drop_templates", "database", "dsn", "empty_dsn", "server"]

REPORT: Mapping[str, Any] = {
    "name": "report", "kind": "script", "run": ["true"], "schedules": [{"cron": "0 * * * *", "catch_up": "skip"}],
    "env": {"TOKEN": "${TOKEN}"},
}  # fmt: skip


@pytest.fixture
def desk(database: Database) -> Desk:
    async def connect() -> Database:
        return database

    return Desk(connect, lambda: "test", Actor("ann"))


def test_values_are_read_as_in_the_config_file() -> None:
    found = job_requests.parameters(["nice=5", "script=echo a=b", "run=[a, 1]", "name=", "on=true"])
    assert found == {"nice": 5, "script": "echo a=b", "run": ["a", 1], "name": None, "on": True}


@pytest.mark.parametrize("pair", ["novalue", "=x", "run=[a", "env={a: *b}"])
def test_what_is_no_value_is_refused(pair: str) -> None:
    with pytest.raises(Refused):
        job_requests.parameters([pair])


async def test_run_prints_the_number_of_the_run_and_twice_with_one_key_the_same(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.save_form("job", REPORT)
    key = UUID(int=7)
    for as_json in (False, True):
        assert await show.run("report", False, {}, key, as_json)(desk) == 0
    text, data = capsys.readouterr().out.split("\n", 1)
    assert json.loads(data) == {"run": int(text.removeprefix("#"))}


async def test_a_run_that_follows_another_names_it(desk: Desk, database: Database, capsys: Any) -> None:
    await desk.save_form("job", REPORT)
    run = await desk.run_now("report", UUID(int=1))
    await rows(database, f"UPDATE runs SET upstream_id = 41 WHERE id = {run}")
    found = await desk.run(run)
    assert found is not None
    show.show_run(found, [])
    assert "\n  follows #41\n" in capsys.readouterr().out


async def test_waiting_returns_the_exit_code_of_the_job(desk: Desk, database: Database, capsys: Any) -> None:
    await desk.save_form("job", REPORT)
    run = await desk.run_now("report", UUID(int=1))
    await rows(
        database, f"UPDATE runs SET state = 'dead', exit_code = 7, error = 'exit code 7' WHERE id = {run}"
    )
    assert await show.run("report", True, {}, UUID(int=1), True)(desk) == 7
    assert json.loads(capsys.readouterr().out)["exit_code"] == 7


async def test_jobs_are_listed_with_their_owner_and_queue_and_as_json_with_the_usual_duration(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.save_form("job", {**REPORT, "owner": "robin", "on_queue": "nightly"})
    await desk.save_form("job", {"name": "bare", "kind": "dummy", "contact": "kim"})
    for number, took in enumerate((1, 2, 9)):
        run = await desk.run_now("report", UUID(int=number))
        ended = f"started_at = now(), finished_at = now() + interval '{took} s'"
        await rows(database, f"UPDATE runs SET state = 'succeeded', slot = NULL, {ended} WHERE id = {run}")
    listed, status = await show.jobs(desk)
    show.show_jobs(listed, status.at)
    head, bare, report = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head[:4] == ["JOB", "KIND", "OWNER", "QUEUE"]
    assert (bare[:4], report[:4]) == (
        ["bare", "dummy", "kim", "default"],
        ["report", "script", "robin", "nightly"],
    )
    plain.show_json(listed)
    assert [each["median"] for each in json.loads(capsys.readouterr().out)] == [None, 2.0]


async def test_a_run_says_what_happens_next_and_what_it_was_given_with_secrets_as_references(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.save_form("job", REPORT)
    run = await desk.run_now("report", UUID(int=1), {"run": ["false"]})
    await rows(database, f"UPDATE runs SET state = 'dead', slot = NULL, finished_at = now() WHERE id = {run}")
    found = await show.detail(run)(desk)
    assert found is not None
    show.show_run(*found)
    text = capsys.readouterr().out
    assert "  It is a dead letter: it waits for somebody to requeue or discard it.\n" in text
    assert '  given to this run only:\n    run:\n    - "false"\n  settings of its job:\n' in text
    assert "      TOKEN: ${TOKEN}\n" in text


async def test_the_log_of_a_run_that_goes_on_is_followed_to_its_end_and_exit_code(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_days(database, await now(database))
    await desk.save_form("job", REPORT)
    run = await desk.run_now("report", UUID(int=1))
    await rows(database, f"INSERT INTO attempts SELECT {run}, 1, 7, now()")
    await rows(database, f"UPDATE runs SET state = 'running', started_at = now() WHERE id = {run}")
    await printed(database, run, 1, "first")
    assert await show.log(run, False, False)(desk) == 0
    assert capsys.readouterr().out == "first\n"
    assert await show.log(run, False, True)(desk) == 0
    assert [each["text"] for each in json.loads(capsys.readouterr().out)] == ["first"]

    async def ends_meanwhile(_: float) -> None:
        await printed(database, run, 2, "second")
        await rows(database, f"UPDATE runs SET state = 'dead', exit_code = 7, error = 'no' WHERE id = {run}")

    monkeypatch.setattr(show.asyncio, "sleep", ends_meanwhile)
    assert await show.log(run, True, False)(desk) == 7
    out = capsys.readouterr()
    assert out.out == "first\nsecond\n"
    assert "no engine is running" in out.err
    assert out.err.endswith(f"#{run} dead: no\n")
    with pytest.raises(Refused, match="no run #999"):
        await show.log(999, True, False)(desk)


async def printed(database: Database, run: int, number: int, text: str) -> None:
    line = f"SELECT {run}, now(), 1, {number}, 'stdout', '{text}', 9"
    await rows(database, f"INSERT INTO run_logs (run_id, ts, attempt, seq, stream, line, level) {line}")


async def test_what_is_exported_is_what_a_file_would_hold(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.save_form("job", REPORT)
    await job_requests.export([], False)(desk)
    text = capsys.readouterr().out
    mistakes = Mistakes("")
    node = read_document(text.encode(), mistakes)
    assert node is not None
    assert node.value == {"jobs": [dict(REPORT)]}
    assert text.index("name:") < text.index("run:") < text.index("cron:") < text.index("catch_up:")
    with pytest.raises(Refused, match="no job called nobody"):
        await job_requests.export(["nobody"], False)(desk)


async def test_jobs_of_a_file_are_added_or_changed_and_mistakes_leave_one_out(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text("- {name: a, kind: dummy}\n- {name: b, kind: dummy, lasts: soon}\n")
    assert await job_requests.save(str(file), False, False, False)(desk) == 1
    out = capsys.readouterr()
    assert out.out == "a: added\n"
    assert "b: lasts: is not a duration" in out.err
    file.write_text("jobs:\n  - {name: a, kind: dummy, says: hi}\n")
    assert await job_requests.save(str(file), True, True, False)(desk) == 0
    assert capsys.readouterr().out == "a: would be changed\n"
    assert await job_requests.save(str(file), True, False, True)(desk) == 0
    assert json.loads(capsys.readouterr().out) == {"added": [], "changed": ["a"], "refused": []}
    form = await desk.form("job", "a", "")
    assert form is not None
    assert form.values["says"] == "hi"


async def test_a_copy_is_paused_and_the_consoles_own(desk: Desk) -> None:
    await desk.save_form("job", REPORT)
    assert await job_requests.copy("report", "other")(desk) == "other"
    form = await desk.form("job", "other", "")
    assert form is not None
    assert (form.values["paused"], form.owner) == (True, "console")
    with pytest.raises(Invalid):
        await job_requests.copy("report", "other")(desk)


async def test_a_crontab_is_imported_with_its_report(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tab"
    file.write_text("30 3 * * * backup\n61 * * * * bad\n")
    assert await crontab.import_crontab(str(file), False, "UTC", True, False)(desk) == 1
    out = capsys.readouterr()
    assert "backup: would be added" in out.out
    assert "nothing is mailed" in out.out
    assert "line 2: left out: minute" in out.err
    assert await desk.written_jobs() == []
    assert await crontab.import_crontab(str(file), False, "UTC", False, True)(desk) == 1
    assert json.loads(capsys.readouterr().out)["added"] == ["backup"]


async def test_a_crontab_is_imported_once(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tab"
    file.write_text("30 3 * * * backup\n@daily sweep ${HOME}\n")
    assert await crontab.import_crontab(str(file), False, "Europe/Berlin", False, False)(desk) == 0
    await desk.set_job_paused("backup", True)
    capsys.readouterr()
    file.write_text("30 3 * * * backup\n@daily sweep ${HOME}\n30 4 * * * backup\n")
    assert await crontab.import_crontab(str(file), False, "Europe/Berlin", True, True)(desk) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["added"], told["crontab"]["there"]) == (["backup 2"], [[1, "backup"], [2, "sweep"]])
    for _ in range(2):
        assert await crontab.import_crontab(str(file), False, "Europe/Berlin", False, False)(desk) == 0
    out = capsys.readouterr().out
    assert "line 1: already there: backup\n" in out
    assert "line 3: already there: backup 2\n" in out
    assert out.count("What differs from cron") == 1
    assert [job.name for job in await desk.written_jobs()] == ["backup", "backup 2", "sweep"]


async def dead(desk: Desk, database: Database, number: int) -> list[int]:
    await desk.save_form("job", REPORT)
    made = [await desk.run_now("report", UUID(int=each)) for each in range(number)]
    for run in made:
        await rows(
            database, f"UPDATE runs SET state = 'dead', slot = NULL, finished_at = now() WHERE id = {run}"
        )
        await rows(database, f"INSERT INTO dead_letters VALUES ({run}, 'it failed', now())")
    return made


def letters(ids: Sequence[int] = (), **more: Any) -> job_requests.Request:
    return job_requests.letters(tuple(ids), "", "", "", "", **{"every": False, "json": False, **more})


async def test_dead_letters_are_listed_tried_and_settled_in_bulk(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await dead(desk, database, 3)
    await letters(every=True)(desk)
    assert capsys.readouterr().out.count("report") == 3
    await letters(every=True, act="requeue", rate=0.5, dry_run=True)(desk)
    assert "3 dead letters would be requeued within 4 s" in capsys.readouterr().out
    assert await one(database, "SELECT count(*) FROM runs") == 3
    await letters(made[:1], act="discard")(desk)
    await letters(every=True, act="requeue", json=True)(desk)
    assert await one(database, "SELECT count(*) FROM dead_letters WHERE settled_at IS NULL") == 0
    assert await one(database, "SELECT count(*) FROM runs WHERE origin = 'requeue'") == 2


def test_nothing_is_settled_where_nothing_selects_it() -> None:
    with pytest.raises(Refused, match="--all"):
        letters(act="discard")


def test_what_cannot_be_taken_back_is_not_done_where_nobody_can_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(Refused, match="--yes"):
        entries.sure("delete report", False)
    entries.sure("delete report", True)


async def test_a_backfill_says_how_many(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await desk.save_form("job", REPORT)
    await job_requests.backfill("report", "-3h", "-0s", "missing", 0.0, dry_run=True, json=False)(desk)
    assert "3 runs would be made, of 3 fires" in capsys.readouterr().out
    with pytest.raises(Refused, match="one of missing, failed, all"):
        job_requests.backfill("report", "-3h", "-0s", "some", 0.0, dry_run=True, json=False)


async def test_a_job_is_shown_as_it_was_written_and_how_it_fared(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.save_form("job", REPORT)
    await rows(
        database,
        "INSERT INTO job_hours SELECT id, date_trunc('hour', now()), 3, 1, 0, 2, 0, 1200, 90000, 90000, 4, 21, 30 "
        "FROM jobs",
    )
    await job_requests.show_job("report", True)(desk)
    assert json.loads(capsys.readouterr().out)["last_day"]["success"] == 0.75
    await job_requests.show_job("report", False)(desk)
    text = capsys.readouterr().out
    assert "# last day: 3 of 4 runs succeeded (75 %), 2 skipped" in text
    assert "# took p50 1s200ms, p95 1m30s" in text
    assert "# began late p50 4ms, p99 21ms" in text
    assert "name: report" in text
    assert "# version 1, defined in the console, changed by ann" in text
    assert "${TOKEN}" in text


async def test_the_next_fires_are_printed_with_days_on_which_clocks_change(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    berlin = {"time_zone": "Europe/Berlin"}
    daily = {**REPORT, "schedules": [{"cron": "30 2 * * *", **berlin}]}
    await desk.save_form("job", daily)
    await desk.save_form("job", {**daily, "name": "weekly", "schedules": [{"cron": "0 9 * * mon", **berlin}]})

    class Autumn:
        async def coming(self, job: str, count: int) -> Sequence[Coming]:
            async with database.connection() as connection:
                return await job_boards.coming(connection, job, datetime(2026, 10, 24, 12, tzinfo=UTC), count)

    await job_requests.next_fires("report", 3, False)(cast(Desk, Autumn()))
    assert capsys.readouterr().out.splitlines() == [
        "2026-10-25 02:30:00+02:00  clocks go back 1h",
        "2026-10-26 02:30:00+01:00  clocks have changed",
        "2026-10-27 02:30:00+01:00",
    ]
    await job_requests.next_fires("weekly", 2, True)(cast(Desk, Autumn()))
    assert [(each["local"], each["clocks"]) for each in json.loads(capsys.readouterr().out)] == [
        ("2026-10-26 09:00:00+01:00", "clocks have changed"),
        ("2026-11-02 09:00:00+01:00", ""),
    ]


async def test_fires_of_schedules_that_are_filled_in_are_those_that_the_job_has_once_it_is_saved(
    desk: Desk, database: Database
) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO calendars (name, days) VALUES ('feasts', '{12-24..01-01}')")
    yearly = {
        "cron": "0 6 * * *",
        "time_zone": "Europe/Berlin",
        "calendars": ["feasts"],
        "start": "2099-12-23",
    }
    schedules = [yearly, {"every": "7m"}, {"cron": "every day"}]
    foreseen = await desk.foresee("", schedules[:1], 3)
    assert [each.local[:10] for each in foreseen] == ["2099-12-23", "2100-01-02", "2100-01-03"]
    assert len(await desk.foresee("", schedules, 4)) == 4, "one that is not filled in rightly has none"
    values = {"name": "tidy", "kind": "dummy", "schedules": schedules[:2]}
    await desk.save_form("job", values, "", 0)
    saved = await desk.coming("tidy", 5)
    assert await desk.foresee("tidy", schedules, 5) == saved, "an interval goes on from where it began"
    assert await desk.foresee("", [{"at": "2001-01-01T00:00"}], 5) == []


async def test_the_next_fires_of_a_job_that_nothing_starts_are_none_and_a_name_of_none_is_refused(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.save_form("job", {**REPORT, "schedules": []})
    await job_requests.next_fires("report", 10, False)(desk)
    assert capsys.readouterr().out == ""
    near = 'There is no job called reprot. Did you mean "report"?'
    for request in (
        job_requests.next_fires("reprot", 10, True),
        job_requests.show_job("reprot", False),
        job_requests.export(["reprot"], False),
        job_requests.copy("reprot", "new"),
        job_requests.backfill("reprot", "-3h", "-0s", "missing", 0.0, dry_run=True, json=False),
        show.run("reprot", False, {}, UUID(int=1), False),
    ):
        with pytest.raises(Refused, match=re.escape(near)):
            await request(desk)


async def test_the_calendar_and_the_queues_are_printed_as_text_and_as_json(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.save_form("job", {**REPORT, "on_queue": "nightly"})
    await job_requests.calendar(1, False)(desk)
    assert "report" in capsys.readouterr().out
    await job_requests.calendar(1, True)(desk)
    assert json.loads(capsys.readouterr().out)[0]["times"] == 24
    await job_requests.queues(True)(desk)
    assert [each["name"] for each in json.loads(capsys.readouterr().out)] == ["nightly"]
    await job_requests.queues(False)(desk)
    assert "nightly" in capsys.readouterr().out
    await job_requests.workers(True)(desk)
    assert json.loads(capsys.readouterr().out) == []


async def test_the_course_of_a_queue_is_printed_minute_by_minute_as_text_and_as_json(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.save_form("job", {**REPORT, "on_queue": "nightly"})
    await job_requests.queue_course("nightly", "-1h", True)(desk)
    assert json.loads(capsys.readouterr().out) == []  # nobody looked at it yet
    minute = (await desk.status()).at.replace(second=0, microsecond=0)
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO queue_minutes (queue, minute, waiting, ready, running, oldest_s, started, lag_p50_ms, "
            "lag_p99_ms, lag_max_ms) VALUES ('nightly', %(old)s, 1, 1, 1, 0, 1, 1, 1, 1), "
            "('nightly', %(new)s, 2, 3, 4, 9, 7, 5, 20, 30)",
            {"old": minute - timedelta(hours=3), "new": minute - timedelta(minutes=5)},
        )
    await job_requests.queue_course("nightly", "-1h", True)(desk)
    (point,) = json.loads(capsys.readouterr().out)
    assert (point["depth"], point["running"], point["started"]) == (5, 4, 7)
    assert (point["lag_p50"], point["lag_p99"]) == (0.005, 0.02)
    await job_requests.queue_course("nightly", "-6h", False)(desk)
    head, _, newest = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["MINUTE", "WAIT", "RUNNING", "STARTED"]
    assert newest.split()[3:] == ["5", "4", "7", "5.0", "ms", "20.0", "ms"]


async def test_a_queue_that_does_not_exist_and_a_moment_that_is_none_are_refused(desk: Desk) -> None:
    await desk.save_form("job", {**REPORT, "on_queue": "nightly"})
    with pytest.raises(Refused, match=re.escape('There is no queue called nightli. Did you mean "nightly"?')):
        await job_requests.queue_course("nightli", "-1h", False)(desk)
    with pytest.raises(Refused):
        await job_requests.queue_course("nightly", "soonish", False)(desk)


async def test_days_on_which_clocks_change_and_overlaps_are_told_in_the_calendar(
    capsys: pytest.CaptureFixture[str],
) -> None:
    berlin = Schedule("cron", "30 2 * * *", "Europe/Berlin")
    plans = [
        Plan("backup", "cron 30 2", berlin, 3600.0),
        Plan("report", "cron 40 2", replace(berlin, expr="40 2 * * *"), 60.0),
    ]

    class Autumn:
        async def job_calendar(self, length: timedelta) -> Sequence[CalendarFire]:
            return planned(plans, datetime(2026, 10, 24, 12, 0, tzinfo=UTC), length)

    await job_requests.calendar(2, False)(cast(Desk, Autumn()))
    _, first, second, third, _ = capsys.readouterr().out.splitlines()
    assert first.endswith("clocks go back 1h")
    assert second.endswith("clocks go back 1h, with backup")
    assert "clocks" not in third
    await job_requests.calendar(2, True)(cast(Desk, Autumn()))
    assert [each["clocks"] for each in json.loads(capsys.readouterr().out)] == ["clocks go back 1h"] * 2 + [
        ""
    ] * 2


def test_every_command_about_jobs_runs_and_dead_letters_prints_json_too() -> None:
    for app in (jobs_app, runs_app, dead_app):
        for command in app.registered_commands:
            assert command.callback is not None
            assert "json" in signature(command.callback).parameters, command.callback.__name__


def test_what_was_done_is_said_as_a_sentence_or_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    plain.say("a: paused", {"job": "a", "paused": True}, False)
    plain.say("a: paused", {"job": "a", "paused": True}, True)
    text, data = capsys.readouterr().out.split("\n", 1)
    assert (text, json.loads(data)) == ("a: paused", {"job": "a", "paused": True})
