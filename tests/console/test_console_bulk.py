"""Several alerts at once: what and how many is named, and one undo takes all back where there is one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from console_driver import Driver, console
from console_world import World

from watchfloor.console.screens.silencing import AT_ONCE


def firing(driver: Driver) -> set[int]:
    return {alert.id for alert in driver.world.alerts if alert.state == "firing"}


async def test_all_that_are_shown_are_acknowledged_after_a_question_and_taken_back_by_one_undo() -> None:
    async with console(size=(100, 30)) as driver:
        before = firing(driver)
        assert len(before) > 1
        await driver.press("3", "A")
        driver.sees(f"Acknowledge {len(before)} alerts:", "1 critical")
        assert driver.world.done == []
        await driver.press("enter")
        driver.sees(f"acknowledged {len(before)} alerts for 4 h")
        assert set(driver.world.done[-1][1]) == before
        assert firing(driver) == set()
        await driver.press("u")
        assert firing(driver) == before


async def test_escape_leaves_all_as_it_was() -> None:
    async with console() as driver:
        await driver.press("3", "A", "escape")
        assert driver.world.done == []


async def test_only_what_the_filter_shows_is_meant_by_all() -> None:
    async with console() as driver:
        await driver.press("3", "/")
        await driver.type("severity:critical")
        await driver.press("enter", "A")
        driver.sees("Acknowledge 1 alert: 1 critical")
        await driver.press("escape", "/")
        await driver.type(" state:pending")
        await driver.press("enter", "A")
        driver.sees("acknowledge all: no alert that is shown is firing")


async def test_marked_rows_are_acknowledged_together_and_unmarked() -> None:
    async with console(size=(100, 30)) as driver:
        await driver.press("3", "space", "j", "j", "space")
        driver.sees("a acknowledge 2")
        await driver.press("a")
        driver.sees("Acknowledge 2 alerts:")
        await driver.press("enter")
        assert len(driver.world.done[-1][1]) == 2
        driver.sees_not("marked")
        await driver.press("u")
        driver.sees("took back these acknowledgements")


async def test_marked_rows_without_a_firing_alert_say_so() -> None:
    async with console(size=(120, 30)) as driver:
        await driver.press("G", "space", "a")
        driver.sees("no alert of the marked rows is firing")
        assert driver.world.done == []


async def test_what_somebody_else_acknowledged_meanwhile_is_not_taken_back() -> None:
    async with console(size=(100, 30)) as driver:
        await driver.press("3", "A")
        theirs = min(firing(driver))
        driver.operator._alerts([theirs], state="acknowledged", acked_by="alex")
        ours = firing(driver)
        await driver.press("enter")
        driver.sees(f"acknowledged {len(ours)} of {len(ours) + 1} alerts")
        await driver.press("u")
        assert firing(driver) == ours


async def test_a_read_only_console_acknowledges_nothing() -> None:
    async with console(read_only=True) as driver:
        await driver.press("3", "A", "space", "a")
        driver.sees("this console is read-only")
        assert driver.world.done == []


MARK_TWO = ("space", "j", "j", "space", "j")
"""Marks the first and the fourth alert, #42 and #40, and leaves the cursor on another one."""


async def test_marked_alerts_are_resolved_together_and_not_the_one_under_the_cursor() -> None:
    async with console(size=(140, 30)) as driver:
        await driver.press("3", *MARK_TWO)
        driver.sees("r resolve 2")
        await driver.press("r")
        driver.sees(
            "Resolve 2 alerts: 1 critical, 1 warning", "#42 shop checkout is failing", "Closes all 2."
        )
        assert driver.world.done == []
        await driver.press("enter")
        assert driver.world.done == [("resolve", (42, 40), "resolved by hand")]
        driver.sees("✓ resolved 2 alerts")
        driver.sees_not("marked")


async def test_marked_alerts_are_handed_over_together() -> None:
    async with console(size=(140, 30)) as driver:
        await driver.press("3", *MARK_TWO, "h")
        driver.sees("Hand over 2 alerts: 1 critical, 1 warning", "#40 shop catalogue is degraded")
        await driver.press("enter")
        assert driver.world.done == [("hand_over", (42, 40), "ops-primary")]
        driver.sees("✓ handed 2 alerts over to ops-primary")
        driver.sees_not("marked")


