"""What a person sees and does in each room, as keys pressed and lines read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from console_driver import console
from console_world import NOW, World, health_rows, log_rows
from textual import events

from watchfloor.console.line import width
from watchfloor.console.screens.sectioned import SectionedRoom
from watchfloor.domain.outcome import Status


async def test_the_first_screen_is_the_board_with_the_most_urgent_service_first() -> None:
    async with console() as driver:
        driver.sees("1 Health", "24", "✘ 2 failing", "▲ 2", "engine floor-01", "14:02")
        assert driver.cursor.startswith("▌ ✘ failing shop checkout")
        driver.sees("✘ failing ✓ mail relay")


async def test_a_room_keeps_its_cursor_and_filter_while_another_is_visited() -> None:
    async with console() as driver:
        await driver.press("j", "j", "2", "4", "1")
        assert "shop catalogue" in driver.cursor


async def test_the_cursor_stays_on_its_service_when_the_order_changes() -> None:
    async with console() as driver:
        await driver.press("j", "j")
        assert "shop catalogue" in driver.cursor
        rows = driver.world.services
        driver.world.services = [
            replace(r, hard=Status.FAILING, status=Status.FAILING) if r.name == "docs" else r for r in rows
        ]
        await driver.changed("health")
        assert "shop catalogue" in driver.cursor
        driver.sees("✘ 3 failing")


async def test_the_cursor_goes_to_the_neighbour_when_its_service_disappears() -> None:
    async with console() as driver:
        await driver.press("j")
        driver.world.services = [row for row in driver.world.services if row.name != "mail relay"]
        await driver.changed("health")
        assert "shop catalogue" in driver.cursor


async def test_filter_narrows_as_it_is_typed_and_escape_shows_all_again() -> None:
    async with console() as driver:
        await driver.press("/")
        await driver.type("payments")
        driver.sees("payments gateway", "/ payments")
        driver.sees_not("mail relay", "wiki")
        await driver.press("enter")
        driver.sees("/payments", "1 / 1 of 24 services")
        await driver.press("escape")
        driver.sees("mail relay")


async def test_filter_knows_fields_and_negation() -> None:
    async with console() as driver:
        await driver.press("/")
        await driver.type("state:ok !kind:http")
        await driver.press("enter")
        driver.sees("imap", "orders database")
        driver.sees_not("wiki", "mail relay")


async def test_a_filter_without_hits_says_so_and_how_to_leave_it() -> None:
    async with console() as driver:
        await driver.press("/")
        await driver.type("nothing like it")
        driver.sees("Nothing matches. esc shows all again.")


async def test_only_faults_and_next_fault() -> None:
    async with console() as driver:
        await driver.press("z")
        driver.sees("z faults only", "shop images")
        driver.sees_not("wiki")
        await driver.press("z", "G")
        await driver.press("n")
        assert "shop checkout" in driver.cursor


async def test_half_page_keys_move_and_never_destroy() -> None:
    async with console() as driver:
        await driver.press("ctrl+d")
        moved = driver.cursor
        assert "shop checkout" not in moved
        await driver.press("ctrl+u")
        assert "shop checkout" in driver.cursor
        assert driver.world.done == []


async def test_sorting_by_columns_and_back_to_urgency() -> None:
    async with console() as driver:
        await driver.press("s", "s", "g")
        driver.sees("SERVICE▴")
        assert "backup host" in driver.cursor
        await driver.press("S", "g")
        driver.sees("SERVICE▾")
        assert "www certificate" in driver.cursor


async def test_enter_opens_the_service_and_escape_comes_back_to_the_same_row() -> None:
    async with console(size=(80, 60)) as driver:
        await driver.press("j", "enter")
        driver.sees(
            "Health › mail relay",
            "LATENCY",
            "UPTIME",
            "LATEST CHECKS",
            "owned by config.yaml:14, not editable here",
        )
        await driver.press("escape")
        assert "mail relay" in driver.cursor


async def test_the_detail_shows_phases_certificate_and_incidents() -> None:
    async with console(size=(100, 120)) as driver:
        await driver.press("enter")
        driver.sees("PHASES OF THE LATEST CHECK", "first byte", "CERTIFICATE", "INCIDENTS", "in 12d 4h")
        driver.line_with("✘ failing 3m open 3m 00s")


async def test_wide_screens_show_the_selected_service_beside_the_board() -> None:
    async with console(size=(160, 50)) as driver:
        driver.sees("shop checkout http · shop", "PHASES OF THE LATEST CHECK")
        await driver.press("j")
        driver.sees("mail relay tcp · mail")


async def test_check_now_asks_the_engine() -> None:
    async with console() as driver:
        await driver.press("x")
        assert driver.world.done == [("check_now", 1)]
        driver.sees("✓ asked for a check of shop checkout")


async def test_check_now_on_a_paused_service_says_why_not() -> None:
    async with console() as driver:
        await driver.press("G", "x")
        driver.sees("check now: old intranet is paused; resume it first")
        assert driver.world.done == []


async def test_pause_and_undo() -> None:
    async with console() as driver:
        await driver.press("P")
        driver.sees("✓ paused shop checkout", "u undo")
        await driver.press("u")
        assert driver.world.done == [("set_paused", 1, True), ("set_paused", 1, False)]
        driver.sees("✓ resumed shop checkout")


async def test_a_and_enter_are_enough_to_acknowledge() -> None:
    async with console() as driver:
        await driver.press("3", "a")
        driver.sees("Acknowledge #42 shop checkout is failing", "4 h", "until resolved")
        await driver.press("enter")
        assert driver.world.done == [("acknowledge", (42,), "on it", timedelta(hours=4), False)]
        driver.line_with("✓ acknowledged #42")
        driver.sees("✓ acknowledged #42 for 4 h")


async def test_acknowledge_with_a_note_until_resolved() -> None:
    async with console() as driver:
        await driver.press("3", "a")
        await driver.type("restarting it")
        await driver.press("down", "down", "enter")
        assert driver.world.done == [("acknowledge", (42,), "restarting it", None, True)]


async def test_undo_takes_an_acknowledgement_back() -> None:
    async with console() as driver:
        await driver.press("3", "a", "enter", "u")
        assert driver.world.done[-1] == ("unacknowledge", (42,))
        assert "● firing" in driver.line_with("#42")


async def test_undo_is_no_longer_offered_when_its_time_is_over() -> None:
    async with console() as driver:
        await driver.press("3", "a", "enter")
        undo = driver.app.undo
        assert undo is not None
        assert 9 < undo.deadline - monotonic() <= 10
        driver.app.undos._offered = [replace(undo, deadline=monotonic())]
        await driver.press("u")
        driver.sees("undo: there is nothing to undo; an undo is offered for 10 s")
        assert driver.world.done[-1][0] == "acknowledge"


async def test_undo_is_offered_only_after_something_was_done() -> None:
    async with console() as driver:
        await driver.press("u")
        driver.sees("undo: there is nothing to undo")


async def test_an_alert_can_be_acknowledged_from_the_board_of_services() -> None:
    async with console() as driver:
        await driver.press("a", "enter")
        assert driver.world.done[0][:2] == ("acknowledge", (42,))
        driver.line_with("✘ failing ✓ shop checkout")


async def test_an_acknowledged_alert_says_why_it_cannot_be_acknowledged_again() -> None:
    async with console() as driver:
        await driver.press("j", "a")
        driver.sees("acknowledge: alert #41 is acknowledged; only a firing alert can be")


async def test_the_default_length_of_an_acknowledgement_comes_from_the_settings() -> None:
    world = World()
    world.settings = [
        replace(row, value=5400.0) if row.key == "alerts.ack_expiry" else row for row in world.settings
    ]
    async with console(world) as driver:
        await driver.press("3", "a", "enter")
        assert driver.world.done == [("acknowledge", (42,), "on it", timedelta(minutes=90), False)]


async def test_resolve_asks_first_and_escape_does_nothing() -> None:
    async with console() as driver:
        await driver.press("3", "r")
        driver.sees("Resolve #42", "Closes one alert.")
        await driver.press("escape")
        assert driver.world.done == []
        await driver.press("r", "enter")
        assert driver.world.done == [("resolve", (42,), "resolved by hand")]
        driver.sees_not("#42 shop")


async def test_history_lists_what_was_resolved_and_goes_back() -> None:
    async with console() as driver:
        await driver.press("3")
        driver.sees_not("docs is failing")
        await driver.press("H")
        driver.sees("○ resolved", "docs is failing")
        driver.sees_not("shop checkout is failing")
        await driver.press("H")
        driver.sees("shop checkout is failing")


async def test_an_alert_shows_its_immutable_history_and_messages() -> None:
    async with console(size=(100, 40)) as driver:
        await driver.press("3", "enter")
        driver.sees(
            "Alerts › #42 shop checkout is failing",
            "HISTORY",
            "● reopened",
            "MESSAGES",
            "8 attempts",
            "HTTP 401",
        )


async def test_the_programs_own_tasks_stand_in_a_section_of_jobs() -> None:
    async with console() as driver:
        await driver.press("2", "shift+tab")
        driver.sees("make partitions", "✘ failed", "1 / 48 runs")
        await driver.press("z", "enter")
        driver.sees("Jobs › Tasks › age alerts", "skipped")


async def test_logs_follow_until_the_cursor_leaves_the_top() -> None:
    async with console() as driver:
        await driver.press("4")
        driver.sees("● live")
        newest = replace(
            driver.world.records[0], id=9001, at=NOW + timedelta(seconds=1), message="something new"
        )
        driver.world.records.insert(0, newest)
        await driver.changed("logs")
        assert "something new" in driver.cursor
        await driver.press("j")
        driver.sees("○ not following")
        stays = driver.cursor
        driver.world.records.insert(
            0, replace(newest, id=9002, at=NOW + timedelta(seconds=2), message="newer still")
        )
        await driver.changed("logs")
        assert driver.cursor == stays
        await driver.press("F")
        assert "newer still" in driver.cursor


async def test_logs_by_level_channel_and_words() -> None:
    async with console() as driver:
        await driver.press("4", "l", "l", "l")
        driver.sees("error and above", "pager refused")
        driver.sees_not("checked 24 services")
        await driver.press("l", "/")
        await driver.type("channel:store partitions")
        await driver.press("enter")
        driver.sees("created partitions")
        driver.sees_not("delivered", "pager refused")


async def test_the_end_of_the_logs_is_the_oldest_record_there_is() -> None:
    oldest = log_rows()[-1]
    async with console() as driver:
        await driver.press("4")
        driver.sees("300 records+")
        driver.sees_not(f"at {oldest.at:%H:%M:%S}")
        await driver.press("G")
        driver.sees(f"at {oldest.at:%H:%M:%S}", "not following")


async def test_a_record_opens_with_its_attributes_and_neighbours() -> None:
    async with console(size=(100, 50)) as driver:
        await driver.press("4", "l", "l", "l", "enter")
        driver.sees("ATTRIBUTES", "EXCEPTION", "Rejected: 401", "AROUND IT")


async def test_settings_show_value_default_and_source() -> None:
    async with console() as driver:
        await driver.press("5")
        driver.line_with("thresholds.disk.critical")
        row = driver.line_with("thresholds.disk.critical")
        assert "90%" in row
        assert "95%" in row
        assert "kim" in row


async def test_a_setting_is_judged_before_it_is_changed() -> None:
    async with console() as driver:
        await driver.press("5", "/")
        await driver.type("ack_expiry")
        await driver.press("enter", "enter")
        driver.sees("Change alerts.ack_expiry", "allowed: a duration")
        await driver.press("ctrl+u")
        await driver.type("soon")
        await driver.press("enter")
        driver.sees("alerts.ack_expiry: found 'soon'")
        await driver.press("ctrl+u")
        await driver.type("2h")
        await driver.press("enter")
        assert driver.world.done == [("change_setting", "alerts.ack_expiry", 7200.0)]
        driver.sees("✓ alerts.ack_expiry is 2h now")


async def test_reset_asks_and_names_both_values() -> None:
    async with console() as driver:
        await driver.press("5", "/")
        await driver.type("disk.critical")
        await driver.press("enter", "R")
        driver.sees("Reset thresholds.disk.critical", "from 90% to its default 95%")
        await driver.press("enter")
        assert driver.world.done == [("reset_setting", "thresholds.disk.critical")]


async def test_sections_of_the_settings() -> None:
    world = World(problems=("config.yaml:14:10: services[2].timeuot: unknown key. Did you mean timeout?",))
    async with console(world, size=(100, 30)) as driver:
        await driver.press("5", "tab")
        driver.sees("▲ mistake", "services[2].timeuot", "▲ old in force")
        await driver.press("tab")
        driver.sees("✘ failing", "pager")
        await driver.press("tab")
        driver.sees("● running", "✘ lost", "floor-02")
        await driver.press("tab")
        driver.sees("▲ restarting", "courier")
        await driver.press("tab")
        driver.sees("night", "Clear (colour-blind safe)")
        await driver.press("tab")
        driver.sees("Watchfloor", "embedded 18.4")
        await driver.press("tab")
        driver.sees("alerts.reopen_window")


async def test_the_theme_under_the_cursor_is_a_preview_and_enter_keeps_it() -> None:
    async with console() as driver:
        await driver.press("5", "shift+tab", "shift+tab", "j")
        assert driver.app.theme_in_use.name != "night"
        await driver.press("1")
        assert driver.app.theme_in_use.name == "night"
        await driver.press("5", "g", "j", "enter")
        chosen = driver.app.theme_in_use.name
        await driver.press("1")
        assert driver.app.theme_in_use.name == chosen
        assert driver.world.preferences == {"theme": chosen}


async def test_times_toggle_between_ages_and_clock_and_are_remembered() -> None:
    async with console() as driver:
        assert "10m" in driver.cursor
        await driver.press("t")
        assert "13:52" in driver.cursor
        assert driver.world.preferences == {"times": "absolute"}


async def test_preferences_are_taken_from_the_database() -> None:
    async with console(World(preferences={"theme": "day", "times": "absolute"})) as driver:
        assert driver.app.theme_in_use.name == "day"
        assert "13:52" in driver.cursor


async def test_help_lists_runs_and_says_why_not() -> None:
    async with console(size=(100, 40)) as driver:
        await driver.press("?")
        driver.sees("Keys of this screen", "not now: there is nothing to undo")
        await driver.type("check now")
        await driver.press("enter")
        assert driver.world.done == [("check_now", 1)]


async def test_commands_find_rooms_and_themes() -> None:
    async with console() as driver:
        await driver.press(":")
        await driver.type("theme day")
        await driver.press("enter")
        assert driver.app.theme_in_use.name == "day"
        await driver.press("ctrl+p")
        await driver.type("jobs")
        await driver.press("enter")
        driver.sees("Dead letters")


async def test_escape_on_the_first_screen_does_not_leave() -> None:
    async with console() as driver:
        await driver.press("escape")
        driver.sees("back: this is the first screen")
        assert driver.app.is_running


async def test_q_goes_back_and_at_the_root_quits() -> None:
    async with console() as driver:
        await driver.press("enter", "q")
        assert "shop checkout" in driver.cursor
        await driver.press("q")
        assert driver.app.left_because == "quit"


async def test_pressing_the_key_of_the_present_room_goes_to_its_first_screen() -> None:
    async with console() as driver:
        await driver.press("enter")
        driver.sees("Health › shop checkout")
        await driver.press("1")
        driver.sees_not("Health ›")


async def test_words_are_found_and_marked_in_a_detail() -> None:
    async with console() as driver:
        await driver.press("enter", "/")
        await driver.type("cipher")
        await driver.press("enter")
        driver.sees("TLS_AES_256_GCM_SHA384", "/cipher 1 line")
        await driver.press("escape")
        driver.sees_not("/cipher")


async def test_two_consoles_on_one_world_see_each_others_acknowledgement() -> None:
    world = World()
    async with console(world) as here:
        await here.press("3")
        await here.operator.acknowledge([40], "mine", None, sticky=True)
        await here.idle()
        here.line_with("✓ acknowledged #40")


async def test_an_empty_world_says_what_to_do() -> None:
    empty = World(services=[], alerts=[], resolved=[], tasks=[], records=[], nodes=[], components=[], jobs=[])
    async with console(empty) as driver:
        driver.sees("No services yet.", "No engine alive", "watchfloor serve")
        await driver.press("2")
        driver.sees("No job is defined yet")
        await driver.press("3")
        driver.sees("no engine is watching either")
        await driver.press("4")
        driver.sees("Nothing was logged yet")
        await driver.press("5", "tab", "tab", "tab")
        driver.sees("No engine ever ran on this database.")


async def test_what_an_empty_section_says_fits_into_80_columns() -> None:
    async with console(size=(80, 24)) as driver:
        for key in "1235":
            await driver.press(key)
            room = driver.app.screen
            assert isinstance(room, SectionedRoom)
            assert {part.empty for part in room.parts if width(((part.empty, "muted"),)) > 76} == set()


@pytest.mark.parametrize("key", ["a", "r", "x", "P"])
async def test_a_read_only_console_says_so_and_does_nothing(key: str) -> None:
    async with console(read_only=True) as driver:
        driver.sees("read-only")
        await driver.press(key)
        driver.sees("this console is read-only")
        assert driver.world.done == []


async def test_ten_thousand_services_cost_only_what_is_visible() -> None:
    one = health_rows()[6]
    world = World(services=[replace(one, id=n, name=f"service {n:05}") for n in range(10_000)])
    async with console(world) as driver:
        driver.sees("10 000 services", "service 00000")
        await driver.press("G")
        assert "service 09999" in driver.cursor
        table = driver.app.room.table  # type: ignore[union-attr]
        drawn: list[int] = []
        original = table.line
        table.line = lambda index, cells: (drawn.append(index), original(index, cells))[1]  # type: ignore[method-assign]
        await driver.changed("health")
        assert len(set(drawn)) <= 24


async def test_an_operation_without_an_answer_is_given_up_and_says_what_that_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("watchfloor.console.doings.ANSWER_S", 0.01)
    async with console() as driver:
        driver.operator.check_now = lambda service_id: asyncio.Event().wait()  # type: ignore[assignment]
        await driver.press("x")
        driver.sees("look whether it was done")


async def test_what_is_done_to_many_is_waited_for_longer_and_so_is_its_undo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("watchfloor.console.doings.ANSWER_S", 0.01)
    monkeypatch.setattr("watchfloor.console.doings.EACH_S", 60.0)
    async with console() as driver:
        acknowledge, unacknowledge = driver.operator.acknowledge, driver.operator.unacknowledge

        async def slowly(*given: Any, **more: Any) -> Any:
            await asyncio.sleep(0.05)
            return await acknowledge(*given, **more)

        async def slowly_back(*given: Any) -> Any:
            await asyncio.sleep(0.05)
            return await unacknowledge(*given)

        driver.operator.acknowledge = slowly  # type: ignore[method-assign]
        driver.operator.unacknowledge = slowly_back  # type: ignore[method-assign]
        await driver.press("3", "A", "enter")
        driver.sees("acknowledged")
        driver.sees_not("no answer within")
        await driver.press("u")
        driver.sees("took back these acknowledgements")


async def test_the_board_goes_on_under_a_dialog() -> None:
    async with console() as driver:
        await driver.press("3", "a")
        driver.world.alerts = [row for row in driver.world.alerts if row.id != 40]
        await driver.changed("alerts")
        driver.sees("5 alerts", "Acknowledge #42")


async def test_a_click_moves_the_cursor_and_two_open() -> None:
    async with console() as driver:
        await driver.pilot.click("#body", offset=(10, 3))
        await driver.idle()
        assert "shop catalogue" in driver.cursor
        await driver.pilot.click("#body", offset=(10, 2), times=2)
        await driver.idle()
        driver.sees("Health › mail relay")


async def test_the_wheel_scrolls_without_moving_the_cursor() -> None:
    async with console() as driver:
        table = driver.app.room.table  # type: ignore[union-attr]
        driver.app.screen.post_message(
            events.MouseScrollDown(table, 5, 8, 0, 0, 0, False, False, False, 5, 8)
        )
        await driver.idle()
        driver.sees_not("shop checkout")
        assert table.rows.place == 0


async def test_no_engine_is_said_loudly_and_goes_away_with_its_reason() -> None:
    async with console() as driver:
        live = driver.world.nodes
        driver.world.nodes = [replace(node, live=False) for node in live]
        await driver.changed("nodes")
        driver.sees("✘ No engine alive: nothing is checked. Run: watchfloor serve", "✘ no engine")
        driver.world.nodes = live
        await driver.changed("nodes")
        driver.sees_not("No engine alive")


async def test_a_mistake_in_the_config_file_is_said_on_every_screen() -> None:
    world = World(
        problems=("config.yaml:14:10: services[2].timeuot: unknown key.", "config.yaml:20:1: other")
    )
    async with console(world, size=(120, 30)) as driver:
        for room in "12345":
            await driver.press(room)
            driver.sees("▲ The old configuration stays, see 5: config.yaml:14:10:", "(and 1 more mistake)")


async def test_a_filter_that_is_dropped_gives_the_cursor_back() -> None:
    async with console() as driver:
        await driver.press("j", "j", "j")
        before = driver.cursor
        await driver.press("slash", "z", "z", "z", "escape")
        assert driver.cursor == before


async def test_charts_of_a_service_show_more_or_less_of_the_past() -> None:
    async with console(size=(100, 60)) as driver:
        await driver.press("enter")
        driver.sees("LATENCY · 1 h min", "PHASES · 1 h", "13:30")
        await driver.press("w")
        driver.sees("LATENCY · 6 h")
        await driver.press("W", "W", "W")
        driver.sees("LATENCY · 15 min", "15 min is the shortest stretch of time")


async def test_a_host_has_charts_with_units_of_processor_memory_disk_and_network() -> None:
    async with console(size=(160, 60)) as driver:
        await driver.press("/", *"this", "enter", "enter")
        driver.sees(
            "CPU · 1 h", "MEMORY · 1 h", "DISK / · 1 h", "NETWORK IN eth0 · 1 h", "100 % ┤", "2 MB/s ┤"
        )
        driver.sees("METRICS · 1 h", "disk written sda")
