"""Travelling in time, at the screen: the boards of a moment, told apart from the present, and nothing to change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from console_driver import Driver, console
from console_world import NOW, World, alert_rows, health_rows

from watchfloor.domain.boards import Kept
from watchfloor.domain.outcome import Status


def with_yesterday() -> World:
    """A world in which two hours ago mail was fine and one alert was firing; before 11 there was nothing."""
    at = NOW - timedelta(hours=2)
    services = [
        replace(row, hard=Status.OK, status=Status.OK, alert_id=None, acknowledged=False)
        if row.name == "mail relay"
        else row
        for row in health_rows(at)
        if row.name != "wiki"
    ]
    alerts = [row for row in alert_rows(at) if row.id == 40]
    before = World(now=at, services=services, alerts=alerts, resolved=[])
    return World(history=[(NOW - timedelta(hours=3), before)])


async def travel(driver: Driver, moment: str) -> None:
    await driver.press("T")
    await driver.type(moment)
    await driver.press("enter")


async def test_a_moment_shows_both_boards_as_they_were_with_a_banner_and_esc_returns():
    async with console(with_yesterday(), size=(100, 30)) as driver:
        await travel(driver, "12:00")
        banner = (
            "Thu 20 Aug 2026 12:00:00 UTC, 2h 02m ago: you look at the past, read-only. esc returns to now."
        )
        driver.sees(banner, "23 services")
        assert "ok" in driver.line_with("mail relay")
        await driver.press("3")
        driver.sees(banner, "1 alert", "#40 shop catalogue is degraded", "only what fired")
        await driver.press("escape")
        driver.sees_not("you look at the past", "only what fired")
        driver.sees("6 alerts", "#42")
        await driver.press("1")
        driver.sees_not("you look at the past")
        assert "failing" in driver.line_with("mail relay")


async def test_ages_are_counted_from_the_moment_and_the_clock_stays_at_now():
    async with console(with_yesterday(), size=(100, 30)) as driver:
        now = driver.line_with("status page")
        await travel(driver, "-2h")
        driver.sees("Thu 20 Aug 14:02", "2h 00m ago: you look at the past")
        then = driver.line_with("status page")
        assert then.split()[-2:] == now.split()[-2:]  # the same row, as old then as its twin is now


async def test_what_changes_nothing_about_the_past_is_not_read_again():
    async with console(with_yesterday()) as driver:
        await travel(driver, "12:00")
        before = driver.world.history[0][1]
        count = before.reads.count("health")
        await driver.changed("health", "alerts")
        assert before.reads.count("health") == count
        driver.sees("The past: Thu 20 Aug 2026 12:00:00 UTC, 2h 02m ago. esc returns to now")


@pytest.mark.parametrize("key", ["a", "P", "x", "u"])
async def test_nothing_can_be_changed_in_the_past_and_the_reason_is_said(key: str):
    async with console(with_yesterday()) as driver:
        await travel(driver, "12:00")
        await driver.press("g", key)
        driver.sees(": you look at the past")
        assert driver.operator.world.done == []


async def test_steps_go_by_minutes_and_hours_and_end_in_the_present():
    async with console(with_yesterday(), size=(100, 30)) as driver:
        await driver.press(",")
        driver.sees("you look at the present; travel to a moment first")
        await travel(driver, "12:00")
        await driver.press(",", ",", "(", "{")
        driver.sees("10:48:00 UTC", "No service was watched then.")
        await driver.press("}", ")", ".")
        driver.sees("11:59:00 UTC", "✘ 1 failing", "23 services")
        await driver.press("}", "}", "}")
        driver.sees("● 17")
        driver.sees_not("you look at the past")


async def test_an_alert_leads_to_the_moment_it_began_and_esc_comes_back_to_it():
    async with console(with_yesterday(), size=(100, 30)) as driver:
        await driver.press("3", "j", "j", "j", "enter")
        driver.sees("#40 shop catalogue is degraded")
        await driver.press("B")
        driver.sees("13:41:31 UTC, 21m 00s ago", "#40 shop catalogue is degraded")
        await driver.press("1")
        driver.sees("13:41:31 UTC", "23 services")
        await driver.press("3", "escape")
        driver.sees_not("you look at the past")
        driver.sees("#40 shop catalogue is degraded")
        await driver.press("escape")
        driver.sees("6 alerts")


async def test_esc_in_a_detail_of_the_past_goes_back_to_the_board_of_the_past():
    async with console(with_yesterday(), size=(100, 30)) as driver:
        await travel(driver, "12:00")
        await driver.press("enter")
        driver.sees("Health › shop checkout", "esc goes back")
        await driver.press("escape")
        driver.sees("23 services", "esc returns to now")


async def test_rooms_that_show_only_the_present_say_so():
    async with console(with_yesterday(), size=(120, 30)) as driver:
        await driver.press("2", "T")
        driver.sees("travel: Jobs shows only the present; Health and Alerts can be seen as they were")
        await driver.press("1")
        await travel(driver, "12:00")
        await driver.press("4")
        driver.sees(
            "◷ Logs shows only the present; Health and Alerts can be seen as they were. esc returns to now"
        )
        await driver.press("escape")
        driver.sees_not("◷ Logs shows only the present")


async def test_a_narrow_screen_still_says_how_to_come_back():
    async with console(with_yesterday()) as driver:
        await travel(driver, "12:00")
        driver.sees("◷ The past: Thu 20 Aug 2026 12:00:00 UTC, 2h 02m ago. esc returns to now")
        await driver.press("2")
        driver.sees("◷ Jobs shows only the present. esc returns to now")


async def test_what_is_no_longer_kept_is_said_and_not_guessed():
    world = with_yesterday()
    world.kept = Kept(NOW - timedelta(days=7), NOW - timedelta(hours=1))
    async with console(world, size=(200, 30)) as driver:
        await travel(driver, "2026-08-01 10:00")
        driver.sees(
            "of Sat 1 Aug 2026 10:00:00 UTC are no longer kept; they begin at Thu 13 Aug 2026 14:02:31 UTC"
        )
        driver.sees_not("you look at the past")
        await travel(driver, "12:00")
        driver.sees("Single checks are kept only since Thu 20 Aug 2026 13:02:31 UTC: no latency, no trend.")


async def test_a_moment_that_makes_no_sense_is_refused_in_the_dialog():
    async with console(with_yesterday()) as driver:
        await travel(driver, "tomorrow")
        driver.sees("tomorrow is no moment: there is no day called tomorrow")
        await driver.press("escape")
        driver.sees_not("you look at the past")


async def test_a_past_that_cannot_be_read_says_so_and_the_present_stays():
    async with console(with_yesterday()) as driver:
        driver.world.broken = ConnectionRefusedError("gone")
        driver.app.travel(NOW - timedelta(hours=2))
        await driver.app.workers.wait_for_complete([w for w in driver.app.workers if w.name == "travel"])
        assert driver.app.notice is not None
        assert "the past cannot be read" in driver.app.notice[0][0]
        driver.world.broken = None
        await driver.idle()
        driver.sees_not("you look at the past")


async def test_of_two_moments_asked_for_at_once_the_last_is_shown():
    async with console(with_yesterday(), size=(100, 30)) as driver:
        driver.app.travel(NOW - timedelta(hours=1))
        driver.app.travel(NOW - timedelta(hours=2))
        await driver.idle()
        driver.sees("2h 00m ago: you look at the past")
