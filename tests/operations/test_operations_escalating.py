"""Chains: who is told when, until somebody takes charge; quiet hours, reasons for silence, restarts."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from typing import Any

import pytest

from support.floor import Floor
from support.make import EPOCH, make_rules, now, rule
from support.sql import one, rows
from watchfloor.config.oncall import ContactGroupKeys, EscalationKeys, PersonKeys, RotaKeys
from watchfloor.domain import alert as life
from watchfloor.domain.alert import (
    AlertState,
    Suppression,
    change_severity,
    condition_true_again,
    suppress,
)
from watchfloor.domain.severity import Severity
from watchfloor.operations import chain_audit
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.alerts import acknowledge, resolve, unacknowledge
from watchfloor.operations.escalating import take_steps
from watchfloor.operations.oncall import hand_over, on_call, override
from watchfloor.operations.transitions import carry_out
from watchfloor.store import alerts as store
from watchfloor.store import outbox
from watchfloor.store.alerts import ChangedAlert
from watchfloor.store.database import Database
from watchfloor.store.duty import apply_oncall
from watchfloor.store.rules import ChannelDefinition, apply_channels

OPERATOR = Actor("operator")
PRIMARY = {"name": "primary", "channels": [{"channel": "p-chat"}, {"channel": "p-page", "from": "critical"}]}
DEPUTY = {"name": "deputy", "channels": [{"channel": "d-page"}], "skills": ["database"]}
ROTA = {"name": "operations", "layers": [{"members": ["primary"]}]}
STEPS = [
    {"tell": [{"rota": "operations"}]},
    {"after": "5m", "tell": [{"person": "deputy"}]},
    {"after": "10m", "tell": [{"channel": "siren"}], "from": "critical"},
]


class Watch(Floor):
    """A floor with people who are called."""

    async def define(
        self, *people: dict[str, Any], steps: Any = STEPS, groups: Any = (), before: Any = (), **keys: Any
    ) -> None:
        chains = [*before, {"name": "page", "steps": steps, **keys}]
        spec = {
            "people": [PersonKeys.model_validate(each).spec() for each in people or (PRIMARY, DEPUTY)],
            "groups": [ContactGroupKeys.model_validate(each).spec() for each in groups],
            "rotas": [RotaKeys.model_validate(ROTA).spec()],
            "escalations": [EscalationKeys.model_validate(each).spec() for each in chains],
        }
        async with self.database.transaction() as connection:
            await apply_oncall(connection, spec)

    async def step(self, seconds: float = 0) -> int:
        self.later(seconds)
        taken, _ = await take_steps(self.database, self.at)
        return taken

    async def change_by(self, ids: list[int]) -> None:
        """Somebody takes charge of these, at the simulated moment."""
        async with self.database.transaction() as connection:
            found = await store.lock(connection, ids)
            changed = [
                ChangedAlert(each, *life.acknowledge(each.alert, "operator", "", None, False, self.at))
                for each in found
                if each.alert.state is AlertState.FIRING
            ]
            await carry_out(connection, (), changed, self.at)

    async def channels(self) -> list[str]:
        found = await rows(
            self.database,
            "SELECT channel FROM outbox WHERE reason = 'escalated' AND state <> 'cancelled' ORDER BY seq, channel",
        )
        return [each[0] for each in found]

    async def notes(self) -> list[str]:
        found = await rows(
            self.database, "SELECT note FROM alert_events WHERE kind = 'escalated' ORDER BY alert_id, seq"
        )
        return [each[0] for each in found]


@pytest.fixture
async def floor(database: Database) -> Watch:
    await make_rules(database, channels=())
    return Watch(database, EPOCH)


async def test_steps_are_taken_one_after_the_other_and_each_leaves_a_line(floor: Watch) -> None:
    await floor.define()
    await floor.fire("a")
    assert await floor.channels() == ["p-chat", "p-page"]  # at once, in the transaction in which it fired
    assert await floor.step(299) == 0
    assert await floor.step(1) == 1
    assert (await floor.channels())[2:] == ["d-page"]
    await floor.step(600)
    assert (await floor.channels())[3:] == ["siren"]
    assert await floor.step(86_400) == 0
    assert await floor.notes() == [
        "page, step 1 of 3: primary on p-chat, primary on p-page",
        "page, step 2 of 3: deputy on d-page",
        "page, step 3 of 3: siren",
    ]


async def test_where_a_rule_wants_a_pause_between_two_problems_nobody_is_called_in_it(floor: Watch) -> None:
    await make_rules(floor.database, rule("patient", cooldown_ms=3_600_000, channels=()), channels=())
    await floor.define(steps=STEPS[:1])
    await floor.fire("a", rule="patient")
    await floor.end("a")
    floor.later(600)
    await floor.fire("a", rule="patient")
    assert await floor.channels() == ["p-chat", "p-page"]
    await floor.step(2900)
    assert await floor.channels() == ["p-chat", "p-page"]
    await floor.step(200)
    assert sorted(await floor.channels()) == ["p-chat", "p-chat", "p-page", "p-page"]


async def test_whoever_takes_charge_ends_the_chain_and_takes_back_what_nobody_got(floor: Watch) -> None:
    await floor.define()
    await floor.fire("a")
    (alert,) = await floor.ids("a")
    await acknowledge(floor.database, OPERATOR, [alert], "on it", timedelta(hours=1))
    assert await floor.channels() == []
    assert await floor.step(86_400) == 0
    await unacknowledge(floor.database, OPERATOR, [alert])
    assert await floor.channels() == ["p-chat", "p-page"]  # it begins again at its first step


async def test_pages_that_were_refused_are_taken_back_too_and_the_end_is_told_where_they_may_have_arrived(
    floor: Watch,
) -> None:
    await floor.define()
    await floor.fire("a")
    for page in await leased(floor):
        await fail(floor, page, "the receiver answered 503")
    (alert,) = await floor.ids("a")
    await acknowledge(floor.database, OPERATOR, [alert], "on it", timedelta(hours=1))
    pages = await rows(
        floor.database, "SELECT state, attempt, last_error FROM outbox WHERE reason = 'escalated'"
    )
    assert pages == [("cancelled", 1, "somebody took charge before this could be sent")] * 2
    assert [said["type"] for said in await floor.deliver()] == ["alert.acknowledged"] * 2
    await resolve(floor.database, OPERATOR, [alert], "")
    assert [said["type"] for said in await floor.deliver()] == ["alert.resolved"] * 2


async def test_a_page_under_way_when_somebody_takes_charge_is_not_sent_again(floor: Watch) -> None:
    await floor.define()
    await floor.fire("a")
    refused, taken = await leased(floor)
    (alert,) = await floor.ids("a")
    await acknowledge(floor.database, OPERATOR, [alert], "on it", timedelta(hours=1))
    await fail(floor, refused, "the receiver answered 503")
    async with floor.database.transaction() as connection:
        await outbox.delivered(connection, [taken])
    pages = "SELECT state, last_error FROM outbox WHERE reason = 'escalated' ORDER BY state"
    assert await rows(floor.database, pages) == [
        ("cancelled", "somebody took charge before this could be sent"),
        ("delivered", ""),
    ]


async def leased(floor: Watch) -> list[outbox.Leased]:
    """What is under way from now on."""
    async with floor.database.transaction() as connection:
        return await outbox.lease(connection, 50, 60.0)


async def fail(floor: Watch, message: outbox.Leased, why: str) -> None:
    """An attempt failed, and another one is due at once."""
    async with floor.database.transaction() as connection:
        await outbox.failed(connection, message, why, 0.0)


async def test_the_end_of_the_alert_ends_the_chain_and_is_told_to_those_who_heard_of_it(floor: Watch) -> None:
    await floor.define()
    await floor.fire("a")
    await floor.deliver()
    (alert,) = await floor.ids("a")
    await resolve(floor.database, OPERATOR, [alert], "")
    assert await floor.step(86_400) == 0
    said = [(channel, kind) for channel, kind, _ in await floor.told() if kind == "alert.resolved"]
    assert said == [("p-chat", "alert.resolved"), ("p-page", "alert.resolved")]


async def test_a_chain_is_what_it_was_when_it_began(floor: Watch) -> None:
    await floor.define()
    await floor.fire("a")
    await floor.define(steps=[{"tell": [{"channel": "other"}]}])
    await floor.step(300)
    assert (await floor.channels())[2:] == ["d-page"]


async def test_a_reason_for_silence_stops_the_clock_of_a_chain(floor: Watch) -> None:
    await floor.define()
    await floor.fire("a")
    floor.later(200)
    await floor.change(lambda alert: suppress(alert, {Suppression.SILENCE}, floor.at), "a")
    assert await floor.step(3600) == 0
    await floor.change(lambda alert: suppress(alert, (), floor.at), "a")
    assert await floor.step(99) == 0
    assert await floor.step(1) == 1


async def test_flapping_alone_holds_up_a_chain_for_half_an_hour_and_no_longer(floor: Watch) -> None:
    await floor.define()
    await floor.fire("a")
    await floor.change(lambda alert: suppress(alert, {Suppression.FLAPPING}, floor.at), "a")
    assert await floor.step(1799) == 0
    assert await floor.step(1) == 1
    assert (await floor.channels())[2:] == ["d-page"]


async def test_a_step_that_finds_nobody_does_not_keep_the_next_one_waiting(floor: Watch) -> None:
    away = {"from": "2031-01-01T00:00", "until": "2032-01-01T00:00"}
    await floor.define({**PRIMARY, "absences": [away]}, DEPUTY)
    await floor.fire("a")
    assert await floor.channels() == ["d-page"]
    assert (await floor.notes())[0] == "page, step 1 of 3: nobody is there to be told"


async def test_an_override_for_somebody_who_has_left_leaves_the_rota_to_its_layers(floor: Watch) -> None:
    await floor.define()
    end = floor.at + timedelta(days=1)
    made = await override(floor.database, OPERATOR, "operations", "deputy", floor.at, end)
    assert await who_is_on_call(floor) == ("deputy", made)
    await floor.define(PRIMARY)
    assert await who_is_on_call(floor) == ("primary", 0)
    await floor.fire("a")
    assert await floor.channels() == ["p-chat", "p-page"]
    await floor.define()
    assert await who_is_on_call(floor) == ("deputy", made)


async def who_is_on_call(floor: Watch) -> tuple[str, int]:
    """The person, and the number of the override that put them there."""
    async with floor.database.connection() as connection:
        (row,) = await on_call(connection, floor.at)
    return row.person, row.override


async def test_a_step_for_graver_alerts_is_left_out_and_the_next_one_is_taken_at_its_own_time(
    floor: Watch,
) -> None:
    await floor.define(steps=_with_a_siren_between({"from": "critical"}))
    await floor.fire("a", severity=Severity.WARNING)
    assert await floor.step(300) == 1
    assert await floor.channels() == ["chat"]
    assert (await floor.notes())[1] == "page, step 2 of 3: left out, only from critical on"
    assert await floor.step(599) == 0
    assert await floor.step(1) == 1
    assert await floor.channels() == ["chat", "phone"]


async def test_a_step_for_graver_alerts_is_taken_where_the_alert_got_worse_before_it(floor: Watch) -> None:
    await floor.define(steps=_with_a_siren_between({"from": "critical"}))
    await floor.fire("a", severity=Severity.WARNING)
    await floor.change(lambda alert: change_severity(alert, Severity.CRITICAL, floor.at), "a")
    await floor.step(300)
    assert await floor.channels() == ["chat", "chat", "siren"]  # it begins again: chat knew of a warning


async def test_an_alert_that_gets_worse_gets_the_chain_for_it_and_reaches_those_who_are_told_from_then_on(
    floor: Watch,
) -> None:
    tickets = {"name": "tickets", "match": ["severity=warning"], "steps": [{"tell": [{"channel": "board"}]}]}
    await floor.define(match=["severity=~critical|emergency"], before=[tickets])
    await floor.fire("a", severity=Severity.WARNING)
    assert await floor.channels() == ["board"]
    await floor.step(3600)
    for severity in (Severity.CRITICAL, Severity.WARNING, Severity.CRITICAL):
        await floor.change(lambda alert, to=severity: change_severity(alert, to, floor.at), "a")
    assert await floor.channels() == ["board", "p-chat", "p-page"]  # once, however often it is that bad
    assert await floor.step(300) == 1
    await floor.change(lambda alert: change_severity(alert, Severity.EMERGENCY, floor.at), "a")
    assert (await floor.channels())[3:] == ["d-page", "p-chat", "p-page"]


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        ({"from": "12:05", "to": "12:06"}, True),
        ({"from": "12:00", "to": "12:05"}, False),
        ({"from": "12:06", "to": "11:00"}, False),
    ],
    ids=["within", "when they ended", "before they begin"],
)
async def test_a_step_outside_of_its_hours_is_left_out_and_the_next_one_is_taken_at_its_own_time(
    floor: Watch, hours: dict[str, str], told: bool
) -> None:
    await floor.define(steps=_with_a_siren_between({"hours": [hours]}))
    await floor.fire("a")
    assert await floor.step(300) == 1
    assert await floor.channels() == (["chat", "siren"] if told else ["chat"])
    words = "siren" if told else "left out, outside of its hours"
    assert (await floor.notes())[1] == f"page, step 2 of 3: {words}"
    assert await floor.step(599) == 0
    assert await floor.step(1) == 1
    assert (await floor.channels())[-1] == "phone"


def _with_a_siren_between(only: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"tell": [{"channel": "chat"}]},
        {"after": "5m", "tell": [{"channel": "siren"}], **only},
        {"after": "10m", "tell": [{"channel": "phone"}]},
    ]


async def test_quiet_hours_hold_what_can_wait_and_let_it_go_when_it_gets_worse(floor: Watch) -> None:
    quiet = {"from": "00:00", "to": "23:00"}
    await floor.define({**PRIMARY, "quiet_hours": [quiet]}, DEPUTY)
    await floor.fire("a", severity=Severity.WARNING)
    held = await rows(floor.database, "SELECT channel, person, held_until = not_before FROM outbox")
    assert held == [("p-chat", "primary", True)]
    assert await floor.deliver() == []
    await floor.change(lambda alert: change_severity(alert, Severity.CRITICAL, floor.at), "a")
    said = [each["data"] for each in await floor.deliver()]
    assert [each["severity"] for each in said] == ["critical"] * 2  # on p-page as well, which is for that


async def test_what_is_over_before_the_quiet_hours_end_is_told_once_however_often_it_came_back(
    floor: Watch,
) -> None:
    quiet = {"from": "00:00", "to": "23:00"}
    await floor.define({**PRIMARY, "quiet_hours": [quiet]}, DEPUTY)
    await floor.fire("a", "b", severity=Severity.WARNING)
    await floor.end("a")
    floor.later(60)
    await floor.again("a")
    await floor.end("a")
    (over, lasting) = await floor.ids("a", "b")
    waiting = "SELECT kind, held_until IS NOT NULL FROM outbox WHERE alert_id = %(id)s AND state = 'queued'"
    assert await rows(floor.database, waiting, id=over) == [("alert.resolved", True)]
    assert await rows(floor.database, waiting, id=lasting) == [("alert.firing", True)]
    why = await rows(floor.database, "SELECT DISTINCT last_error FROM outbox WHERE state = 'cancelled'")
    assert why == [("it was over before the quiet hours ended",)]


async def test_a_chain_is_done_again_as_often_as_it_says(floor: Watch) -> None:
    await floor.define(steps=[{"tell": [{"channel": "siren"}]}], repeat=2, pause="15m")
    await floor.fire("a")
    for _ in range(5):
        await floor.step(900)
    assert await floor.channels() == ["siren"] * 3


async def test_groups_and_skills_reach_everybody_once(floor: Watch) -> None:
    groups = [
        {"name": "all", "members": [{"person": "primary"}, {"skill": "database"}, {"person": "deputy"}]}
    ]
    await floor.define(steps=[{"tell": [{"group": "all"}, {"rota": "operations"}]}], groups=groups)
    await floor.fire("a", severity=Severity.WARNING)
    assert await floor.channels() == ["d-page", "p-chat"]


async def test_every_step_is_taken_in_time_after_time_in_which_nobody_looked(floor: Watch) -> None:
    await floor.define()
    await floor.fire("a")
    assert await floor.step(7200) == 1  # late, and the one after it keeps its distance
    assert await floor.step(599) == 0
    assert await floor.step(1) == 1


async def test_only_alerts_that_match_have_a_chain(floor: Watch) -> None:
    await floor.define(match=["severity=critical"])
    await floor.fire("a", severity=Severity.WARNING)
    assert await floor.channels() == []
    await floor.fire("b")
    assert len(await floor.channels()) == 2


async def test_an_alert_that_comes_back_as_one_that_no_chain_is_for_is_not_escalated_by_the_auditor(
    floor: Watch,
) -> None:
    await floor.define(match=["severity=critical"])
    await floor.fire("a")
    await floor.deliver()
    await floor.end("a")
    floor.later(180)
    await floor.change(lambda alert: condition_true_again(alert, floor.at, 300.0, Severity.WARNING), "a")
    floor.later(120)
    assert await chain_audit.repair(floor.database, floor.at) == 0
    assert await floor.step(86_400) == 0
    assert await floor.channels() == ["p-chat", "p-page"]
    await floor.change(lambda alert: change_severity(alert, Severity.CRITICAL, floor.at), "a")
    assert (await floor.channels())[2:] == ["p-chat", "p-page"]


async def test_a_chain_that_is_written_later_is_for_later_alerts(floor: Watch) -> None:
    await floor.define(match=["service=b"])
    await floor.fire("a", severity=Severity.WARNING)
    await floor.define()
    for happens in (
        lambda alert: life.remind(alert, floor.at),
        lambda alert: life.reword(alert, floor.at),
        lambda alert: life.take_note(alert, "operator", floor.at, "known"),
        lambda alert: suppress(alert, {Suppression.SILENCE}, floor.at),
        lambda alert: suppress(alert, (), floor.at),
        lambda alert: change_severity(alert, Severity.INFO, floor.at),
    ):
        await floor.change(happens, "a")
    assert await floor.step(86_400) == 0
    assert await floor.notes() == []
    await floor.change(lambda alert: change_severity(alert, Severity.CRITICAL, floor.at), "a")
    assert await floor.channels() == ["p-chat", "p-page"]  # worse than it ever was: that is for somebody


async def test_what_got_worse_while_somebody_had_charge_gets_its_chain_when_that_ends(floor: Watch) -> None:
    await floor.define(match=["severity=critical"])
    await floor.fire("a", severity=Severity.WARNING)
    (alert,) = await floor.ids("a")
    await acknowledge(floor.database, OPERATOR, [alert], "on it", None, sticky=True)
    await floor.change(lambda alert: change_severity(alert, Severity.CRITICAL, floor.at), "a")
    assert await floor.channels() == []
    await unacknowledge(floor.database, OPERATOR, [alert])
    assert await floor.channels() == ["p-chat", "p-page"]


async def test_what_fired_in_silence_gets_the_chain_of_that_moment_when_the_silence_ends(
    floor: Watch,
) -> None:
    await floor.define()
    await floor.fire("a", reasons={Suppression.SILENCE})
    await floor.define(match=["service=b"])
    assert await floor.step(3600) == 0
    await floor.change(lambda alert: suppress(alert, (), floor.at), "a")
    assert await floor.channels() == ["p-chat", "p-page"]


async def test_whoever_an_alert_is_handed_over_to_hears_at_once_and_the_chain_waits_for_them(
    floor: Watch,
) -> None:
    await floor.define()
    await floor.fire("a")
    (alert,) = await floor.ids("a")
    await acknowledge(floor.database, OPERATOR, [alert], "on it", None)
    await hand_over(floor.database, OPERATOR, [alert], "deputy", "it is the database")
    found = await rows(
        floor.database, "SELECT channel, person FROM outbox WHERE reason = 'handed_over' AND state = 'queued'"
    )
    assert found == [("d-page", "deputy")]
    wait = await rows(floor.database, "SELECT step, next_at - clock_timestamp() < '15m' FROM escalations")
    assert wait == [(0, True)]
    audited = await rows(floor.database, "SELECT action, actor FROM audit ORDER BY id DESC LIMIT 1")
    assert audited == [("hand over", "operator")]
    with pytest.raises(Refused, match="There is no person called depuy"):
        await hand_over(floor.database, OPERATOR, [alert], "depuy")


async def heirs(floor: Watch) -> list[tuple[Any, ...]]:
    """Who was told of hand-overs, where, and whether quiet hours hold it."""
    return await rows(
        floor.database,
        "SELECT channel, person, held_until IS NOT NULL FROM outbox WHERE reason = 'handed_over' AND person <> '' "
        "AND state = 'queued' ORDER BY alert_id, channel",
    )


async def given(floor: Watch, name: str, severity: Severity, person: str) -> None:
    """Something fires, and is handed over to somebody."""
    await floor.fire(name, severity=severity)
    await hand_over(floor.database, OPERATOR, await floor.ids(name), person)


async def test_an_heir_is_told_on_the_channels_that_take_the_severity(floor: Watch) -> None:
    await floor.define()
    await given(floor, "a", Severity.WARNING, "primary")
    assert await heirs(floor) == [("p-chat", "primary", False)]
    await given(floor, "b", Severity.CRITICAL, "primary")
    assert (await heirs(floor))[1:] == [("p-chat", "primary", False), ("p-page", "primary", False)]


async def test_an_heir_none_of_whose_channels_takes_the_severity_is_told_on_the_one_that_takes_most(
    floor: Watch,
) -> None:
    channels = [{"channel": "siren", "from": "emergency"}, {"channel": "p-page", "from": "critical"}]
    await floor.define({**PRIMARY, "channels": channels}, DEPUTY)
    await given(floor, "a", Severity.WARNING, "primary")
    assert await heirs(floor) == [("p-page", "primary", False)]


async def test_the_quiet_hours_of_an_heir_hold_what_they_would_hold_of_a_step(floor: Watch) -> None:
    moment, around = await now(floor.database), timedelta(hours=2)
    quiet = {"from": f"{moment - around:%H:%M}", "to": f"{moment + around:%H:%M}"}
    await floor.define({**PRIMARY, "quiet_hours": [quiet]}, DEPUTY)
    await given(floor, "a", Severity.WARNING, "primary")
    assert await heirs(floor) == [("p-chat", "primary", True)]
    (alert,) = await floor.ids("a")
    await acknowledge(floor.database, OPERATOR, [alert], "on it", None)
    assert await heirs(floor) == []
    await given(floor, "b", Severity.CRITICAL, "primary")
    assert await heirs(floor) == [("p-chat", "primary", False), ("p-page", "primary", False)]


async def test_nothing_is_handed_over_to_somebody_who_would_not_hear_of_it(floor: Watch) -> None:
    away = {"from": "2001-01-01T00:00", "until": "2091-01-01T00:00"}
    await floor.define({**PRIMARY, "absences": [away]}, DEPUTY)
    async with floor.database.transaction() as connection:
        await apply_channels(connection, [ChannelDefinition("d-page", "webhook", {}, False, "")])
    await floor.fire("a")
    alerts = await floor.ids("a")
    with pytest.raises(Refused, match=r"primary is away\. Hand it over to somebody else"):
        await hand_over(floor.database, OPERATOR, alerts, "primary")
    with pytest.raises(Refused, match="every channel of deputy is switched off"):
        await hand_over(floor.database, OPERATOR, alerts, "deputy")
    moment = await now(floor.database)
    await override(floor.database, OPERATOR, "operations", "primary", None, moment + timedelta(hours=1))
    await hand_over(floor.database, OPERATOR, alerts, "primary")
    assert await heirs(floor) == [("p-chat", "primary", False), ("p-page", "primary", False)]


async def test_the_auditor_takes_what_was_missed_and_puts_right_what_is_wrong(floor: Watch) -> None:
    await floor.define()
    await floor.fire("late", "stopped", "still", "over")
    floor.later(200)
    for name, change in (
        ("stopped", "next_at = NULL, ended_why = 'by mistake'"),
        ("still", "next_at = NULL, left_s = 100"),
        ("over", "next_at = now() - interval '1 y'"),
    ):
        (alert,) = await floor.ids(name)
        if name == "over":
            await resolve(floor.database, OPERATOR, [alert], "")
        await rows(floor.database, f"UPDATE escalations SET {change} WHERE alert_id = {alert} RETURNING 1")
    floor.later(161)  # of "late" the second step is a minute late
    async with floor.database.transaction() as connection:
        assert await chain_audit.find(connection, floor.at) == ["2 steps of escalations overdue"]
    before = len(await floor.notes())
    assert await chain_audit.repair(floor.database, floor.at) == 4
    assert len(await floor.notes()) == before + 2  # that of "late", and the first one of "stopped" again
    assert await chain_audit.repair(floor.database, floor.at) == 0
    async with floor.database.transaction() as connection:
        assert await chain_audit.find(connection, floor.at) == []
    assert await floor.step(100) == 1  # "still" goes on where it stood


@pytest.mark.chaos
async def test_every_step_is_taken_within_a_second_and_none_after_somebody_took_charge(floor: Watch) -> None:
    """2,000 steps by a simulated clock; with WATCHFLOOR_STEPS=100000 so many."""
    wanted, chance = int(os.environ.get("WATCHFLOOR_STEPS", "2000")), random.Random(14)
    steps = [{"after": f"{chance.randint(1, 90)}s", "tell": [{"channel": "siren"}]} for _ in range(20)]
    await floor.define(steps=steps, repeat=1, pause="1m")
    taken = alerts = 0
    while taken < wanted:
        names = [f"a{alerts + n}" for n in range(60)]
        alerts += len(names)
        for name in names:
            floor.later(chance.random() / 100)
            await floor.fire(name)
        ids = await floor.ids(*names)
        acknowledged = dict(zip(ids, (chance.uniform(0, 2500) for _ in ids), strict=True))
        began = floor.at
        while True:
            ready = [
                each for each, after in acknowledged.items() if began + timedelta(seconds=after) <= floor.at
            ]
            if ready:
                await floor.change_by(ready)
                for each in ready:
                    del acknowledged[each]
            done, coming = await take_steps(floor.database, floor.at)
            taken += done
            if coming is None:
                break
            floor.at = max(floor.at, coming) + timedelta(
                seconds=chance.random() / 2
            )  # the loop wakes a bit late
    assert await one(floor.database, "SELECT count(*) FROM alert_events WHERE kind = 'escalated'") == taken
    late = await one(
        floor.database,
        "SELECT max(extract(epoch FROM at - (data ->> 'due')::timestamptz))::float8 FROM alert_events "
        "WHERE kind = 'escalated'",
    )
    assert 0 <= late < 1.0
    after = await one(
        floor.database,
        "SELECT count(*) FROM alert_events e JOIN alert_events k USING (alert_id) WHERE e.kind = 'escalated' "
        "AND k.kind = 'acknowledged' AND e.seq > k.seq",
    )
    assert after == 0
    assert await one(floor.database, "SELECT count(*) FROM alert_events WHERE kind = 'acknowledged'") > 10
