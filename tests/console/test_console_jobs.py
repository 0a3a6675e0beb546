"""The room of jobs: its sections, one job, one run, dead letters, the calendar, and what can be done there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import console_world
import pytest
from console_driver import Driver, console
from console_world import NOW, World
from job_world import detail as job_detail
from job_world import job_rows, run_details, run_row

from watchfloor.console.format import Moment, latency
from watchfloor.console.line import plain
from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.form import FormRoom
from watchfloor.console.screens.job import JobRoom
from watchfloor.console.screens.run import RunRoom
from watchfloor.console.views.jobs import duration, next_fire, streak
from watchfloor.domain.backfill import Again
from watchfloor.domain.job_boards import RunLine

SECTIONS = {"Jobs": 0, "Runs": 1, "Dead letters": 2, "Day": 3, "Week": 4, "Nodes": 5, "Queues": 6, "Tasks": 7}


async def go(driver: Driver, section: str) -> None:
    await driver.press("2", *["tab"] * SECTIONS[section])


def done(driver: Driver) -> list[tuple[object, ...]]:
    return [each for each in driver.world.done if each[0] != "save_preference"]


# What is shown


async def test_jobs_show_next_fire_streak_duration_and_what_is_usual() -> None:
    async with console() as driver:
        await driver.press("2")
        driver.sees(
            "● ok nightly backup Fri 01:30 ●●●●✘●●●●● 2h 13m ▲",
            "✘ dead sync catalogue",
            "○ paused old importer",
        )
        driver.sees("▶ running rebuild index on request", "✘ 1 dead ▶ 1 ○ 1")


async def test_wide_screens_show_owner_and_queue_and_the_job_beside_the_list() -> None:
    async with console(size=(200, 50)) as driver:
        await driver.press("2")
        driver.sees(
            "OWNER", "kim", "nightly", "schedule 30 3 * * * Europe/Berlin", "owner kim contact kim@example"
        )


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("Runs", ("◌ waiting #431 sync catalogue", "▲ missed #423 close the books")),
        ("Dead letters", ("✘ dead #429 sync catalogue", "1 / 2 dead letters")),
        ("Day", ("14:05 ×288 sync catalogue", "Fri 01:30 nightly backup")),
        ("Week", ("14:05 ×2016 sync catalogue", "Mon 05:00 send reports")),
        ("Nodes", ("● running floor-01 1 of 16 3 every queue", "▲ stopping floor-02 2 of 8 0 nightly")),
        ("Queues", ("default 3 1 1 1 4.20 ms 31.0 ms", "heavy 2 0 0 ✘ none")),
        ("Tasks", ("make partitions", "✘ failed")),
    ],
)
async def test_every_section_lists_what_it_is_about(section: str, words: tuple[str, ...]) -> None:
    async with console() as driver:
        await go(driver, section)
        driver.sees(*words)


async def test_a_job_opens_with_its_facts_over_its_runs() -> None:
    async with console() as driver:
        await driver.press("2", "enter")
        driver.sees(
            "Jobs › nightly backup ● ok", "usually 1h 17m latest 2h 13m ▲", "● ok #424", "○ cancelled #422"
        )
        driver.sees_not("#429")
        await driver.press("enter")
        driver.sees("Jobs › nightly backup › nightly backup #424")


async def test_a_job_shows_how_its_last_day_was_where_there_is_room() -> None:
    async with console(size=(200, 50)) as driver:
        await driver.press("2", "enter")
        driver.sees("LAST DAY", "23 of 24 runs succeeded (95.8 %), 1 skipped", "p95 31.0 s", "p99 21.0 ms")


async def test_a_run_says_what_happens_next_and_what_it_was_given() -> None:
    async with console(size=(100, 50)) as driver:
        await go(driver, "Runs")
        await driver.press("j", "enter")
        driver.sees("WHAT HAPPENS NEXT", "It is ended at 14:58:31 (a time-out of 1h) if it still runs then.")
        driver.sees("If it fails, attempt 2 follows after 5s to 10s; 3 are allowed in all.")
        driver.sees("If its node is lost, it starts again on another.", "GIVEN TO THIS RUN ONLY", "- books")
        driver.sees("TOKEN: ${SHOP_TOKEN}")


async def test_attempts_stand_on_a_line_of_time() -> None:
    async with console(size=(120, 50)) as driver:
        await go(driver, "Runs")
        await driver.press("j", "j", "enter")
        driver.sees("ATTEMPTS", "4m 41s in all")
        bars = [line for line in driver.lines() if "━━" in line and "exit code 3" in line]
        assert len(bars) == 3
        starts = [line.index("━") for line in bars]
        assert starts == sorted(starts)
        assert starts[0] < starts[1] < starts[2]


async def test_who_stands_at_the_end_of_a_log_stays_with_what_comes() -> None:
    async with console() as driver:
        await go(driver, "Runs")
        await driver.press("j", "enter", "G")
        driver.sees("copied page 40 of 40")
        driver.world.run_log += [RunLine(1, 40 + n, NOW, "stdout", f"line {n} of more") for n in range(1, 60)]
        await driver.changed("jobs")
        driver.sees("line 59 of more")
        await driver.press("ctrl+u")
        driver.world.run_log += [RunLine(1, 100, NOW, "stdout", "the very last")]
        await driver.changed("jobs")
        driver.sees_not("the very last")


async def test_a_log_from_outside_cannot_draw_on_the_screen() -> None:
    world = World()
    world.run_log.append(RunLine(1, 99, NOW, "stdout", "copying \x1b[31mthe stock"))
    async with console(world) as driver:
        await go(driver, "Runs")
        await driver.press("j", "enter", "G")
        driver.sees("copying the stock")


async def test_a_queue_shows_its_depth_and_lateness_in_charts() -> None:
    async with console(size=(100, 50)) as driver:
        await go(driver, "Queues")
        await driver.press("enter")
        driver.sees("Jobs › Queues › default", "RUNS THAT WAIT · 1 h", "LATENESS OF STARTS · 1 h")
        await driver.press("w")
        driver.sees("RUNS THAT WAIT · 6 h")


async def test_days_on_which_clocks_change_are_marked() -> None:
    world = World(now=datetime(2026, 10, 24, 12, 0, tzinfo=UTC))
    async with console(world, clock=lambda: world.now) as driver:
        await go(driver, "Day")
        driver.sees("nightly backup 1h 10m ▲ clocks go back 1h")
        await driver.press("z")
        driver.sees("Sun 02:30 nightly backup")
        driver.sees_not("rotate logs")


async def test_a_still_room_of_jobs_does_not_change_as_seconds_pass() -> None:
    world = World()
    now = [NOW]
    async with console(world, clock=lambda: now[0]) as driver:
        for section in ("Jobs", "Day", "Queues"):
            await go(driver, section)
            before = driver.lines()
            now[0] += timedelta(seconds=3)
            await driver.changed("health")
            assert driver.lines() == before, section
            await driver.press("1")
            await driver.press("2", *["shift+tab"] * SECTIONS[section])


async def test_a_run_and_the_alert_about_it_lead_to_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    told = console_world.alert_story
    monkeypatch.setattr(console_world, "alert_story", lambda row: replace(told(row), run_id=429))
    world = World()
    world.runs = [replace(each, alert_id=42) if each.row.id == 429 else each for each in world.runs]
    async with console(world, size=(80, 24)) as driver:
        await driver.app.push_screen(RunRoom(429))
        await driver.idle()
        driver.sees("alert #42 (A shows it)")
        await driver.press("A")
        driver.sees("#42", "run #429 (R shows it)")
        await driver.press("R")
        driver.sees("sync catalogue #429")
        await driver.press("escape", "escape", "escape")
        await driver.app.push_screen(RunRoom(428))
        await driver.idle()
        await driver.press("A")
        driver.sees("no alert belongs to this run")


async def test_a_task_says_how_long_it_took_with_a_unit() -> None:
    async with console() as driver:
        await go(driver, "Tasks")
        took = driver.world.tasks[0].duration
        await driver.press("enter")
        driver.sees(f"duration {latency(took)}")


async def test_an_empty_room_says_what_to_do() -> None:
    async with console(World(jobs=[], runs=[], workers=[], queues=[], tasks=[])) as driver:
        await driver.press("2")
        driver.sees("No job is defined yet. + defines one here")
        for words in (
            "No job has run yet",
            "No dead letters",
            "Nothing fires",
            "Nothing fires",
            "watchfloor serve",
            "No job has a queue",
            "No task has run yet",
        ):
            await driver.press("tab")
            driver.sees(words)


# What is done


async def test_running_asks_first_and_runs_once_however_often_enter_is_pressed() -> None:
    async with console() as driver:
        await driver.press("2", "x")
        driver.sees("Run nightly backup", "A run usually takes 1h 17m")
        assert done(driver) == []
        await driver.press("enter", "enter")
        assert [each[:2] for each in done(driver)] == [("run_now", "nightly backup")]
        driver.sees("✓ nightly backup runs as #")


async def test_a_run_with_other_settings_sends_only_what_differs_and_offers_its_cancel() -> None:
    async with console() as driver:
        await driver.press("2", "X")
        driver.sees("run nightly backup with other settings")
        await driver.press("ctrl+s")
        driver.sees("run: nothing differs from the job")
        await driver.press("/", *"field:nice", "enter", "home", "enter", *"5", "enter", "escape", "ctrl+s")
        assert done(driver)[-1] == ("run_now", "nightly backup", {"nice": 5})
        driver.sees("with other nice")
        await driver.press("u")
        assert done(driver)[-1][0] == "cancel_run"


async def test_a_run_goes_without_a_setting_that_was_emptied() -> None:
    async with console() as driver:
        await driver.press("2", "X", "/", *"field:env", "enter", "home", "delete", "ctrl+s")
        assert done(driver)[-1] == ("run_now", "nightly backup", {"env": None})


async def test_settings_with_mistakes_start_nothing() -> None:
    async with console() as driver:
        await driver.press(
            "2", "X", "/", *"field:nice", "enter", "home", "enter", *"99", "enter", "escape", "ctrl+s"
        )
        driver.sees("there are mistakes")
        assert done(driver) == []


async def test_a_pause_is_taken_back_by_one_key() -> None:
    async with console() as driver:
        await driver.press("2", "P")
        driver.sees("✓ paused nightly backup", "○ paused nightly backup")
        await driver.press("u")
        assert list(done(driver)) == [
            ("set_job_paused", "nightly backup", True),
            ("set_job_paused", "nightly backup", False),
        ]


async def test_a_backfill_says_how_many_before_anything_is_made() -> None:
    async with console() as driver:
        await driver.press("2", "B", *"-6h", "enter")
        driver.sees("Make 5 runs of nightly backup", "5 runs for fires from 08:02:31 to 12:02:31, of 7 fires")
        assert done(driver) == []
        await driver.press("enter")
        name, job, since, until, again = done(driver)[-1]
        assert (name, job, again) == ("backfill", "nightly backup", Again.MISSING)
        assert (since, until) == (NOW - timedelta(hours=6), NOW)


async def test_a_backfill_of_nothing_asks_nothing_and_mistakes_stay_open() -> None:
    async with console() as driver:
        await driver.press("2", "B", *"soon", "enter")
        driver.sees("soon is no moment")
        await driver.press("ctrl+u", *"-6h to -1h", "down", "enter")
        driver.sees("nothing to do: 7 fires in that time, and none without success")
        assert done(driver) == []


async def test_a_job_without_schedule_has_no_past_to_fill() -> None:
    async with console() as driver:
        await driver.press("2", "/", *"rebuild", "enter", "B")
        driver.sees("backfill: rebuild index has no schedule")


@pytest.mark.parametrize(
    ("key", "did", "words"), [("K", "cancel_run", "told to end"), ("f9", "kill_run", "cannot clean up")]
)
async def test_cancel_and_kill_ask_and_say_what_becomes_of_the_run(key: str, did: str, words: str) -> None:
    async with console() as driver:
        await go(driver, "Runs")
        await driver.press("j", key)
        driver.sees("#430 rebuild index", words)
        await driver.press("enter")
        assert done(driver) == [(did, 430)]
        driver.sees("○ cancelled #430")


async def test_what_has_ended_cannot_be_cancelled_and_says_so() -> None:
    async with console() as driver:
        await go(driver, "Runs")
        await driver.press("j", "j", "K")
        driver.sees("cancel: #429 has ended already")


@pytest.mark.parametrize(("key", "discard"), [("R", False), ("D", True)])
async def test_dead_letters_are_settled_one_or_all_marked_with_their_number(key: str, discard: bool) -> None:
    async with console() as driver:
        await go(driver, "Dead letters")
        await driver.press(key)
        driver.sees("1 dead letter", "#429 sync catalogue")
        await driver.press("escape", "space", "j", "space", key)
        driver.sees("2 dead letters", "#427 sync catalogue: all 3 attempts failed")
        assert done(driver) == []
        await driver.press("enter")
        assert done(driver) == [("settle_letters", (429, 427), discard)]
        driver.sees("No dead letters")


async def test_a_job_of_a_file_is_not_deleted_here_and_one_of_the_console_only_after_asking() -> None:
    async with console() as driver:
        await driver.press("2", "j", "D")
        driver.sees("send reports is defined in config.yaml:31; delete it there")
        await driver.press("k", "D")
        driver.sees("Delete nightly backup", "its history stays", "no longer started by job close the books")
        assert isinstance(driver.app.screen, ConfirmDialog)
        await driver.press("enter")
        assert done(driver) == [("delete_thing", "job", "nightly backup")]


async def test_a_definition_opens_in_its_form_and_a_copy_is_new() -> None:
    async with console() as driver:
        await driver.press("2", "i")
        assert isinstance(driver.app.screen, FormRoom)
        driver.sees("Jobs › form of nightly backup")
        await driver.press("escape", "C")
        driver.sees("Jobs › nightly backup copy")


async def test_a_fire_of_the_calendar_is_of_its_job() -> None:
    async with console() as driver:
        await go(driver, "Day")
        await driver.press("enter")
        assert isinstance(driver.app.screen, JobRoom)
        driver.sees("Jobs › Day › sync catalogue ✘ dead")


async def test_places_of_jobs_and_runs_are_come_back_to() -> None:
    async with console() as driver:
        await driver.press("2", "enter", "enter")
        assert isinstance(driver.app.screen, RunRoom)
        await driver.press("[")
        assert isinstance(driver.app.screen, JobRoom)
        await driver.press("]")
        assert isinstance(driver.app.screen, RunRoom)


@pytest.mark.parametrize("key", ["x", "X", "P", "B", "D", "+", "C"])
async def test_nothing_is_done_from_a_console_that_only_looks(key: str) -> None:
    async with console(read_only=True) as driver:
        await driver.press("2", key)
        driver.sees("this console is read-only")
        assert done(driver) == []


async def test_ten_thousand_runs_cost_only_what_is_visible() -> None:
    row = run_details()[2].row
    world = World(runs=[job_detail(replace(row, id=number)) for number in range(10_000, 0, -1)])
    async with console(world) as driver:
        await go(driver, "Runs")
        await driver.press("G")
        assert "#1 " in driver.cursor


# Pure


def test_outcomes_are_told_apart_without_colour() -> None:
    states = ("succeeded", "dead", "cancelled", "skipped", "missed")
    drawn = plain(streak(states, 20))
    assert len(set(drawn)) == len(states) == len(drawn)


def test_a_slow_run_is_marked_and_a_usual_one_is_not() -> None:
    row = replace(job_rows()[1], took=(10.0, 10.0, 11.0), last_state="succeeded")
    signs = {last: plain(duration(replace(row, last_took=last)))[-1] for last in (3.0, 10.5, 30.0)}
    assert signs == {3.0: "▼", 10.5: " ", 30.0: "▲"}


def test_a_fire_that_should_have_been_is_said_to_be_due() -> None:
    row = replace(job_rows()[1], next_fire_at=NOW - timedelta(minutes=1))
    assert plain(next_fire(row, Moment(NOW, UTC))) == "due"
    assert run_row(1, "a", "waiting", None, None).state == "waiting"
