"""The page of an incident: the ways to it, what it shows, notes, and how much of a long one."""

from __future__ import annotations

from pathlib import Path

import pytest
from console_driver import Driver, console
from incident_world import LONG, OPEN

from watchfloor.console.screens.incident import IncidentMenu, IncidentRoom
from watchfloor.console.screens.service import ServiceRoom
from watchfloor.domain.post_mortem import HEAD, TAIL


async def command(driver: Driver, line: str) -> None:
    await driver.press(":")
    await driver.type(line)
    await driver.press("enter")


async def test_a_service_lists_its_incidents_and_opens_the_chosen_one() -> None:
    async with console(size=(100, 40)) as driver:
        await driver.press("enter", "I")
        assert isinstance(driver.app.screen, IncidentMenu)
        driver.sees("#12 failing", "open 3m", "#9 failing", "#4 degraded", "enter open")
        await driver.press("enter")
        assert isinstance(driver.app.screen, IncidentRoom)
        driver.sees("incident #12", "is open", "root cause", "orders database was down")
        driver.sees(
            "▶ opened", "✘ failing", "✓ alert acknowledged by kim", "◇ note by kim", "restarting the pool"
        )
        driver.sees("ALSO OUT OF REACH", "shop till", "RUNS OF JOBS MEANWHILE", "nightly backup")
        driver.sees("connection refused … (2 more lines)")
        driver.sees_not("Traceback")


async def test_on_a_small_screen_the_list_tells_when_each_incident_began() -> None:
    async with console(size=(80, 24)) as driver:
        await driver.press("enter", "I")
        driver.sees(
            "INCIDENT", "LASTED", "CAUSE", "#12 failing 13:59 open 3m 00s", "#4 degraded 18 Aug 11:02"
        )
        driver.sees_not("ACTION", "WHAT IT DOES")


@pytest.mark.parametrize("keys", [("enter", "I", "enter", "E"), ("enter", "E", "enter")])
async def test_at_80_columns_the_whole_name_of_a_written_file_is_said(
    keys: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with console(size=(80, 24)) as driver:
        await driver.press(*keys)
        await driver.until(lambda: "written to ~" in driver.text())
        (made,) = (tmp_path / ".local" / "state" / "watchfloor").iterdir()
        driver.sees(f"written to ~/.local/state/watchfloor/{made.name}")


async def test_a_service_that_never_failed_says_that_it_has_no_incident() -> None:
    async with console() as driver:
        await driver.press("/")
        await driver.type("wiki")
        await driver.press("enter", "enter", "I")
        driver.sees("no incident belongs to it")


async def test_the_alert_of_an_incident_leads_to_it_and_it_leads_to_the_service() -> None:
    async with console() as driver:
        await driver.press("3", "enter", "I")
        assert isinstance(driver.app.screen, IncidentRoom)
        await driver.press("enter")
        assert isinstance(driver.app.screen, ServiceRoom)


async def test_it_is_opened_by_its_number_and_one_that_is_not_there_is_said() -> None:
    async with console() as driver:
        await command(driver, f"incident #{OPEN}")
        assert isinstance(driver.app.screen, IncidentRoom)
        await command(driver, "incident 77")
        driver.sees("There is no incident #77.")
        await command(driver, "incident seven")
        driver.sees('An incident has a number, as in 42; found "seven".')


async def test_a_note_is_written_into_the_timeline() -> None:
    async with console() as driver:
        await command(driver, f"incident {OPEN}")
        await driver.press("n", "enter")
        driver.sees("A note needs words.")
        await driver.type("asked the provider")
        await driver.press("enter")
        assert driver.world.done[1:] == [("note_incident", OPEN, "asked the provider")]


async def test_of_a_long_one_the_beginning_and_the_end_are_shown_and_how_much_is_not() -> None:
    async with console(size=(100, 40)) as driver:
        await command(driver, f"incident {LONG}")
        room = driver.app.screen
        assert isinstance(room, IncidentRoom)
        text = room.pane.text()
        assert "9 600 lines between are not shown; E writes all of them" in text
        assert "and 9 998 more; E writes all of them" in text
        assert (text.count("flip "), room.pane.count() < 2 * (HEAD + TAIL) + 40) == (HEAD + TAIL, True)


@pytest.mark.parametrize("keys", [("3", "enter", "E"), ("enter", "I", "enter", "E")])
async def test_the_post_mortem_is_written_and_said_where(
    keys: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with console(size=(100, 24)) as driver:
        await driver.press(*keys)
        await driver.until(lambda: "written to" in driver.text())
    (made,) = (tmp_path / "watchfloor").glob("incident-*.md")
    assert made.read_text() == "# Incident 12\n"
