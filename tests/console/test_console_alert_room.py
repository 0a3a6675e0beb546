"""The sections of the Alerts room, and what can be done in each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from console_driver import console
from console_world import NOW, World, alert_detail, alert_rows
from textual import events

from watchfloor.console.format import Moment
from watchfloor.console.screens.alert_sections.active import COLUMNS
from watchfloor.console.screens.silencing import SilenceDialog, matchers_of, read_end
from watchfloor.domain.duty_boards import DutyRow
from watchfloor.domain.matchers import match, parse_all, split, subject_labels
from watchfloor.domain.severity import Severity
from watchfloor.domain.silences import Reach, Wish

TO_RULES = ("3", "tab", "tab")
TO_SILENCES, TO_DELIVERIES = (*TO_RULES, "tab"), (*TO_RULES, "tab", "tab")


async def test_from_a_cold_shell_four_keys_acknowledge_the_worst_alert() -> None:
    async with console() as driver:
        keys = ("3", "a", "enter")
        await driver.press(*keys)
        assert len(keys) <= 4
        assert driver.world.done[0][:2] == ("acknowledge", (42,))


async def test_the_gravest_stand_first_then_the_newest_and_what_is_opened_is_unread_no_more() -> None:
    async with console(size=(120, 30)) as driver:
        await driver.press("3")
        driver.sees("*#42", "* 1 unread")
        shown = [row.id for row in driver.app.room.table.rows.shown]
        assert shown == [42, 41, 38, 40, 39, 37]
        await driver.press("enter", "escape")
        driver.sees("#42")
        driver.sees_not("*#42", "unread")


async def test_an_alert_that_nobody_is_told_of_says_why_and_stands_below_those_that_call() -> None:
    world = World()
    why: dict[int, dict[str, object]] = {
        42: {"quiet": ("dependency",), "root": "gateway"},
        40: {"quiet": ("silence",)},
    }
    world.alerts = [replace(row, **why.get(row.id, {})) for row in world.alerts]  # type: ignore[arg-type]
    async with console(world=world, size=(120, 30)) as driver:
        await driver.press("3")
        driver.sees("● firing ⊘", "⊘ behind gateway", "⊘ silenced", "⊘ 2 quiet")
        assert [row.id for row in driver.app.room.table.rows.shown] == [41, 38, 39, 37, 42, 40]
        await driver.press("G", "enter")
        driver.sees("⊘ nobody is told: silenced")
        await driver.press("escape", "/", *"quiet:silence", "enter")
        driver.sees_not("behind gateway")


async def test_an_alert_tells_what_matters_first_and_nothing_of_it_is_cut_off() -> None:
    async with console() as driver:
        await driver.press("3", "enter")
        driver.sees("orders database, alert #39 (O shows it)", "person deputy, group everybody")
        driver.sees("in 7m (step", "https://wiki.example/runbooks/checkout", "to deputy on pager")
        text = driver.app.room.pane.text()
        for words in (
            "▶ 2  person deputy",
            "1 in 7 days, 2 in 30 days before this one",
            "over by itself after 9m 00s, acknowledged by kim",
            "restarted the pool",
            "resolved by robin after 2h 00m",
            "nightly backup #7",
            "long words",
        ):
            assert words in text
        await driver.press("O")
        driver.sees("#39 reporting database is unknown")


async def test_a_note_is_suggested_by_one_key_from_what_was_written_and_what_is_common() -> None:
    async with console() as driver:
        keys = ("3", "a", "ctrl+n", "enter")
        await driver.press(*keys[:2])
        driver.sees("ctrl-n: ticket 8841 is open · restarted the pool · known,")
        await driver.press(*keys[2:])
        assert len(keys) <= 4
        assert driver.world.done[0][:3] == ("acknowledge", (42,), "ticket 8841 is open")


async def test_an_acknowledgement_may_have_an_end_and_still_survive_a_rise_of_severity() -> None:
    async with console() as driver:
        await driver.press("3", "a")
        driver.sees("ctrl-t: A rise of severity ends it.")
        await driver.press("ctrl+t")
        driver.sees("ctrl-t: A rise of severity does not end it.")
        await driver.press("enter")
        driver.sees("✓ acknowledged #42 for 4 h, even if it gets worse")
        assert driver.world.done == [("acknowledge", (42,), "on it", timedelta(hours=4), True)]


async def test_what_is_acknowledged_until_it_is_resolved_survives_a_rise_unless_somebody_says() -> None:
    async with console() as driver:
        await driver.press("3", "A", "up", "up")
        driver.sees("ctrl-t: A rise of severity does not end it.")
        await driver.press("down", "up", "ctrl+t")
        driver.sees("ctrl-t: A rise of severity ends it.")
        await driver.press("enter")
        driver.sees("until it is resolved or gets worse")
        [(name, _, _, lasts, sticky)] = driver.world.done
        assert (name, lasts, sticky) == ("acknowledge", None, False)


async def test_handing_over_offers_everybody_and_says_who_is_on_call() -> None:
    async with console() as driver:
        await driver.press("3", "h")
        driver.sees("ops-primary", "on call now: operations", "ops-secondary", "database-primary", "away now")
        await driver.press("down", "enter")
        assert driver.world.done[0] == ("hand_over", (42,), "ops-secondary")
        driver.sees("handed #42 over to ops-secondary")


async def test_handing_over_takes_a_part_of_a_name_and_nobody_who_is_not_there() -> None:
    async with console() as driver:
        await driver.press("3", "h")
        await driver.type("nobody")
        await driver.press("enter")
        driver.sees("Nobody is called that")
        await driver.press("ctrl+u")
        await driver.type("database")
        await driver.press("enter")
        assert driver.world.done == [("hand_over", (42,), "database-primary")]


async def test_without_people_handing_over_says_where_to_define_them() -> None:
    world = World(people=[])
    async with console(world) as driver:
        await driver.press("3", "h")
        driver.sees("nobody to hand over to: define people in the config file")


async def test_each_undo_of_changes_of_a_silence_finds_the_one_that_stands_now() -> None:
    async with console(size=(120, 30)) as driver:
        await driver.press(*TO_SILENCES, "j", "+")
        assert driver.world.done[-1][:2] == ("change_silence", 8)
        await driver.press("g", "+")
        assert driver.world.done[-1][:2] == ("change_silence", 11)
        await driver.press("u")
        assert driver.world.done[-1][:2] == ("change_silence", 12)
        await driver.press("u")
        assert driver.world.done[-1][:2] == ("change_silence", 13)


async def test_what_is_over_was_told_and_is_silent_goes_on_below_page_by_page() -> None:
    made = World()
    minute = timedelta(minutes=1)
    made.resolved = [
        replace(
            made.resolved[0], id=number, title=f"case {number}", resolved_at=NOW - (900 - number) * minute
        )
        for number in range(900, 0, -1)
    ]
    made.sent = [
        replace(made.sent[0], id=str(UUID(int=number)), created_at=NOW - (700 - number) * minute)
        for number in range(700, 0, -1)
    ]
    made.silences = [replace(made.silences[-1], id=number) for number in range(500, 0, -1)]
    async with console(made, size=(120, 30)) as driver:
        await driver.press("3", "H")
        driver.sees("1 / 200 alerts", "more below")
        await driver.press("G")
        driver.sees("900 / 900 alerts", "case 1")
        await driver.press("g", "/")
        await driver.type("title:case 77")
        await driver.press("enter")
        driver.sees("of 900 alerts", "case 77")
        await driver.press("escape", "tab", "tab")
        driver.sees("1 / 200 silences", "more below")
        await driver.press("G")
        driver.sees("500 / 500 silences")
        await driver.press("tab", "G")
        driver.sees("700 / 700 messages")


async def test_the_runbook_of_an_alert_can_be_copied() -> None:
    async with console() as driver:
        await driver.press("3", "enter", "y")
        driver.sees("runbook")


async def test_unread_alerts_are_found_by_a_filter() -> None:
    async with console() as driver:
        await driver.press("3", "/")
        await driver.type("unread:yes")
        await driver.press("enter")
        driver.sees("shop checkout is failing")
        driver.sees_not("mail relay is failing")


async def test_each_section_has_keys_of_its_own_and_no_others() -> None:
    async with console(size=(120, 30)) as driver:
        await driver.press("3")
        driver.sees("s silence", "a acknowledge")
        await driver.press("tab", "tab", "tab")
        driver.sees("D end", "+ an hour more")
        driver.sees_not("a acknowledge")
        await driver.press("a", "s")
        assert driver.world.done == []
        driver.sees_not("Silence what is like")
        await driver.press("tab")
        driver.sees("R replay")


def test_who_took_care_of_an_alert_is_bound_to_nothing_once_it_is_over() -> None:
    ends = next(each for each in COLUMNS if each.title == "ACK ENDS")
    row = replace(alert_rows()[0], state="acknowledged", acked_by="ann", acked_until=None)
    assert ends.cell(row, Moment(NOW), 9) == (("never", "muted"),)
    assert ends.cell(replace(row, state="resolved"), Moment(NOW), 9) == ()


async def test_a_silence_is_filled_in_from_the_labels_of_the_alert_and_says_what_it_matches() -> None:
    async with console() as driver:
        await driver.press("3", "s")
        driver.sees("Silence what is like #42", "matches 1 open alert of 1 service now")
        await driver.press("enter")
        driver.sees("A silence needs a comment")
        assert driver.world.done == []
        await driver.type("deploy")
        await driver.press("enter")
        wish = Wish(['service="shop checkout"', 'rule="service is not ok"'], "deploy", timedelta(hours=2))
        assert driver.world.done == [("add_silences", wish)]
        await driver.press("u")
        assert driver.world.done[-1] == ("expire_silences", (10,))


def test_a_silence_like_an_alert_about_no_service_matches_the_next_one_of_its_kind() -> None:
    row = replace(alert_rows()[0], rule="dead runs", service="", service_id=None)
    labels = {"job": "nightly backup", "since": "2031-03-01T12:00:00+00:00"}
    assert matchers_of(replace(alert_detail(row), labels=labels)) == 'job="nightly backup" rule="dead runs"'


def test_a_silence_like_the_alert_about_one_disk_leaves_the_other_disks_of_that_machine_alone() -> None:
    labels = {"service": "db", "kind": "host", "group": "data", "metric": "disk_used_percent{mount=/var/lib}"}
    row = replace(alert_rows()[0], service="db", rule="disks")
    written = matchers_of(replace(alert_detail(row), labels=labels))
    assert written == 'service="db" metric="disk_used_percent{mount=/var/lib}" rule="disks"'
    wanted = parse_all(split(written))
    assert match(wanted, subject_labels(labels, "disks", Severity.WARNING))
    other = {**labels, "metric": "disk_used_percent{mount=/}"}
    assert not match(wanted, subject_labels(other, "disks", Severity.WARNING))


async def test_s_why_and_enter_are_enough_for_a_silence() -> None:
    async with console() as driver:
        await driver.press("3", "s")
        await driver.type("deploy")
        await driver.press("enter")
        assert driver.world.done[0][0] == "add_silences"
        driver.sees("✓ silence #10 keeps quiet what matches")


async def test_a_silence_closed_before_it_knows_what_it_matches_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with console() as driver:
        asked, answer, reader = asyncio.Event(), asyncio.Event(), driver.app.reader
        found = await reader.silence_reach([])

        async def slow(matchers: Sequence[str]) -> Reach:
            asked.set()
            await answer.wait()
            return found

        monkeypatch.setattr(reader, "silence_reach", slow)
        await driver.press("3")
        driver.app.post_message(events.Key("s", "s"))
        await asked.wait()
        dialog = driver.app.screen
        assert isinstance(dialog, SilenceDialog)
        driver.app.post_message(events.Key("escape", None))
        await driver.until(lambda: not dialog.is_running)
        answer.set()
        await driver.idle()
        driver.sees_not("Silence what is like", "not found out")


async def test_a_silence_that_matches_everything_warns_and_is_confirmed_twice() -> None:
    async with console() as driver:
        await driver.press("3", "s", "tab", "ctrl+u")
        await driver.type("service=~.*")
        driver.sees("▲ matches every alert there is")
        await driver.press("tab", "ctrl+u")
        await driver.type("resolved")
        await driver.press("tab")
        await driver.type("maintenance of everything")
        await driver.press("enter")
        driver.sees("This silences every alert there is: enter again if that is meant.")
        assert driver.world.done == []
        await driver.press("enter")
        wish = Wish(["service=~.*"], "maintenance of everything", None, until_resolved=True, everything=True)
        assert driver.world.done == [("add_silences", wish)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "say until when"),
        ("2", "has no unit"),
        ("2020-01-01", "cannot end in the past"),
        ("soon", "not understood"),
    ],
)
def test_an_end_that_is_none_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_end(text, NOW, NOW.tzinfo)


async def test_a_matcher_that_is_none_is_told_while_it_is_typed_and_nothing_is_done() -> None:
    async with console() as driver:
        await driver.press("3", "s", "tab", "ctrl+u")
        await driver.type("service")
        driver.sees("a matcher is written label=value")
        await driver.press("enter")
        assert driver.world.done == []


async def test_a_note_is_written_into_the_history() -> None:
    async with console() as driver:
        await driver.press("3", "n", "enter")
        driver.sees("A note needs words.")
        await driver.type("asked the provider")
        await driver.press("enter")
        assert driver.world.done == [("add_note", (42,), "asked the provider")]


async def test_silences_show_who_and_why_and_are_ended_with_undo() -> None:
    async with console(size=(120, 30)) as driver:
        await driver.press(*TO_SILENCES)
        driver.sees("⊘ active #8", "deploy of the new search", "◌ pending #9", "○ ended #6")
        await driver.press("j", "D")
        assert driver.world.done == [("expire_silences", (8,))]
        await driver.press("u")
        assert driver.world.done[-1] == ("reinstate_silence", 8, NOW + timedelta(hours=3))


async def test_a_silence_is_extended_by_an_hour_and_one_without_a_time_says_why_not() -> None:
    async with console() as driver:
        await driver.press(*TO_SILENCES, "j", "+")
        name, number, wish = driver.world.done[0]
        assert (name, number, wish.lasts) == ("change_silence", 8, timedelta(hours=4))  # type: ignore[attr-defined]
        await driver.press("j", "+")
        driver.sees("silence #7 lasts until it is resolved")


async def test_a_silence_is_edited_in_the_form_it_was_made_in() -> None:
    async with console() as driver:
        await driver.press(*TO_SILENCES, "j", "i")
        driver.sees("Change silence #8", "deploy of the new search", "2026-08-20 17:02:31")
        await driver.press("tab", "ctrl+u")
        await driver.type("5h")
        await driver.press("enter")
        name, number, wish = driver.world.done[0]
        assert (name, number, wish.lasts) == ("change_silence", 8, timedelta(hours=5))  # type: ignore[attr-defined]


async def test_a_silence_that_is_edited_ends_when_it_would_have_unless_its_end_is_edited() -> None:
    async with console() as driver:
        driver.world.silences[1] = replace(driver.world.silences[1], ends_at=NOW + timedelta(minutes=119))
        await driver.press(*TO_SILENCES, "j", "i", "enter")  # 1h 59m are left, and no minute less
        await driver.press("k", "i", "enter")  # planned: it lasts two hours from when it begins
        lengths = [wish.lasts for _, _, wish in driver.world.done]  # type: ignore[misc]
        assert lengths == [timedelta(minutes=119), timedelta(hours=2)]


async def test_one_dead_letter_is_replayed_after_it_was_asked() -> None:
    async with console() as driver:
        await driver.press(*TO_DELIVERIES, "R")
        driver.sees("this message is delivered, no dead letter")
        await driver.press("e", "R")
        driver.sees("Replay 1 dead letter", "to pager: mail relay is failing")
        await driver.press("escape")
        assert driver.world.done == []
        await driver.press("R", "enter")
        assert driver.world.done == [("replay", (str(UUID(int=6)),))]


async def test_the_page_of_a_message_says_what_was_sent_and_sends_it_again() -> None:
    async with console() as driver:
        await driver.press(*TO_DELIVERIES, "e", "enter")
        driver.sees("WHAT WAS SENT", "for ann", "CRITICAL mail relay is failing", "runbook: [b]x[/b]")
        driver.sees("… 1 234 more characters are not shown", "WHAT BECAME OF IT")
        await driver.press("R", "enter")
        assert driver.world.done == [("replay", (str(UUID(int=6)),))]


async def test_a_dead_letter_is_discarded_after_it_was_asked() -> None:
    async with console() as driver:
        await driver.press(*TO_DELIVERIES, "D")
        driver.sees("this message is delivered, no dead letter")
        await driver.press("e", "D")
        driver.sees("Discard 1 dead letter", "to pager: mail relay is failing")
        await driver.press("enter")
        assert driver.world.done == [("discard_letters", (str(UUID(int=6)),))]


async def test_every_dead_letter_that_is_shown_is_replayed_at_once_and_counted() -> None:
    async with console() as driver:
        await driver.press(*TO_DELIVERIES, "/", *"state:dead", "enter", "A")
        driver.sees("Replay 2 dead letters")
        await driver.press("enter")
        assert driver.world.done == [("replay", (str(UUID(int=6)), str(UUID(int=4))))]


async def test_marked_dead_letters_are_replayed_together() -> None:
    async with console() as driver:
        await driver.press(*TO_DELIVERIES, "e", "space", "e", "space", "R", "enter")
        assert driver.world.done == [("replay", (str(UUID(int=6)), str(UUID(int=4))))]


async def test_what_is_only_of_now_is_not_shown_as_of_the_past() -> None:
    world = World()
    async with console(world) as driver:
        await driver.press(*TO_SILENCES)
        driver.sees("deploy of the new search" if driver.app.size.width > 90 else "#8")
        await driver.press("T", "enter")
        driver.sees("Silences show only now.")


async def test_who_is_on_call_which_chains_run_and_what_is_held_are_one_section() -> None:
    async with console(size=(120, 30)) as driver:
        await driver.press("3", "shift+tab", "shift+tab")
        driver.sees(
            "● on call", "operations", "primary", "in 20h", "deputy", "✘ nobody", "▲ escalates", "step 2 of 3"
        )
        driver.sees("⊘ paused", "◌ held", "on chat")


async def test_the_line_of_a_chain_shows_and_opens_its_alert_and_a_rota_says_who_follows() -> None:
    async with console(size=(160, 40)) as driver:
        await driver.press("3", "shift+tab", "shift+tab")
        driver.sees("then", "deputy")
        driver.sees_not("alert id")
        await driver.press("enter")
        driver.sees("On call › operations", "on call primary", "then deputy")
        await driver.press("escape")
        room = driver.app.screen
        await driver.press("/", *"held", "enter")
        driver.sees("disk is nearly full", "#39 reporting database is unknown", "HISTORY")
        await driver.press("enter")
        assert driver.app.screen is not room
        driver.sees("reporting database is unknown")


async def test_until_when_somebody_is_on_call_can_be_read_on_a_narrow_screen() -> None:
    world = World()
    until = NOW + timedelta(hours=14, minutes=45)
    world.duty = [DutyRow("rota", "operations of the whole shop", "primary", until, "deputy")]
    async with console(world, size=(80, 24)) as driver:
        await driver.press("3", "shift+tab", "shift+tab")
        driver.sees("in 14h 45m", "deputy")


async def test_rules_say_what_they_fire_for_and_what_they_would_have_done() -> None:
    async with console(size=(120, 40)) as driver:
        await driver.press(*TO_RULES)
        driver.sees("● firing", "web is failing", "✘ faulty", "there is no metric called", "○ off", "31")
        await driver.press("enter")
        driver.sees("a service is failing", "config.yaml:14", "WOULD HAVE FIRED IN 7d", "3 times", "goes on")
        driver.sees("12 instances", "3 more were left out")
        await driver.press("R")
        driver.sees("Send a test of web is failing")
        assert driver.world.done == []
        await driver.press("enter")
        assert driver.world.done == [("test_rule", "web is failing")]
        driver.sees(
            "a test of web is failing about website is on its way to chat, kim on phone; pager has a mute time"
        )


@pytest.mark.parametrize("size", [(60, 24), (80, 24), (160, 50)])
async def test_how_the_evaluations_of_a_rule_went_is_told_hour_by_hour(size: tuple[int, int]) -> None:
    async with console(size=size) as driver:
        await driver.press(*TO_RULES, "j", "enter", "ctrl+d")
        driver.sees("EVALUATIONS IN 24h", "61 of 6 141 failed", "4.20 ms on average, 28.5 ms at most")
        driver.sees(
            "12 instances, 1 waiting, 2 firing", "since 13m", "some failed", "all failed", "nobody looked"
        )
        driver.sees(f"went {'·' * 8}{'▮' * 22}????{'▮' * 10}▲▲✘✘")


async def test_a_rule_that_is_not_evaluated_in_rounds_says_so() -> None:
    async with console(size=(120, 40)) as driver:
        await driver.press(*TO_RULES, "enter")
        driver.sees(
            "EVALUATIONS", "It is not evaluated in rounds: it is asked whenever checks confirm the state"
        )
        driver.sees_not("on average")
        assert "rule_health" not in driver.world.reads


async def test_a_rule_that_is_off_is_neither_tried_nor_tested() -> None:
    async with console(size=(120, 40)) as driver:
        await driver.press(*TO_RULES, "j", "j", "R")
        driver.sees("is switched off")
        await driver.press("enter")
        driver.sees("the disk is full within 24h")
        driver.sees_not("WOULD HAVE FIRED")


async def test_what_alerts_cost_is_told_by_rule_service_and_hour_of_the_week() -> None:
    async with console() as driver:
        await driver.press("3", "shift+tab")
        driver.sees("all of 30 days", "web is failing", "stock database", "TO RESOLVE")
        driver.sees("Silences Deliveries On call Analytics")
        await driver.press("enter")
        driver.sees("acknowledged", "on average after 3m", "Mon ", "Sun ", "the most in ")


async def test_the_hours_of_the_week_are_those_of_what_is_selected() -> None:
    async with console(size=(160, 40)) as driver:
        await driver.press("3", "shift+tab")
        driver.sees("EVERY ALERT BY HOUR OF THE WEEK, 30 DAYS", "alerts 40")
        seen = set()
        for whose in ("RULE", "RULE", "SERVICE", "SERVICE"):
            await driver.press("j")
            driver.sees(f"ALERTS OF THIS {whose} BY HOUR OF THE WEEK, 30 DAYS")
            seen.add(tuple(line for line in driver.lines() if "█ the most in" in line))
        assert len(seen) == 2, "each rule of this world is about a service of its own"
        await driver.press("enter")
        driver.sees("ALERTS OF THIS SERVICE BY HOUR OF THE WEEK, 30 DAYS")