async def test_a_note_is_written_into_the_history_of_all_marked_alerts() -> None:
    async with console(size=(140, 30)) as driver:
        await driver.press("3", *MARK_TWO, "n")
        driver.sees("Note for 2 alerts: 1 critical, 1 warning", "#42 shop checkout is failing")
        await driver.type("asked the provider")
        await driver.press("enter")
        assert driver.world.done == [("add_note", (42, 40), "asked the provider")]
        driver.sees("✓ noted for 2 alerts")
        driver.sees_not("marked")


async def test_each_marked_alert_gets_a_silence_of_its_own_and_one_undo_ends_all() -> None:
    async with console(size=(140, 30)) as driver:
        await driver.press("3", *MARK_TWO, "s")
        driver.sees("Silence what is like 2 alerts: 1 critical, 1 warning", "Makes 2 silences")
        await driver.press("enter")
        driver.sees("A silence needs a comment")
        await driver.type("provider works on it")
        await driver.press("enter")
        [(name, *wishes)] = driver.world.done
        assert name == "add_silences"
        told = [(wish.matchers, wish.comment, wish.lasts) for wish in wishes]  # type: ignore[attr-defined]
        assert told == [
            (
                ['service="shop checkout"', 'rule="service is not ok"'],
                "provider works on it",
                timedelta(hours=2),
            ),
            (
                ['service="shop catalogue"', 'rule="service is not ok"'],
                "provider works on it",
                timedelta(hours=2),
            ),
        ]
        driver.sees("✓ 2 silences keep quiet what matches")
        driver.sees_not("marked")
        await driver.press("u")
        assert driver.world.done[-1] == ("expire_silences", (10, 11))
        driver.sees("ended these silences")


async def test_too_many_marked_alerts_are_not_silenced_and_it_says_why() -> None:
    world = World()
    world.alerts = [replace(world.alerts[0], id=100 + number) for number in range(AT_ONCE + 1)]
    async with console(world, size=(140, 30)) as driver:
        await driver.press("3", "v", "G", "s")
        driver.sees(f"silence: {AT_ONCE + 1} alerts are marked, at most {AT_ONCE} are silenced at once")
        await driver.press("k", "s")
        driver.sees(f"Silence what is like {AT_ONCE} alerts: {AT_ONCE} critical", "and 15 more")


async def test_escape_from_what_is_asked_about_marked_alerts_keeps_the_marks() -> None:
    async with console(size=(140, 30)) as driver:
        await driver.press("3", *MARK_TWO)
        for key in "rhns":
            await driver.press(key, "escape")
            driver.sees("2 rows marked")
        assert driver.world.done == []


async def test_those_of_the_marked_alerts_that_are_over_are_not_resolved_again() -> None:
    async with console(size=(140, 30)) as driver:
        await driver.press("3", "tab", "space", "r")
        driver.sees("no alert of the marked rows is open")
        await driver.press("n")
        driver.sees("Note for #36")


async def test_what_somebody_else_resolved_meanwhile_is_counted() -> None:
    async with console(size=(140, 30)) as driver:
        await driver.press("3", *MARK_TWO, "r")
        await driver.operator.resolve([42], "theirs")
        await driver.press("enter")
        driver.sees("✓ resolved 1 of 2 alerts")


async def test_marked_services_are_resolved_by_their_alerts() -> None:
    async with console(size=(140, 30)) as driver:
        await driver.press("v", "G")
        alerts = {row.alert_id for row in driver.world.services if row.alert_id is not None}
        driver.sees(f"r resolve {len(alerts)}")
        await driver.press("r", "enter")
        [(name, ids, _)] = driver.world.done
        assert (name, set(ids)) == ("resolve", alerts)  # type: ignore[call-overload]


async def test_marked_services_without_an_alert_say_so() -> None:
    async with console(size=(120, 30)) as driver:
        await driver.press("G", "space", "r")
        driver.sees("no alert of the marked rows is open")


async def test_an_alert_that_is_named_is_meant_whatever_is_marked() -> None:
    async with console(size=(140, 30)) as driver:
        await driver.press("3", "G", "space", ":")
        await driver.type("ack 42")
        await driver.press("enter")
        driver.sees("Acknowledge #42 shop checkout is failing")


async def test_where_there_is_no_room_for_the_names_who_can_be_told_is_on_the_screen() -> None:
    async with console(size=(80, 16)) as driver:
        await driver.press("3", "v", "G", "h")
        driver.sees("Hand over 6 alerts", "ops-primary", "database-primary", "enter")
